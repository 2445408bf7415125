"""Gaussian averages of products of analytic functions of up to four variables.

Written in standard normal variables xi (z = L xi), an analytic integrand times a Gaussian is summed by the
trapezoid rule with an error that falls exponentially with the step. The step for each size of the standard
deviation is measured in one dimension; the dimensions are then nested, the last one first, so that an
average over four inputs costs a sum over three dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import TypeAlias

import numpy as np
from scipy.interpolate import make_interp_spline

from pertheory.averages.atoms import IDENTITY, Product
from pertheory.averages.grids import (
    EPSILON,
    SHIFTED,
    Condition,
    Functions,
    Tables,
    condition,
    measured,
    rounded,
)
from pertheory.averages.methods.mehler import Layout, pair_averages
from pertheory.averages.methods.wide import WideAverages
from pertheory.averages.quadrature import NULL, Array, Rule, factor, hermite
from pertheory.rulebook.activation import Activation

#: Products of the inputs from some level on, in the order of levels.
Tail: TypeAlias = tuple[Product, ...]
#: The same quantity with all nodes, with every second node, and the latter for absolute values.
Sums: TypeAlias = tuple[Array | None, Array | None, Array | None]
#: Products, their averages over the last variable and those of their absolute values as splines of the
#: conditional mean, and its range.
Table: TypeAlias = tuple[Sequence[Product], Callable[[Array], Array], Callable[[Array], Array], float]

__all__ = ["SmoothAverages", "Tables"]

#: Points of one block of the nested sums; with a handful of orders this stays far below 500 MB.
BLOCK = 100_000
#: Most points of a whole nested sum; beyond it the steps are widened and the error estimate tells.
BUDGET = 1e7


class SmoothAverages:
    """Averages of atoms over one covariance.

    Attributes:
        worst_error: largest relative error estimate so far, rounding included.
    """

    def __init__(self, functions: Mapping[str, Activation], rtol: float) -> None:
        self._functions = dict(functions)
        self._frozen: Functions = tuple(sorted(self._functions.items()))
        self._rtol = rtol
        self.worst_error = 0.0
        self._conditions: dict[tuple[Product, float], Condition] = {}
        self._wide = WideAverages(self._frozen, 0.1 * rtol)

    def _degree(self, atoms: Sequence[tuple[Product, ...]]) -> int | None:
        """Total degree of polynomial atoms, None where a function is not a polynomial."""
        degrees = {IDENTITY: 1}
        for name in {line[0] for atom in atoms for product in atom for line in product} - {IDENTITY}:
            coefficients = self._functions[name].coefficients
            if coefficients is None:
                return None
            degrees[name] = len(coefficients) - 1
        return max(sum(max(degrees[name] - order, 0) for product in atom for name, order in product) for atom in atoms)

    def rule(self, atoms: Sequence[tuple[Product, ...]], sigma: float, refine: float = 1.0) -> Rule:
        """Return a rule in xi for the atoms with every variable equal to sigma * xi (the hardest case)."""
        degree = self._degree(atoms)
        if degree is not None and degree < 120:
            return hermite(degree)
        # all factors at one variable, and each of them alone: a factor that grows hides what happens near zero
        wanted = {tuple(sorted(line for product in atom for line in product)) for atom in atoms}
        wanted.update(product for atom in atoms for product in atom if product)
        return measured(self._frozen, wanted, sigma, refine)

    def averages(self, covariance: Array, atoms: Sequence[tuple[Product, ...]]) -> tuple[Array, Array]:
        """Average atoms.

        Args:
            covariance: of the distinct inputs, one row for each product of an atom.
            atoms: one product per input.

        Returns:
            The averages, and the error estimates relative to the scale of each average.
        """
        values, errors, _, _ = self.estimates(covariance, atoms)
        return values, errors

    def estimates(self, covariance: Array, atoms: Sequence[tuple[Product, ...]]) -> tuple[Array, Array, Array, str]:
        """As `averages`, with the scales, and which method it was."""
        # the measured step is for all factors at one variable; three and more variables rarely need as much, and
        # there a wider step saves most of the time: start wide, and demand more of the estimate
        layout = None
        if self._degree(atoms) is None and len(covariance) > 1:
            layout = Layout.of(atoms)
        large = np.count_nonzero(covariance.diagonal()) > (3 if layout else 2)
        refine, enough = (0.8, 1e-3 * self._rtol) if large else (1.0, self._rtol)
        wide = self._wide.averages(covariance, layout) if layout else None
        if wide and wide[1].max(initial=0.0) <= self._rtol:
            return self._noted(covariance, atoms, *wide, "smeared")
        for _ in range(4):
            found = layout and pair_averages(self._frozen, covariance, layout, refine)
            method = "mehler" if found else "trapezoid"
            values, errors, scales, widened = (*found, False) if found else self._nested(covariance, atoms, refine)
            if widened or errors.max(initial=0.0) <= enough:
                break
            refine, enough = 1.5 * refine, self._rtol
        if wide:
            better = wide[1] < errors
            values, errors, scales = (
                np.where(better, x, y) for x, y in zip(wide, (values, errors, scales), strict=True)
            )
        return self._noted(covariance, atoms, values, errors, scales, method)

    def _noted(
        self,
        covariance: Array,
        atoms: Sequence[tuple[Product, ...]],
        values: Array,
        errors: Array,
        scales: Array,
        method: str,
    ) -> tuple[Array, Array, Array, str]:
        """Add what rounding does to the errors, and keep the worst."""
        errors = errors + self.rounding(covariance, atoms)
        self.worst_error = max(self.worst_error, float(errors.max(initial=0.0)))
        return values, errors, scales, method

    def rounding(self, covariance: Array, atoms: Sequence[tuple[Product, ...]]) -> Array:
        """Rounding errors of averages relative to their scales.

        Values lose digits where their terms cancel; factors of the covariance and nodes are rounded, and directions
        that are (nearly) null are dropped: every z is then off by some units of the last place.
        """
        if not atoms:
            return np.zeros(0)
        sigmas = np.sqrt(covariance.diagonal())
        safe = np.where(sigmas > 0, sigmas, 1.0)
        # what two inputs have in common, and how much closer they are than independent ones
        apart = np.sqrt(np.maximum(1 - (covariance / np.outer(safe, safe)) ** 2, NULL))
        columns = []
        for i, sigma in enumerate(sigmas.tolist()):
            size = rounded(sigma) if sigma else 0.0
            own = {product: self._condition(product, size) for product in {atom[i] for atom in atoms}}
            columns.append(np.array([own[atom[i]] for atom in atoms]))
        units = 1 + sum(column[:, 0] + column[:, 1] for column in columns)
        for i, j in combinations(range(len(columns)), 2):
            slopes, steepness = columns[i][:, 2:4].T * columns[j][:, 2:4].T
            units = units + np.minimum(steepness, slopes / apart[i, j])
        result: Array = EPSILON * units + SHIFTED * sum(column[:, 4] for column in columns)
        return result

    def _condition(self, product: Product, sigma: float) -> Condition:
        # the hash of a function is not cheap, and there are thousands of atoms
        if (product, sigma) not in self._conditions:
            self._conditions[product, sigma] = condition(self._frozen, product, sigma)
        return self._conditions[product, sigma]

    def _nested(
        self, covariance: Array, atoms: Sequence[tuple[Product, ...]], refine: float
    ) -> tuple[Array, Array, Array, bool]:
        """Averages, errors, scales, and whether the steps are wider than they should be."""
        root, pivots = factor(covariance)
        rank = len(pivots)
        rules = [self.rule(atoms, root[pivot, j], refine) for j, pivot in enumerate(pivots)]
        known = all(rule.power for rule in rules)
        if not known and rank and len(covariance) == 2:  # there is another method
            return np.zeros(len(atoms)), np.full(len(atoms), np.inf), np.zeros(len(atoms)), True
        points = float(np.prod([len(rule.nodes) for rule in rules[:3]])) if rank else 1.0
        widened = points > BUDGET
        if widened:
            widen = (points / BUDGET) ** (1 / 3)
            rules = [self.rule(atoms, root[pivot, j], refine / widen) for j, pivot in enumerate(pivots)]
        level = [int(np.max(np.nonzero(row)[0], initial=-1)) + 1 for row in root]
        order = sorted(range(len(level)), key=lambda i: (level[i], i))
        levels = [[i for i in order if level[i] == j] for j in range(rank + 1)]
        needed = [sorted({atom[i] for atom in atoms}) for i in range(len(level))]
        constants = [Tables(self._functions, np.zeros(1), needed[i]) for i in range(len(level))]
        fixed = np.array([np.prod([constants[i][atom[i]][0] for i in levels[0]]) for atom in atoms])
        if rank == 0:
            return fixed, np.zeros(len(atoms)), np.abs(fixed), False
        spline = None
        if rank >= 3 and len(levels[rank]) == 1 and rules[-1].coarse is not None:
            # its rule stays fine: the comparison of steps does not see the error of the table
            rules[-1] = self.rule(atoms, root[pivots[-1], rank - 1], max(refine, 1.0))
            spline = self._table(root[levels[rank][0]], rules[-1], needed[levels[rank][0]], atoms)
        sums = _Nest(self._functions, root, rules, levels, needed, spline)
        tails = [tuple(atom[i] for members in levels[1:] for i in members) for atom in atoms]
        unique = sorted(set(tails))
        inner = max(1, int(np.prod([len(rule.nodes) for rule in rules[1 : (3 if spline else rank)]])))
        block = max(1, BLOCK // inner)
        totals = np.zeros((3, len(unique)))
        for start in range(0, len(rules[0].nodes), 2 * block):
            totals += sums.block(slice(start, start + 2 * block), unique)
        place = {tail: n for n, tail in enumerate(unique)}
        fine, coarse, scale = totals[:, [place[tail] for tail in tails]]
        with np.errstate(invalid="ignore", divide="ignore"):
            # where the steps are too wide, their error does not fall as it was measured to
            power = 1.0 if widened else min(rule.power for rule in rules)
            errors = np.where(scale > 0, (np.abs(fine - coarse) / scale) ** power, 0.0)
            if not known:
                errors[:] = np.inf
        if rules[0].coarse is None:
            errors, scale = np.zeros(len(atoms)), np.abs(fine)
        return fine * fixed, errors, scale * np.abs(fixed), widened

    def _table(
        self,
        row: Array,
        rule: Rule,
        products: Sequence[Product],
        atoms: Sequence[tuple[Product, ...]],
    ) -> Table:
        """Tabulate the average over the last variable as a function of its conditional mean."""
        sigma = float(np.sqrt((row**2).sum()))
        whole = self.rule(atoms, sigma)
        step = sigma * float(whole.nodes[1] - whole.nodes[0]) / 10
        limit = sigma * float(whole.nodes[-1])
        half = int(np.ceil(limit / step)) + 12
        means = step * np.arange(-half, half + 1)
        columns, sizes = [], []
        for some in np.array_split(means, 1 + len(means) * len(rule.nodes) // BLOCK):
            tables = Tables(self._functions, some[:, None] + row[-1] * rule.nodes, products)
            columns.append(np.stack([tables[product] @ rule.weights for product in products], axis=1))
            sizes.append(np.stack([np.abs(tables[product]) @ rule.weights for product in products], axis=1))
        curve = make_interp_spline(means, np.concatenate(columns), k=7)
        return products, curve, make_interp_spline(means, np.concatenate(sizes), k=7), limit


class _Nest:
    """Nested sums over the standard normal variables, a block of the first one at a time."""

    def __init__(
        self,
        functions: Mapping[str, Activation],
        root: Array,
        rules: Sequence[Rule],
        levels: Sequence[Sequence[int]],
        needed: Sequence[Sequence[Product]],
        spline: Table | None,
    ) -> None:
        self._functions = functions
        self._root, self._rules, self._levels = root, rules, levels
        self._needed, self._spline = needed, spline

    def _coordinates(self, row: Array, first: Array, depth: int) -> Array:
        """Values of one variable on the grid of the first `depth` dimensions."""
        axes = [first, *(rule.nodes for rule in self._rules[1:depth])]
        total = np.zeros((1,) * depth)
        for j, axis in enumerate(axes):
            total = total + row[j] * axis.reshape([-1 if k == j else 1 for k in range(depth)])
        return np.broadcast_to(total, [len(axis) for axis in axes])

    def block(self, part: slice, tails: Sequence[Tail]) -> Array:
        """Return sums, sums with every second node, and sums of absolute values over a block, per tail."""
        first = self._rules[0].nodes[part]
        sums: dict[Tail, Sums] = {}
        depth = len(self._rules)
        if self._spline is not None:
            depth -= 1
            sums = self._last(first, depth)
        for j in range(depth, 0, -1):
            length = sum(map(len, self._levels[j:]))
            heads = self._heads(part, j)
            following: dict[Tail, Sums] = {}
            for suffix in sorted({tail[len(tail) - length :] for tail in tails}):
                head, rest = suffix[: len(self._levels[j])], suffix[len(self._levels[j]) :]
                inner = sums.get(rest, (None, None, None))
                fine, coarse, size = map(_contract, heads(head), inner)
                following[suffix] = (fine, coarse, size)
            sums = following
        rows = [[sums[tail][n] for tail in tails] for n in range(3)]
        return np.array([[0.0 if value is None else float(value) for value in row] for row in rows])

    def _last(self, first: Array, depth: int) -> dict[Tail, Sums]:
        """Averages over the last variable, from their table."""
        assert self._spline is not None
        products, curve, size_curve, limit = self._spline
        (member,) = self._levels[depth + 1]
        means = np.clip(self._coordinates(self._root[member], first, depth), -limit, limit)
        every = (slice(None, None, 2),) * depth
        columns = np.moveaxis(curve(means), -1, 0)
        sizes = np.moveaxis(np.abs(size_curve(means[every])), -1, 0)
        return {
            (product,): (column, column[every], size)
            for product, column, size in zip(products, columns, sizes, strict=True)
        }

    def _heads(self, part: slice, j: int) -> Callable[[Tail], Sums]:
        """Return a function from the products of level j to their weighted values, as `Sums`."""
        weights, coarse = self._rules[j - 1].weights, self._rules[j - 1].coarse
        if j == 1:
            weights = weights[part]
            coarse = None if coarse is None else coarse[part.start // 2 : part.stop // 2]
        every = (slice(None, None, 2),) * j
        first = self._rules[0].nodes[part]
        tables = []
        for i in self._levels[j]:
            points = np.ascontiguousarray(self._coordinates(self._root[i], first, j))
            tables.append(Tables(self._functions, points, self._needed[i]))

        @cache
        def weighted(head: Tail) -> Sums:
            value = np.ones((1,) * j)
            for table, product in zip(tables, head, strict=True):
                value = value * table[product]
            rough = None if coarse is None else value[every] * coarse
            return value * weights, rough, None if rough is None else np.abs(rough)

        return weighted


def _contract(weighted: Array | None, inner: Array | None) -> Array | None:
    """Sum over the last axis; what is missing inside is one, what is missing outside was not asked for."""
    if weighted is None:
        return None
    if inner is None:
        return np.asarray(weighted.sum(axis=-1))
    result: Array = np.einsum("...n,...n->...", weighted, inner)
    return result
