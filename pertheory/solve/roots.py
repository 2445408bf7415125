"""All roots of a function of the kernel in a range, and none missed.

A Gaussian average <F>_K is analytic in log K on the strip |Im log K| < pi/2: with K = |K| e^(i theta) and 1/K_1 =
Re(1/K) it is at most <|F|>_(K_1) / sqrt(cos theta). Chebyshev interpolants in log K therefore converge geometrically,
whatever F is, kinks and jumps included; their last coefficients say how well. Between neighbouring extrema of the
interpolant it is monotone, so that signs at the extrema bracket every root; what double precision cannot tell from zero
stays open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

#: nodes that suffice for ratios of averages over six decades, and what the last coefficients may be of the largest
NODES, TAIL = 160, 1e-10
#: what double precision may leave of a function that vanishes, of its largest value and at least
FLAT = 1e-12
#: imaginary parts with which an extremum of the interpolant counts as real
REAL = 1e-6


class Range(NamedTuple):
    """Kernels from ``low`` to ``high``, looked at on a logarithmic scale."""

    low: float
    high: float

    @property
    def nodes(self) -> list[float]:
        """Chebyshev's, ascending; interpolation there is close to the best."""
        return [self.at(x) for x in _NODES]

    def at(self, x: float) -> float:
        """The kernel at a place from -1 to 1."""
        return float(self.low * (self.high / self.low) ** ((x + 1) / 2))


_NODES = -np.cos((2 * np.arange(NODES) + 1) * math.pi / (2 * NODES))


class Roots(NamedTuple):
    """What a search found.

    Attributes:
        brackets: pairs of kernels between which the function changes its sign, once each.
        touching: kernels at which it touches zero without crossing it, to rounding.
        flat: whether it vanishes everywhere, to rounding.
        complete: whether the interpolant converged, so that nothing is missed.
    """

    brackets: list[tuple[float, float]]
    touching: list[float]
    flat: bool
    complete: bool


def roots(values: Sequence[float], looked: Range) -> Roots:
    """Where a function vanishes, from its values at the nodes of the range.

    Stretches on which it is zero to rounding are no roots: nothing in double precision tells where in them it vanishes.
    """
    coefficients: NDArray[Any] = chebyshev.chebfit(_NODES, np.array(values), NODES - 1)
    largest = float(np.abs(values).max())
    if largest <= FLAT:
        return Roots([], [], True, True)
    tail = float(np.abs(coefficients[-NODES // 16 :]).max()) / largest
    turns = chebyshev.chebroots(chebyshev.chebder(coefficients))
    inside = sorted(float(x.real) for x in turns if abs(x.imag) < REAL and abs(x.real) < 1)
    places = [-1.0, *inside, 1.0]
    found = chebyshev.chebval(np.array(places), coefficients)
    zero = max(FLAT, 10 * tail) * max(largest, 1.0)
    kept = [(x, value) for x, value in zip(places, found, strict=True) if abs(value) > zero]
    brackets = [(looked.at(x), looked.at(y)) for (x, a), (y, b) in pairwise(kept) if a * b < 0]
    touching = [
        looked.at(places[i])
        for i in range(1, len(places) - 1)
        if abs(found[i]) <= zero < min(abs(found[i - 1]), abs(found[i + 1])) and found[i - 1] * found[i + 1] > 0
    ]
    return Roots(brackets, touching, False, tail < TAIL)


def root(condition: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that changes its sign vanishes, to the last digits of a double."""
    from scipy.optimize import brentq  # takes a while to import

    return float(brentq(condition, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps))
