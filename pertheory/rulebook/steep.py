"""Where functions change fast, read off their formulas: what rules of quadrature must not step over.

A formula is a polynomial in x and generators, such as tanh(u) or exp(u) with a polynomial u; what a generator does, it
does where its argument is near a root, or turns, within the width in which the argument changes by one.
"""

from __future__ import annotations

import math

import numpy as np

from pertheory.rulebook.activation import Activation
from pertheory.rulebook.differential import Ring
from pertheory.rulebook.polynomials import Polynomial

#: Where zeros of arguments are sought.
FARTHEST = 64.0
#: Functions that repeat themselves do not change faster where their argument is zero.
PERIODIC = ("sin", "cos", "tan")
#: An argument with more zeros than this oscillates.
MOST_PLACES = 16


def steep_places(function: Activation) -> tuple[tuple[float, float], ...]:
    """Places ``(x, width)`` where a function changes fast, and over which length: what its formula tells about it.

    The functions that formulas are made of (tanh, erf, exp, a root, ..) change near zeros and extrema of their
    arguments. A kink has no width.
    """
    found = [(kink, 0.0) for kink in function.kinks]
    for number in range(len(function.pieces)):
        ring, polynomials = function.polynomials(number, 1)
        pending = [variable for polynomial in polynomials for monomial in polynomial for variable, _ in monomial]
        arguments: dict[int, Polynomial] = {}
        while pending:
            variable = pending.pop()
            if variable and variable not in arguments:
                arguments[variable] = ring.variable(variable)[1]
                pending += [inner for monomial in arguments[variable] for inner, _ in monomial]
        for variable, argument in sorted(arguments.items()):
            if not any(inner for monomial in argument for inner, _ in monomial):
                own = _simple_places(argument, ring.variable(variable)[0])
                # what is singular beyond the end of its piece is seen from there
                lower, upper = function.pieces[number].lower, function.pieces[number].upper
                ends = [min(max(place, lower), upper) for place, _ in own]
                own = [(end, max(width, abs(place - end))) for end, (place, width) in zip(ends, own, strict=True)]
            else:
                own = _sought_places(ring, argument, [place for place, _ in found])
            for place, width in own:
                # one that is known covers another only if it is about as wide
                if not any(
                    abs(place - other) <= width / 4 and width / 4 <= known <= 4 * width for other, known in found
                ):
                    found.append((place, width))
    return tuple(sorted(found))


def _simple_places(argument: Polynomial, kind: str) -> list[tuple[float, float]]:
    """Places of a function of a polynomial in x; of one that repeats itself the extrema of the polynomial alone."""
    coefficients = np.zeros(1 + max((exponent for monomial in argument for _, exponent in monomial), default=0))
    for monomial, value in argument.items():
        coefficients[sum(exponent for _, exponent in monomial)] += float(value)
    polynomial = np.polynomial.Polynomial(coefficients)
    zeros = [] if kind in PERIODIC else polynomial.roots().tolist()
    found = []
    for zero in [*zeros, *polynomial.deriv().roots().tolist()]:
        place = float(np.real(zero))
        # the length over which the argument changes by one; singular functions are so at the zero itself
        lengths = [abs(float(polynomial.deriv(k)(place)) / math.factorial(k)) ** (-1 / k)
                   for k in range(1, len(coefficients)) if polynomial.deriv(k)(place)]  # fmt: skip
        if kind in ("log", "reciprocal") or kind.startswith("power"):
            lengths += [abs(float(np.imag(zero)))] if np.imag(zero) else []
        if lengths:
            found.append((place, min(lengths)))
    return found


def _sought_places(ring: Ring, argument: Polynomial, known: list[float]) -> list[tuple[float, float]]:
    """Places of a function of other functions: zeros of the argument, sought on a grid that is fine at known places."""
    steps = np.geomspace(1e-9, FARTHEST, 200)
    x = np.unique(np.concatenate([np.linspace(-FARTHEST, FARTHEST, 2049)]
                                 + [np.concatenate([place - steps, place + steps]) for place in known]))  # fmt: skip
    with np.errstate(all="ignore"):
        values = ring.evaluate([argument], x)[0]
        left, right = values[:-1], values[1:]
        crossed = (np.sign(left) * np.sign(right) < 0) | (left == 0)  # or a zero that lies on the grid
        change = np.flatnonzero(np.isfinite(left) & np.isfinite(right) & crossed)
        if len(change) > MOST_PLACES:
            return []  # it oscillates: no few places tell how
        low, high, sign = x[change], x[change + 1], np.sign(left[change])
        for _ in range(60):
            middle = 0.5 * (low + high)
            inside = np.sign(ring.evaluate([argument], middle)[0]) == sign
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        slopes = np.abs(ring.evaluate([ring.derivative(argument)], low)[0])
    return [(float(p), float(1 / s)) for p, s in zip(low, slopes, strict=True) if math.isfinite(s) and s > 0]
