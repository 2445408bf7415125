"""Power series in one variable, cut off at an order, over numbers of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class TaylorSeries:
    """Coefficients of the powers 0, 1, .. of a variable; what lies beyond the last one is dropped.

    Args:
        coefficients: they add, multiply and divide; all series that meet have the same number of them.

    Example:
        >>> from fractions import Fraction
        >>> x = TaylorSeries([Fraction(n) for n in (0, 1, 0, 0)])
        >>> str((1 - x).inverse()), str(x.exponential())
        ('[1, 1, 1, 1]', '[1, 1, 1/2, 1/6]')
    """

    __slots__ = ("coefficients",)

    def __init__(self, coefficients: Sequence[Any]) -> None:
        self.coefficients = tuple(coefficients)

    @classmethod
    def constant(cls, value: Any, order: int) -> TaylorSeries:
        """A number."""
        return cls([value, *[value * 0] * order])

    @property
    def order(self) -> int:
        """The highest power that is kept."""
        return len(self.coefficients) - 1

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.coefficients))}]"

    def __add__(self, other: Any) -> TaylorSeries:
        pairs = zip(self.coefficients, self._like(other).coefficients, strict=True)
        return TaylorSeries([a + b for a, b in pairs])

    __radd__ = __add__

    def __neg__(self) -> TaylorSeries:
        return TaylorSeries([-a for a in self.coefficients])

    def __sub__(self, other: Any) -> TaylorSeries:
        return self + (-self._like(other))

    def __rsub__(self, other: Any) -> TaylorSeries:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> TaylorSeries:
        if not isinstance(other, TaylorSeries):
            return TaylorSeries([a * other if a else a for a in self.coefficients])
        left, right = self.coefficients, other.coefficients
        size = len(left)
        total = [left[0] * 0 for _ in range(size)]
        for i, a in enumerate(left):
            if a:
                for j in range(size - i):
                    if right[j]:
                        total[i + j] = total[i + j] + a * right[j]
        return TaylorSeries(total)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> TaylorSeries:
        if isinstance(other, TaylorSeries):
            return self * other.inverse()
        return TaylorSeries([a / other if a else a for a in self.coefficients])

    def __rtruediv__(self, other: Any) -> TaylorSeries:
        return self.inverse().__mul__(other)

    def __pow__(self, exponent: int) -> TaylorSeries:
        if exponent < 0:
            return self.inverse() ** (-exponent)
        result = self._like(1)
        for _ in range(exponent):
            result = result * self
        return result

    def __bool__(self) -> bool:
        return any(self.coefficients)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaylorSeries) and self.coefficients == other.coefficients

    def __hash__(self) -> int:
        return hash(self.coefficients)

    def _like(self, other: Any) -> TaylorSeries:
        if isinstance(other, TaylorSeries):
            return other
        return TaylorSeries.constant(self.coefficients[0] * 0 + other, self.order)

    @property
    def lowest(self) -> int | None:
        """The first power with a coefficient that is not zero."""
        return next((order for order, value in enumerate(self.coefficients) if value), None)

    def below(self, power: int) -> TaylorSeries:
        """The series with zeros from a power on."""
        kept = self.coefficients[:power]
        return TaylorSeries([*kept, *[self.coefficients[0] * 0] * (len(self.coefficients) - len(kept))])

    def derivative(self) -> TaylorSeries:
        """The derivative; its last coefficient is not known and set to zero."""
        lower = [coefficient * power for power, coefficient in enumerate(self.coefficients)][1:]
        return TaylorSeries([*lower, self.coefficients[0] * 0])

    def inverse(self) -> TaylorSeries:
        """One over it; the constant must not vanish."""
        head = self.coefficients[0]
        found = [1 / head]
        for order in range(1, len(self.coefficients)):
            total = sum((self.coefficients[i] * found[order - i] for i in range(1, order + 1)), head * 0)
            found.append(-total / head)
        return TaylorSeries(found)

    def exponential(self) -> TaylorSeries:
        """exp of a series without a constant, from its derivative."""
        found = [self.coefficients[0] * 0 + 1]
        for n in range(1, len(self.coefficients)):
            found.append(sum((self.coefficients[k] * k * found[n - k] for k in range(1, n + 1)), found[0] * 0) / n)
        return TaylorSeries(found)

    def logarithm(self) -> TaylorSeries:
        """log of a series whose constant is one, from its derivative."""
        own = self.coefficients
        found = [own[0] * 0]
        for n in range(1, len(own)):
            found.append((own[n] * n - sum((found[k] * k * own[n - k] for k in range(1, n)), found[0])) / n)
        return TaylorSeries(found)
