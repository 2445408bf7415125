"""The recursions on one input, iterated in floating point to large depth.

The activation is a polynomial with s(0) = 0: its averages are polynomials in K, so that a coefficient is known at all
layers at once. Nothing is assumed about how tensors grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pertheory.algebra.polynomial import Polynomial
from pertheory.algebra.series import TaylorSeries
from pertheory.rulebook.network import Network
from pertheory.solve.averages import AtZero, Expanded
from pertheory.solve.channels import inner_values, open_functions, outer
from pertheory.solve.layer import SingleInputLayer, first_tangent_kernel
from pertheory.solve.universality import expansion_coefficients
from pertheory.worker import Node

#: layers, the kernel of the first one, and the power of K at which polynomials in K end
DEPTH, FIRST_KERNEL, ORDER = 4000, 0.25, 9
#: learning rates of bias and weights at the first layer, and what a strength that the rule leaves free is
TILDE_B, TILDE_W, FREE = 0.4, 0.7, Fraction(1, 2)

Array: TypeAlias = npt.NDArray[np.float64]


class Iteration:
    """Values of tensors at all layers, at the critical point K* = 0.

    Learning rates are scaled with depth: that of the bias is tilde_b l^-p, that of the weights tilde_W l^(1-p).

    Args:
        rule: the network.
        derivatives: of s at 0, from the first.
        depth: the last layer.

    Attributes:
        numbers: the scalars of the iteration: sigma_1, a_1, p, tilde_b, .., and hyperparameters.
    """

    def __init__(self, rule: Network, derivatives: Sequence[Fraction], depth: int = DEPTH) -> None:
        self.rule, self.depth, self.own = rule, depth, outer(rule)
        number = _constant
        at_zero = [number(0), *map(number, derivatives)]
        base = AtZero(number, dict.fromkeys(open_functions(rule), at_zero), polynomial=True)
        self.averages = Expanded(base, number(0), ORDER)
        values: dict[str, Any] = {name: FREE for name, _ in rule.hyperparameters}
        values |= {**inner_values(rule), **({self.own.bias: 0} if self.own.bias else {})}
        rates = (self.own.bias_rate, self.own.weight_rate, self.own.weight)
        symbols = {name: Polynomial.symbol(name, Fraction(1)) for name in rates if name}
        slope = self._layer({**values, **symbols}).kernel_above.coefficients[1]
        critical = (self.own.weight, 1)
        values[self.own.weight] = (1 - slope.coefficient()) / slope.coefficient(critical)
        del symbols[self.own.weight]
        self.step = self._layer({**values, **symbols})
        found = {name: _number(value) for name, value in expansion_coefficients(self.step).items()}
        self.numbers: dict[str, float] = {
            **{name: float(value) for name, value in values.items()},
            **{name: found[name] for name in ("a_1", "b_1")},
            **{f"sigma_{i}": float(value) for i, value in enumerate(derivatives, 1)},
            **{"tilde_b": TILDE_B, "tilde_W": TILDE_W, "p": found["b_1"] / found["a_1"]},
        }
        self._known: dict[Node, Array] = {}
        self._kernel = self._iterated_kernel()
        self._known[self.step.node("K")] = self._kernel
        layers = np.arange(1, depth, dtype=float)
        p = self.numbers["p"]
        self._rates = {
            self.own.bias_rate: TILDE_B * (layers + 1) ** -p,
            self.own.weight_rate: TILDE_W * (layers + 1) ** (1 - p),
        }

    def _layer(self, couplings: dict[str, Any]) -> SingleInputLayer:
        elements = {name: self.averages.constant(_constant(0) + value) for name, value in couplings.items()}
        return SingleInputLayer(self.rule, self.averages, elements, self.averages.kernel)

    def _iterated_kernel(self) -> Array:
        coefficients = [_number(value) for value in self.step.kernel_above.coefficients]
        values = [FIRST_KERNEL]
        for _ in range(1, self.depth):
            total = 0.0
            for coefficient in reversed(coefficients):
                total = total * values[-1] + coefficient
            values.append(total)
        return np.array(values)

    def value(self, node: Node, layer: int) -> float:
        """The value of a tensor at a layer, from 1."""
        return float(self.history(node)[layer - 1])

    def history(self, node: Node) -> Array:
        """The values of a tensor at all layers.

        Raises:
            UnsupportedError: its recursion is not linear in it.
        """
        if node not in self._known:
            own, others = self.step.linear(node)
            source = np.zeros(self.depth - 1)
            for factors, coefficient in others.items():
                term = self._at_layers(coefficient)
                for factor in factors:
                    term = term * self.history(factor)[:-1]
                source += term
            values = [self._first(node)]
            for slope, add in zip(self._at_layers(own).tolist(), source.tolist(), strict=True):
                values.append(slope * values[-1] + add)
            self._known[node] = np.array(values)
        return self._known[node]

    def _at_layers(self, coefficient: TaylorSeries) -> Array:
        """A coefficient at the kernels and learning rates of all layers but the last."""
        kernel, total = self._kernel[:-1], np.zeros(self.depth - 1)
        for power, polynomial in enumerate(coefficient.coefficients):
            for powers, value in polynomial.terms.items():
                term = float(value) * kernel**power
                for name, exponent in powers:
                    term = term * self._rates[name] ** exponent
                total += term
        return total

    def _first(self, node: Node) -> float:
        if node != self.step.node("Theta") or not self.rule.is_trained:
            return 0.0
        rates = {self.own.bias_rate: TILDE_B, self.own.weight_rate: TILDE_W}
        return float(first_tangent_kernel(self.rule, float, {**self.numbers, **rates}, FIRST_KERNEL))


def _constant(value: Any) -> Polynomial:
    return Polynomial({(): Fraction(value)})


def _number(value: Polynomial) -> float:
    return float(value.coefficient())
