"""Gaussian averages over two to four inputs: two of them given the others through Hermite coefficients.

Given all other inputs, the last two are a Gaussian pair of some means, spreads and a correlation r, and

    <f(z_c) g(z_d) | others> = sum over n of r^n a_n b_n,

where a_n and b_n are the coefficients of f and g in normalised Hermite polynomials about the conditional mean
(Mehler's formula). Two sums over four inputs become one short series, so that four inputs cost a sum over two
dimensions, and all averages over the same inputs are entries of one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import Atom
from pertheory.averages.grids import EPSILON, UNKNOWN, Functions, Tables, measure, measured, rounded
from pertheory.averages.methods.sums import Once, Sums
from pertheory.averages.quadrature import Array, Rule, trapezoid

#: Conditional variances below this fraction of a variance: the pair is left to the method that drops directions.
SINGULAR = 1e-10
#: Most terms of the series; a pair that needs more is left to nested sums.
TERMS = 48
#: Terms are left out when all of them together are below this fraction of the scale.
TAIL = 1e-13
#: A sum of squares that lacks less than this fraction is complete up to rounding.
LACK = 1e-12
#: Products of a larger rarity (`Loss`) have scales of their own; root mean squares are those of all others.
RARE = 6.0
#: Numbers in the largest table of one block.
BLOCK = 1_000_000


@dataclass(frozen=True)
class Layout:
    """What to average over some inputs.

    Attributes:
        products: for each input its products.
        index: per atom, for each input the number of its product.
        merged: what a step must resolve: the factors of an atom at one variable, and each product alone.
    """

    products: tuple[tuple[Lines, ...], ...]
    index: NDArray[np.intp]
    merged: tuple[Lines, ...]

    @staticmethod
    def of(atoms: Sequence[Atom]) -> Layout:
        """Lay out atoms; those of a plan come again and again."""
        return _layout(tuple(atoms))


@lru_cache(maxsize=256)
def _layout(atoms: tuple[Atom, ...]) -> Layout:
    products = [tuple(sorted(set(column))) for column in zip(*atoms, strict=True)]
    place = [{product: n for n, product in enumerate(own)} for own in products]
    index = np.array([[own[product] for own, product in zip(place, atom, strict=True)] for atom in atoms])
    merged = {tuple(sorted(line for product in atom for line in product)) for atom in atoms}
    merged.update(product for own in products for product in own if product)
    return Layout(tuple(products), index, tuple(sorted(merged)))


@lru_cache(maxsize=64)
def hermite_weights(step: float, reach: float, count: int) -> tuple[Rule, Array]:
    """Return a trapezoid rule and its weights times normalised Hermite polynomials, one column per degree."""
    rule = trapezoid(step, reach)
    return rule, hermite_columns(rule, count)


def hermite_columns(rule: Rule, count: int) -> Array:
    """The weights of a rule times normalised Hermite polynomials, one column per degree."""
    columns = np.empty((len(rule.nodes), count))
    columns[:, 0] = rule.weights
    for n in range(1, count):
        lower = columns[:, n - 2] * np.sqrt((n - 1) / n) if n > 1 else 0.0
        columns[:, n] = rule.nodes * columns[:, n - 1] / np.sqrt(n) - lower
    columns.flags.writeable = False
    return columns


def inner_rule(
    functions: Functions, products: Sequence[Lines], sigma: float, refine: float, count: int
) -> tuple[Rule, Array]:
    """A rule that also resolves the Hermite polynomials, and its weights; of no power where no step is enough."""
    base = measured(functions, products, sigma, refine)
    frequency = 2 * np.pi / float(base.nodes[1] - base.nodes[0]) + 0.5 * np.sqrt(count)
    # Hermite polynomials push the weight outwards
    rule, columns = hermite_weights(2 * np.pi / frequency, 1.3 * float(base.nodes[-1]), count)
    return rule if base.power else replace(rule, power=UNKNOWN), columns


class Mehler(Sums):
    """Two of the inputs by a series, sums over the others; at most `bound` points times nodes of the inner sum."""

    def sum(self, covariance: Array, atoms: Sequence[Atom], refine: float) -> Once | None:
        """Average atoms of functions that are no polynomials."""
        if self.degree(atoms) is not None:
            return None
        layout, spreads = Layout.of(atoms), np.sqrt(covariance.diagonal()).tolist()
        own = ((product, rounded(s)) for s, row in zip(spreads, layout.products, strict=True) if s for product in row)
        rare = any(self._condition(*each).rarity > RARE for each in own)
        found = pair_averages(self._frozen, covariance, layout, refine, self._bound, rare)
        return None if found is None else (*found, rare)


def pair_averages(
    functions: Functions,
    covariance: Array,
    layout: Layout,
    refine: float,
    budget: float = math.inf,
    rare: bool = False,
) -> tuple[Array, Array, Array] | None:
    """Average atoms over two to four inputs.

    Args:
        functions: activations by name.
        covariance: of the inputs, one row for each product of an atom.
        layout: the atoms.
        refine: by how much the steps of the outer sums are smaller than measured.
        budget: most points of the outer sum times nodes of the inner one.
        rare: whether absolute values are averaged for the scales; else these are from root mean squares.

    Returns:
        The averages, their errors relative to the scale of each, and the scales; None where the covariance is (nearly)
        singular or the series is long.
    """
    factored = _root(covariance)
    if factored is None:
        return None
    root, order = factored
    frame = _Frame(functions, root, [layout.products[i] for i in order], layout.merged, refine)
    if frame.work > budget or not frame.power:
        return None
    coarse, whole, sizes, scale = frame.coarse(rare)
    terms, tail = _cut(sizes)
    if tail > TAIL:
        return None
    fine = frame.fine(terms)
    place = tuple(layout.index[:, i] for i in order)
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.where(whole > 0, (np.abs(fine - coarse) / whole) ** frame.power + 2 * tail, 0.0)
        if rare:  # sums are as exact as the root mean squares are large
            errors = np.where(whole > 0, (errors + EPSILON) * whole / scale, 0.0)
    return fine[place], errors[place], scale[place]


def pair_points(functions: Functions, covariance: Array, lines: tuple[Lines, ...]) -> float:
    """About how many points `pair_averages` sums; infinite where it does not apply.

    Args:
        functions: activations by name.
        covariance: of the inputs.
        lines: what the steps are measured for; single derivatives are measured sooner than all atoms.
    """
    factored = _root(covariance)
    if factored is None:
        return float("inf")
    root, _ = factored
    outer = len(root) - 2
    widths = [*np.abs(root[:, :outer]).max(axis=0).tolist(), float(np.hypot(root[-1, -2], root[-1, -1]))]
    rules = [measure(functions, lines, rounded(width)) for width in widths if width > 0]
    return float(np.prod([2 * reach / step for step, reach, _ in rules]))


def _root(covariance: Array) -> tuple[Array, list[int]] | None:
    """Factor a covariance with the least correlated pair (given the others) last; None if it is singular."""
    size = len(covariance)
    sigma = np.sqrt(covariance.diagonal())
    if not sigma.all():
        return None
    correlation = covariance / np.outer(sigma, sigma)
    try:
        inverse = np.linalg.inv(correlation)
        if not (inverse.diagonal() > 0).all():
            return None
        spreads = np.sqrt(inverse.diagonal())
        partial = np.abs(inverse / np.outer(spreads, spreads))
        c, d = min(((i, j) for j in range(size) for i in range(j)), key=lambda pair: partial[pair])
        # the one with the smaller spread (the larger entry of the inverse) needs fewer nodes
        if inverse[c, c] / covariance[c, c] > inverse[d, d] / covariance[d, d]:
            c, d = d, c
        order = [*(i for i in range(size) if i not in (c, d)), c, d]
        root = sigma[order, None] * np.linalg.cholesky(correlation[np.ix_(order, order)])
    except np.linalg.LinAlgError:
        return None
    if not (root.diagonal() ** 2 > SINGULAR * sigma[order] ** 2).all():
        return None
    if size == 4 and root[2, :2].any():
        # outer directions turned so that the mean of c depends on the first alone: its table is a small one
        cosine, sine = root[2, :2] / np.hypot(*root[2, :2])
        root[:, :2] = root[:, :2] @ np.array([[cosine, -sine], [sine, cosine]])
        root[2, 1] = 0.0
    return root, order


def _cut(sizes: Array) -> tuple[int, float]:
    """Number of terms to keep, and an estimate of what is left out, from the sizes of the terms."""
    last, before = float(sizes[-8:].sum()), float(sizes[-16:-8].sum())
    ratio = min(last / before, 0.999) if before > 0 else 0.0
    left = np.cumsum(sizes[::-1])[::-1] + last * ratio / (1 - ratio)
    small = np.nonzero(left <= TAIL)[0]
    terms = int(small[0]) if len(small) else len(sizes)
    return max(terms, 1), float(left[min(terms, len(sizes) - 1)])


class _Frame:
    """The sums of one covariance: a grid over the outer directions, Hermite coefficients for the last two."""

    def __init__(
        self,
        functions: Functions,
        root: Array,
        products: Sequence[tuple[Lines, ...]],
        merged: tuple[Lines, ...],
        refine: float,
    ) -> None:
        self._functions = dict(functions)
        self._root, self._products = root, products
        self._outer = outer = len(root) - 2
        self._spreads = float(root[-2, -2]), float(np.hypot(root[-1, -2], root[-1, -1]))
        self._ratio = float(root[-1, -2]) / self._spreads[1]
        widths = np.abs(root[:, :outer]).max(axis=0)
        rules = [measured(functions, merged, float(width), refine) for width in widths]
        point = Rule(np.zeros(1), np.ones(1), np.ones(1))
        self._rules = [*rules, *[point] * (2 - outer)]
        self._inner = [
            inner_rule(functions, own, spread, max(refine, 1.0), TERMS)
            for own, spread in zip(products[-2:], self._spreads, strict=True)
        ]
        known = all(rule.power for rule, _ in self._inner)
        self.power = min((rule.power for rule in rules), default=2.0) if known else UNKNOWN
        self.work = float(np.prod([len(rule.nodes) for rule in (*self._rules, self._inner[1][0])]))

    def coarse(self, rare: bool) -> tuple[Array, Array, Array, Array]:
        """Sums with every second node, and of root mean squares, the relative sizes of the terms, and the scales.

        Args:
            rare: whether scales are averages of absolute values, or the sums of root mean squares.
        """
        axes = [rule.nodes[::2] for rule in self._rules]
        weights = np.multiply.outer(2 * self._rules[0].weights[::2], 2 * self._rules[1].weights[::2])
        weights /= 2.0 ** (2 - self._outer)  # a direction that does not exist is one point, not every second one
        heads = self._heads(*axes) * weights
        tables, roots, absolute = [], [], []
        for k, (rule, columns) in enumerate(self._inner):
            values = self._values(k, axes, rule.nodes[::2])
            tables.append(values @ (2 * columns[::2]))
            roots.append(np.sqrt(values**2 @ (2 * columns[::2, 0])))
            absolute += [np.abs(values) @ (2 * columns[::2])] if rare else []
        first, second = tables
        powers = self._ratio ** np.arange(TERMS)
        totals = _join(heads, _pair(first * powers, second))
        sizes = np.abs(heads)
        scale = large = _join(sizes, _pair(roots[0][..., None], roots[1][..., None]))
        if rare:
            scale = np.abs(_join(sizes, _pair(absolute[0] * powers, absolute[1])))
        # every product of the outer inputs counts alike, however small it is
        alike = sizes.sum(axis=(1, 2), keepdims=True)
        alike[alike == 0] = 1
        mean = (sizes / alike).mean(axis=0)
        inner = np.einsum("ij,qijn->qin", mean, np.abs(second))
        terms = np.einsum("pin,qin->pqn", np.abs(first[:, :, 0]), inner)
        whole = np.einsum("pi,qi->pq", roots[0][:, :, 0], np.einsum("ij,qij->qi", mean, roots[1]))
        whole[whole == 0] = 1
        relative = (terms / whole[..., None]).max(axis=(0, 1)) * abs(self._ratio) ** np.arange(TERMS)
        # a function that oscillates fast may have all its coefficients further out: they are missed by their squares
        lacking = [self._lacking(table, root) for table, root in zip(tables, roots, strict=True)]
        beyond = np.einsum("pi,qi->pq", lacking[0][:, :, 0], np.einsum("ij,qij->qi", mean, lacking[1]))
        relative[-1] += float((beyond / whole).max()) * abs(self._ratio) ** TERMS
        return self._shaped(totals), self._shaped(large), relative, self._shaped(scale)

    def fine(self, terms: int) -> Array:
        """Sums with every node and a number of terms of the series."""
        axes = [rule.nodes for rule in self._rules]
        rule, columns = self._inner[0]
        first = self._values(0, axes, rule.nodes) @ columns[:, :terms] * self._ratio ** np.arange(terms)
        rule, columns = self._inner[1]
        block = max(1, int(BLOCK / (len(axes[1]) * len(rule.nodes) * len(self._products[-1]))))
        totals = None
        for start in range(0, len(axes[0]), block):
            part = slice(start, start + block)
            some = [axes[0][part], axes[1]]
            heads = self._heads(*some) * np.multiply.outer(self._rules[0].weights[part], self._rules[1].weights)
            second = self._values(1, some, rule.nodes) @ columns[:, :terms]
            found = _join(heads, _pair(first[:, part], second))
            totals = found if totals is None else totals + found
        assert totals is not None
        return self._shaped(totals)

    @staticmethod
    def _lacking(table: Array, root: Array) -> Array:
        """Root of the sum of squares of the coefficients that are not in the table."""
        lacking = root**2 - (table**2).sum(axis=-1)
        return np.sqrt(np.where(lacking > LACK * root**2, lacking, 0.0))

    def _shaped(self, totals: Array) -> Array:
        return totals.reshape([len(own) for own in self._products])

    def _mean(self, row: int, axes: Sequence[Array]) -> Array:
        loadings = [*self._root[row, : self._outer], 0.0, 0.0]
        total: Array = loadings[0] * axes[0][:, None] + loadings[1] * axes[1]
        return total

    def _heads(self, *axes: Array) -> Array:
        """Products of the products of the outer inputs, all combinations, on the grid."""
        heads = np.ones((1, len(axes[0]), len(axes[1])))
        for row in range(self._outer):
            table = Tables(self._functions, self._mean(row, axes), self._products[row])
            own = np.stack([table[product] for product in self._products[row]])
            heads = (heads[:, None] * own).reshape(-1, *heads.shape[1:])
        return heads

    def _values(self, k: int, axes: Sequence[Array], nodes: Array) -> Array:
        """Values of the products of one of the last two inputs: product, grid, node."""
        mean = self._mean(self._outer + k, axes)
        if k == 0:
            mean = mean[:, :1]  # it does not depend on the second direction
        products = self._products[self._outer + k]
        table = Tables(self._functions, mean[..., None] + self._spreads[k] * nodes, products)
        return np.stack([table[product] for product in products])


def _pair(first: Array, second: Array) -> Array:
    """Sum the series: (p, i, 1, n) and (q, i, j, n) to (p q, i, j)."""
    rows = first[:, :, 0].transpose(1, 0, 2)
    count, width = second.shape[1], second.shape[2]
    columns = second.transpose(1, 3, 0, 2).reshape(count, second.shape[3], -1)
    result = (rows @ columns).reshape(count, len(first), len(second), width)
    return result.transpose(1, 2, 0, 3).reshape(-1, count, width)


def _join(heads: Array, tails: Array) -> Array:
    return heads.reshape(len(heads), -1) @ tails.reshape(len(tails), -1).T
