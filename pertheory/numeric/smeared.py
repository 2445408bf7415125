"""Averages of piecewise smooth functions of two to four Gaussian variables: kinks smeared by each variable's own noise.

The covariance is split as K = L L^T + S (`pertheory.numeric.splitting`). The columns of L are one or two shared
directions u; S is diagonal, except for one pair of variables. Given u every variable has the mean L u and noise of
its own, and

    <f(z_a) g(z_b) h(z_c) k(z_d)> = < F(u) G(u) sum over n of r^n H_n(u) K_n(u) >,

where F(u) is the average of f over its own noise, H_n and K_n are coefficients in normalised Hermite polynomials
about the mean, and r is the correlation of the pair's noise (Mehler's formula). All these are entire functions of u
whose spectra fall like a Gaussian, whatever kinks f, g, h, k have: a trapezoid rule in u converges like
exp(-1/step^2), with a step that is known beforehand. Only one-dimensional integrals see the kinks, and are cut there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.numeric.atoms import IDENTITY, Line, Product
from pertheory.numeric.nested import edges_of, reach_of
from pertheory.numeric.orthant import ROUNDING, Moment
from pertheory.numeric.panelling import Functions, last_degrees, thinned
from pertheory.numeric.quadrature import Array, density, panels
from pertheory.numeric.splitting import Split, series_terms, split
from pertheory.rulebook.activation import Activation

#: What the error to aim at is made smaller by: a logarithm.
SPARE = 11.6
#: Standard deviations beyond which the density is below rounding.
FULL_REACH = 8.5
#: Nodes of a panel of the one-dimensional integrals, and its width in standard deviations of the noise.
NODES, WIDTH = 16, 2.6
#: Most terms of the series of the correlated pair.
TERMS = 60
#: What is trusted of the power of the coarser lattice's error, and the part of the aim that is always left.
EXTRAPOLATED, FOUND = 0.8, 0.3
#: The error of a panel is that of the rule with fewer nodes to this power.
THINNED = 1.6
#: Panels from zero outwards in the longest table that is shared.
LONGEST = 200
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


class Smearing:
    """Prepares averages with smeared kinks over one covariance after the other.

    Args:
        functions: activations by name.
        rtol: the error to aim at, relative to the scale of each average.
    """

    def __init__(self, functions: Mapping[str, Activation], rtol: float = 1e-8) -> None:
        self._functions = tuple(sorted(functions.items()))
        self._aim = Accuracy.of(rtol)
        self._reaches: dict[float, float] = {}
        self._tables: dict[tuple[float, float, float], _Table] = {}

    def prepare(self, mean: Array, covariance: Array) -> SmearedAverages | SingleAverages | None:
        """Prepare averages; None where another method is faster or the covariance is singular.

        Args:
            mean: of the variables.
            covariance: of one to four variables, with positive variances.
        """
        sigma = np.sqrt(covariance.diagonal())
        if len(mean) == 1:
            center, own = float(mean[0]), float(sigma[0])
            reach = self._reach(own)
            return SingleAverages(self._panels(center, own, reach, own), center, own)
        found = split(covariance / np.outer(sigma, sigma), self._aim.digits)
        if found is None:
            return None
        terms = int(series_terms(np.array(found.ratio), self._aim.digits))
        if terms > TERMS:
            return None
        reach = max(self._reach(s) for s in sigma.tolist())
        grid = _Grid.of(found, reach, self._aim)
        variables = []
        for i, (center, own) in enumerate(zip(mean.tolist(), sigma.tolist(), strict=True)):
            noise = own * float(found.spreads[i])
            panel = self._panels(center, own, reach, WIDTH * noise)
            points = grid.points @ found.loadings[i] * own + center
            variable = _Variable.prepare(panel, points, noise, terms if i in found.pair else 1, self._aim)
            if variable is None:
                return None
            variables.append(variable)
        variables[found.pair[0]].scale(np.power(found.ratio, np.arange(terms, dtype=float)))
        return SmearedAverages(grid, variables, found.pair, found.ratio)

    def _reach(self, sigma: float) -> float:
        rounded = float(2.0 ** (np.ceil(2 * np.log2(sigma)) / 2))
        if rounded not in self._reaches:
            self._reaches[rounded] = reach_of(self._functions, rounded, self._aim.reach)
        return self._reaches[rounded]

    def _panels(self, center: float, sigma: float, reach: float, width: float) -> _Panels:
        """Panels that cover the values of a variable, from a table that other variables share."""
        low, high = center - reach * sigma, center + reach * sigma
        width = float(2.0 ** (np.floor(2 * np.log2(width)) / 2))
        limit = float(2.0 ** np.ceil(np.log2(max(abs(low), abs(high)))))
        ends = (-limit, limit) if limit <= LONGEST * width else (low, high)
        key = (width, *ends)
        if key not in self._tables:
            self._tables[key] = _Table(self._functions, ends, limit, width)
        return self._tables[key].part(center, sigma, reach)


class _Table:
    """Values of products on panels, cut at the kinks and where the functions change quickly."""

    def __init__(self, functions: Functions, ends: tuple[float, float], limit: float, width: float) -> None:
        low, high = ends
        cuts = sorted({low, high, *(cut for cut in edges_of(functions, limit) if low < cut < high)})
        parts = [np.linspace(a, b, math.ceil((b - a) / width), endpoint=False) for a, b in pairwise(cuts)]
        self._edges = np.concatenate([*parts, [high]])
        self._functions = dict(functions)
        self.nodes, self.weights = panels(self._edges, NODES)
        self._lines: dict[Line, Array] = {(IDENTITY, 0): self.nodes}
        self._products: dict[Product, Array] = {(): np.ones_like(self.nodes)}
        self._rough: dict[Product, tuple[Array, Array]] = {}

    def part(self, center: float, sigma: float, reach: float) -> _Panels:
        """The panels that cover some standard deviations around a center."""
        low, high = center - reach * sigma, center + reach * sigma
        first = max(int(np.searchsorted(self._edges, low, side="right")) - 1, 0)
        last = int(np.searchsorted(self._edges, high, side="left"))
        edges = (self._edges[first : last + 1] - center) / sigma
        # the density at the place of a panel that is closest to the center
        nearest = np.clip(0.0, edges[:-1], edges[1:])
        return _Panels(self, first, last, density(nearest) * np.minimum(np.diff(edges), 1.0))

    def __getitem__(self, product: Product) -> Array:
        """Values of a product at all nodes."""
        if product not in self._products:
            self._products[product] = self[product[1:]] * self._line(product[0])
        return self._products[product]

    def rough(self, product: Product) -> tuple[Array, Array]:
        """Largest value of a product on each panel, and the error of its integral relative to that."""
        if product not in self._rough:
            values = self[product].reshape(-1, NODES)
            peaks = np.abs(values).max(axis=1)
            tails = np.abs(values @ last_degrees(NODES)).max(axis=1)
            # a rule of n nodes is exact to degree 2n - 1: the coefficients fall once more as far
            relative = np.divide(tails, peaks, out=np.zeros_like(peaks), where=peaks > 0) ** 1.5
            self._rough[product] = peaks, peaks * relative
        return self._rough[product]

    def _line(self, line: Line) -> Array:
        if line not in self._lines:
            name, order = line
            for known, values in self._functions[name].tabulate(self.nodes, {0, 1, order}).items():
                self._lines[name, known] = values
        return self._lines[line]


class _Panels(NamedTuple):
    """Neighbouring panels of a table: a range of its nodes.

    Attributes:
        table: the table.
        first: the first panel.
        last: the one after the last.
        masses: about the probability of each panel.
    """

    table: _Table
    first: int
    last: int
    masses: Array

    @property
    def span(self) -> slice:
        """The nodes of the panels."""
        return slice(NODES * self.first, NODES * self.last)

    def doubt(self, product: Product) -> float:
        """Relative error of averages of a product, from how fast its Legendre coefficients fall on each panel."""
        peaks, errors = (column[self.first : self.last] for column in self.table.rough(product))
        scale = float(peaks @ self.masses)
        return float(errors @ self.masses) / scale if scale else 0.0


class _Grid(NamedTuple):
    """A lattice in the shared directions, along the axes in which what is summed varies fastest and slowest.

    Attributes:
        points: one row per point.
        weights: of the points, the normal density times a cell.
        coarse: the points of the coarser lattice, and the factor of their weights.
        power: the error of the lattice is that of the coarser one to this power.
        least: error that the lattice has in any case.
    """

    points: Array
    weights: Array
    coarse: tuple[NDArray[np.bool_], float]
    power: float
    least: float

    @staticmethod
    def of(found: Split, reach: float, aim: Accuracy) -> _Grid:
        """Choose the lattice."""
        noise = np.diag(found.spreads**2)
        first, second = found.pair
        noise[first, second] = noise[second, first] = found.ratio * found.spreads[first] * found.spreads[second]
        rank = found.loadings.shape[1]
        bandwidths, axes = np.linalg.eigh(np.eye(rank) + found.loadings.T @ np.linalg.solve(noise, found.loadings))
        steps = aim.step / np.sqrt(bandwidths)
        counts = [np.arange(-n, n + 1) for n in np.ceil(reach / steps).astype(int).tolist()]
        places = np.stack([grid.ravel() for grid in np.meshgrid(*counts, indexing="ij")], axis=1)
        places = places[((places * steps) ** 2).sum(axis=1) <= reach**2]
        points = places * steps
        weights = np.prod(steps * density(points), axis=1)
        # every second point in a row, and the black fields of a board, are lattices of twice the cell
        coarse = places.sum(axis=1) % 2 == 0
        least = math.exp(-(reach**2) / 2) + FOUND * math.exp(-aim.digits)
        return _Grid(points @ axes.T, weights, (coarse, 2.0), 4.0 if rank == 1 else 2.0, least)


class _Variable:
    """Averages of functions of one variable over its own noise, at the points of the grid.

    Args:
        panel: where the functions are looked at.
        kernels: by degree the weights of the nodes, one row per place.
        spread: from the places to the points of the grid; None if they are the same.
    """

    def __init__(self, panel: _Panels, kernels: Array, spread: _Interpolation | None) -> None:
        self._panel, self._kernels, self._spread = panel, kernels, spread
        self._known: dict[Product, tuple[Array, Array, float]] = {}

    @staticmethod
    def prepare(panel: _Panels, points: Array, noise: float, count: int, aim: Accuracy) -> _Variable | None:
        """Prepare a number of coefficients; None where they need too many numbers."""
        low, high = float(points.min()), float(points.max())
        # the polynomial through the values resolves the band, with something to spare
        wanted = int(18 + (aim.band + 0.7 * math.sqrt(count)) * (high - low) / 2 / noise)
        spread = None
        places = points
        nodes, weights = panel.table.nodes[panel.span], panel.table.weights[panel.span]
        spread, places = None, points
        if len(points) > 1.5 * wanted:
            if max(len(points), count * len(nodes)) * wanted > BUDGET:
                return None
            spread = _Interpolation(low, high, wanted, points)
            places = spread.places
        if count * len(places) * len(nodes) > BUDGET:
            return None
        return _Variable(panel, _kernels(nodes, weights, places, noise, count), spread)

    def scale(self, factors: Array) -> None:
        """Multiply the coefficients by a factor for each degree."""
        self._kernels *= factors[:, None, None]

    def __getitem__(self, product: Product) -> tuple[Array, Array, float]:
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


class SingleAverages:
    """Averages of ordinary functions of one Gaussian variable."""

    def __init__(self, panel: _Panels, mean: float, sigma: float) -> None:
        self._panel = panel
        nodes, weights = panel.table.nodes[panel.span], panel.table.weights[panel.span]
        self._weights = density((nodes - mean) / sigma) * weights / sigma

    def average(self, products: tuple[Product, ...]) -> Moment:
        """Average a product of lines."""
        terms = self._panel.table[products[0]][self._panel.span] * self._weights
        total, scale = float(terms.sum()), float(np.abs(terms).sum())
        if not scale:
            return Moment(0.0, 0.0, 0.0)
        apart = abs(float((terms.reshape(-1, NODES) @ thinned(NODES, 4)).sum()) - total)
        error = min(1.0, apart / scale) ** THINNED + self._panel.doubt(products[0]) + ROUNDING
        return Moment(total, error * scale, scale)


class SmearedAverages:
    """Averages of products of ordinary functions at a few Gaussian variables; made by `Smearing`."""

    def __init__(self, grid: _Grid, variables: list[_Variable], pair: tuple[int, int], ratio: float) -> None:
        self._grid, self._variables, self._pair, self._ratio = grid, variables, pair, abs(ratio)
        self._outer = [i for i in range(len(variables)) if i not in pair]
        self._pairs: dict[tuple[Product, Product], tuple[Array, Array, Array, float]] = {}

    def average(self, products: tuple[Product, ...]) -> Moment:
        """Average a product of functions, one product of lines per variable."""
        head, sizes, doubts = self._grid.weights, self._grid.weights, ROUNDING
        for i in self._outer:
            found, size, doubt = self._variables[i][products[i]]
            head, sizes, doubts = head * found[0], sizes * size, doubts + doubt
        inner, beyond, inner_sizes, doubt = self._pair_of(products[self._pair[0]], products[self._pair[1]])
        terms = head * inner
        total, scale = float(terms.sum()), float(sizes @ inner_sizes)
        if not scale:
            return Moment(0.0, 0.0, 0.0)
        chosen, factor = self._grid.coarse
        apart = abs(factor * float(terms[chosen].sum()) - total)
        lattice = self._grid.least + min(1.0, apart / scale) ** (EXTRAPOLATED * self._grid.power)
        return Moment(total, (lattice + doubts + doubt) * scale + float(np.abs(head) @ beyond), scale)

    def _pair_of(self, first: Product, second: Product) -> tuple[Array, Array, Array, float]:
        """The average over the noise of the pair, what its series may lack, the scale, and an error."""
        if (first, second) not in self._pairs:
            one, one_size, doubt = self._variables[self._pair[0]][first]
            two, two_size, other = self._variables[self._pair[1]][second]
            # of functions with a parity every other term is zero
            last = [np.abs(one[n] * two[n]) * self._ratio ** (len(one) - n) for n in range(len(one))[-2:]]
            beyond = np.maximum(last[0], last[-1]) / (1 - self._ratio)
            self._pairs[first, second] = np.einsum("np,np->p", one, two), beyond, one_size * two_size, doubt + other
        return self._pairs[first, second]
