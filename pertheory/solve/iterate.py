"""The recursions on one input, iterated to large depth in floating point or with many digits.

The activation is a polynomial with s(0) = 0: its averages are polynomials in K, so that a coefficient is known at all
layers at once. Nothing is assumed about how tensors grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from pertheory.algebra.polynomial import Polynomial
from pertheory.algebra.series import TaylorSeries
from pertheory.rulebook.network import Network
from pertheory.solve.averages import AtZero, Expanded
from pertheory.solve.channels import inner_values, open_functions, outer, rates
from pertheory.solve.layer import SingleInputLayer, first_tangent_kernel
from pertheory.solve.universality import expansion_coefficients
from pertheory.worker import Node

#: layers, the kernel of the first one, and the power of K at which polynomials in K end
DEPTH, FIRST_KERNEL, ORDER = 4000, Fraction(1, 4), 9
#: learning rates of bias, weights and all others at the first layer, and what a strength that the rule leaves free is
RATES, INNER, FREE = {"tilde_b": Fraction(2, 5), "tilde_W": Fraction(7, 10)}, Fraction(3, 10), Fraction(1, 2)


class Iteration:
    """Values of tensors at all layers, at the critical point K* = 0.

    A learning rate that enters Theta' with K^m is scaled with depth as tilde l^(m-p): that of the bias as tilde_b l^-p,
    that of the weights as tilde_W l^(1-p).

    Args:
        rule: the network.
        derivatives: of s at 0, from the first.
        depth: the last layer.
        digits: how many digits are kept; those of floating point if left out.

    Attributes:
        numbers: the scalars of the iteration: sigma_1, a_1, p, tilde_b, .., and hyperparameters.
    """

    def __init__(
        self, rule: Network, derivatives: Sequence[Fraction], depth: int = DEPTH, digits: int | None = None
    ) -> None:
        self.rule, self.depth, self.digits = rule, depth, digits
        own, scaled = outer(rule), rates(rule)
        at_zero = [_constant(0), *map(_constant, derivatives)]
        base = AtZero(_constant, dict.fromkeys(open_functions(rule), at_zero), polynomial=True)
        self.averages = Expanded(base, _constant(0), ORDER)
        values: dict[str, Any] = {name: FREE for name, _ in rule.hyperparameters if name not in scaled}
        values |= {**inner_values(rule), **({own.bias: 0} if own.bias else {})}
        symbols = {name: Polynomial.symbol(name, Fraction(1)) for name in (own.weight, *scaled)}
        slope = self._layer({**values, **symbols}).kernel_above.coefficients[1]
        values[own.weight] = (1 - slope.coefficient()) / slope.coefficient((own.weight, 1))
        del symbols[own.weight]
        self.step = self._layer({**values, **symbols})
        found = {name: value.coefficient() for name, value in expansion_coefficients(self.step).items()}
        self._first_rates = {name: RATES.get(to, INNER) for name, to in scaled.items()}
        self.numbers: dict[str, Fraction] = {
            **{name: Fraction(value) for name, value in values.items()},
            **{name: found[name] for name in ("a_1", "b_1")},
            **{f"sigma_{i}": Fraction(value) for i, value in enumerate(derivatives, 1)},
            **{to: self._first_rates[name] for name, to in scaled.items()},
            "p": found["b_1"] / found["a_1"],
        }
        with self._precision():
            self._kernel = self._iterated_kernel()
            self._known: dict[Node, Any] = {self.step.node("K"): self._kernel}
            self._rates = self._scaled_rates()

    def _precision(self) -> Any:
        return mpmath.workdps(self.digits or mpmath.mp.dps)

    def _number(self, value: Fraction) -> Any:
        exact = Fraction(value)
        return mpmath.mpf(exact.numerator) / exact.denominator if self.digits else float(exact)

    def _array(self, values: Sequence[Any]) -> Any:
        return np.array(values, dtype=object if self.digits else float)

    def _layer(self, couplings: dict[str, Any]) -> SingleInputLayer:
        elements = {name: self.averages.constant(_constant(0) + value) for name, value in couplings.items()}
        return SingleInputLayer(self.rule, self.averages, elements, self.averages.kernel)

    def _iterated_kernel(self) -> Any:
        coefficients = [self._number(value.coefficient()) for value in self.step.kernel_above.coefficients]
        values = [self._number(FIRST_KERNEL)]
        for _ in range(1, self.depth):
            total = coefficients[-1] * 0
            for coefficient in reversed(coefficients):
                total = total * values[-1] + coefficient
            values.append(total)
        return self._array(values)

    def _scaled_rates(self) -> dict[str, Any]:
        """The learning rates of the layers from the second."""
        _, others = self.step.linear(self.step.node("Theta"))
        source: Any = others.get((), self.averages.number(0))
        layers = self._array([self._number(Fraction(layer)) for layer in range(2, self.depth + 1)])
        scaled = {}
        for name, tilde in self._first_rates.items():
            falls = next(
                (m for m, own in enumerate(source.coefficients) if any(name in dict(key) for key in own.terms)), None
            )
            if falls is not None:
                scaled[name] = self._number(tilde) * layers ** self._number(falls - self.numbers["p"])
        return scaled

    def value(self, node: Node, layer: int) -> Any:
        """The value of a tensor at a layer, from 1."""
        return self.history(node)[layer - 1]

    def history(self, node: Node) -> Any:
        """The values of a tensor at all layers.

        Raises:
            UnsupportedError: its recursion is not linear in it.
        """
        if node not in self._known:
            own, others = self.step.linear(node)
            with self._precision():
                source = self._kernel[:-1] * 0
                for factors, coefficient in others.items():
                    term = self._at_layers(coefficient)
                    for factor in factors:
                        term = term * self.history(factor)[:-1]
                    source = source + term
                values = [self._first(node)]
                for slope, add in zip(self._at_layers(own).tolist(), source.tolist(), strict=True):
                    values.append(slope * values[-1] + add)
                self._known[node] = self._array(values)
        return self._known[node]

    def _at_layers(self, coefficient: TaylorSeries) -> Any:
        """A coefficient at the kernels and learning rates of all layers but the last."""
        kernel = self._kernel[:-1]
        total = kernel * 0
        for power, polynomial in enumerate(coefficient.coefficients):
            for powers, value in polynomial.terms.items():
                term = self._number(value) * kernel**power
                for name, exponent in powers:
                    term = term * self._rates[name] ** exponent
                total = total + term
        return total

    def _first(self, node: Node) -> Any:
        if node != self.step.node("Theta") or not self.rule.is_trained:
            return self._number(Fraction(0))
        exact = {**self.numbers, **self._first_rates}
        return self._number(first_tangent_kernel(self.rule, Fraction, exact, FIRST_KERNEL))


def _constant(value: Any) -> Polynomial:
    return Polynomial({(): Fraction(value)})
