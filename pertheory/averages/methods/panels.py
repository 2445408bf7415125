"""Averages of ordinary functions at one input, for many inputs at once: panels in z.

The functions are tabulated once an octave of spreads, on panels that end at kinks, grow from the places where the
formula says that something happens, and are halved until every product is resolved; the averages at all inputs are
then one product of two matrices, with the densities of the inputs. Nothing here depends on how the width of a step
compares with the spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pertheory.averages.atoms import Product
from pertheory.averages.estimate import ROUNDING
from pertheory.averages.features import ladder
from pertheory.averages.grids import Functions, Tables
from pertheory.averages.methods.nested import edges_of, reach_of
from pertheory.averages.methods.panelling import last_degrees
from pertheory.averages.quadrature import Array, density, panels

#: Nodes of a panel; its widest in units of the spread, which is up to twice as large as the smallest of an octave.
NODES, WIDEST = 16, 1.0
#: A panel is halved while what it misses is above this fraction of the average, so many times at most.
RESOLVED, HALVINGS = 1e-14, 24
#: Most panels.
MOST = 20_000
#: The error of a rule of n nodes falls twice as fast as the coefficients of what it sums.
TWICE = 1.9
#: Numbers in one table of densities.
BLOCK = 4_000_000


@lru_cache(maxsize=64)
def table(functions: Functions, products: tuple[Product, ...], level: int) -> tuple[Array, Array, Array, Array]:
    """Nodes, weights, values of products and errors of panels for spreads up to 2^level.

    Returns:
        Nodes and weights, shape (nodes,); values, shape (products, nodes); the largest error of each panel where the
        density is one, shape (products, panels).
    """
    sigma = 2.0**level
    reach = reach_of(functions, sigma)
    limit = reach * sigma
    plain = np.linspace(-limit, limit, 1 + math.ceil(2 * reach / WIDEST))
    own = [function for _, function in functions]
    kinks = [kink for function in own for kink in function.kinks if abs(kink) < limit]
    edges = np.unique(np.concatenate([plain, [0.0], kinks, ladder(own, limit), edges_of(functions, limit)]))
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-14 * np.abs(edges[1:])])]
    tails = last_degrees(NODES)
    named = dict(functions)
    for halving in range(HALVINGS):
        nodes, weights = panels(edges, NODES)
        found = Tables(named, nodes, products)
        values = np.stack([found[product] for product in products])
        shaped = values.reshape(len(products), -1, NODES)
        peaks = np.abs(shaped).max(axis=2)
        tail = np.abs(shaped @ tails).max(axis=2)
        errors = peaks * np.divide(tail, peaks, out=np.zeros_like(peaks), where=peaks > 0) ** TWICE
        masses = _masses(edges, sigma)
        scales = (np.abs(values) * weights * density(nodes / sigma)).sum(axis=1)
        wide = (errors * masses > RESOLVED * scales[:, None]).any(axis=0)
        if not wide.any() or halving == HALVINGS - 1 or len(edges) + wide.sum() > MOST:
            return nodes, weights, values, errors
        edges = np.sort(np.concatenate([edges, ((edges[:-1] + edges[1:]) / 2)[wide]]))
    raise AssertionError


def _masses(edges: Array, sigma: float) -> Array:
    """Width of each panel times the density where it is largest, up to a factor sigma."""
    result: Array = density(np.clip(0.0, edges[:-1], edges[1:]) / sigma) * np.diff(edges)
    return result


def panel_averages(functions: Functions, sigmas: Array, products: Sequence[Product]) -> tuple[Array, Array, Array]:
    """Average products at one input.

    Args:
        functions: activations by name.
        sigmas: spreads of the inputs, positive.
        products: what to average.

    Returns:
        Values, errors and scales, shape (products, inputs).

    Raises:
        UnsupportedError: a function grows so fast that its averages do not exist.
    """
    values, errors, scales = np.zeros((3, len(products), len(sigmas)))
    levels = np.ceil(np.log2(sigmas)).astype(int)
    for level in np.unique(levels).tolist():
        nodes, weights, found, missed = table(functions, tuple(products), level)
        edges = nodes.reshape(-1, NODES)
        members = np.flatnonzero(levels == level)
        for some in np.array_split(members, 1 + len(members) * len(nodes) // BLOCK):
            own = sigmas[some]
            matrix = density(nodes[:, None] / own) * weights[:, None] / own
            values[:, some] = found @ matrix
            scales[:, some] = np.abs(found) @ matrix
            # the part of each panel in the average, spread as the density is
            masses = matrix.reshape(len(edges), NODES, -1).sum(axis=1)
            errors[:, some] = missed @ masses + ROUNDING * scales[:, some]
    return values, errors, scales
