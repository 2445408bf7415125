"""Entropies of m outputs on one input, as series in v = V/(n G^2).

The third cumulant of the kernel is v_3, of the order v^2; m, n_L and what v_3 is over v^2 are random numbers. Known
are ``entropy``, the one beyond that of a Gaussian; ``information``, the mutual one of two halves of n_L outputs; and
``r_best``, the ratio r at which the information to its third power is largest where v = nu r.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from pertheory.algebra.polynomial import Polynomial
from pertheory.algebra.series import TaylorSeries
from pertheory.book.scalar import Setting, below_remainder
from pertheory.book.syntax import Node
from pertheory.errors import InputError
from pertheory.infer.information import entropy, mutual_information

#: the highest power of v that is known, and the highest that a remainder may be
ORDER = 4


class OfOutputs(Setting):
    """Series in v with rational coefficients.

    Args:
        seed: fixes the numbers.
    """

    title = "a statement on information"

    def __init__(self, seed: str) -> None:
        draw = random.Random(seed)
        numbers = {name: Fraction(draw.randint(2, 97), 7) for name in ("m", "n_L", "nu")}
        self.values = {name: self.number(value) for name, value in numbers.items()}
        self.values["v"] = TaylorSeries([Fraction(0), Fraction(1), *[Fraction(0)] * ORDER])
        self.values["v_3"] = self.values["v"] ** 2 * Fraction(draw.randint(2, 97), 7)

    def number(self, value: Fraction) -> TaylorSeries:
        """A constant."""
        return TaylorSeries.constant(value, ORDER + 1)

    def symbol(self, name: str) -> Any:
        """Scalars, and what statements are about."""
        match name:
            case "entropy":
                return sum((self._taken(entropy(order)) for order in range(2, ORDER + 1)), self.number(Fraction(0)))
            case "information":
                return sum(self._information(), self.number(Fraction(0)))
            case "r_best":
                two, three = (own.coefficients[power] for power, own in enumerate(self._information()[:2], 2))
                return self.number(-2 * two / (3 * three)) / self.values["nu"]
        return super().symbol(name)

    def _information(self) -> list[TaylorSeries]:
        return [self._taken(mutual_information(order)) for order in range(2, ORDER + 1)]

    def _taken(self, polynomial: Polynomial) -> TaylorSeries:
        total = self.number(Fraction(0))
        for powers, coefficient in polynomial.terms.items():
            term = self.number(coefficient)
            for name, exponent in powers:
                term = term * self.values[name] ** exponent
            total = total + term
        return total

    def difference(self, left: TaylorSeries, right: TaylorSeries, remainder: Node | None) -> Any:
        """Left minus right below the remainder; without one both have to be constants."""
        if remainder is None:
            if any(left.coefficients[1:]) or any(right.coefficients[1:]):
                raise InputError(f"a series in v needs a remainder such as O(v^4), up to O(v^{ORDER + 1})")
            return left - right
        return below_remainder(left, right, self.interpret(remainder), ORDER + 1, "v")
