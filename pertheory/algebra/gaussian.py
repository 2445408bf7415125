"""Moments of Gaussian variables with mean zero, in any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Number = Any


class GaussianMoments:
    """Averages of products of powers: the first factor is paired with each of the others.

    Args:
        covariance: of the variables.
        number: makes a whole number of the kind that covariances are.
        total: the sum of products of pairs of them.

    Example:
        >>> GaussianMoments([[2, 1], [1, 3]], int).moment((2, 2))
        8
    """

    def __init__(
        self,
        covariance: Sequence[Sequence[Number]],
        number: Callable[[int], Number],
        total: Callable[[Iterable[tuple[Number, Number]]], Number] | None = None,
    ) -> None:
        self.covariance, self.number = covariance, number
        self._total = total or self._added
        self._known: dict[tuple[int, ...], Number] = {}

    def moment(self, exponents: tuple[int, ...]) -> Number:
        """The average of the product of the variables with these exponents."""
        if exponents not in self._known:
            self._known[exponents] = self._paired(exponents)
        return self._known[exponents]

    def _paired(self, exponents: tuple[int, ...]) -> Number:
        head = next((place for place, power in enumerate(exponents) if power), None)
        if head is None:
            return self.number(1)
        rest = list(exponents)
        rest[head] -= 1
        terms = []
        for other, power in enumerate(rest if sum(rest) % 2 else ()):
            if power:
                rest[other] -= 1
                terms.append((self.number(power) * self.covariance[head][other], self.moment(tuple(rest))))
                rest[other] += 1
        return self._total(terms)

    def _added(self, pairs: Iterable[tuple[Number, Number]]) -> Number:
        return sum((one * two for one, two in pairs), self.number(0))
