"""Probabilities of orthants: what moments of steps at zero come down to, up to four variables.

Every piecewise polynomial with its kink at zero is a sum of terms z^n and z^n step(z). Stein's lemma lowers the powers;
a derivative of a step puts its variable on zero and leaves a moment of fewer variables; at the end stand probabilities
of orthants. The plan holds that recursion (`averages/nodes.py`), `averages/evaluate.py` carries it out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

import numpy as np

from pertheory.averages.quadrature import Array, panels


@lru_cache(maxsize=256)
def _graded(count: int) -> tuple[Array, Array]:
    """Nodes and weights on [0, pi/2], panels shrinking towards zero by halves."""
    edges = np.concatenate([[0.0], np.pi / 2 * 0.5 ** np.arange(44, -1, -1.0)])
    return panels(edges, count)


def _polynomial(rows: Sequence[int], columns: Sequence[int], k: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """A minor of K(t) as a polynomial in 1 - t, where K(t) has the off-diagonal entries of K times t."""
    if not rows:
        return [Fraction(1)]
    total = [Fraction(0)] * (len(rows) + 1)
    for place, column in enumerate(columns):
        entry = k[rows[0]][column] * (-1) ** place
        rest = _polynomial(rows[1:], [*columns[:place], *columns[place + 1 :]], k)
        for power, c in enumerate(rest):
            total[power] += entry * c
            if column != rows[0]:
                total[power + 1] -= entry * c
    return total


def four_signs(covariance: Sequence[Sequence[Fraction]], count: int = 16) -> float:
    """Average of the product of four signs, less what pairs of them give, over 16.

    The correlations are switched on together, K(t) = diag K + t (K - diag K); d/dt of an orthant probability is a sum
    over pairs of the density of the pair at zero times a probability of two variables, which is an arctangent of
    minors of K(t). The minors are expanded around t = 1 with exact coefficients, so that nothing cancels where K is
    singular. What pairs give without the others is an arcsine and left out here.

    Args:
        covariance: 4 x 4, exact.
        count: nodes on a panel.

    Equation:
        Plackett, Biometrika 41 (1954) 351.
    """
    shift = [Fraction(2) ** -round(math.log2(float(covariance[i][i])) / 2) for i in range(4)]
    k = [[covariance[i][j] * shift[i] * shift[j] for j in range(4)] for i in range(4)]
    psi, weights = _graded(count)  # t = cos(psi): the density of a pair at correlation 1 stays bounded
    t, away = np.cos(psi), 2 * np.sin(psi / 2) ** 2

    def minor(rows: Sequence[int], columns: Sequence[int]) -> Array:
        coefficients = np.array(_polynomial(rows, columns, k), dtype=float)
        return np.asarray(np.polynomial.polynomial.polyval(away, coefficients))

    whole = np.maximum(minor(range(4), range(4)), 0.0)
    total = np.zeros_like(t)
    for i, j in combinations(range(4), 2):
        if k[i][j] == 0:
            continue
        a, b = (x for x in range(4) if x not in (i, j))
        gap = np.maximum(minor([i, j], [i, j]), 1e-300)
        angle = np.arctan2(minor([i, j, a], [i, j, b]), np.sqrt(gap * whole))
        total += float(k[i][j]) * np.sin(psi) / np.sqrt(gap) * angle
    return float(total @ weights) / (4 * math.pi**2)
