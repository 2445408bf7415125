"""Covariances of the variables of many sets of inputs, given the values of some of them, in exact arithmetic.

What is left of a variable given nearly collinear ones is a small difference of large numbers; formed from doubles with
rational numbers it costs no digits. Every quantity is an array over the sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.estimate import COLLINEAR
from pertheory.averages.methods.closed import determinant
from pertheory.averages.quadrature import Array

Exact = NDArray[Any]

#: A pair of variables with less left of their correlation's distance from one is one variable.
SAME = 1e-15

_exact = np.frompyfunc(Fraction, 1, 1)
#: Variables that others determine have no direction left; what is divided by them is not read.
_divided = np.frompyfunc(lambda x, y: x / y if y else Fraction(0), 2, 1)


def doubles(exact: Exact) -> Array:
    """Fractions as doubles; what is beyond their range is infinite."""
    try:
        return exact.astype(float)
    except OverflowError:
        return np.array([_double(x) for x in exact.ravel()]).reshape(exact.shape)


def _double(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


class Given:
    """Conditional covariances, means and regressions of many sets.

    Args:
        covariance: shape (sets, size, size), with positive variances.
    """

    def __init__(self, covariance: Array | Exact) -> None:
        self.count, self.size = covariance.shape[:2]
        self._given = covariance
        self._covariances: dict[tuple[tuple[int, ...], int, int], Exact] = {}
        self._slopes: dict[tuple[tuple[int, ...], int], list[Exact]] = {}
        self._left: dict[tuple[tuple[int, ...], int], Array] = {}

    @cached_property
    def table(self) -> Array:
        """The covariances as doubles."""
        return np.asarray(self._given, dtype=float)

    @cached_property
    def _fractions(self) -> Exact:
        return self._given if self._given.dtype == object else np.asarray(_exact(self._given))

    def exact(self, fixed: tuple[int, ...], i: int, j: int) -> Exact:
        """A covariance given that the variables of `fixed` have values, as fractions."""
        if not fixed:
            return np.asarray(self._fractions[:, i, j])
        key = (tuple(sorted(fixed)), min(i, j), max(i, j))
        if key not in self._covariances:
            before, b = key[0][:-1], key[0][-1]
            known = _divided(self.exact(before, i, b) * self.exact(before, b, j), self.exact(before, b, b))
            self._covariances[key] = np.asarray(self.exact(before, i, j) - known)
        return self._covariances[key]

    def left(self, fixed: tuple[int, ...], i: int) -> Array:
        """What is left of a variance given others, as it is."""
        key = (tuple(sorted(fixed)), i)
        if key not in self._left:
            if not fixed:
                found = self.table[:, i, i]
            elif self.size == 2 and self._given.dtype != object:
                (b,) = fixed
                # of variables of spreads between a half and two: products of small variances underflow
                half = np.frexp(self.table.diagonal(axis1=1, axis2=2))[1] // 2
                own, other = (np.ldexp(self.table[:, n, n], -2 * half[:, n]) for n in (b, i))
                found = determinant(own, np.ldexp(self.table[:, 0, 1], -half.sum(axis=1)), other) / own
                found = np.ldexp(found, 2 * half[:, i])
            else:
                found = doubles(self.exact(fixed, i, i))
            self._left[key] = found
        return self._left[key]

    def is_determined(self, fixed: tuple[int, ...], i: int) -> NDArray[np.bool_]:
        """Where others determine a variable, up to rounding of the covariances."""
        limit = SAME if self.size == 2 else COLLINEAR
        found: NDArray[np.bool_] = self.left(fixed, i) <= (limit if fixed else 0.0) * self.table[:, i, i]
        return found

    def covariance(self, fixed: tuple[int, ...], i: int, j: int) -> Array:
        """A covariance given others as doubles; zero where others determine one of the two."""
        if i == j or (self.size == 2 and fixed):
            found = self.left(fixed, i)
        elif not fixed:
            return self.table[:, i, j]
        else:
            found = doubles(self.exact(fixed, i, j))
        return np.where(self.is_determined(fixed, i) | self.is_determined(fixed, j), 0.0, found) if fixed else found

    def regression(self, fixed: tuple[int, ...], i: int) -> list[Exact]:
        """Coefficients of the mean of a variable given others, in their order."""
        if not fixed:
            return []
        if (fixed, i) not in self._slopes:
            before, b = fixed[:-1], fixed[-1]
            last = _divided(self.exact(before, i, b), self.exact(before, b, b))
            known = zip(self.regression(before, i), self.regression(before, b), strict=True)
            self._slopes[fixed, i] = [*(x - last * y for x, y in known), last]
        return self._slopes[fixed, i]

    def mean(self, fixed: tuple[int, ...], positions: Sequence[float], i: int) -> Exact:
        """The mean of a variable given the values of others, as fractions."""
        total = np.full(self.count, Fraction(0), dtype=object)
        if any(positions):
            for slope, position in zip(self.regression(fixed, i), positions, strict=True):
                total = total + slope * Fraction(position)
        return total

    def row(self, carriers: tuple[int, ...], slot: int) -> dict[int, Exact]:
        """The row of a slot of the inverse covariance of some variables, from the regression on the others."""
        others = tuple(i for i in carriers if i != slot)
        left = self.exact(others, slot, slot)
        row = {n: _divided(-x, left) for n, x in zip(others, self.regression(others, slot), strict=True)}
        return {**row, slot: _divided(np.full(self.count, Fraction(1), dtype=object), left)}

    def drift(self, carriers: tuple[int, ...], slot: int, i: int) -> Array:
        """That row times the covariances with a variable."""
        total = sum(x * self.exact((), n, i) for n, x in self.row(carriers, slot).items())
        return doubles(np.asarray(total))


def spread_out(covariance: Array, root: Array, bits: int) -> Exact:
    """A singular covariance made regular by hardly anything.

    What rounding left of directions that are not there is dropped, so that all variables are exactly combinations of
    those that are; then each gets a little noise of its own, of 2^-bits of its variance.

    Args:
        covariance: of one set.
        root: factors of it, one column for each direction that is there.
        bits: of the noise.
    """
    rows = [[Fraction(x) for x in row] for row in root.tolist()]
    exact = [[sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0)) for b in rows] for a in rows]
    for i in range(len(exact)):
        exact[i][i] *= 1 + Fraction(1, 2**bits)
    return np.array(exact, dtype=object)


def neglected(covariance: Array, root: Array) -> float:
    """The largest part of a variance that factors of a covariance leave out."""
    left = covariance.diagonal() - (root**2).sum(axis=1)
    return max(float((left / covariance.diagonal()).max()), 0.0)
