"""Splits of covariances into shared directions and noise of each variable's own, K = L L^T + S.

S is diagonal, except for one pair of variables that may stay correlated. The more there is of S, the more it smears
what depends on the shared directions; the series in the correlation of the pair is short where that is small. Both
are weighed here.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from pertheory.averages.quadrature import Array

#: What a point costs whatever the number of terms of the series.
POINT = 8.0
#: A pair less correlated than this is not.
APART = 1e-15
#: Fractions of the noise that a variable can have at most (what it has given all others) that are tried.
FRACTIONS = np.arange(1, 20) / 20


class Split(NamedTuple):
    """A covariance in units of its standard deviations, split.

    Attributes:
        loadings: on the shared directions, one row per variable.
        spreads: standard deviations of the own noise.
        pair: the two variables whose noise is correlated.
        ratio: the correlation of their noise.
        cost: number of points, up to a factor, times what each costs.
    """

    loadings: Array
    spreads: Array
    pair: tuple[int, int]
    ratio: float
    cost: float


def series_terms(ratio: Array, digits: float) -> Array:
    """Number of terms until the powers of a ratio are exp(-digits)."""
    r = np.clip(np.abs(ratio), APART, 1 - 1e-9)
    count: Array = np.where(r > APART, 1 - digits / np.log(r), 1.0)
    return count


def split(correlation: Array, digits: float) -> Split | None:
    """Split a correlation matrix of two to four variables; None where it is singular.

    Args:
        correlation: the matrix.
        digits: the series in the correlation that is left is followed to exp(-digits).
    """
    if not np.linalg.eigvalsh(correlation)[0] > 1e-13:
        return None
    if len(correlation) == 2:
        return _two(correlation)
    if len(correlation) == 3:
        return _three(correlation, digits)
    return _four(correlation, digits)


def _two(c: Array) -> Split:
    loading = np.sqrt(np.abs(c[0, 1]))
    spread = np.sqrt(1 - np.abs(c[0, 1]))
    loadings = np.array([[loading], [np.copysign(loading, c[0, 1])]])
    return Split(loadings, np.array([spread, spread]), (0, 1), 0.0, float(spread**-2))


def _three(c: Array, digits: float) -> Split | None:
    best, chosen = np.inf, None
    whole = float(np.linalg.det(c))
    for a in range(3):
        d, e = (i for i in range(3) if i != a)
        least = max(c[a, d] ** 2, c[a, e] ** 2)
        squares = least + (1 - least) * FRACTIONS  # of the loading of a
        if c[d, e] and least < (exact := c[a, d] * c[a, e] / c[d, e]) < 1:
            squares = np.append(squares, exact)  # nothing is left of the correlation of the pair
        own = [1 - squares, 1 - c[a, d] ** 2 / squares, 1 - c[a, e] ** 2 / squares]
        both = c[d, e] - c[a, d] * c[a, e] / squares
        ratio = both / np.sqrt(own[1] * own[2])
        cost = _cost(whole, own[0] * (own[1] * own[2] - both**2), ratio, digits)
        k = int(np.argmin(cost))
        if cost[k] < best:
            best = float(cost[k])
            loadings = c[a][:, None] / np.sqrt(squares[k])
            loadings[a] = np.sqrt(squares[k])
            spreads = np.empty(3)
            spreads[[a, d, e]] = np.sqrt([x[k] for x in own])
            left = 0.0 if abs(ratio[k]) <= APART else float(ratio[k])
            chosen = Split(loadings, spreads, (d, e), left, best)
    return chosen


def _four(c: Array, digits: float) -> Split | None:
    best, chosen = np.inf, None
    whole = float(np.linalg.det(c))
    most = 1 / np.linalg.inv(c).diagonal()
    for d, e in combinations(range(4), 2):
        a, b = (i for i in range(4) if i not in (d, e))
        x, y = np.meshgrid(FRACTIONS, FRACTIONS)
        for step in (FRACTIONS[0], FRACTIONS[0] / 5, 0.0):
            own, ratio = _own_noise(c, (a, b, d, e), x * most[a], y * most[b])
            cost = _cost(whole, own[0] * own[1] * own[2] * own[3] * (1 - ratio**2), ratio, digits)
            k = np.unravel_index(int(np.argmin(cost)), cost.shape)
            if cost[k] > 2 * best or not np.isfinite(cost[k]):
                break
            if cost[k] < best:
                best = float(cost[k])
                spreads = np.empty(4)
                spreads[[a, b, d, e]] = np.sqrt([values[k] for values in own])
                left = 0.0 if abs(ratio[k]) <= APART else float(ratio[k])
                chosen = Split(np.zeros((4, 2)), spreads, (d, e), left, best)
            near = np.linspace(-step, step, 9)
            x, y = np.meshgrid(np.clip(x[k] + near, 1e-3, 1.0), np.clip(y[k] + near, 1e-3, 1.0))
    if chosen is None:
        return None
    shared = c - np.diag(chosen.spreads**2)
    d, e = chosen.pair
    shared[d, e] = shared[e, d] = c[d, e] - chosen.ratio * chosen.spreads[d] * chosen.spreads[e]
    sizes, vectors = np.linalg.eigh(shared)
    # two directions by construction, what is left of the others is rounding
    return chosen._replace(loadings=vectors[:, 2:] * np.sqrt(np.maximum(sizes[2:], 0.0)))


def _own_noise(c: Array, order: tuple[int, int, int, int], first: Array, second: Array) -> tuple[list[Array], Array]:
    """Variances of the own noise, given those of the first two, and the correlation of the last two."""
    a, b, d, e = order
    left, right = 1 - first, 1 - second
    minor = left * right - c[a, b] ** 2

    def known(i: int, j: int) -> Array:
        one = c[i, a] * (right * c[j, a] - c[a, b] * c[j, b])
        two = c[i, b] * (left * c[j, b] - c[a, b] * c[j, a])
        shared: Array = (one + two) / minor
        return shared

    with np.errstate(divide="ignore", invalid="ignore"):
        own = [np.where(minor > 0, v, np.nan) for v in (first, second, c[d, d] - known(d, d), c[e, e] - known(e, e))]
        ratio = (c[d, e] - known(d, e)) / np.sqrt(own[2] * own[3])
    return own, np.where((own[2] > 0) & (own[3] > 0), ratio, np.nan)


def _cost(whole: float, left: Array, ratio: Array, digits: float) -> Array:
    """Cost of sums over the shared directions, infinite where what is left is no covariance."""
    good = (left > 0) & (np.abs(ratio) < 1)
    points = np.sqrt(whole / np.where(good, left, 1.0))
    return np.where(good, points * (POINT + series_terms(np.where(good, ratio, 0.0), digits)), np.inf)
