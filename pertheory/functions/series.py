"""Taylor coefficients about x = 0 of polynomials of a ring, by the rules of Taylor arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from pertheory.functions.derivatives import ALIASES, Array, Ring
from pertheory.functions.polynomials import Polynomial


def taylor_coefficients(ring: Ring, polynomial: Polynomial, count: int) -> Array:
    """Return the first Taylor coefficients of a polynomial of a ring about x = 0.

    A function f(u) has the derivative f'(u) u', and f'(u) is a polynomial in generators of the same kind of argument:
    each coefficient follows from lower ones, without the derivatives as polynomials.
    """
    needed = _reached(ring, polynomial)
    known = {variable: np.zeros(count) for variable in needed}
    inner = {variable: np.zeros(count) for variable in needed}
    values = ring.evaluate([{((variable, 1),): Fraction(1)} for variable in needed], np.zeros(1))
    for variable, value in zip(needed, values, strict=True):
        known[variable][0] = value[0]
    known[0] = np.arange(count) == 1.0
    slopes = {variable: ring.outer_slope(variable) for variable in needed if ring.variable(variable)[0] not in ALIASES}
    for n in range(1, count):
        # arguments are made before the generators that they are given to
        for variable in needed:
            highest = _combined(ring.variable(variable)[1], known, n + 1)[n]
            if variable in slopes:
                inner[variable][n - 1] = n * highest
                highest = np.dot(_combined(slopes[variable], known, n), inner[variable][:n][::-1]) / n
            known[variable][n] = highest
    return _combined(polynomial, known, count)


def _reached(ring: Ring, polynomial: Polynomial) -> list[int]:
    """Every generator that a polynomial, or the derivative of one in its argument, is made of; arguments first."""
    waiting = [variable for monomial in polynomial for variable, _ in monomial]
    reached: set[int] = set()
    while waiting:
        variable = waiting.pop()
        if variable and variable not in reached:
            reached.add(variable)
            kind, argument = ring.variable(variable)
            inside = [argument] if kind in ALIASES else [argument, ring.outer_slope(variable)]
            waiting += [other for terms in inside for monomial in terms for other, _ in monomial]
    return sorted(reached)


def _combined(terms: Polynomial, known: dict[int, Array], length: int) -> Array:
    """The first coefficients of a polynomial in variables whose first coefficients are known."""

    def power(variable: int, exponent: int) -> Array:
        if exponent == 1:
            return known[variable][:length]
        half = power(variable, exponent // 2)
        square = np.convolve(half, half)[:length]
        return np.convolve(square, known[variable][:length])[:length] if exponent % 2 else square

    total = np.zeros(length)
    for monomial, coefficient in terms.items():
        part = np.zeros(length)
        part[0] = float(coefficient)
        for variable, exponent in monomial:
            if variable == 0:
                part = np.concatenate([np.zeros(min(exponent, length)), part[: max(length - exponent, 0)]])
            else:
                part = np.convolve(part, power(variable, exponent))[:length]
        total += part
    return total
