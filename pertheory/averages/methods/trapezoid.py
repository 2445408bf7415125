"""Gaussian averages of products of analytic functions of up to four variables.

Written in standard normal variables xi (z = L xi), an analytic integrand times a Gaussian is summed by the
trapezoid rule with an error that falls exponentially with the step. The step for each size of the standard
deviation is measured in one dimension; the dimensions are then nested, the last one first, so that an
average over four inputs costs a sum over three dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import Atom
from pertheory.averages.grids import Tables
from pertheory.averages.methods.sums import Once, Sums
from pertheory.averages.quadrature import Array, Rule, factor
from pertheory.functions.activation import Activation

#: Products of the inputs from some level on, in the order of levels.
Tail: TypeAlias = tuple[Lines, ...]
#: The same quantity with all nodes, with every second node, and the latter for absolute values.
Triple: TypeAlias = tuple[Array | None, Array | None, Array | None]
#: Products, their averages over the last variable and those of their absolute values as splines of the
#: conditional mean, and its range.
Table: TypeAlias = tuple[Sequence[Lines], Callable[[Array], Array], Callable[[Array], Array], float]

#: Points of one block of the nested sums; with a handful of orders this stays far below 500 MB.
BLOCK = 100_000


class Trapezoid(Sums):
    """Nested sums over the directions that the covariance has; beyond `bound` points the steps are widened."""

    def sum(self, covariance: Array, atoms: Sequence[Atom], refine: float) -> Once:
        """Average atoms; nothing is gained by smaller steps where these are wider than they should be."""
        root, pivots = factor(covariance)
        rank = len(pivots)
        rules = [self.rule(atoms, root[pivot, j], refine) for j, pivot in enumerate(pivots)]
        known = all(rule.power for rule in rules)
        if not known and rank and len(covariance) == 2:  # there is another method
            return np.zeros(len(atoms)), np.full(len(atoms), np.inf), np.zeros(len(atoms)), True
        points = float(np.prod([len(rule.nodes) for rule in rules[:3]])) if rank else 1.0
        widened = points > self._bound
        if widened:
            widen = (points / self._bound) ** (1 / 3)
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
        products: Sequence[Lines],
        atoms: Sequence[Atom],
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
        from scipy.interpolate import make_interp_spline  # takes a while to import

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
        needed: Sequence[Sequence[Lines]],
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
        sums: dict[Tail, Triple] = {}
        depth = len(self._rules)
        if self._spline is not None:
            depth -= 1
            sums = self._last(first, depth)
        for j in range(depth, 0, -1):
            length = sum(map(len, self._levels[j:]))
            heads = self._heads(part, j)
            following: dict[Tail, Triple] = {}
            for suffix in sorted({tail[len(tail) - length :] for tail in tails}):
                head, rest = suffix[: len(self._levels[j])], suffix[len(self._levels[j]) :]
                inner = sums.get(rest, (None, None, None))
                fine, coarse, size = map(_contract, heads(head), inner)
                following[suffix] = (fine, coarse, size)
            sums = following
        rows = [[sums[tail][n] for tail in tails] for n in range(3)]
        return np.array([[0.0 if value is None else float(value) for value in row] for row in rows])

    def _last(self, first: Array, depth: int) -> dict[Tail, Triple]:
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

    def _heads(self, part: slice, j: int) -> Callable[[Tail], Triple]:
        """Return a function from the products of level j to their weighted values, as `Triple`."""
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
        def weighted(head: Tail) -> Triple:
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
