"""Polynomials in numbered variables with coefficients that are exact as long as they are short."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import TypeAlias

from pertheory.errors import InputError
from pertheory.functions.formula import Scalar

#: Sorted ``(variable, exponent)`` pairs; variable 0 is x, and a `Ring` says what the others are.
Monomial: TypeAlias = tuple[tuple[int, int], ...]
Polynomial: TypeAlias = dict[Monomial, Scalar]

ONE: Polynomial = {(): Fraction(1)}
X: Polynomial = {((0, 1),): Fraction(1)}
#: Fractions with more bits than this, above or below, go on as floating-point numbers.
MAX_BITS = 2000
#: Powers of two that a floating-point number can hold.
LARGEST = 1023


def bounded(value: Scalar) -> Scalar:
    """Return a coefficient that `float` can convert, exact unless it is long.

    Raises:
        InputError: it is beyond the floating-point numbers.
    """
    if isinstance(value, Fraction):
        above, below = value.numerator.bit_length(), value.denominator.bit_length()
        if above - below < LARGEST or (above - below == LARGEST and abs(value) <= sys.float_info.max):
            return value if max(above, below) <= MAX_BITS else float(value)
    elif math.isfinite(value):
        return value
    raise InputError("formula: a coefficient is beyond the range of floating-point numbers (1e308)")


def accumulate(total: Polynomial, monomial: Monomial, value: Scalar) -> None:
    """Add a term to a polynomial, in place."""
    value = bounded(total.get(monomial, 0) + value)
    if value == 0:
        total.pop(monomial, None)
    else:
        total[monomial] = value


def add(a: Polynomial, b: Polynomial, factor: Scalar = 1) -> Polynomial:
    """Return ``a + factor * b``."""
    result = dict(a)
    for monomial, value in b.items():
        accumulate(result, monomial, times(factor, value))
    return result


def times(a: Scalar, b: Scalar) -> Scalar:
    """Return the product of two coefficients, each of which `float` can convert."""
    return bounded(a * b)


def is_plain(a: Polynomial) -> bool:
    """Say whether a polynomial has x as its only variable."""
    return all(variable == 0 for monomial in a for variable, _ in monomial)


__all__ = ["ONE", "Monomial", "Polynomial", "X", "accumulate", "add", "bounded", "is_plain", "times"]
