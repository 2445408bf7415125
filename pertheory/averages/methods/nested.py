"""Averages of piecewise smooth functions of up to four Gaussian variables, by nested panels.

In standard normal variables xi (z = mean + L xi) the innermost integral is cut where a function has a kink.
What it gives is a smooth function of the outer variables, except for fast changes near the places where kinks
of inner variables, alone or several at once, would be met if the rest of them did not fluctuate; the outer
panels shrink towards these places. Every average is made with two rules on the same panels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import combinations, pairwise
from itertools import product as cartesian
from typing import TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import COLLINEAR, ROUNDING, Estimate, Found, Task, Wanted
from pertheory.averages.features import ladder
from pertheory.averages.grids import Tables
from pertheory.averages.quadrature import Array, density, panels
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation

Functions: TypeAlias = Mapping[str, Activation]
Covariance: TypeAlias = Array | Sequence[Sequence[Fraction]]

#: Nodes per panel of the fine and of the coarse rule, and the widest panel in standard deviations: for up to two
#: directions, and for more, where points are dear.
RULES = ((16, 12, 2.0), (10, 8, 2.2))
#: Edges around a smeared kink, in units of the smearing: further away nothing is left of it.
LADDER = np.array([1.2, 2.7, 5.0, 9.0])
#: Width of what a function may do near a kink, or at zero, on its own scale.
NARROW = 0.25
#: Most cuts: what oscillates faster is not followed, and estimates tell.
MOST_CUTS = 2000
#: Relative size of a tail that may be rounding.
NOISE = 1e-5
#: Smearing, in standard deviations, beyond which a kink further inside is not seen from outside.
SMOOTH = 0.7
#: Standard deviations beyond which nothing is looked at: the density underflows soon after.
FARTHEST = 37.0


@lru_cache(maxsize=512)
def reach_of(functions: tuple[tuple[str, Activation], ...], sigma: float, least: float = 8.5) -> float:
    """Standard deviations (at least some) beyond which products of up to six functions are negligible."""
    probe = np.linspace(-FARTHEST, FARTHEST, 297)
    reach = least
    with np.errstate(over="ignore", invalid="ignore"):
        for _, function in functions:
            envelope = np.abs(function.tabulate(sigma * probe, [0])[0]) ** 6 * density(probe)
            bad = ~np.isfinite(envelope)
            large = probe[bad | (envelope > 1e-18 * envelope[~bad].max(initial=0.0))]
            reach = max(reach, float(np.abs(large).max(initial=0.0)) + 0.25)
    if reach >= FARTHEST:
        names = ", ".join(function.name for _, function in functions)
        raise UnsupportedError(
            f"average of {names} at variance {sigma**2:.3g}: grows too fast, or its average overflows"
        )
    return reach


def rounding_at(functions: tuple[tuple[str, Activation], ...], mean: Array, sigma: Array, noise: Array) -> float:
    """How much larger rounding is because variables with little noise are compared with kinks far from zero.

    Args:
        functions: activations by name.
        mean: of the variables.
        sigma: their standard deviations.
        noise: those of what they fluctuate by where they are compared.
    """
    farthest = max((abs(kink) for _, function in functions for kink in function.kinks), default=0.0)
    return 1.0 + float((np.minimum(np.abs(mean) + 9 * sigma, farthest) / noise).max())


@lru_cache(maxsize=512)
def edges_of(functions: tuple[tuple[str, Activation], ...], limit: float) -> tuple[float, ...]:
    """Cut [-limit, limit] so that the functions are resolved by one panel between neighbouring cuts."""
    points = np.cos(np.pi * (np.arange(16) + 0.5) / 16)
    transform = np.linalg.inv(np.polynomial.chebyshev.chebvander(points, 15))
    cuts: set[float] = set()
    for _, function in functions:
        kinks = [kink for kink in function.kinks if abs(kink) < limit]
        cuts.update(kinks)
        # what happens near a kink may hide between points that are far apart
        near = [limit / 32.0**n for n in range(1, 12) if limit / 32.0**n > NARROW]
        places = {place + side * step for place in (0.0, *kinks) for side in (-1, 1) for step in near}
        places.update(ladder([function], limit))
        ends = sorted({-limit, 0.0, limit, *kinks, *(place for place in places if abs(place) < limit)})
        scale = 1e-300
        pending = [(low, high, np.inf) for low, high in pairwise(ends)]
        while pending and len(cuts) < MOST_CUTS:
            low, high, above = pending.pop()
            x = (low + high) / 2 + (high - low) / 2 * points
            for order in (0, 1):
                values = function.tabulate(x, [order])[order]
                scale = max(scale, float(np.abs(values).max()) if order == 0 else 0.0)
                tail = float(np.abs(transform[11:] @ values).max())
                largest = max(float(np.abs(values).max()), min(scale, 1.0))
                relative = tail / max(largest, 1e-300)
                # rounding does not fall with the length of the interval
                if relative > 1e-11 and not NOISE > relative > above / 4 and high - low > 1e-9 * limit:
                    middle = (low + high) / 2
                    cuts.update(end for end in (low, middle, high) if abs(end) < limit)
                    pending += [(low, middle, relative), (middle, high, relative)]
                    break
        # the places that serve to look closely are cuts where what lies between two cuts would not be resolved
        marks = sorted({*ends, *cuts})
        start = marks[0]
        for mark, after in pairwise(marks[1:]):
            if mark not in cuts and len(cuts) < MOST_CUTS:
                x = (start + after) / 2 + (after - start) / 2 * points
                values = function.tabulate(x, [0])[0]
                if np.abs(transform[11:] @ values).max() > NOISE * max(float(np.abs(values).max()), 1e-300):
                    cuts.add(mark)
            start = mark if mark in cuts else start
    return tuple(sorted(cuts))


def _distinct(edges: Array, reach: float) -> Array:
    """Sort the edges of every row and leave out what coincides, as far as all rows have the same number."""
    edges = np.sort(edges, axis=1)
    edges[:, 1:][np.diff(edges, axis=1) <= 1e-13] = reach
    edges = np.sort(edges, axis=1)
    return edges[:, : 1 + int((edges < reach).sum(axis=1).max())]


def _factor(covariance: Covariance) -> tuple[Array, list[list[int]]]:
    """Factor a covariance with pivoting, and sort the variables by the last direction that they need.

    What is left of the variances is found in exact arithmetic: nearly collinear variables would lose it.
    """
    residual = [[Fraction(x) for x in row] for row in covariance]
    variances = [residual[i][i] for i in range(len(residual))]
    columns: list[Array] = []
    levels: list[list[int]] = []
    left = list(range(len(variances)))
    while left:
        pivot = max(left, key=lambda i: residual[i][i] / variances[i])
        own = residual[pivot][pivot]
        column = np.zeros(len(variances))
        column[left] = [float(residual[i][pivot]) / math.sqrt(own) for i in left]
        known = residual[pivot]
        residual = [[x - row[pivot] * y / own for x, y in zip(row, known, strict=True)] for row in residual]
        columns.append(column)
        done = [i for i in left if i == pivot or residual[i][i] <= COLLINEAR * variances[i]]
        levels.append(done)
        left = [i for i in left if i not in done]
    return np.stack(columns, axis=1), levels


class Nested:
    """Averages of functions with kinks, and of any given others, by at most `bound` points."""

    def __init__(self, wanted: Wanted, bound: float) -> None:
        self._functions, self._bound = wanted.functions, bound

    def average(self, task: Task) -> Found | None:
        """Average atoms over one set; not what `pairs` averages, which looks more closely for steep places."""
        if "pairs" in task.kept:
            return None
        if "nested" not in task.kept:
            assert task.mean is not None
            task.kept["nested"] = NestedAverages(self._functions, task.mean, task.exact, self._bound)
        return np.array([task.kept["nested"].average(atom) for atom in task.atoms]).T[:, :, None]


class NestedAverages:
    """Averages of products of ordinary functions at Gaussian variables.

    Args:
        functions: activations by name.
        mean: of the variables.
        covariance: of the variables, with positive variances; fractions keep what is left of collinear ones.
        budget: most points.
    """

    def __init__(self, functions: Functions, mean: Array, covariance: Covariance, budget: float = 2e7) -> None:
        self._functions, self._budget = functions, budget
        self._mean = mean
        self._root, self._levels = _factor(covariance)
        self._frozen = tuple(sorted(functions.items()))
        self._sigma = np.sqrt([float(row[i]) for i, row in enumerate(covariance)])
        noise = np.array([abs(self._root[i, j]) for j, level in enumerate(self._levels) for i in level])
        order = np.argsort([i for level in self._levels for i in level])
        self._rounding = ROUNDING * rounding_at(self._frozen, mean, self._sigma, noise[order])

    def average(self, products: tuple[Lines, ...]) -> Estimate:
        """Average a product of functions, one product of lines per variable."""
        fine, _ = self._fine.sum(products)
        coarse, size = self._coarse.sum(products)
        size = max(size, abs(fine))
        # a rule of n nodes is wrong by rho^(-2n): what the coarse one misses tells how much the fine one does
        apart = abs(fine - coarse)
        return Estimate(fine, apart * min(1.0, apart / size) ** 0.2 + self._rounding * size if size else 0.0, size)

    @cached_property
    def _fine(self) -> _Grid:
        return self._grid(0)

    @cached_property
    def _coarse(self) -> _Grid:
        return self._grid(1)

    def _grid(self, which: int) -> _Grid:
        root, levels = self._root, self._levels
        rank = len(levels)
        rule = RULES[rank > 2]
        count = int(rule[which])
        tabled = rank == 4 and len(levels[3]) == 1
        reach = max(reach_of(self._frozen, float(2.0 ** (np.ceil(2 * np.log2(s)) / 2))) for s in self._sigma)
        means = self._mean[:, None]
        points, weights, values = [], [], {}
        total = 1.0
        for j in range(rank - tabled):
            edges = _distinct(np.concatenate(self._cuts(j, means, reach, rule[2]), axis=1), reach)
            nodes, measure = panels(edges, count)
            total *= nodes.shape[1]
            if total > self._budget:
                raise UnsupportedError(f"a kinked average over {rank} variables that needs {total:.0e} points")
            means = (means[:, :, None] + root[:, j, None, None] * nodes).reshape(len(root), -1)
            points.append(nodes)
            weights.append(measure * density(nodes))
            for i in levels[j]:
                values[i] = means[i].reshape(nodes.shape)
        table = None
        if tabled:
            (last,) = levels[3]
            table = _LastVariable(self._functions, self._frozen, means[last], float(root[last, 3]), reach, count)
        return _Grid(self._functions, levels, weights, values, table)

    def _cuts(self, j: int, means: Array, reach: float, widest: float) -> list[Array]:
        """Edges of the panels in direction j, one row for every point of the directions before."""
        root = self._root
        rows = means.shape[1]
        plain = np.linspace(-reach, reach, 1 + int(np.ceil(2 * reach / widest)))
        cuts = [np.broadcast_to(plain, (rows, len(plain)))]

        def add(where: Array, width: float) -> None:
            steps = width * LADDER if width else np.zeros(0)
            offsets = np.concatenate([-steps, [0.0], steps])
            cuts.append(np.clip(where[:, None] + offsets, -reach, reach))

        for i in self._levels[j]:
            limit = float(2.0 ** np.ceil(np.log2(reach * self._sigma[i] + abs(self._mean[i]))))
            for cut in edges_of(self._frozen, limit):
                add((cut - means[i]) / root[i, j], 0.0)
        inner = [i for level in self._levels[j + 1 :] for i in level]
        kinks = sorted({kink for _, function in self._frozen for kink in function.kinks})
        for size in range(1, len(inner) + 1):
            for chosen in combinations(inner, size):
                vectors, sizes, _ = np.linalg.svd(root[list(chosen), j + 1 :])
                combination = vectors[:, -1]
                smear = float(sizes[-1]) if len(sizes) == size else 0.0
                slope = float(combination @ root[list(chosen), j])
                scale = float(np.abs(combination) @ np.abs(root[list(chosen), j]))
                if np.abs(combination).min() < 1e-6 or abs(slope) <= 1e-9 * scale or smear > SMOOTH * abs(slope):
                    continue
                for meeting in {float(combination @ place) for place in cartesian(kinks, repeat=size)}:
                    add((meeting - combination @ means[list(chosen)]) / slope, smear / abs(slope))
        for i in inner:  # what a function does away from its kinks, seen through little smearing
            smear = float(np.linalg.norm(root[i, j + 1 :]))
            if abs(root[i, j]) <= smear:
                continue
            limit = float(2.0 ** np.ceil(np.log2(reach * self._sigma[i] + abs(self._mean[i]))))
            edges = np.array([edge for edge in edges_of(self._frozen, limit) if edge not in kinks])
            if len(edges):
                cuts.append(np.clip((edges - means[i][:, None]) / root[i, j], -reach, reach))
        return cuts


class _LastVariable:
    """The average over the fourth direction as a function of the conditional mean, from a table."""

    def __init__(
        self,
        functions: Functions,
        frozen: tuple[tuple[str, Activation], ...],
        means: Array,
        sigma: float,
        reach: float,
        count: int,
    ) -> None:
        self._functions, self._means, self._shape = functions, means, means.shape
        low, high = float(means.min()), float(means.max())
        limit = float(2.0 ** np.ceil(np.log2(max(-low, high) + reach * abs(sigma))))
        marks = np.array([low, high, *edges_of(frozen, limit)])
        sigma = abs(sigma)
        near = sigma / 8 * np.arange(81)
        far = 10 * sigma * 1.02 ** np.arange(1, max(2, int(np.log(4 * limit / (10 * sigma)) / np.log(1.02)) + 2))
        offsets = np.concatenate([-far, -near, near, far])
        grid = np.unique(np.concatenate([np.linspace(low, high, 200), (marks[:, None] + offsets).ravel()]))
        grid = grid[(grid > low - 2 * sigma) & (grid < high + 2 * sigma)]
        keep = np.concatenate([[True], np.diff(grid) > 0.02 * sigma])
        self._knots = grid[keep]
        cuts = np.clip((marks[2:] - self._knots[:, None]) / sigma, -reach, reach)
        plain = np.linspace(-reach, reach, int(np.ceil(reach)) + 1)
        plain = np.broadcast_to(plain, (len(self._knots), len(plain)))
        nodes, weights = panels(np.sort(np.concatenate([cuts, plain], axis=1)), count)
        self._points, self._weights = self._knots[:, None] + sigma * nodes, weights * density(nodes)
        self._known: dict[Lines, tuple[Array, Array]] = {}

    def __getitem__(self, product: Lines) -> tuple[Array, Array]:
        """Averages of the product and of its absolute value at all points of the grid."""
        if product not in self._known:
            values = Tables(self._functions, self._points, [product])[product] * self._weights
            both = np.stack([values.sum(axis=1), np.abs(values).sum(axis=1)], axis=1)
            from scipy.interpolate import make_interp_spline  # takes a while to import

            curve = make_interp_spline(self._knots, both, k=7)(self._means)
            self._known[product] = curve[:, 0], curve[:, 1]
        return self._known[product]


class _Grid:
    """Nested sums on one grid; sums over inner directions are kept, as many averages share them."""

    def __init__(
        self,
        functions: Functions,
        levels: list[list[int]],
        weights: list[Array],
        points: dict[int, Array],
        last: _LastVariable | None,
    ) -> None:
        self._functions, self._levels, self._weights = functions, levels, weights
        self._points, self._last = points, last
        self._tables: dict[tuple[int, Lines], Array] = {}
        self._inner: dict[tuple[int, tuple[Lines, ...]], tuple[Array, Array]] = {}

    def sum(self, products: tuple[Lines, ...]) -> tuple[float, float]:
        """Return the average and that of the absolute value."""
        value, size = self._from(0, products)
        return float(value[0]), float(size[0])

    def _table(self, i: int, product: Lines) -> Array:
        if (i, product) not in self._tables:
            self._tables[i, product] = Tables(self._functions, self._points[i], [product])[product]
        return self._tables[i, product]

    def _from(self, j: int, products: tuple[Lines, ...]) -> tuple[Array, Array]:
        """Sums over the directions from j on."""
        key = (j, tuple(products[i] for level in self._levels[j:] for i in level))
        if key in self._inner:
            return self._inner[key]
        if j == len(self._weights):
            assert self._last is not None
            result = self._last[products[self._levels[j][0]]]
        else:
            head = self._weights[j]
            for i in self._levels[j]:
                if products[i]:
                    head = head * self._table(i, products[i])
            size = np.abs(head)
            if j + 1 < len(self._levels):
                inner, inner_size = self._from(j + 1, products)
                head, size = head * inner.reshape(head.shape), size * inner_size.reshape(head.shape)
            result = head.sum(axis=1), size.sum(axis=1)
        self._inner[key] = result
        return result
