"""Gaussian averages over many sets of three or four inputs, pairs of which are looked at once.

Two pairs of inputs are two standard normal vectors x, y with correlations C = <x y^T>, and

    <F(z_i, z_j) G(z_k, z_l)> = sum over d of F_d . S_d(C) G_d,

where F_d and G_d are the coefficients in products of normalised Hermite polynomials of total degree d, and S_d(C) is what
C does to them (Mehler's formula for vectors). The coefficients belong to a pair, whatever the set; what a set adds is
small matrices. S_d(C) is no larger than the d-th power of the largest singular value c of C, and the sum of squares of
all coefficients is the mean square, so that what is left out is bounded. A set of four is two pairs in three ways: the
one with the smallest c is taken. Of a set of three, one input stands alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import Atom, Found, Task, Wanted
from pertheory.averages.grids import EPSILON, Tables
from pertheory.averages.methods.mehler import SINGULAR, inner_rule
from pertheory.averages.methods.sums import Analytic
from pertheory.averages.quadrature import Array
from pertheory.errors import UnsupportedError

#: Degrees of the tables that are made first, and of those for the sets that need more.
DEGREES = (32, 64)
#: Degrees of the series of absolute values, which are for scales.
ROUGH = 4
#: Part of the error that is wanted which the rest of a series may have.
GOAL = 1e-2
#: The first steps, where all products of two inputs and their squares are resolved, are wider than these ask for.
WIDER = 0.9
#: A sum of squares may lack this part of the mean square by rounding.
LACK = 4e-15
#: Bytes of the tables that are kept.
KEPT = 2**28
#: Sets whose matrices are made together.
TOGETHER = 32
#: The ways to make two pairs of a set, or a pair and one input, by the number of inputs.
WAYS = {3: ((0, 1, 2), (0, 2, 1), (1, 2, 0)), 4: ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2))}


class Layout(NamedTuple):
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
def _layout(atoms: tuple[Atom, ...]) -> Layout:
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
    return Layout(
        one,
        two,
        np.array([[places[0][first] for first, _ in own] for own in split]),
        np.array([[places[1][second] for _, second in own] for own in split]),
    )


class Table(NamedTuple):
    """Products of one or two inputs in Hermite polynomials.

    Attributes:
        coefficients: one row a product, degree after degree.
        absolute: those of absolute values, of few degrees.
        roots: root mean squares.
        left: by degree the root of the sum of squares from it on, relative to these, of the worst product.
        doubt: by degree what sums with every second node are off by, in the same units.
        power: to which that is the error.
    """

    coefficients: Array
    absolute: Array
    roots: Array
    left: Array
    doubt: Array
    power: float


class PairsOfPairs(Analytic):
    """Averages over three or four inputs."""

    def __init__(self, wanted: Wanted, bound: object = None) -> None:
        super().__init__(wanted, bound)
        self._tables: OrderedDict[tuple[object, ...], Table | None] = OrderedDict()
        self._bytes = 0

    def average(self, task: Task) -> Found | None:
        """Average atoms over all sets; what is not sure has an infinite error."""
        size = task.k.shape[1]
        if size not in WAYS or self.degree(task.atoms) is not None:
            return None
        atoms = tuple(task.atoms)
        layout, found = _layout(atoms), np.zeros((3, len(atoms), len(task.k)))
        found[1] = np.inf
        ways, cross, largest = _ways(task.k)
        some = np.flatnonzero(np.isfinite(largest))
        members = np.array(WAYS[size])[ways]
        keys = [_keys(task.k, members[:, :2]), _keys(task.k, members[:, 2:])]
        (known, first), (ends, second) = (np.unique(own, axis=0, return_inverse=True) for own in keys)
        first, second = first.ravel(), second.ravel()
        for degrees in DEGREES:
            order = some[np.argsort(first[some], kind="stable")]
            cuts = np.flatnonzero(np.diff(first[order])) + 1
            short = [np.zeros(0, dtype=np.intp)]
            for group in np.split(order, cuts) if len(order) else ():
                table = self._table(layout.pairs, known[first[group[0]]], degrees)
                others = {n: self._table(layout.ends, ends[n], degrees) for n in set(second[group].tolist())}
                group = group[[others[n] is not None for n in second[group].tolist()]]
                if table is None or not len(group):
                    continue
                tables = [others[n] for n in second[group].tolist()]
                goal = GOAL * self._rtol
                terms, errors = _judged(table, tables, largest[group], goal)
                long = errors > 2 * goal
                if degrees < DEGREES[-1]:
                    short.append(group[long])
                else:
                    long[:] = False
                chosen = np.flatnonzero(~long)
                chosen = chosen[np.argsort(terms[chosen], kind="stable")]
                for start in range(0, len(chosen), TOGETHER):
                    part = chosen[start : start + TOGETHER]
                    sets = group[part]
                    ends_ = [tables[n] for n in part.tolist()]
                    places = layout.first[ways[sets]].T, layout.second[ways[sets]].T
                    found[:, :, sets] = _series(
                        table, ends_, cross[:, :, sets], int(terms[part[-1]]), errors[part], places
                    )
            some = np.concatenate(short)
        found[1] += self.rounding(task.k, atoms) * found[2]
        return found

    def _table(self, products: tuple[tuple[Lines, ...], ...], key: Array, degrees: int) -> Table | None:
        """The table of a pair or of one input, kept; None where functions grow too fast."""
        name = (products, degrees, *key.tolist())
        if name in self._tables:
            self._tables.move_to_end(name)
            return self._tables[name]
        try:
            table = self._made(products, key, degrees)
        except UnsupportedError:
            table = None
        self._tables[name] = table
        self._bytes += table.coefficients.nbytes if table else 0
        while self._bytes > KEPT:
            _, old = self._tables.popitem(last=False)
            self._bytes -= old.coefficients.nbytes if old else 0
        return table

    def _made(self, products: tuple[tuple[Lines, ...], ...], key: Array, degrees: int) -> Table:
        """Sum with all nodes, and with every second one.

        Args:
            products: of one or two inputs.
            key: the variance of one; the variances and the covariance of two.
            degrees: the highest.
        """
        pair, spread = len(key) > 1, float(np.sqrt(key[0]))
        # squares as well: what the series leaves out is what its sum of squares lacks
        merged = {tuple(sorted(2 * sum(product, ()))) for product in products}
        merged.update(own for product in products for own in product)
        lines = tuple(sorted(merged - {()}))
        loading = float(key[2]) / spread if pair else 0.0
        rules = [inner_rule(self._frozen, lines, max(spread, abs(loading)), WIDER, degrees + 1)]
        nodes = [spread * rules[0][0].nodes]
        if pair:
            width = float(np.sqrt(key[1] - loading**2))
            rules.append(inner_rule(self._frozen, lines, width, WIDER, degrees + 1))
            nodes.append(loading * rules[0][0].nodes[:, None] + width * rules[1][0].nodes)
        own = [tuple(sorted(set(column))) for column in zip(*products, strict=True)]
        values = []
        for x, wanted in zip(nodes, own, strict=True):
            table = Tables(self._functions, x, wanted)
            values.append(np.stack([table[product] for product in wanted]))
        columns = [columns for _, columns in rules]
        if not pair:  # another variable on which nothing depends
            values.append(np.ones((1, len(nodes[0]), 1)))
            columns.append(np.ones((1, 1)))
        places = [[o.index(line) for line in column] for o, column in zip(own, zip(*products, strict=True), strict=True)]
        one, two = places if pair else (*places, [0] * len(products))
        degree = np.arange(degrees + 1)
        rows = np.concatenate([degree[: d + 1] for d in degree]) if pair else degree
        others = np.concatenate([d - degree[: d + 1] for d in degree]) if pair else 0 * degree
        starts = np.cumsum([0, *(degree[:-1] + 1)]) if pair else degree

        def summed(front: Array, back: Array, step: int, count: int) -> Array:
            most = int(rows[count - 1] + others[count - 1]) + 1
            some = [weights[::step, :most] * (step if len(weights) > 1 else 1) for weights in columns]
            first = front[:, ::step, None] * some[0]
            second = back[:, ::step, ::step] @ some[1]
            found = first.transpose(0, 2, 1)[one] @ second[two]
            return np.ascontiguousarray(found[:, rows[:count], others[:count]])

        fine, coarse = (summed(*values, step, len(rows)) for step in (1, 2))
        squares, rough = (summed(*(own**2 for own in values), step, 1) for step in (1, 2))
        power, safe = min(rule.power for rule, _ in rules), np.where(squares > 0, squares, 1.0)
        parts = np.add.reduceat(fine**2, starts, axis=1) / safe
        lacking, doubt = 1 - parts.sum(axis=1, keepdims=True), (np.abs(rough - squares) / safe) ** power
        # what is too little to be seen there falls as it did
        last, before = (parts[:, part].sum(axis=1, keepdims=True) for part in (slice(-8, None), slice(-16, -8)))
        ratio = np.minimum(last / np.where(before > 0, before, 1.0), 0.999)
        beyond = np.where(lacking > doubt + LACK, lacking, np.minimum(doubt, last * ratio / (1 - ratio)) + LACK)
        left = np.cumsum(np.concatenate([beyond, parts[:, ::-1]], axis=1), axis=1)[:, ::-1]
        off = np.add.reduceat((coarse - fine) ** 2, starts, axis=1) / safe
        few = int(starts[ROUGH + 1])
        factorials = _factorials(degrees + 1, pair)
        return Table(
            fine * factorials,
            summed(*map(np.abs, values), 2, few) * factorials[:few],
            np.sqrt(squares[:, 0]),
            np.sqrt(left.max(axis=0)),
            np.sqrt(off.max(axis=0)),
            power,
        )


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
            cross = rho[[a, b]][:, rest].copy()
            own = (1 - rho[a, b]) * (1 + rho[a, b])
            cross[1] = (cross[1] - rho[a, b] * cross[0]) / np.sqrt(own)
            if len(rest) == 1:
                largest = np.hypot(cross[0, 0], cross[1, 0])
            else:
                between = rho[rest[0], rest[1]]
                other = (1 - between) * (1 + between)
                cross[:, 1] = (cross[:, 1] - between * cross[:, 0]) / np.sqrt(other)
                own = np.minimum(own, other)
                (p, q), (r, s) = cross
                largest = (np.hypot(p + s, q - r) + np.hypot(p - s, q + r)) / 2
            regular = (own > SINGULAR) & (largest <= 1 + SINGULAR) & sigma.all(axis=1)
            found.append((cross, np.where(regular, largest, np.inf)))
    sizes = np.stack([largest for _, largest in found])
    best = sizes.argmin(axis=0)
    crosses = np.stack([cross for cross, _ in found])
    every = np.arange(len(k))
    return best, np.moveaxis(crosses[best, :, :, every], 0, -1), sizes[best, every]


def _keys(k: Array, members: NDArray[np.intp]) -> Array:
    """What the table of a pair, or of one input, depends on: one row a set."""
    every = np.arange(len(k))
    a, b = members[:, 0], members[:, -1]
    columns = [k[every, a, a], k[every, b, b], k[every, a, b]]
    return np.stack(columns[: 3 if members.shape[1] > 1 else 1], axis=1)


def _judged(table: Table, others: Sequence[Table], largest: Array, goal: float) -> tuple[NDArray[np.intp], Array]:
    """By set how many degrees are enough, and the error relative to root mean squares."""
    powers = largest[:, None] ** np.arange(len(table.left))
    left, doubt = (np.stack([getattr(other, name) for other in others]) for name in ("left", "doubt"))
    tails = powers * table.left * left
    last = tails.shape[1] - 1
    terms = np.where(tails[:, -1] <= goal, (tails <= goal).argmax(axis=1), last)
    off = (powers[:, :-1] * (table.doubt * left[:, :-1] + table.left[:-1] * doubt)).sum(axis=1)
    power = np.minimum(table.power, [other.power for other in others])
    off = np.where(power > 0, off**power, np.inf)
    # a row is multiplied by at most twice the largest correlation where it comes from
    rounding = EPSILON * (tails * 2.0 ** (np.arange(last + 1) / 2))[:, :-1].sum(axis=1)
    return np.maximum(terms, 1), tails[np.arange(len(tails)), terms] + off + rounding


def _series(
    table: Table,
    others: Sequence[Table],
    cross: Array,
    terms: int,
    errors: Array,
    places: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> Found:
    """Averages, their errors and scales over sets with the same first pair.

    Args:
        table: of the pair.
        others: of the rest of each set.
        cross: correlations of the standard variables, by set in the end.
        terms: degrees.
        errors: relative to root mean squares.
        places: by atom and set the numbers of its products in the tables.
    """
    every, (one, two) = np.arange(len(others)), places
    values = _joined(table.coefficients, [other.coefficients for other in others], cross, terms)[every, one, two]
    scales = _joined(table.absolute, [other.absolute for other in others], cross, ROUGH + 1)[every, one, two]
    roots = table.roots[one] * np.stack([other.roots for other in others])[every, two]
    return np.stack([values, errors * roots, np.maximum(scales, np.abs(values))])


def _joined(first: Array, second: Sequence[Array], cross: Array, terms: int) -> Array:
    """Sum the series for all products of the first pair and of the others: set, product, product."""
    parts, start = [], 0
    count = terms * (terms + 1) // 2
    first = first[:, :count] / _factorials(terms, True) ** 2
    for power in _tensors(cross, terms):
        rows = first[:, start : start + len(power)]
        parts.append((rows @ power.reshape(len(power), -1)).reshape(len(first), *power.shape[1:]))
        start += len(power)
    middle = np.ascontiguousarray(np.concatenate(parts, axis=1).transpose(2, 0, 1))
    return np.stack([own @ other[:, : own.shape[1]].T for own, other in zip(middle, second, strict=True)])


def _tensors(cross: Array, terms: int) -> Iterator[Array]:
    """What correlations do to products of Hermite polynomials of the same total degree, one degree after the other.

    They turn the first variables into u, v, combinations of the second: rows are coefficients of u^a v^b, columns those
    of powers of the second. Shape (degree + 1, degree + 1, sets); where there is one of the second, its power alone.
    """
    power = np.ones((1, 1, cross.shape[2]))
    yield power
    for d in range(1, terms):
        last, power = power, np.zeros((d + 1, power.shape[1] + cross.shape[1] - 1, cross.shape[2]))
        for new, source, loadings in ((power[1:], last, cross[0]), (power[:1], last[:1], cross[1])):
            np.multiply(source, loadings[0], out=new[:, -source.shape[1] :])
            if len(loadings) > 1:
                new[:, :-1] += source * loadings[1]
        yield power


@lru_cache(maxsize=16)
def _factorials(terms: int, pair: bool) -> Array:
    """Roots of the factorials of the two degrees, degree after degree."""
    roots = np.sqrt(np.cumprod([1.0, *range(1, terms)]))
    return np.concatenate([roots[: d + 1] * roots[d::-1] for d in range(terms)]) if pair else roots
