"""Where functions change fast, read off their formulas: what rules of quadrature must not step over.

A formula is a polynomial in x and generators, such as tanh(u) or exp(u) with a polynomial u; what a generator does, it
does where its argument is near a root, or turns, within the width in which the argument changes by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pertheory.functions.activation import Activation
from pertheory.functions.derivatives import ALIASES, Array, Ring
from pertheory.functions.polynomials import Polynomial

#: Where roots and turns of arguments are sought that are no polynomials, and the least distance from a known place.
FARTHEST, NEAREST = 1e4, 1e-9
#: Functions that repeat themselves do not change faster where their argument is zero.
PERIODIC = ("sin", "cos", "tan")
#: An argument with more roots than this oscillates, and no few places tell how.
MOST_ROOTS = 16
#: Most places of a function, the narrowest of them.
MOST_PLACES = 64


class Steep(NamedTuple):
    """A place where something happens.

    Attributes:
        place: where.
        width: the length over which it does.
        repeats: it happens everywhere: the place is one of many and only the width tells anything.
    """

    place: float
    width: float
    repeats: bool = False


@lru_cache(maxsize=256)
def steep_places(function: Activation) -> tuple[Steep, ...]:
    """Where a function changes fast, as far as its formula tells; the narrowest first. A kink is none of them."""
    found: list[Steep] = []
    for number, piece in enumerate(function.pieces):
        ring, polynomials = function.polynomials(number, 1)
        for kind, argument in _generators(ring, polynomials):
            expanded = ring.expanded(argument)
            if any(inner for monomial in expanded for inner, _ in monomial):
                own = _sought(ring, argument, kind, [steep.place for steep in found])
            else:
                own = _solved(expanded, kind, _centres(ring, argument))
            for place, width, repeats in own:
                if math.isfinite(place) and 0 < width < math.inf:
                    # what is singular beyond the end of its piece is seen from there
                    end = min(max(place, piece.lower), piece.upper)
                    found.append(Steep(end, max(width, abs(place - end)), repeats))
    kept: list[Steep] = []
    for steep in sorted(found, key=lambda steep: (steep.width, abs(steep.place), steep)):
        place, width, repeats = steep  # one that is known covers another only if it is about as wide
        if not any(
            abs(place - other.place) <= width / 4 and width <= 4 * other.width and other.repeats <= repeats
            for other in kept
        ):
            kept.append(steep)
    return tuple(kept[:MOST_PLACES])


def _generators(ring: Ring, polynomials: list[Polynomial]) -> list[tuple[str, Polynomial]]:
    """Kinds and arguments of all generators in polynomials, inner ones too."""
    waiting, found = list(polynomials), dict[int, tuple[str, Polynomial]]()
    while waiting:
        for variable in {variable for monomial in waiting.pop() for variable, _ in monomial if variable}:
            if variable not in found:
                found[variable] = ring.variable(variable)
                waiting.append(found[variable][1])
    return [found[variable] for variable in sorted(found) if found[variable][0] not in ALIASES]


def _centres(ring: Ring, argument: Polynomial) -> list[Fraction]:
    """Zero, and the roots of linear polynomials that others are written in: of (x - 1)^4 that is 1."""
    found, waiting = {Fraction(0)}, [argument]
    while waiting:
        inside = (ring.variable(v) for monomial in waiting.pop() for v, _ in monomial if v)
        for own in (inner for kind, inner in inside if kind in ALIASES):
            waiting.append(own)
            if own.keys() <= {(), ((0, 1),)} and ((0, 1),) in own:
                found.add(Fraction(-own.get((), 0)) / Fraction(own[((0, 1),)]))
    return sorted(found)


def _shifted(coefficients: Sequence[Fraction], centre: Fraction) -> Array:
    """Coefficients of a polynomial in the distance from a place."""
    found = list(coefficients)
    for start in range(len(found) - 1) if centre else ():
        for n in range(len(found) - 2, start - 1, -1):
            found[n] += centre * found[n + 1]
    return np.array([float(value) for value in found])


def _solved(argument: Polynomial, kind: str, centres: Sequence[Fraction]) -> list[Steep]:
    """Places of a function of a polynomial in x, each measured from the centre next to it: there roots have digits."""
    exact = [Fraction(0)] * (1 + max((exponent for monomial in argument for _, exponent in monomial), default=0))
    for monomial, value in argument.items():
        exact[sum(exponent for _, exponent in monomial)] += Fraction(value)
    found = []
    for centre in centres:
        u = np.trim_zeros(_shifted(exact, centre), "b")
        if len(u) < 2 or not np.isfinite(u).all():
            continue
        polynomial = np.polynomial.Polynomial(u)
        for part, repeats in ((polynomial, kind in PERIODIC), (polynomial.deriv(), False)):
            for root in part.roots().tolist():
                apart, depth = float(np.real(root)), abs(float(np.imag(root)))
                place = float(centre) + apart
                if abs(apart) > min(abs(place - float(other)) for other in centres):
                    continue
                # the length over which the argument changes by one; singular functions are so at the root itself
                slopes = [abs(float(polynomial.deriv(k)(apart))) / math.factorial(k) for k in range(1, len(polynomial))]
                lengths = [slope ** (-1 / k) for k, slope in enumerate(slopes, start=1) if slope]
                if depth and kind.startswith(("log", "reciprocal", "power")):
                    lengths.append(depth)
                found.append(Steep(place, min(lengths, default=math.inf), repeats))
    return found


def _sought(ring: Ring, argument: Polynomial, kind: str, known: list[float]) -> list[Steep]:
    """Places of a function of other functions, on a grid that is fine at zero and at known places."""
    steps = np.geomspace(NEAREST, FARTHEST, 321)
    x = np.unique(
        np.concatenate([np.linspace(-64, 64, 4097)] + [p + s * steps for p in (0.0, *known) for s in (-1, 1)])
    )
    slope = ring.derivative(argument)
    bend = ring.derivative(slope)
    found = []
    with np.errstate(all="ignore"):
        for polynomial in (argument, slope):
            values = ring.evaluate([polynomial], x)[0]
            left, right = values[:-1], values[1:]
            crossed = (np.sign(left) * np.sign(right) < 0) | (left == 0)  # or a zero that lies on the grid
            change = np.flatnonzero(np.isfinite(left) & np.isfinite(right) & crossed)
            low, high, sign = x[change], x[change + 1], np.sign(left[change])
            for _ in range(60):
                middle = 0.5 * (low + high)
                inside = np.sign(ring.evaluate([polynomial], middle)[0]) == sign
                low, high = np.where(inside, middle, low), np.where(inside, high, middle)
            first, second = (np.abs(part) for part in ring.evaluate([slope, bend], low))
            widths = np.minimum(1 / first, np.sqrt(2 / second))
            repeats = kind in PERIODIC or len(change) > MOST_ROOTS
            narrow = np.argsort(widths, kind="stable")[:MOST_PLACES]
            found += [Steep(p, w, repeats) for p, w in zip(low[narrow].tolist(), widths[narrow].tolist(), strict=True)]
    return found
