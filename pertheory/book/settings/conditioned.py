"""Nearly-Gaussian outputs at a random point, conditioned on targets by `pertheory.infer`: arrays of residues.

Samples are a few training inputs and, behind them, a few test inputs; there is no noise. What is of the order 1/n is
the slope of each array.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from pertheory.errors import InputError
from pertheory.infer.contraction import Legs, contract
from pertheory.infer.expansion import Cumulant, diagrams
from pertheory.infer.pure import key_of
from pertheory.rulebook.tensors import find_tensor
from pertheory.training.arithmetic import RESIDUES, Array, DualArray
from pertheory.training.averages import random_tensor
from pertheory.training.contraction import Labelled
from pertheory.training.formula import Formula, Object, evaluate

#: training inputs, and test inputs
TRAINING, TEST = 2, 2
#: n_L; no coefficient of these formulas, so that it cannot be mistaken for one
OUTPUTS = 5
#: what a statement may be about, with the number of its labels
CONDITIONED = {"mean": 1, "cov": 2, "wired": 2, "kernel": 2, "log_p": 0}


class ConditionedPoint:
    """Random tensors and targets, and what posteriors they have.

    Args:
        seed: fixes everything.
    """

    def __init__(self, seed: str) -> None:
        self.samples = TRAINING + TEST
        self.cumulants = {own: self._tensor(key_of(own), seed) for own in (Cumulant(1, 1), Cumulant(2, 0))}
        self.kernel = self._tensor("K", seed)
        self.targets = np.zeros((self.samples, OUTPUTS), dtype=object)
        self.targets[:TRAINING] = RESIDUES.draw(random.Random(seed), TRAINING, OUTPUTS)

    def _tensor(self, name: str, seed: str) -> Array:
        kind = find_tensor(name)[0].kind
        return RESIDUES.array(random_tensor(kind, self.samples, f"{seed} {name}").transpose(find_tensor(name)[0].slots))

    @cached_property
    def inverse(self) -> Array:
        """The inverse of the kernel on the training set, and zero elsewhere."""
        found = np.zeros_like(self.kernel)
        block = self.kernel[:TRAINING, :TRAINING]
        found[:TRAINING, :TRAINING] = RESIDUES.solve(block, RESIDUES.identity(TRAINING))
        return found

    @cached_property
    def raising(self) -> Array:
        """The inverse of the kernel on all samples."""
        return RESIDUES.solve(self.kernel, RESIDUES.identity(self.samples))

    @cached_property
    def legs(self) -> Legs:
        """What legs of diagrams end on; every sample is taken for a test input."""
        external = RESIDUES.array(RESIDUES.identity(self.samples) - self.inverse @ self.kernel)
        return Legs(RESIDUES.array(self.inverse @ self.targets).T, external, self.inverse)

    def left(self, name: str) -> DualArray:
        """What a statement is about, at test inputs; of one output, or of the first and the second one.

        The value is read off the exponent of the Gaussian density of all samples, the slope is the sum of diagrams.
        """
        one = self.samples - TEST
        exponent = self.raising[one:, one:], self.raising[one:, :one] @ self.targets[:one, :1]
        match name:
            case "mean":
                return DualArray(RESIDUES.solve(exponent[0], RESIDUES.array(-exponent[1]))[:, 0], self._sum(1)[one:, 0])
            case "cov":
                spread = RESIDUES.solve(exponent[0], RESIDUES.identity(TEST))
                return DualArray(spread, self._sum(2)[one:, 0, one:, 0])
            case "wired":
                slope = self._sum(2)[one:, 0, one:, 1]
                return DualArray(np.zeros_like(slope), slope)
            case "kernel":
                return DualArray(self.kernel[one:, one:], self._sum(0, probe=True)[one:, one:])
        return DualArray(RESIDUES.array(0), self._sum(0))

    def _sum(self, externals: int, probe: bool = False) -> Array:
        found = contract(diagrams(1, externals, probe), self.cumulants, self.legs)
        exact = [RESIDUES.number(value) for value in found.ravel().tolist()]
        return np.array(exact, dtype=object).reshape(found.shape)

    def evaluate(self, formula: Formula, outside: tuple[str, ...]) -> DualArray:
        """A side of a statement over its labels."""
        return evaluate(RESIDUES, formula, self._look, outside, OUTPUTS, neurons=False)

    def _look(self, item: Object) -> Labelled:
        """The array of an object."""
        if item == Object("eps"):
            return Labelled(DualArray(RESIDUES.array(0), RESIDUES.array(1)))
        known: Mapping[str, Array] = {
            "n_L": np.array(OUTPUTS, dtype=object),
            "y": self.targets[:, 0],
            "y_2": self.targets[:, 1],
            "yy": self.targets @ self.targets.T,
            "Kt": self.inverse,
            "K": self.raising if item.inverse else self.kernel,
            "V": self.cumulants[Cumulant(2, 0)],
            "G{1}": self.cumulants[Cumulant(1, 1)],
        }
        if item.name not in known:
            raise InputError(f"{item.name} has no value in a statement on posteriors")
        array = RESIDUES.array(known[item.name])
        if item.inverse and item.name not in ("K", "V"):
            raise InputError(f"{item.name}: only indices of K and V are raised here")
        for axis in range(array.ndim if item.inverse and item.name == "V" else 0):
            array = RESIDUES.array(np.moveaxis(np.tensordot(self.raising, array, (1, axis)), 0, axis))
        if array.ndim != len(item.labels):
            raise InputError(f"{item.name} has {array.ndim} labels, not {len(item.labels)}")
        return Labelled(RESIDUES.constant(array), item.labels)


def is_same(left: DualArray, right: DualArray, infinite: bool) -> bool:
    """Whether the left side is the right one at test inputs; the slopes are compared unless the width is infinite."""
    cut: Any = (..., *[slice(TRAINING, None)] * left.value.ndim)
    pairs = list(zip(left, right, strict=True))[: 1 if infinite else 2]
    return all(RESIDUES.equal(one, other[cut]) for one, other in pairs)
