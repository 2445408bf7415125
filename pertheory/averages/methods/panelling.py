"""Panels for functions with kinks: edges, errors of the rules on them, values of ordinary functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY, Factor, expand, tidy
from pertheory.averages.quadrature import Array, legendre
from pertheory.functions.activation import Activation

Functions: TypeAlias = tuple[tuple[str, Activation], ...]


@lru_cache(maxsize=8)
def thinned(count: int, every: int) -> Array:
    """Weights of the rule that leaves out some nodes of a Gauss-Legendre rule, relative to those of the full rule.

    Args:
        count: nodes of the full rule.
        every: one in so many nodes is left out.
    """
    nodes, weights = legendre(count)
    kept = np.arange(count) % every != every // 3
    powers = np.polynomial.legendre.legvander(nodes[kept], int(kept.sum()) - 1)
    result = np.zeros(count)
    result[kept] = np.linalg.solve(powers.T, 2.0 * (np.arange(kept.sum()) == 0))
    result /= weights
    result.flags.writeable = False
    return result


@lru_cache(maxsize=8)
def last_degrees(count: int) -> Array:
    """What turns the values at Gauss-Legendre nodes into the last two Legendre coefficients."""
    nodes, weights = legendre(count)
    degrees = np.arange(count - 2, count)
    polynomials = np.polynomial.legendre.legvander(nodes, count - 1)[:, degrees]
    result: Array = weights[:, None] * polynomials * (degrees + 0.5)
    result.flags.writeable = False
    return result


@lru_cache(maxsize=8)
def derivatives(count: int) -> Array:
    """What turns the values at Gauss-Legendre nodes into derivatives there, from the left."""
    nodes, weights = legendre(count)
    powers = np.polynomial.legendre.legvander(nodes, count - 1)
    slopes = np.polynomial.legendre.legval(nodes, np.polynomial.legendre.legder(np.eye(count)))
    result: Array = (weights[:, None] * powers * (np.arange(count) + 0.5)) @ slopes
    result.flags.writeable = False
    return result


def sorted_edges(plain: Array, *more: Array) -> Array:
    """Edges of panels, row by row; edges that all rows have in the same place are kept once."""
    shape = more[0].shape[:-1]
    edges = np.concatenate([np.broadcast_to(plain, (*shape, len(plain))), *more], axis=-1)
    edges.sort(axis=-1)
    wide = (np.diff(edges, axis=-1) > 0).reshape(-1, edges.shape[-1] - 1).any(axis=0)
    return edges[..., np.concatenate([[True], wide])]


class FactorValues:
    """Values of factors, ordinary functions of one variable, at points.

    Args:
        functions: activations by name.
        factors: of requests.

    Attributes:
        terms: of each factor its products, with their multiplicities.
    """

    def __init__(self, functions: Functions, factors: Sequence[Factor]) -> None:
        starts = [(legs, tidy(lines)) for legs, lines in factors]
        self.terms = [() if start is None else expand(legs, start) for legs, start in starts]
        lines = {line for terms in self.terms for product, _ in terms for line in product}
        self._orders = [
            (name, own, sorted(order for other, order in lines if other == name)) for name, own in functions
        ]

    def __call__(self, x: Array) -> list[Array]:
        """The values of each factor."""
        tables: dict[Line, Array] = {(IDENTITY, 0): x}
        for name, function, orders in self._orders:
            for order, values in function.tabulate(x, orders).items():
                tables[name, order] = values
        return [self._sum(tables, terms, x) for terms in self.terms]

    @staticmethod
    def _sum(tables: Mapping[Line, Array], terms: Sequence[tuple[Lines, int]], x: Array) -> Array:
        total: Array | None = None
        for product, count in terms:
            part = tables[product[0]] if product else np.ones_like(x)
            for line in product[1:]:
                part = part * tables[line]
            part = part if count == 1 else count * part
            total = part if total is None else total + part
        return np.zeros_like(x) if total is None else total


def factor_values(functions: Functions, factors: Sequence[Factor], x: Array) -> dict[Factor, Array]:
    """Values of factors at points, by factor."""
    return dict(zip(factors, FactorValues(functions, factors)(x), strict=True))
