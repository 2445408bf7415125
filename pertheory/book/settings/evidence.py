"""The evidence of one or two training inputs, and what one neuron says about another, in numbers.

Two inputs + and - have the kernel K_0 [[1, 1], [1, 1]] + K_1 [[1, 0], [0, -1]] + K_2 [[1, -1], [-1, 1]], and Y_0, Y_1,
Y_2 are the same combinations of the products of targets, averaged over outputs. Known are ``log_p``, the log evidence
at infinite width; ``slope_0`` and ``slope_2``, its derivatives with respect to K_0 and K_2 at K_1 = 0; of a single
input ``rise``, n (E[z_2^2 | z_1 = y_1] - E[z_2^2]), by how much the variance of one neuron changes where another has
the output y_1.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import log, pi
from typing import Any

import numpy as np

from pertheory.book import syntax
from pertheory.book.scalar import Setting
from pertheory.book.syntax import Node, Statement
from pertheory.book.verdict import MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.errors import InputError
from pertheory.infer.conditioning import Conditioned
from pertheory.infer.contraction import contract
from pertheory.infer.expansion import Cumulant, diagrams
from pertheory.rulebook.tensors import Tensor

#: n_L of the data
OUTPUTS = 3
#: relative difference of two sides that are equal, in double precision
ROUNDING = 1e-10
GAMMA = (np.ones((2, 2)), np.diag([1.0, -1.0]), np.array([[1.0, -1.0], [-1.0, 1.0]]))


class OnOneOrTwoInputs(Setting):
    """Numbers at a random point.

    Args:
        seed: fixes it.
    """

    title = "a statement on one or two inputs"

    def __init__(self, seed: str) -> None:
        draw = random.Random(seed)
        self.kernel = [draw.uniform(1, 2), draw.uniform(-0.5, 0.5), draw.uniform(0.5, 1)]
        targets = np.array([[draw.gauss() for _ in range(OUTPUTS)] for _ in range(2)])
        of_targets = targets @ targets.T / OUTPUTS
        parts = np.linalg.solve(np.array([own.ravel() for own in GAMMA]).T[[0, 1, 3]], of_targets.ravel()[[0, 1, 3]])
        self.targets, self.output, self.four = targets, draw.uniform(0.5, 2), draw.uniform(0.5, 2)
        self.values = {"n_L": OUTPUTS, "pi": pi, "y_1": self.output}
        self.values |= {f"{name}_{k}": own[k] for name, own in (("K", self.kernel), ("Y", parts)) for k in range(3)}

    def number(self, value: Fraction) -> float:
        """A double."""
        return float(value)

    def symbol(self, name: str) -> Any:
        """Scalars of the point, and what statements are about."""
        match name:
            case "log_p":
                return self._conditioned(self.kernel).log_evidence()
            case "slope_0" | "slope_2":
                slope = [own for own in diagrams(1) if own.vertices == (Cumulant(1, 1),)]
                legs = self._conditioned([self.kernel[0], 0.0, self.kernel[2]]).legs
                return float(contract(slope, {Cumulant(1, 1): GAMMA[int(name[-1])]}, legs))
            case "rise":
                four = np.full((1,) * 4, self.four)
                return Conditioned([[self.kernel[0]]], {(2, 0): four}, [[self.output]]).outputs_kernel(1).item()
        return super().symbol(name)

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Any:
        """K and V of the single input."""
        known = {("G", 0): self.kernel[0], ("V", 0): self.four}
        if node.up or (tensor.name, order) not in known:
            raise InputError(f"{node.name} has no value in {self.title}")
        return known[tensor.name, order]

    def meaning(self, node: Node, *place: Any) -> Any:
        """Logarithms as well."""
        if isinstance(node, syntax.Apply) and node.function == "log":
            value = self.interpret(node.of)
            if value <= 0:
                raise InputError(f"a logarithm of {value:.3g} in {self.title}")
            return log(value)
        return super().meaning(node, *place)

    def _conditioned(self, kernel: list[float]) -> Conditioned:
        return Conditioned(sum(own * part for own, part in zip(kernel, GAMMA, strict=True)), {}, self.targets)

    def verdict(self, statement: Statement) -> Verdict:
        """Whether the sides are equal to rounding."""
        left, *others = [self.interpret(side) for side in statement.sides]
        residual = max(abs(left - other) / max(abs(left), abs(other), 1e-300) for other in others)
        if residual < ROUNDING:
            return Verdict(VERIFIED, NUMERIC)
        return Verdict(MISMATCH, NUMERIC, residual, "the sides differ at a random point")
