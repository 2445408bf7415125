"""Two-point averages of kinked functions over many inputs at once, through Hermite coefficients of every input.

    <f(z_i) g(z_j)> = sum over n of a_n(i) b_n(j) rho_ij^n

(Mehler's formula) costs one product a pair and term. The coefficients of kinked functions fall like a power of n and
not faster, so the series is as long as the powers of rho make it; their integrals are cut at the kinks. Pairs that
are too close for the longest series are left to `methods/pairs.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pertheory.averages.atoms import Factor
from pertheory.averages.estimate import ROUNDING
from pertheory.averages.methods.panelling import Functions, factor_values, last_degrees, sorted_edges
from pertheory.averages.quadrature import Array, density, panels

#: Nodes of a panel, and how far the phase of the highest polynomial may turn on half of one.
NODES, PHASE = 16, 8.0
#: Rows of a block: it stays in the cache.
ROWS = 32
#: Standard deviations that are looked at: the polynomials make the density fall like its root only.
REACH = 11.0


class Coefficients(NamedTuple):
    """Hermite coefficients of one factor at every input.

    Attributes:
        table: one row per input.
        norms: root of the mean square at every input.
        left: root of what the squares of the coefficients lack to the mean square.
        doubts: errors relative to the norms, from how well the panels resolve the factor.
        least: mean of the smaller of the absolute values at z and -z; see `even_size`.
    """

    table: Array
    norms: Array
    left: Array
    doubts: Array
    least: Array


def coefficients(
    functions: Functions, factors: Sequence[Factor], sigma: Array, cuts: Array, count: int
) -> dict[Factor, Coefficients]:
    """Expand factors in normalised Hermite polynomials of z/sigma.

    Args:
        functions: activations by name.
        factors: what to expand; ordinary functions.
        sigma: standard deviations of the inputs, positive.
        cuts: where functions are not smooth, or change quickly.
        count: number of coefficients.
    """
    width = 2 * PHASE / (math.sqrt(count) + 6.0)
    plain = np.linspace(-REACH, REACH, 1 + math.ceil(2 * REACH / width))
    edges = sorted_edges(plain, np.clip(cuts / sigma[:, None], -REACH, REACH))
    x, weights = panels(edges, NODES)
    values, turned = (factor_values(functions, factors, side * x) for side in (sigma[:, None], -sigma[:, None]))
    term, before = weights * density(x), np.zeros_like(x)
    norms = {factor: np.sqrt(np.einsum("dz,dz->d", table**2, term)) for factor, table in values.items()}
    smaller = {factor: np.minimum(np.abs(values[factor]), np.abs(turned[factor])) for factor in factors}
    least = {factor: np.einsum("dz,dz->d", table, term) for factor, table in smaller.items()}
    tables = {factor: np.empty((count, len(sigma))) for factor in factors}
    for n in range(count):
        for factor, table in tables.items():
            np.einsum("dz,dz->d", values[factor], term, out=table[n])
        following = x * term
        following -= math.sqrt(n) * before
        following /= math.sqrt(n + 1)
        before, term = term, following
    found = {}
    size = density((edges[:, 1:] + edges[:, :-1]) / 2) * np.diff(edges)
    for factor, table in tables.items():
        lacking = norms[factor] ** 2 - (table**2).sum(axis=0)
        tails = np.abs(values[factor].reshape(*size.shape, NODES) @ last_degrees(NODES)).max(axis=2)
        safe = np.where(norms[factor] > 0, norms[factor], 1.0)
        doubts = ((tails * size).sum(axis=1) / safe) ** 1.5
        found[factor] = Coefficients(table.T, norms[factor], np.sqrt(np.maximum(lacking, 0.0)), doubts, least[factor])
    return found


def series(first: Coefficients, second: Coefficients, correlation: Array) -> tuple[Array, Array]:
    """Sum the series for all inputs of the first times all of the second.

    Returns:
        The averages, and their errors relative to their scales, as far as these are known.
    """
    count = first.table.shape[1]
    total = np.zeros_like(correlation)
    for start in range(0, len(total), ROWS):
        part = slice(start, start + ROWS)
        rho, block = correlation[part], total[part]
        for n in range(count - 1, -1, -1):
            block *= rho
            block += np.multiply.outer(first.table[part, n], second.table[:, n])
    norms = [np.where(each.norms > 0, each.norms, 1.0) for each in (first, second)]
    beyond = np.multiply.outer(first.left / norms[0], second.left / norms[1]) * np.abs(correlation) ** count
    errors = beyond + np.add.outer(first.doubts, second.doubts) + ROUNDING
    size = np.multiply.outer(first.norms, second.norms)
    scales = np.maximum(np.abs(total), np.multiply.outer(first.least, second.least))
    # functions that hardly ever differ from zero have averages far below their norms: zero does not vouch for itself
    return total, errors * np.divide(size, scales, out=np.full_like(size, np.inf), where=scales > 0)
