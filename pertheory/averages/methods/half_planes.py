"""Moments of two Gaussian variables on half planes, many pairs at once, in closed form.

They are what averages of two piecewise polynomials with their kinks at zero are made of. The recursion is that of
`methods/orthants.py`, for two variables and with doubles.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from pertheory.averages.methods.orthants import polynomial_terms
from pertheory.averages.quadrature import Array
from pertheory.averages.reduce import Sides

#: What one operation of the recursion may lose, relative to the size of its terms.
ROUNDING = 4e-15


class HalfPlanes:
    """Moments ``<z_1^n step(s z_1) z_2^m step(t z_2)>`` of pairs.

    Args:
        first: variances of the first variables.
        shared: covariances.
        second: variances of the second variables.
    """

    def __init__(self, first: Array, shared: Array, second: Array) -> None:
        self._k = ((first, shared), (shared, second))
        self._known: dict[tuple[tuple[int, int], tuple[int, int]], tuple[Array, Array]] = {}

    @cached_property
    def _gap(self) -> Array:
        """The determinant, with the digits that the subtraction would lose."""
        (a, b), (_, c) = self._k
        product, rest = _exact_product(a, c)
        square, square_rest = _exact_product(b, b)
        return np.asarray(np.maximum((product - square) + (rest - square_rest), 0.0))

    def average(self, first: Sides, second: Sides) -> tuple[Array, Array]:
        """Average two piecewise polynomials; returns the averages and their errors relative to the scale of each."""
        value, error, size = np.zeros((3, *self._gap.shape))
        for one, c in polynomial_terms(*first):
            for two, d in polynomial_terms(*second):
                part, scale = self._moment(one, two)
                value += c * d * part
                error += abs(c * d) * (1 + one[0] + two[0]) * ROUNDING * scale  # a step for each power
                # a power has one sign on a quadrant
                size += abs(c * d) * (np.abs(part) if one[1] and two[1] else scale)
        return value, np.divide(error, size, out=np.ones_like(size), where=size > 0) * (error > 0)

    def _moment(self, one: tuple[int, int], two: tuple[int, int]) -> tuple[Array, Array]:
        if (one, two) not in self._known:
            self._known[one, two] = self._evaluate(one, two)
        return self._known[one, two]

    def _evaluate(self, one: tuple[int, int], two: tuple[int, int]) -> tuple[Array, Array]:
        powers, steps = (one[0], two[0]), (one[1], two[1])
        if powers == (0, 0):
            value = np.full(self._gap.shape, 0.5 ** sum(map(abs, steps)))
            if all(steps):
                value += steps[0] * steps[1] * np.arctan2(self._k[0][1], np.sqrt(self._gap)) / (2 * math.pi)
            return value, np.full_like(value, 0.5)  # the difference of angles loses digits
        a = 0 if powers[0] else 1
        value, size = np.zeros((2, *self._gap.shape))
        for b in (a, 1 - a):
            # Stein: z_a times the rest is the covariance with b times the derivative of the rest by z_b
            left = list(powers)
            left[a] -= 1
            strength = self._k[a][b]
            if left[b]:
                factor = left[b]
                left[b] -= 1
                part, scale = self._moment((left[0], steps[0]), (left[1], steps[1]))
                value += factor * strength * part
                size += factor * np.abs(strength) * scale
            elif steps[b]:
                other = 1 - b
                part = self._edge(b, left[other], steps[other])
                value += steps[b] * strength * part
                size += np.abs(strength * part)
        return value, size

    def _edge(self, fixed: int, power: int, step: int) -> Array:
        """Density of one variable at zero times the moment of the other there."""
        variance = self._gap / self._k[fixed][fixed]
        if step == 0 and power % 2:
            return np.zeros(self._gap.shape)
        moment = (2 * variance) ** (power / 2) * math.gamma((power + 1) / 2) / math.sqrt(math.pi)
        if step:
            moment = 0.5 * step**power * moment
        return np.asarray(moment / np.sqrt(2 * math.pi * self._k[fixed][fixed]))


def _exact_product(a: Array, b: Array) -> tuple[Array, Array]:
    """A product and what rounding took from it.

    Equation:
        Dekker, Numer. Math. 18 (1971) 224.
    """
    product = a * b
    a_high, b_high = (x * 134217729.0 - (x * 134217729.0 - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, rest
