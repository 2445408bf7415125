"""Where a function is steep, as its formula says: no sampling finds a step between two samples.

A formula is a polynomial in x and generators, such as tanh(u) or exp(u) with a polynomial u; what a generator does, it
does where its argument is near a root, or turns, within the width in which the argument changes by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pertheory.averages.quadrature import Array
from pertheory.rulebook.activation import Activation
from pertheory.rulebook.differential import Ring
from pertheory.rulebook.polynomials import Polynomial

#: Most places of a function; one that oscillates has no end of them.
MOST = 64
#: Where arguments that are no polynomials are looked at.
_FAR = np.geomspace(1e-4, 1e4, 241)
GRID = np.unique(np.concatenate([-_FAR, np.linspace(-32, 32, 2049), _FAR]))
#: From a place outwards in units of its width: what falls like a power of the distance is resolved between these.
LADDER = 4.0 ** np.arange(0, 40)


class Feature(NamedTuple):
    """A place, and the width in which something happens there."""

    place: float
    width: float


@lru_cache(maxsize=256)
def features(function: Activation) -> tuple[Feature, ...]:
    """Where a function changes, as far as its formula tells; the narrowest first."""
    found: dict[float, float] = {}
    for part in range(len(function.pieces)):
        ring, polynomials = function.polynomials(part, 0)
        for argument in _arguments(ring, polynomials[0]):
            for place, width in _of_argument(ring, argument):
                if math.isfinite(place) and width > 0:
                    found[place] = min(width, found.get(place, math.inf))
    narrow = sorted((Feature(*item) for item in found.items()), key=lambda feature: (feature.width, abs(feature.place)))
    return tuple(narrow[:MOST])


def ladder(functions: Iterable[Activation], limit: float) -> list[float]:
    """Edges inside [-limit, limit] between which one panel resolves what happens at the features, as far as known."""
    edges: set[float] = set()
    for function in functions:
        for place, width in features(function):
            steps = width * LADDER
            steps = steps[steps < 2 * limit]
            edges.update((place, *(place - steps).tolist(), *(place + steps).tolist()))
    return sorted(edge for edge in edges if abs(edge) < limit)


def narrowest(functions: Iterable[Activation], limit: float) -> float:
    """The width of the narrowest feature inside [-limit, limit]; infinite if there is none."""
    inside = [width for function in functions for place, width in features(function) if abs(place) < limit]
    return min(inside, default=math.inf)


def _arguments(ring: Ring, polynomial: Polynomial) -> list[Polynomial]:
    """The arguments of all generators in a polynomial, inner ones too."""
    waiting, seen, found = [polynomial], set(), []
    while waiting:
        for variable in {variable for monomial in waiting.pop() for variable, _ in monomial if variable}:
            if variable not in seen:
                seen.add(variable)
                argument = ring.variable(variable)[1]
                found.append(argument)
                waiting.append(argument)
    return found


def _of_argument(ring: Ring, argument: Polynomial) -> list[tuple[float, float]]:
    if all(variable == 0 for monomial in argument for variable, _ in monomial):
        degree = max((sum(e for _, e in monomial) for monomial in argument), default=0)
        u = np.zeros(degree + 1)
        for monomial, coefficient in argument.items():
            u[sum(e for _, e in monomial)] = float(coefficient)
        return _of_polynomial(u)
    return _of_samples(ring, argument)


def _of_polynomial(u: Array) -> list[tuple[float, float]]:
    if len(u) < 2 or not np.isfinite(u).all():
        return []
    roots = [
        np.polynomial.polynomial.polyroots(np.trim_zeros(c, "b")) for c in (u, np.polynomial.polynomial.polyder(u))
    ]
    found = []
    for root in np.concatenate(roots).tolist():
        place, depth = root.real, abs(root.imag)
        derivatives = []
        c: Array = u
        for k in range(1, len(u)):
            c = np.asarray(np.polynomial.polynomial.polyder(c), dtype=float)
            size = abs(np.polynomial.polynomial.polyval(place, c))
            if size > 0:
                derivatives.append((math.factorial(k) / size) ** (1 / k))
        width = min(derivatives, default=math.inf)
        # one over a polynomial peaks above its complex roots, as wide as they are away
        found.append((place, min(width, depth) if depth > 1e-7 * abs(root) else width))
    return found


def _of_samples(ring: Ring, argument: Polynomial) -> list[tuple[float, float]]:
    """Roots and turns of an argument that is no polynomial, between samples of it."""
    slope = ring.derivative(argument)
    bend = ring.derivative(slope)
    found = []
    with np.errstate(all="ignore"):
        for polynomial in (argument, slope):
            (values,) = ring.evaluate([polynomial], GRID)
            signs = np.sign(values)
            turns = np.flatnonzero((signs[:-1] * signs[1:] < 0) | (signs[:-1] == 0))[:MOST]
            low, high, below = GRID[turns], GRID[turns + 1], signs[turns]
            for _ in range(60):
                middle = (low + high) / 2
                (values,) = ring.evaluate([polynomial], middle)
                left = np.sign(values) == below
                low, high = np.where(left, middle, low), np.where(left, high, middle)
            first, second = (np.abs(values) for values in ring.evaluate([slope, bend], low))
            widths = np.minimum(1 / first, np.sqrt(2 / second))
            found += [pair for pair in zip(low.tolist(), widths.tolist(), strict=True) if math.isfinite(pair[1])]
    return found
