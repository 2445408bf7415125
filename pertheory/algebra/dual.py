"""Dual numbers: a value and its derivative with respect to one small variable, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from pertheory.errors import InputError


class Dual(NamedTuple):
    """A number and its derivative with respect to one variable; all higher orders are dropped."""

    value: Fraction
    slope: Fraction

    def __add__(self, other: Dual) -> Dual:  # type: ignore[override]
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other: Dual) -> Dual:  # type: ignore[override]
        if not self.slope and not other.slope:
            return Dual(self.value * other.value, self.slope)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __bool__(self) -> bool:
        return bool(self.value or self.slope)

    def inverse(self) -> Dual:
        """One over it.

        Raises:
            InputError: it is zero.
        """
        if not self.value:
            raise InputError("division by zero")
        return Dual(1 / Fraction(self.value), -self.slope / Fraction(self.value) ** 2)


def lean(value: Fraction | int) -> Fraction:
    """The same number; a whole one becomes an int, which calculates ten times faster than a fraction.

    An int must not be divided by another with ``/``, which would make a float of it.
    """
    return value.numerator if value.denominator == 1 else value  # type: ignore[return-value]


def dual(value: Fraction | int) -> Dual:
    """A constant, as `lean` as it can be."""
    return Dual(lean(value), 0)  # type: ignore[arg-type]


def sum_of_products(pairs: Iterable[tuple[Dual, Dual]]) -> Dual:
    """The sum of products of two numbers, without a new number for each of them.

    Example:
        >>> sum_of_products([(dual(2), dual(3)), (dual(1), SMALL)])
        Dual(value=6, slope=1)
    """
    value: Any = 0
    slope: Any = 0
    for (a, a_slope), (b, b_slope) in pairs:
        value += a * b
        if a_slope or b_slope:
            slope += a * b_slope + a_slope * b
    return Dual(value, slope)


#: the small variable itself
SMALL = Dual(0, 1)  # type: ignore[arg-type]
