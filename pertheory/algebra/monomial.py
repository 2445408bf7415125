"""Products of hyperparameters with a rational coefficient, such as ``(1/4) C_W^2 gamma``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

Powers = tuple[tuple[str, int], ...]


class Monomial(NamedTuple):
    """A rational number times powers of symbols.

    Attributes:
        coefficient: the rational number.
        powers: (symbol, exponent) in alphabetical order, exponents positive.
    """

    coefficient: Fraction
    powers: Powers

    def __mul__(self, other: object) -> Monomial:
        if not isinstance(other, Monomial):
            return NotImplemented
        return Monomial(self.coefficient * other.coefficient, multiply_powers((self.powers, other.powers)))

    @property
    def text(self) -> str:
        """As in ``1/4 C_W^2``."""
        parts = [name if power == 1 else f"{name}^{power}" for name, power in self.powers]
        return " ".join(parts if self.coefficient == 1 and parts else [str(self.coefficient), *parts])

    def value(self, values: Mapping[str, float]) -> float:
        """The number that results when the symbols take the given values."""
        result = float(self.coefficient)
        for symbol, exponent in self.powers:
            result *= values[symbol] ** exponent
        return result


ONE = Monomial(Fraction(1), ())


def multiply_powers(factors: Iterable[Powers]) -> Powers:
    """The powers of a product; exponents may be negative, those that cancel are left out."""
    total: dict[str, int] = {}
    for powers in factors:
        for symbol, exponent in powers:
            total[symbol] = total.get(symbol, 0) + exponent
    return tuple(sorted(power for power in total.items() if power[1]))
