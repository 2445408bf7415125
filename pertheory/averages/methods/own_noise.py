"""Averages of functions of one Gaussian variable over noise of its own, as functions of the mean.

The functions are tabulated on panels that are cut at their kinks. Averages, and coefficients in normalised Hermite
polynomials about the mean, are sums over the panels; they are smooth functions of the mean, so that they are made at
a few places and interpolated to the points where they are needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.methods.nested import edges_of
from pertheory.averages.methods.panelling import Functions, last_degrees
from pertheory.averages.quadrature import Array, density, panels

#: What the error to aim at is made smaller by: a logarithm.
SPARE = 11.6
#: Standard deviations beyond which the density is below rounding.
FULL_REACH = 8.5
#: Nodes of a panel of the one-dimensional integrals, and its width in standard deviations of the noise.
NODES, WIDTH = 16, 2.6
#: Width of a patch of points in standard deviations of the noise, and most numbers of all patches.
PATCH, MOST_PATCHES = 1.6, 2e7
#: Narrowest interval of interpolation in standard deviations of the noise.
NARROWEST = 1.0
#: Most numbers in the table of one variable.
BUDGET = 6e6


class Accuracy(NamedTuple):
    """Numbers that follow from the relative error to aim at.

    Attributes:
        step: of the trapezoid rule times the bandwidth of what is summed: its error is exp(-(2 pi / step)^2 / 2).
        band: frequency, in units of the inverse noise, beyond which a smeared function has nothing.
        digits: the powers r^n are followed until they are exp(-digits).
        reach: standard deviations that are looked at, at least.
    """

    step: float
    band: float
    digits: float
    reach: float

    @staticmethod
    def of(rtol: float) -> Accuracy:
        """Choose for an error, which should be reached with something to spare."""
        digits = min(max(-math.log(rtol) + SPARE, 16.0), 33.0)
        band = math.sqrt(2 * digits)
        return Accuracy(2 * math.pi / band, band, digits, min(math.sqrt(2 * digits) + 1.2, FULL_REACH))


class Table:
    """Values of products on panels, cut at the kinks and where the functions change quickly."""

    def __init__(
        self, functions: Functions, ends: tuple[float, float], limit: float, width: float, more: Iterable[float] = ()
    ) -> None:
        low, high = ends
        cuts = sorted({low, high, *(cut for cut in (*edges_of(functions, limit), *more) if low < cut < high)})
        parts = [np.linspace(a, b, math.ceil((b - a) / width), endpoint=False) for a, b in pairwise(cuts)]
        self.edges = np.concatenate([*parts, [high]])
        self._functions = dict(functions)
        self.nodes, self.weights = panels(self.edges, NODES)
        self._lines: dict[Line, Array] = {(IDENTITY, 0): self.nodes}
        self._products: dict[Lines, Array] = {(): np.ones_like(self.nodes)}
        self._rough: dict[Lines, tuple[Array, Array]] = {}

    def part(self, center: float, sigma: float, reach: float) -> Panels:
        """The panels that cover some standard deviations around a center."""
        low, high = center - reach * sigma, center + reach * sigma
        first = max(int(np.searchsorted(self.edges, low, side="right")) - 1, 0)
        last = int(np.searchsorted(self.edges, high, side="left"))
        edges = (self.edges[first : last + 1] - center) / sigma
        # the density at the place of a panel that is closest to the center
        nearest = np.clip(0.0, edges[:-1], edges[1:])
        return Panels(self, first, last, density(nearest) * np.minimum(np.diff(edges), 1.0))

    def __getitem__(self, product: Lines) -> Array:
        """Values of a product at all nodes."""
        if product not in self._products:
            self._products[product] = self[product[1:]] * self._line(product[0])
        return self._products[product]

    def rough(self, product: Lines) -> tuple[Array, Array]:
        """Largest value of a product on each panel, and the error of its integral relative to that."""
        if product not in self._rough:
            values = self[product].reshape(-1, NODES)
            peaks = np.abs(values).max(axis=1)
            tails = np.abs(values @ last_degrees(NODES)).max(axis=1)
            # a rule of n nodes is exact to degree 2n - 1: the coefficients fall once more as far
            relative = np.divide(tails, peaks, out=np.zeros_like(peaks), where=peaks > 0) ** 1.9
            self._rough[product] = peaks, peaks * relative
        return self._rough[product]

    def _line(self, line: Line) -> Array:
        if line not in self._lines:
            name, order = line
            for known, values in self._functions[name].tabulate(self.nodes, {0, 1, order}).items():
                self._lines[name, known] = values
        return self._lines[line]


class Panels(NamedTuple):
    """Neighbouring panels of a table: a range of its nodes.

    Attributes:
        table: the table.
        first: the first panel.
        last: the one after the last.
        masses: about the probability of each panel.
    """

    table: Table
    first: int
    last: int
    masses: Array

    @property
    def span(self) -> slice:
        """The nodes of the panels."""
        return slice(NODES * self.first, NODES * self.last)

    def doubt(self, product: Lines) -> float:
        """Relative error of averages of a product, from how fast its Legendre coefficients fall on each panel."""
        peaks, errors = (column[self.first : self.last] for column in self.table.rough(product))
        scale = float(peaks @ self.masses)
        return float(errors @ self.masses) / scale if scale else 0.0


class Variable:
    """Averages of functions of one variable over its own noise, at the points of the grid.

    Args:
        panel: where the functions are looked at.
        kernels: by degree the weights of the nodes, one row per place.
        spread: from the places to the points of the grid; None if they are the same.
    """

    def __init__(self, panel: Panels, kernels: Array, spread: _Interpolation | None) -> None:
        self._panel, self._kernels, self._spread = panel, kernels, spread
        self._known: dict[Lines, tuple[Array, Array, float]] = {}

    @staticmethod
    def prepare(panel: Panels, points: Array, noise: float, count: int, aim: Accuracy) -> Variable | Patches | None:
        """Prepare a number of coefficients; None where they need too many numbers."""
        low, high = float(points.min()), float(points.max())
        # points that nearly coincide would leave no room for the places to interpolate from
        missing = max(0.0, NARROWEST * noise - (high - low)) / 2
        low, high = low - missing, high + missing
        # the polynomial through the values resolves the band, with something to spare
        wanted = int(18 + (aim.band + 0.7 * math.sqrt(count)) * (high - low) / 2 / noise)
        nodes, weights = panel.table.nodes[panel.span], panel.table.weights[panel.span]
        spread, places = None, points
        fewer = min(len(points), wanted)
        if max(len(points) * (fewer < len(points)), count * len(nodes)) * fewer > BUDGET:
            return Patches.prepare(panel, points, noise, count, aim)
        if len(points) > 1.5 * wanted:
            spread = _Interpolation(low, high, wanted, points)
            places = spread.places
        return Variable(panel, _kernels(nodes, weights, places, noise, count), spread)

    def scale(self, factors: Array) -> None:
        """Multiply the coefficients by a factor for each degree."""
        self._kernels *= factors[:, None, None]

    def __getitem__(self, product: Lines) -> tuple[Array, Array, float]:
        """Coefficients of a product by degree and the average of its absolute value, at all points; an error."""
        if product not in self._known:
            values = self._panel.table[product][self._panel.span]
            found = np.concatenate([self._kernels @ values, self._kernels[:1] @ np.abs(values)])
            doubt = self._panel.doubt(product)
            if self._spread is not None:
                doubt += self._spread.doubt(found[:-1])
                found = self._spread(found)
            self._known[product] = found[:-1], np.abs(found[-1]), doubt
        return self._known[product]


class Patches:
    """As `Variable`, where the noise is small: each patch of points needs the functions in its neighbourhood only.

    Args:
        panel: where the functions are looked at.
        parts: for each patch the nodes around it, kernels, the interpolation to its points, and their numbers.
        points: where the averages are wanted.
    """

    def __init__(
        self, panel: Panels, parts: list[tuple[slice, Array, _Interpolation, NDArray[np.intp]]], points: Array
    ) -> None:
        self._panel, self._parts, self._size = panel, parts, len(points)
        self._central = int(np.argmin(np.abs(points - points.mean())))
        self._known: dict[Lines, tuple[Array, Array, float]] = {}

    @staticmethod
    def prepare(panel: Panels, points: Array, noise: float, count: int, aim: Accuracy) -> Patches | None:
        """Prepare a number of coefficients; None where they need too many numbers."""
        nodes, weights = panel.table.nodes[panel.span], panel.table.weights[panel.span]
        low = float(points.min())
        number = np.minimum(((points - low) / (PATCH * noise)).astype(np.intp), np.iinfo(np.int32).max)
        order = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.diff(number[order], prepend=-1))
        wanted = int(18 + (aim.band + 0.7 * math.sqrt(count)) * PATCH / 2)
        around = (aim.reach + 0.7 * math.sqrt(count)) * noise
        near = (2 * around / noise + PATCH) / WIDTH * math.sqrt(2) * NODES
        if len(starts) * wanted * near * count > MOST_PATCHES:
            return None
        parts = []
        for some in np.split(order, starts[1:]):
            left = low + PATCH * noise * float(number[some[0]])
            right = left + PATCH * noise
            span = slice(*np.searchsorted(nodes, [left - around, right + around]).tolist())
            spread = _Interpolation(left, right, wanted, points[some])
            parts.append((span, _kernels(nodes[span], weights[span], spread.places, noise, count), spread, some))
        return Patches(panel, parts, points)

    def scale(self, factors: Array) -> None:
        """Multiply the coefficients by a factor for each degree."""
        for _, kernels, _, _ in self._parts:
            kernels *= factors[:, None, None]

    def __getitem__(self, product: Lines) -> tuple[Array, Array, float]:
        """Coefficients of a product by degree and the average of its absolute value, at all points; an error."""
        if product not in self._known:
            values = self._panel.table[product][self._panel.span]
            sizes = np.abs(values)
            result = np.empty((len(self._parts[0][1]) + 1, self._size))
            doubts, peaks = [], []
            for span, kernels, spread, some in self._parts:
                found = np.concatenate([kernels @ values[span], kernels[:1] @ sizes[span]])
                doubts.append(spread.doubt(found[:-1]))
                peaks.append(float(np.abs(found[:-1]).max()))
                result[:, some] = spread(found)
            # what is off where a function has nearly vanished is little compared with what it is in the middle
            middle = float(np.abs(result[-1, self._central]))
            shares = (own * peak / max(peak, middle) for own, peak in zip(doubts, peaks, strict=True) if peak)
            doubt = max(shares, default=0.0)
            self._known[product] = result[:-1], np.abs(result[-1]), doubt + self._panel.doubt(product)
        return self._known[product]


class _Interpolation:
    """The polynomial through values at Chebyshev's points of an interval, evaluated at other points."""

    def __init__(self, low: float, high: float, count: int, points: Array) -> None:
        angles = np.pi * (np.arange(count) + 0.5) / count
        self.places = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
        rows = np.subtract.outer(points, self.places)
        rows[rows == 0] = 1e-300
        np.divide(np.sin(angles) * (-1.0) ** np.arange(count), rows, out=rows)
        self._rows, self._sums = rows, rows.sum(axis=1)
        self._last = 2 / count * np.cos(np.outer(angles, np.arange(count - 4, count)))

    def doubt(self, values: Array) -> float:
        """Error relative to the largest value, from the last coefficients in Chebyshev's polynomials."""
        peak = float(np.abs(values).max())
        return float(np.abs(values @ self._last).max()) / peak if peak else 0.0

    def __call__(self, values: Array) -> Array:
        """Interpolate every row."""
        result: Array = values @ self._rows.T
        result /= self._sums
        return result


def _kernels(nodes: Array, weights: Array, places: Array, noise: float, count: int) -> Array:
    """Weights of the nodes for the coefficients in normalised Hermite polynomials about each place."""
    x = (nodes - places[:, None]) / noise
    tables = np.empty((count, *x.shape))
    np.multiply(density(x), weights / noise, out=tables[0])
    for n in range(1, count):
        np.multiply(x, tables[n - 1], out=tables[n])
        if n > 1:
            tables[n] -= np.sqrt(n - 1.0) * tables[n - 2]
        tables[n] *= n**-0.5
    return tables
