"""Gaussian averages on one input in high precision, for smooth activations given by formulas.

Derivatives come from Taylor arithmetic on the formula (no numerical differentiation), averages from the trapezoidal
rule, which converges exponentially for analytic functions. Everything is mpmath numbers.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

from pertheory.algebra.terms import Lines
from pertheory.book.classes import functions_of, reduced
from pertheory.errors import UnsupportedError
from pertheory.rulebook.activation import Activation
from pertheory.rulebook.taylor import derivatives

DIGITS = 25
#: the trapezoidal rule in units of the standard deviation, and the highest derivative that is tabulated
STEP, REACH, HIGHEST = Fraction(1, 10), 10, 5


class Precise:
    """Averages of one smooth activation as numbers.

    Args:
        function: the activation; one piece.
    """

    def __init__(self, function: Activation) -> None:
        if not function.is_smooth:
            raise UnsupportedError(f"{function.name} has kinks; averages in high precision are for smooth activations")
        self.function = function

    def number(self, value: Any) -> Any:
        """A rational number in high precision."""
        exact = Fraction(value)
        return mpmath.mpf(exact.numerator) / exact.denominator

    def derivatives_at(self, x: Any, order: int) -> list[Any]:
        """s and its derivatives at a point."""
        return derivatives(self.function, 0, x, order)

    @lru_cache(maxsize=8)  # noqa: B019 - a few kernels a search
    def table(self, kernel: Any, highest: int) -> list[tuple[Any, list[Any]]]:
        """Weights and derivatives of s, up to a highest one, at the points of the rule."""
        width = mpmath.sqrt(kernel)
        count = int(REACH / STEP)
        points = [self.number(STEP * i) for i in range(-count, count + 1)]
        scale = self.number(STEP) / mpmath.sqrt(2 * mpmath.pi)
        return [(scale * mpmath.exp(-t * t / 2), self.derivatives_at(width * t, highest)) for t in points]

    def average(self, kernel: Any, legs: int, lines: Lines) -> Any:
        """The average, derivatives carried out by Leibniz's rule and z's by Stein's lemma."""
        zeds, orders = functions_of(lines)
        total = mpmath.mpf(0)
        for count, power, key in reduced(zeds, legs, orders):
            total += count * kernel**power * self._product(kernel, key)
        return total

    def _product(self, kernel: Any, orders: tuple[int, ...]) -> Any:
        total = mpmath.mpf(0)
        for weight, values in self.table(kernel, 2 if max(orders, default=0) <= 2 else HIGHEST):
            term = weight
            for order in orders:
                term *= values[order]
            total += term
        return total
