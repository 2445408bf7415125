"""Sums of terms: a coefficient for each key, and the one product of such sums.

What a key is differs (exponents, tensors, powers of the depth); how keys multiply is a function. `Polynomial` is
the sum whose keys are powers of named symbols, as a number to calculate with; its coefficients are numbers of any kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pertheory.algebra.monomial import Powers, multiply_powers

Key = TypeVar("Key")
Number = Any


def add_term(total: dict[Key, Number], key: Key, value: Number) -> None:
    """Add one term, in place."""
    total[key] = total[key] + value if key in total else value


def add_sums(*sums: Mapping[Key, Number]) -> dict[Key, Number]:
    """The sum of sums; terms that cancel stay, with coefficient zero."""
    total: dict[Key, Number] = {}
    for terms in sums:
        for key, value in terms.items():
            add_term(total, key, value)
    return total


def multiply_sums(
    a: Mapping[Key, Number], b: Mapping[Key, Number], join: Callable[[Key, Key], Key | None]
) -> dict[Key, Number]:
    """The product of two sums.

    Args:
        a, b: coefficients by key.
        join: the key of the product of two terms, or None for a term that is left out.
    """
    total: dict[Key, Number] = {}
    for left, u in a.items():
        for right, v in b.items():
            key = join(left, right)
            if key is not None:
                value = u * v
                total[key] = total[key] + value if key in total else value
    return total


def add_into(total: dict[Key, Number], other: Mapping[Key, Number], factor: Number = None) -> dict[Key, Number]:
    """Add a sum, times a factor if there is one, in place; terms that cancel are left out."""
    for key, value in other.items():
        add_term(total, key, value if factor is None else value * factor)
        if not total[key]:
            del total[key]
    return total


def collected(terms: Iterable[tuple[Key, Number]]) -> dict[Key, Number]:
    """The sum of terms, like ones put together; terms that cancel are left out.

    Example:
        >>> collected([("x", 1), ("y", 2), ("x", -1)])
        {'y': 2}
    """
    total: dict[Key, Number] = {}
    for key, value in terms:
        add_term(total, key, value)
    return without_zeros(total)


def without_zeros(terms: Mapping[Key, Number]) -> dict[Key, Number]:
    """A sum without the terms whose coefficient is exactly zero."""
    return {key: value for key, value in terms.items() if value}


def _join(a: Powers, b: Powers) -> Powers:
    return multiply_powers((a, b)) if a and b else a or b


class Polynomial:
    """A polynomial in named symbols.

    Args:
        terms: the coefficient of each product of powers; a number that is no polynomial is a constant.

    Example:
        >>> x = Polynomial.symbol("x", 1)
        >>> ((x + 1) * (x - 1)).terms == {(("x", 2),): 1, (): -1}
        True
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Powers, Number]) -> None:
        self.terms = without_zeros(terms)

    @classmethod
    def symbol(cls, name: str, one: Number) -> Polynomial:
        """One symbol, with the one of its numbers as coefficient."""
        return cls({((name, 1),): one})

    def coefficient(self, *powers: tuple[str, int]) -> Number:
        """The coefficient of a product of powers; of none the constant; 0 if there is no such term."""
        return self.terms.get(tuple(sorted(powers)), 0)

    def __add__(self, other: Any) -> Polynomial:
        return Polynomial(add_sums(self.terms, _terms(other)))

    __radd__ = __add__

    def __neg__(self) -> Polynomial:
        return Polynomial({key: -value for key, value in self.terms.items()})

    def __sub__(self, other: Any) -> Polynomial:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Polynomial:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Polynomial:
        if not isinstance(other, Polynomial):
            return Polynomial({key: value * other for key, value in self.terms.items()})
        return Polynomial(multiply_sums(self.terms, other.terms, _join))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Polynomial:
        below = other.coefficient() if isinstance(other, Polynomial) and other.is_constant else other
        return Polynomial({key: value / below for key, value in self.terms.items()})

    def __rtruediv__(self, other: Any) -> Polynomial:
        return Polynomial({(): other}) / self

    def __pow__(self, exponent: int) -> Polynomial:
        result = Polynomial({(): 1})
        for _ in range(exponent):
            result = result * self
        return result

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return self.terms == without_zeros(_terms(other))

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.terms.items())))

    @property
    def is_constant(self) -> bool:
        """Whether no symbol occurs."""
        return not any(self.terms)


def _terms(value: Any) -> Mapping[Powers, Number]:
    return value.terms if isinstance(value, Polynomial) else {(): value}
