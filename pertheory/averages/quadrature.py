"""Factors of covariances, and quadrature rules: trapezoids for analytic functions, panels for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.errors import InputError

Array: TypeAlias = NDArray[np.float64]

#: Residual variances below this fraction of a variance are rounding: the direction is dropped. A smooth
#: average moves by no more than this fraction of its scale.
NULL = 4e-15
#: The distance of the smallest numbers.
SMALLEST = float(np.finfo(float).smallest_subnormal)
SQRT_2PI = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class Rule:
    """Nodes and weights for averages over a standard normal variable.

    Attributes:
        nodes: positions.
        weights: quadrature weights times the normal density.
        coarse: weights with which every second node is a rule of twice the step; None for an exact rule.
        power: the error is about that of the coarse rule to this power.
    """

    nodes: Array
    weights: Array
    coarse: Array | None
    power: float = 2.0


def density(x: Array) -> Array:
    """Return the standard normal density."""
    result: Array = np.exp(-0.5 * x * x) / SQRT_2PI
    return result


def check_covariance(covariance: Array) -> Array:
    """Return a covariance as a symmetric matrix of floats.

    Raises:
        InputError: not a square, symmetric, finite matrix with correlations up to 1.
    """
    k = np.asarray(covariance, dtype=float)
    if k.ndim != 2 or k.shape[0] != k.shape[1]:
        raise InputError(f"covariance has shape {k.shape}; expected a square matrix over the inputs")
    own = k.diagonal()
    spreads = np.sqrt(np.abs(own))
    scale = np.multiply.outer(spreads, spreads * (1 + 1e-9))
    # NaN fails as well; products of the smallest numbers are rounded
    if not ((np.abs(k) <= scale).all() or (np.abs(k) <= scale + 8 * SMALLEST).all()) or not (own >= 0).all():
        if not np.isfinite(k).all():
            raise InputError("covariance has entries that are not finite")
        if (own < 0).any():
            raise InputError(f"covariance has a negative variance {own.min():.3g}")
        raise InputError("covariance is not positive semidefinite: a correlation is above 1")
    if (k == k.T).all():
        return k
    if (np.abs(k - k.T) > 1e-9 * scale + 8 * SMALLEST).any():
        raise InputError("covariance is not symmetric")
    symmetric: Array = (k + k.T) / 2
    return symmetric


def factor(covariance: Array) -> tuple[Array, list[int]]:
    """Factor a covariance with pivoting, K = L L^T, leaving out null directions.

    Returns:
        L with one column per direction, of falling size, and the pivots: the row that each column was made
        from. Row `pivots[j]` has zeros after column j.

    Raises:
        InputError: the covariance is not positive semidefinite beyond rounding.
    """
    residual = covariance.copy()
    variances = covariance.diagonal()
    columns: list[Array] = []
    pivots: list[int] = []
    for _ in range(len(variances)):
        left = residual.diagonal().copy()
        if (left < -1e-7 * variances).any():
            raise InputError("covariance is not positive semidefinite")
        left[left <= NULL * variances] = 0
        left[pivots] = 0
        pivot = int(np.argmax(left))
        if left[pivot] <= 0:
            break
        column = residual[:, pivot] / np.sqrt(left[pivot])
        column[pivots] = 0  # exact zeros above the diagonal of the pivoted factor
        residual = residual - np.outer(column, column)
        columns.append(column)
        pivots.append(pivot)
    # what is left of dropped directions is rounding, and rows that are null must not carry it on
    result = np.stack(columns, axis=1) if columns else np.zeros((len(variances), 0))
    result[np.abs(result) <= 1e-15 * np.sqrt(variances)[:, None]] = 0
    return result, pivots


def trapezoid(step: float, reach: float, power: float = 2.0) -> Rule:
    """Return the trapezoid rule of a step on [-reach, reach]: spectrally accurate for analytic functions."""
    half = max(2, int(np.ceil(reach / step)))
    half += half % 2  # every second node includes both ends and zero
    nodes: Array = step * np.arange(-half, half + 1, dtype=float)
    weights = step * density(nodes)
    return Rule(nodes, weights, 2 * weights[::2], power)


@lru_cache(maxsize=128)
def hermite(degree: int) -> Rule:
    """Return the Gauss-Hermite rule that is exact for polynomials up to `degree`."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(degree // 2 + 1)
    return Rule(nodes, weights / weights.sum(), None)


@lru_cache(maxsize=8)
def legendre(count: int) -> tuple[Array, Array]:
    """Return the Gauss-Legendre nodes and weights on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


def panels(edges: Array, count: int = 16) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights on the panels between sorted edges (Lebesgue measure).

    Args:
        edges: shape (..., m); the panels of every row are made separately.
        count: nodes per panel.

    Returns:
        Nodes and weights of shape (..., (m-1) * count).
    """
    x, w = legendre(count)
    middle = (edges[..., 1:] + edges[..., :-1])[..., None] / 2
    half = (edges[..., 1:] - edges[..., :-1])[..., None] / 2
    shape = (*edges.shape[:-1], -1)
    return (middle + half * x).reshape(shape), (half * w).reshape(shape)
