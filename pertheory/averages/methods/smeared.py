"""Averages of piecewise smooth functions of two to four Gaussian variables: kinks smeared by each variable's own noise.

The covariance is split as K = L L^T + S (`methods/splitting.py`). The columns of L are one or two shared
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
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import ROUNDING, Estimate, Found, Task, Wanted
from pertheory.averages.methods.nested import reach_of, rounding_at
from pertheory.averages.methods.own_noise import NODES, WIDTH, Accuracy, Panels, Patches, Table, Variable
from pertheory.averages.methods.panelling import thinned
from pertheory.averages.methods.splitting import Split, series_terms, split
from pertheory.averages.quadrature import Array, density
from pertheory.functions.activation import Activation

#: Panels from zero outwards in the longest table that is shared.
LONGEST = 200
#: Most terms of the series of the correlated pair, and most points times terms, by the number of variables; nested
#: panels are fast for two.
TERMS = {2: 1, 3: 200, 4: 60}
MOST_POINTS = {2: 6e2, 3: 1e6, 4: 2e6}
#: What is trusted of the power of the coarser lattice's error, and the part of the aim that is always left.
EXTRAPOLATED, FOUND = 0.8, 0.3
#: The error of a panel is that of the rule with fewer nodes to this power.
THINNED = 2.0


class Smeared:
    """Averages of functions with kinks, and of any given others."""

    def __init__(self, wanted: Wanted, bound: Any = None) -> None:
        self._smearing = Smearing(wanted.functions, wanted.kinked)

    def average(self, task: Task) -> Found | None:
        """Average atoms over one set; None where the lattice would be large or the covariance is singular."""
        assert task.mean is not None
        if "smeared" not in task.kept:
            task.kept["smeared"] = self._smearing.prepare(task.mean, task.k[0])
        own = task.kept["smeared"]
        return own and np.array([own.average(atom) for atom in task.atoms]).T[:, :, None]


class Smearing:
    """Prepares averages with smeared kinks over one covariance after the other.

    Args:
        functions: activations by name.
        rtol: the error to aim at, relative to the scale of each average.
        cuts: where panels on [-limit, limit] are cut besides, as a function of the limit.
    """

    def __init__(
        self,
        functions: Mapping[str, Activation],
        rtol: float = 1e-8,
        cuts: Callable[[float], Iterable[float]] = lambda limit: (),
    ) -> None:
        self._cuts = cuts
        self._functions = tuple(sorted(functions.items()))
        self._aim = Accuracy.of(rtol)
        self._reaches: dict[float, float] = {}
        self._tables: dict[tuple[float, float, float], Table] = {}

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
            rounding = ROUNDING * rounding_at(self._functions, mean, sigma, sigma)
            return SingleAverages(self._panels(center, own, reach, own), center, own, rounding)
        found = split(covariance / np.outer(sigma, sigma), self._aim.digits)
        if found is None:
            return None
        terms = int(series_terms(np.array(found.ratio), self._aim.digits))
        if terms > TERMS[len(mean)]:
            return None
        reach = max(self._reach(s) for s in sigma.tolist())
        if _Grid.size(found, reach, self._aim) * terms > MOST_POINTS[len(mean)]:
            return None
        grid = _Grid.of(found, reach, self._aim)
        variables: list[Variable | Patches] = []
        for i, (center, own) in enumerate(zip(mean.tolist(), sigma.tolist(), strict=True)):
            noise = own * float(found.spreads[i])
            panel = self._panels(center, own, reach, WIDTH * noise)
            points = grid.points @ found.loadings[i] * own + center
            variable = Variable.prepare(panel, points, noise, terms if i in found.pair else 1, self._aim)
            if variable is None:
                return None
            variables.append(variable)
        variables[found.pair[0]].scale(np.power(found.ratio, np.arange(terms, dtype=float)))
        # the noise is a difference of correlations
        rounding = ROUNDING * rounding_at(self._functions, mean, sigma, sigma * found.spreads**2)
        return SmearedAverages(grid, variables, found.pair, found.ratio, rounding)

    def _reach(self, sigma: float) -> float:
        rounded = float(2.0 ** (np.ceil(2 * np.log2(sigma)) / 2))
        if rounded not in self._reaches:
            self._reaches[rounded] = reach_of(self._functions, rounded, self._aim.reach)
        return self._reaches[rounded]

    def _panels(self, center: float, sigma: float, reach: float, width: float) -> Panels:
        """Panels that cover the values of a variable, from a table that other variables share."""
        low, high = center - reach * sigma, center + reach * sigma
        width = float(2.0 ** (np.floor(2 * np.log2(width)) / 2))
        limit = float(2.0 ** np.ceil(np.log2(max(abs(low), abs(high)))))
        ends = (-limit, limit) if limit <= LONGEST * width else (low, high)
        key = (width, *ends)
        if key not in self._tables:
            self._tables[key] = Table(self._functions, ends, limit, width, self._cuts(limit))
        return self._tables[key].part(center, sigma, reach)


class _Grid(NamedTuple):
    """A lattice in the shared directions, along the axes in which what is summed varies fastest and slowest.

    Attributes:
        points: one row per point.
        weights: of the points, the normal density times a cell.
        coarse: the points of the coarser lattice, and the factor of their weights.
        power: the error of the lattice is that of the coarser one to this power.
        least: error that the lattice has in any case.
        edge: the outermost points: what stands there tells what is left out.
    """

    points: Array
    weights: Array
    coarse: tuple[NDArray[np.bool_], float]
    power: float
    least: float
    edge: NDArray[np.bool_]

    @staticmethod
    def axes(found: Split, aim: Accuracy) -> tuple[Array, Array]:
        """Steps along the axes of the lattice, and the axes."""
        noise = np.diag(found.spreads**2)
        first, second = found.pair
        noise[first, second] = noise[second, first] = found.ratio * found.spreads[first] * found.spreads[second]
        rank = found.loadings.shape[1]
        bandwidths, axes = np.linalg.eigh(np.eye(rank) + found.loadings.T @ np.linalg.solve(noise, found.loadings))
        return aim.step / np.sqrt(bandwidths), axes

    @staticmethod
    def size(found: Split, reach: float, aim: Accuracy) -> float:
        """About how many points the lattice has."""
        steps, _ = _Grid.axes(found, aim)
        return float(np.prod(2 * reach / steps))

    @staticmethod
    def of(found: Split, reach: float, aim: Accuracy) -> _Grid:
        """Choose the lattice."""
        steps, axes = _Grid.axes(found, aim)
        rank = len(steps)
        counts = [np.arange(-n, n + 1) for n in np.ceil(reach / steps).astype(int).tolist()]
        places = np.stack([grid.ravel() for grid in np.meshgrid(*counts, indexing="ij")], axis=1)
        radii = np.sqrt(((places * steps) ** 2).sum(axis=1))
        places, radii = places[radii <= reach], radii[radii <= reach]
        points = places * steps
        weights = np.prod(steps * density(points), axis=1)
        # every second point in a row, and the black fields of a board, are lattices of twice the cell
        coarse = places.sum(axis=1) % 2 == 0
        least = math.exp(-(reach**2) / 2) + FOUND * math.exp(-aim.digits)
        edge = radii > reach - steps.max()
        return _Grid(points @ axes.T, weights, (coarse, 2.0), 4.0 if rank == 1 else 2.0, least, edge)


class SingleAverages:
    """Averages of ordinary functions of one Gaussian variable."""

    def __init__(self, panel: Panels, mean: float, sigma: float, rounding: float) -> None:
        self._panel, self._rounding = panel, rounding
        nodes, weights = panel.table.nodes[panel.span], panel.table.weights[panel.span]
        self._weights = density((nodes - mean) / sigma) * weights / sigma

    def average(self, products: tuple[Lines, ...]) -> Estimate:
        """Average a product of lines."""
        terms = self._panel.table[products[0]][self._panel.span] * self._weights
        total, scale = float(terms.sum()), float(np.abs(terms).sum())
        if not scale:
            return Estimate(0.0, 0.0, 0.0)
        apart = abs(float((terms.reshape(-1, NODES) @ thinned(NODES, 4)).sum()) - total)
        error = min(1.0, apart / scale) ** THINNED + self._panel.doubt(products[0]) + self._rounding
        return Estimate(total, error * scale, scale)


class SmearedAverages:
    """Averages of products of ordinary functions at a few Gaussian variables; made by `Smearing`."""

    def __init__(
        self, grid: _Grid, variables: list[Variable | Patches], pair: tuple[int, int], ratio: float, rounding: float
    ) -> None:
        self._grid, self._variables, self._pair, self._ratio = grid, variables, pair, abs(ratio)
        self._rounding = rounding
        self._outer = [i for i in range(len(variables)) if i not in pair]
        self._pairs: dict[tuple[Lines, Lines], tuple[Array, Array, Array, float]] = {}

    def average(self, products: tuple[Lines, ...]) -> Estimate:
        """Average a product of functions, one product of lines per variable."""
        head, sizes, doubts = self._grid.weights, self._grid.weights, self._rounding
        for i in self._outer:
            found, size, doubt = self._variables[i][products[i]]
            head, sizes, doubts = head * found[0], sizes * size, doubts + doubt
        inner, beyond, inner_sizes, doubt = self._pair_of(products[self._pair[0]], products[self._pair[1]])
        terms = head * inner
        total = float(terms.sum())
        # the correlation of the pair is not in the sizes
        scale = max(float(sizes @ inner_sizes), abs(total))
        if not scale:
            return Estimate(0.0, 0.0, 0.0)
        chosen, factor = self._grid.coarse
        apart = abs(factor * float(terms[chosen].sum()) - total)
        lattice = self._grid.least + min(1.0, apart / scale) ** (EXTRAPOLATED * self._grid.power)
        outside = float(np.abs(terms[self._grid.edge]).sum())
        error = (lattice + doubts + doubt) * scale + float(np.abs(head) @ beyond) + outside
        return Estimate(total, error + self._floor(products), scale)

    def _floor(self, products: tuple[Lines, ...]) -> float:
        """What rounding does where every function is far out in the tail of another one's noise.

        Averages over own noise are interpolated: they are as accurate as their largest value.
        """
        sizes = [self._variables[i][product][1] for i, product in enumerate(products)]
        total = 0.0
        for i, own in enumerate(sizes):
            others = self._grid.weights
            for j, other in enumerate(sizes):
                others = others * other if j != i else others
            total += float(own.max()) * float(others.sum())
        return ROUNDING * total

    def _pair_of(self, first: Lines, second: Lines) -> tuple[Array, Array, Array, float]:
        """The average over the noise of the pair, what its series may lack, the scale, and an error."""
        if (first, second) not in self._pairs:
            one, one_size, doubt = self._variables[self._pair[0]][first]
            two, two_size, other = self._variables[self._pair[1]][second]
            # of functions with a parity every other term is zero
            last = [np.abs(one[n] * two[n]) * self._ratio ** (len(one) - n) for n in range(len(one))[-2:]]
            beyond = np.maximum(last[0], last[-1]) / (1 - self._ratio)
            self._pairs[first, second] = np.einsum("np,np->p", one, two), beyond, one_size * two_size, doubt + other
        return self._pairs[first, second]
