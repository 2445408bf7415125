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
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from pertheory.errors import UnsupportedError

#: nodes that suffice for averages over six decades, how many are tried where they do not (ratios of averages have
#: poles), and what the last coefficients may be of the largest
NODES, MOST_NODES, TAIL = 160, 640, 1e-10
#: what double precision may leave of a function that vanishes, of its largest value and at least
FLAT = 1e-12
#: imaginary parts with which an extremum of the interpolant counts as real
REAL = 1e-6


class Range(NamedTuple):
    """Kernels from ``low`` to ``high``, looked at in ``size`` places on a logarithmic scale."""

    low: float
    high: float
    size: int = NODES

    @property
    def nodes(self) -> list[float]:
        """Chebyshev's, ascending; interpolation there is close to the best."""
        return [self.at(x) for x in _places(self.size)]

    def at(self, x: float) -> float:
        """The kernel at a place from -1 to 1."""
        return float(self.low * (self.high / self.low) ** ((x + 1) / 2))


def _places(count: int) -> NDArray[np.float64]:
    return -np.cos((2 * np.arange(count) + 1) * math.pi / (2 * count))


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
    count = len(values)
    coefficients = 2 / count * np.array(values) @ chebyshev.chebvander(_places(count), count - 1)
    coefficients[0] /= 2
    largest = float(np.abs(values).max())
    if largest <= FLAT:
        return Roots([], [], True, True)
    tail = float(np.abs(coefficients[-count // 16 :]).max()) / largest
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
    """Where a function that changes its sign vanishes, to the last digits of a double.

    Raises:
        UnsupportedError: it does not; an interpolant did, because values are not exact enough.
    """
    from scipy.optimize import brentq  # takes a while to import

    if condition(low) * condition(high) > 0:
        raise UnsupportedError(f"averages between K = {low:g} and {high:g} are not exact enough to find a root")
    return float(brentq(condition, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps))
