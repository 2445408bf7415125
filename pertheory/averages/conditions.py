"""Gaussian variables given the values of others, in exact rational arithmetic.

Deltas give values to their variables. What that leaves of the rest depends on where the deltas are and not on what
stands elsewhere, so it is found once for all averages with deltas at the same places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from pertheory.averages.methods.orthants import COLLINEAR, ROUNDING, OrthantMoments
from pertheory.averages.quadrature import Array, bell
from pertheory.averages.reduce import Divergent

#: For each slot of an average the value of its variable, None where it is free.
Values: TypeAlias = tuple[float | None, ...]


class Condition(NamedTuple):
    """What is left when some variables have values.

    Attributes:
        density: of the variables that have values, at these values; zero if they cannot all be met.
        fixed: inputs of variables with values, as far as they are independent, and those values.
        free: slots that still fluctuate.
        means: of the free slots.
        determined: slots without a value of their own, whose variables follow from the others, with what they are.
        doubt: relative error of the density by rounding.
    """

    density: float
    fixed: tuple[int, ...]
    positions: tuple[float, ...]
    free: tuple[int, ...]
    means: tuple[float, ...]
    determined: tuple[tuple[int, float], ...]
    doubt: float


class Conditions:
    """Conditions on the variables of one covariance.

    Args:
        covariance: over all inputs.
        moments: the holder of its conditional covariances.
    """

    def __init__(self, covariance: Array, moments: OrthantMoments) -> None:
        self._covariance, self._moments = covariance, moments
        self._known: dict[tuple[tuple[int, ...], Values], Condition | None] = {}
        self._solved: dict[tuple[tuple[int, ...], int], list[Fraction]] = {}
        self._rows: dict[tuple[tuple[int, ...], int], tuple[float, ...]] = {}
        self._drifts: dict[tuple[tuple[int, ...], int, int], float] = {}

    def condition(self, inputs: tuple[int, ...], values: Values) -> Condition | None:
        """Give values to some variables; None where they cannot all be met.

        Raises:
            Divergent: they always are, because the variables are linearly dependent.
        """
        key = (inputs, values)
        if key not in self._known:
            self._known[key] = self._find(inputs, values)
        return self._known[key]

    def _find(self, inputs: tuple[int, ...], values: Values) -> Condition | None:
        density, doubt = 1.0, ROUNDING
        fixed: tuple[int, ...] = ()
        positions: tuple[float, ...] = ()
        for i, value in zip(inputs, values, strict=True):
            if value is None:
                continue
            left = float(self._moments.covariance(fixed, i, i))
            mean = self._mean(fixed, positions, i)
            apart = float(Fraction(value) - mean)
            if left <= COLLINEAR * self._covariance[i, i]:
                if abs(apart) > 1e-12 * max(abs(float(mean)), abs(value)):
                    return None
                raise Divergent(
                    f"a delta at x = {value:g} is met by deltas of other inputs whose preactivations "
                    "determine this one: the average is infinite"
                )
            spread = math.sqrt(left)
            density *= bell(apart / spread) / spread
            doubt += ROUNDING * (1 + (apart / spread) ** 2)
            fixed, positions = (*fixed, i), (*positions, value)
        free, means, determined = [], [], []
        for slot, (i, value) in enumerate(zip(inputs, values, strict=True)):
            if value is not None:
                continue
            own = float(self._mean(fixed, positions, i))
            if float(self._moments.covariance(fixed, i, i)) <= COLLINEAR * self._covariance[i, i]:
                determined.append((slot, own))
            else:
                free.append(slot)
                means.append(own)
        return Condition(density, fixed, positions, tuple(free), tuple(means), tuple(determined), doubt)

    def _mean(self, fixed: tuple[int, ...], positions: Sequence[float], i: int) -> Fraction:
        """Mean of a variable given others."""
        if not any(positions):
            return Fraction(0)
        return sum((w * Fraction(x) for w, x in zip(self._solve(fixed, i), positions, strict=True)), Fraction(0))

    def _solve(self, fixed: tuple[int, ...], i: int) -> list[Fraction]:
        """Coefficients of the conditional mean of a variable in the values of others."""
        if not fixed:
            return []
        if (fixed, i) not in self._solved:
            before, b = fixed[:-1], fixed[-1]
            last = self._moments.covariance(before, i, b) / self._moments.covariance(before, b, b)
            known = zip(self._solve(before, i), self._solve(before, b), strict=True)
            self._solved[fixed, i] = [x - last * y for x, y in known] + [last]
        return self._solved[fixed, i]

    def row(self, carriers: tuple[int, ...], place: int) -> tuple[float, ...]:
        """A row of the inverse covariance of some variables, from the regression on the others."""
        key = (carriers, place)
        if key not in self._rows:
            self._rows[key] = tuple(float(x) for x in self._exact_row(carriers, place))
        return self._rows[key]

    def _exact_row(self, carriers: tuple[int, ...], place: int) -> list[Fraction]:
        others = carriers[:place] + carriers[place + 1 :]
        left = self._moments.covariance(others, carriers[place], carriers[place])
        row = [-x / left for x in self._solve(others, carriers[place])]
        return [*row[:place], 1 / left, *row[place:]]

    def drift(self, carriers: tuple[int, ...], place: int, i: int) -> float:
        """That row times the covariances with a variable."""
        key = (carriers, place, i)
        if key not in self._drifts:
            pairs = zip(self._exact_row(carriers, place), carriers, strict=True)
            self._drifts[key] = float(sum(s * self._moments.covariance((), m, i) for s, m in pairs))
        return self._drifts[key]
