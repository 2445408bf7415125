"""Gaussian averages over many sets of three or four inputs, pairs of which are looked at once.

Two pairs of inputs are two standard normal vectors x, y with correlations C = <x y^T>, and

    <F(z_i, z_j) G(z_k, z_l)> = sum over d of F_d . S_d(C) G_d,

where F_d and G_d are the coefficients in products of normalised Hermite polynomials of total degree d, and S_d(C) is
what C does to them (Mehler's formula for vectors). The coefficients belong to a pair, whatever the set; a set adds
small matrices. S_d(C) is no larger than the d-th power of the largest singular value c of C, and the sum of squares of
all coefficients is the mean square: what is left out is bounded. Of polynomials nothing is. A set of four is two pairs
in three ways, and the one with the smallest c is taken. Of a set of three, one input stands alone.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import Atom, Found, Task, Wanted
from pertheory.averages.grids import EPSILON, Tables
from pertheory.averages.methods.mehler import SINGULAR, hermite_columns, inner_rule
from pertheory.averages.methods.sums import EXACT, Analytic
from pertheory.averages.quadrature import Array, Rule, hermite
from pertheory.errors import UnsupportedError


class Level(NamedTuple):
    """How far a table goes.

    Attributes:
        degrees: the highest degree.
        width: the highest in the difference of a pair.
        exact: whether there is nothing beyond, as for polynomials.
    """

    degrees: int
    width: int
    exact: bool = False


#: Of tables that are made first, of those for sets that need more, and for sets of which the differences have less than
#: a part of the correlation.
LEVELS = (Level(32, 32), Level(64, 48), Level(96, 24))
ALIKE = 0.5
#: Degrees of the series of absolute values, which are for scales.
ROUGH = 4
#: Part of the error that is wanted which the rest of a series may have.
GOAL = 5e-2
#: The first steps, where all products of two inputs and their squares are resolved, are wider than these ask for.
WIDER = 0.9
#: A sum of squares may lack this part of the mean square by rounding.
LACK = 4e-15
#: Bytes of the tables that are kept.
KEPT = 2_000_000_000
#: Sets whose matrices are made together.
TOGETHER = 32
#: The ways to make two pairs of a set, or a pair and one input, by the number of inputs.
WAYS = {3: ((0, 1, 2), (0, 2, 1), (1, 2, 0)), 4: ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2))}


class PairLayout(NamedTuple):
    """What to average over sets of inputs.

    Attributes:
        pairs: products of two inputs of a pair.
        ends: products of the rest: of another pair, or of one input.
        first, second: by way and atom the numbers of its products among these.
    """

    pairs: tuple[tuple[Lines, ...], ...]
    ends: tuple[tuple[Lines, ...], ...]
    first: NDArray[np.intp]
    second: NDArray[np.intp]


@lru_cache(maxsize=64)
def _layout(atoms: tuple[Atom, ...]) -> PairLayout:
    size = len(atoms[0])
    split = [
        [(tuple(atom[i] for i in way[:2]), tuple(atom[i] for i in way[2:])) for atom in atoms] for way in WAYS[size]
    ]
    pairs = {first for own in split for first, _ in own}
    ends = {second for own in split for _, second in own}
    if size == 4:  # one table serves a pair on either side
        pairs = ends = pairs | ends
    one, two = tuple(sorted(pairs)), tuple(sorted(ends))
    places = {first: n for n, first in enumerate(one)}, {second: n for n, second in enumerate(two)}
    return PairLayout(
        one,
        two,
        np.array([[places[0][first] for first, _ in own] for own in split]),
        np.array([[places[1][second] for _, second in own] for own in split]),
    )


class PairTable(NamedTuple):
    """Products of one or two inputs in Hermite polynomials.

    Attributes:
        coefficients: one row a product, degree after degree.
        absolute: those of absolute values, of few degrees.
        roots: root mean squares.
        left: by degree the root of the sum of squares from it on, relative to these, of the worst product.
        cut: by degree the root of that of those that are left out, in the same units.
        doubt: by degree what sums with every second node are off by, in the same units.
        power: to which that is the error.
    """

    coefficients: Array
    absolute: Array
    roots: Array
    left: Array
    cut: Array
    doubt: Array
    power: float


class PairsOfPairs(Analytic):
    """Averages over three or four inputs.

    Args:
        wanted: functions and errors to aim at.
        bound: by the number of inputs the fewest sets for which tables of pairs pay.
    """

    def __init__(self, wanted: Wanted, bound: Mapping[int, int]) -> None:
        super().__init__(wanted, bound)
        self._tables: OrderedDict[tuple[object, ...], PairTable | None] = OrderedDict()
        self._bytes = 0

    def average(self, task: Task) -> Found | None:
        """Average atoms over all sets; what is not sure has an infinite error."""
        size = task.k.shape[1]
        if size not in WAYS or len(task.k) < self._bound[size]:
            return None
        atoms = tuple(task.atoms)
        layout, found = _layout(atoms), np.zeros((3, len(atoms), len(task.k)))
        degree = self.degree([*layout.pairs, *layout.ends])
        if degree is not None and 2 * degree > EXACT:
            return None
        levels: tuple[Level, ...] = LEVELS
        goal = GOAL * self._rtol
        if degree is not None:
            highest = max(degree, ROUGH + 1)
            levels, goal = (Level(highest, highest, exact=True),), 0.0
        found[1] = np.inf
        ways, cross, largest = _ways(task.k)
        left = np.flatnonzero(np.isfinite(largest))
        apart = np.sqrt(np.maximum((cross[1] ** 2).sum(axis=0), (cross[:, -1] ** 2).sum(axis=0) * (size > 3)))
        alike = apart < ALIKE * largest
        members = np.array(WAYS[size])[ways]
        keys = [_keys(task.k, members[:, :2]), _keys(task.k, members[:, 2:])]
        (pairs, first), (ends, second) = (np.unique(own, axis=0, return_inverse=True) for own in keys)
        first, second = first.ravel(), second.ravel()
        for level in levels:
            some = left if level == levels[0] else left[alike[left] == (level == levels[-1])]
            order = some[np.argsort(first[some], kind="stable")]
            more = [order[:0]]
            for group in np.split(order, np.flatnonzero(np.diff(first[order])) + 1) if len(order) else ():
                table = self._table(layout.pairs, pairs[first[group[0]]], level)
                made = [self._table(layout.ends, ends[n], level) for n in second[group].tolist()]
                others = [other for other in made if other is not None]
                group = group[[other is not None for other in made]]
                if table is None or not others:
                    continue
                terms, errors = _judged(table, others, cross[:, :, group], largest[group], goal, level.width)
                done = (errors <= 2 * goal) | (level != LEVELS[0])
                more.append(group[~done])
                chosen = np.flatnonzero(done)[np.argsort(terms[done], kind="stable")]
                for start in range(0, len(chosen), TOGETHER):
                    part = chosen[start : start + TOGETHER]
                    sets, own = group[part], [others[n] for n in part.tolist()]
                    places = layout.first[ways[sets]].T, layout.second[ways[sets]].T
                    found[:, :, sets] = _series(
                        table, own, cross[:, :, sets], int(terms[part[-1]]), level.width, errors[part], places
                    )
            left = np.concatenate(more) if level == levels[0] else left
        found[1] += self.rounding(task.k, atoms) * found[2]
        return found

    def _table(self, products: tuple[tuple[Lines, ...], ...], key: Array, level: Level) -> PairTable | None:
        """The table of a pair or of one input, kept; None where functions grow too fast."""
        name = (products, level, *key.tolist())
        if name in self._tables:
            self._tables.move_to_end(name)
            return self._tables[name]
        try:
            table = self._made(products, key, level)
        except UnsupportedError:
            table = None
        self._tables[name] = table
        self._bytes += table.coefficients.nbytes if table else 0
        while self._bytes > KEPT:
            _, old = self._tables.popitem(last=False)
            self._bytes -= old.coefficients.nbytes if old else 0
        return table

    def _made(self, products: tuple[tuple[Lines, ...], ...], key: Array, level: Level) -> PairTable:
        """Sum with all nodes, and with every second one.

        Args:
            products: of one or two inputs.
            key: the variance of one; the variances and the covariance of two.
            level: how far it goes.
        """
        degrees, width = level.degrees, level.width if len(key) > 1 else 0
        spreads = np.sqrt(key[:2])
        # a pair is its sum and its difference, in units of the spreads
        rho = float(key[2] / spreads.prod()) if width else 1.0
        shares = [math.sqrt((1 + rho) / 2), math.sqrt((1 - rho) / 2)][: len(spreads)]
        if level.exact:
            rules = [_exact_rule(degrees)] * len(shares)
        else:
            rules = self._rules(products, [share * float(spreads.max()) for share in shares], degrees)
        power = min(rule.power for rule, _ in rules)
        columns = [columns for _, columns in rules]
        parts = [share * rule.nodes for share, (rule, _) in zip(shares, rules, strict=True)]
        if not width:  # nothing depends on another variable
            columns.append(np.ones((1, 1)))
            parts.append(np.zeros(1))
        values = np.ones((1, 1, 1))
        for spread, sign, wanted in zip(spreads.tolist(), (1, -1), zip(*products, strict=True), strict=False):
            table = Tables(self._functions, spread * (parts[0][:, None] + sign * parts[1]), wanted)
            values = values * np.stack([table[product] for product in wanted])
        first = np.concatenate([d - np.arange(d + 1) for d in range(degrees + 1)])
        second = np.concatenate([np.arange(d + 1) for d in range(degrees + 1)])
        if not width:
            first, second = np.arange(degrees + 1), np.zeros(degrees + 1, dtype=int)
        starts = np.searchsorted(first + second, np.arange(degrees + 1))

        def summed(values: Array, step: int, count: int) -> Array:
            most = int(first[count - 1] + second[count - 1]) + 1
            weights = [own[::step, :most] * (step if len(own) > 1 else 1) for own in columns]
            found = weights[0].T @ (values.reshape(-1, len(weights[1])) @ weights[1]).reshape(*values.shape[:2], -1)
            return np.ascontiguousarray(found[:, first[:count], second[:count]])

        step = 1 if level.exact else 2
        thin = values if level.exact else np.ascontiguousarray(values[:, ::2, ::2])  # a product takes no strides
        fine, squares = summed(values, 1, len(first)), summed(values**2, 1, 1)
        coarse, rough = fine, squares
        if not level.exact:
            coarse, rough = summed(thin, 2, len(first)), summed(thin**2, 2, 1)
        safe = np.where(squares > 0, squares, 1.0)

        def sizes(table: Array) -> Array:
            return np.asarray(np.add.reduceat(table**2, starts, axis=1) / safe)

        own = sizes(fine)
        lacking, doubt = 1 - own.sum(axis=1, keepdims=True), (np.abs(rough - squares) / safe) ** power
        # what is too little to be seen there falls as it did
        last, before = (own[:, part].sum(axis=1, keepdims=True) for part in (slice(-8, None), slice(-16, -8)))
        ratio = np.minimum(last / np.where(before > 0, before, 1.0), 0.999)
        beyond = np.where(lacking > doubt + LACK, lacking, np.minimum(doubt, last * ratio / (1 - ratio)) + LACK)
        if level.exact:
            beyond = np.zeros_like(lacking)
        left = np.cumsum(np.concatenate([beyond, own[:, ::-1]], axis=1), axis=1)[:, ::-1]
        few, factorials = int(starts[ROUGH + 1]), _factorials(degrees + 1, width)
        below, cut, off = (np.sqrt(x.max(axis=0)) for x in (left, sizes(fine * (second > width)), sizes(coarse - fine)))
        return PairTable(
            fine[:, second <= width] * factorials,
            summed(np.abs(thin), step, few) * factorials[:few],
            np.sqrt(squares[:, 0]),
            below,
            cut,
            off,
            power,
        )

    def _rules(
        self, products: tuple[tuple[Lines, ...], ...], sigmas: Sequence[float], degrees: int
    ) -> list[tuple[Rule, Array]]:
        """By variable a rule for products and their squares, and its weights for coefficients."""
        # squares as well: what the series leaves out is what its sum of squares lacks
        merged = {tuple(sorted(2 * sum(product, ()))) for product in products}
        merged.update(own for product in products for own in product)
        lines = tuple(sorted(merged - {()}))
        return [inner_rule(self._frozen, lines, sigma, WIDER, degrees + 1) for sigma in sigmas]


@lru_cache(maxsize=64)
def _exact_rule(degrees: int) -> tuple[Rule, Array]:
    """A rule that is exact for polynomials of so many degrees and their squares, and its weights for coefficients."""
    rule = hermite(2 * degrees)
    return rule, hermite_columns(rule, degrees + 1)


def _ways(k: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """By set the best way to make two of it, the correlations of their standard variables, and the largest.

    The largest singular value is infinite where no way is regular.
    """
    size, sigma = k.shape[1], np.sqrt(k.diagonal(axis1=1, axis2=2))
    safe = np.where(sigma > 0, sigma, 1.0)
    rho = (k / safe[:, :, None] / safe[:, None, :]).transpose(1, 2, 0)
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for a, b, *rest in WAYS[size]:
            own = np.minimum(1 - rho[a, b], 1 + rho[a, b])
            cross = _sum_and_difference(rho[a, rest], rho[b, rest], rho[a, b])
            if len(rest) == 1:
                largest = np.hypot(cross[0, 0], cross[1, 0])
            else:
                between = rho[rest[0], rest[1]]
                own = np.minimum(own, np.minimum(1 - between, 1 + between))
                cross = _sum_and_difference(cross[:, 0], cross[:, 1], between).swapaxes(0, 1)
                (p, q), (r, s) = cross
                largest = (np.hypot(p + s, q - r) + np.hypot(p - s, q + r)) / 2
            regular = (own > SINGULAR) & (largest <= 1 + SINGULAR) & sigma.all(axis=1)
            found.append((cross, np.where(regular, largest, np.inf)))
    sizes = np.stack([largest for _, largest in found])
    best = sizes.argmin(axis=0)
    crosses = np.stack([cross for cross, _ in found])
    every = np.arange(len(k))
    return best, np.moveaxis(crosses[best, :, :, every], 0, -1), sizes[best, every]


def _sum_and_difference(one: Array, two: Array, rho: Array) -> Array:
    """The standard variables of a pair, by what its two have in common with others."""
    return np.stack([(one + two) / np.sqrt(2 * (1 + rho)), (one - two) / np.sqrt(2 * (1 - rho))])


def _keys(k: Array, members: NDArray[np.intp]) -> Array:
    """What the table of a pair, or of one input, depends on: one row a set."""
    every = np.arange(len(k))
    a, b = members[:, 0], members[:, -1]
    columns = [k[every, a, a], k[every, b, b], k[every, a, b]]
    return np.stack(columns[: 3 if members.shape[1] > 1 else 1], axis=1)


def _judged(
    table: PairTable, others: Sequence[PairTable], cross: Array, largest: Array, goal: float, width: int
) -> tuple[NDArray[np.intp], Array]:
    """By set how many degrees are enough, and the error relative to root mean squares."""
    powers = largest[:, None] ** np.arange(len(table.left))
    left, cut, doubt = (np.stack([getattr(other, name) for other in others]) for name in ("left", "cut", "doubt"))
    tails = powers * table.left * left
    last = tails.shape[1] - 1
    terms = np.where(tails[:, -1] <= goal, (tails <= goal).argmax(axis=1), last)
    off = (powers[:, :-1] * (table.doubt * left[:, :-1] + table.left[:-1] * doubt)).sum(axis=1)
    out = np.zeros(len(off))
    for mine, theirs, axis in ((table.cut, left, 1), (cut, table.left, 0)):
        if mine.any():
            sizes = np.sqrt((cross**2).sum(axis=axis))
            out += (np.minimum(powers[:, :-1], _beyond(sizes, width, last)) * mine * theirs[..., :-1]).sum(axis=1)
    power = np.minimum(table.power, [other.power for other in others])
    off = np.where(power > 0, off**power, np.inf)
    # rows are no longer than the root of the number of ways to write them, and are rounded as if they were
    rounding = EPSILON * (tails * 2.0 ** (np.arange(last + 1) / 2))[:, :-1].sum(axis=1)
    return np.maximum(terms, 1), tails[np.arange(len(tails)), terms] + off + out + rounding


def _beyond(sizes: Array, width: int, terms: int) -> Array:
    """By set and degree d the largest row of more than `width` factors v: at most the root of (d over b) u^(d-b) v^b.

    Args:
        sizes: of u and v, one column a set.
        width: the highest b that is no such row.
        terms: degrees.
    """
    b, rest = width + 1, np.maximum(np.arange(terms) - width - 1, 0)
    ways = np.array([math.comb(d, b) for d in range(terms)], dtype=float)
    u, v = sizes[..., None]
    found = np.sqrt(ways) * u**rest * v**b
    # beyond it they fall if they do there
    return np.where(v**2 * rest < u**2 * (b + 1), found, np.inf)


def _series(
    table: PairTable,
    others: Sequence[PairTable],
    cross: Array,
    terms: int,
    width: int,
    errors: Array,
    places: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> Found:
    """Averages, their errors and scales over sets with the same first pair.

    Args:
        table: of the pair.
        others: of the rest of each set.
        cross: correlations of the standard variables, by set in the end.
        terms: degrees.
        width: the highest in the second variable.
        errors: relative to root mean squares.
        places: by atom and set the numbers of its products in the tables.
    """
    every, (one, two) = np.arange(len(others)), places
    values = _joined(table.coefficients, [other.coefficients for other in others], cross, terms, width)[every, one, two]
    scales = _joined(table.absolute, [other.absolute for other in others], cross, ROUGH + 1, width)[every, one, two]
    roots = table.roots[one] * np.stack([other.roots for other in others])[every, two]
    return np.stack([values, errors * roots, np.maximum(scales, np.abs(values))])


def _joined(first: Array, second: Sequence[Array], cross: Array, terms: int, width: int) -> Array:
    """Sum the series for all products of the first pair and of the others: set, product, product."""
    parts, start = [], 0
    factorials = _factorials(terms, width)
    first = first[:, : len(factorials)] / factorials**2
    for power in _tensors(cross, terms, width):
        rows = first[:, start : start + len(power)]
        parts.append((rows @ power.reshape(len(power), -1)).reshape(len(first), *power.shape[1:]))
        start += len(power)
    middle = np.ascontiguousarray(np.concatenate(parts, axis=1).transpose(2, 0, 1))
    return np.stack([own @ other[:, : own.shape[1]].T for own, other in zip(middle, second, strict=True)])


def _tensors(cross: Array, terms: int, width: int) -> Iterator[Array]:
    """What correlations do to products of Hermite polynomials of the same total degree, one degree after the other.

    They turn the first variables into u, v, combinations of the second: row b has the coefficients of u^(d-b) v^b, by
    the power of the last of the second. Shape (b, b, sets), b up to `width`; one column where there is one variable.
    """
    power = np.ones((1, 1, cross.shape[2]))
    yield power
    for d in range(1, terms):
        last, rows = power, min(d, width) + 1
        power = np.zeros((rows, rows if cross.shape[1] > 1 else 1, cross.shape[2]))
        parts = [(power[: len(last)], last, cross[0]), (power[len(last) :], last[-1:], cross[1])]
        for new, source, loadings in parts[: 1 + (rows > len(last))]:
            np.multiply(source, loadings[0], out=new[:, : source.shape[1]])
            if len(loadings) > 1:
                new[:, 1:] += source[:, : rows - 1] * loadings[1]
        yield power


@lru_cache(maxsize=256)
def _factorials(terms: int, width: int) -> Array:
    """Roots of the factorials of the two degrees, degree after degree, the second up to `width`."""
    roots = np.sqrt(np.cumprod([1.0, *range(1, terms)]))
    return np.concatenate([[roots[d - b] * roots[b] for b in range(min(d, width) + 1)] for d in range(terms)])
