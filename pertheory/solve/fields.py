"""Rational functions of named symbols over the rationals: the exact numbers of this room.

Elements are sympy's (`sympy.polys.fields`); what is asked of them stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from sympy.polys.domains import QQ
from sympy.polys.fields import field

from pertheory.errors import InputError, UnsupportedError

Element = Any


def rational(value: Any) -> Any:
    """A Python rational as sympy's."""
    exact = Fraction(value)
    return QQ(exact.numerator, exact.denominator)


class RationalFunctions:
    """The field of rational functions of some symbols.

    Args:
        names: of the symbols, each once.

    Attributes:
        symbols: the elements by name.

    Example:
        >>> of = RationalFunctions(["x", "y"])
        >>> x, y = of.symbols.values()
        >>> of.root(x * y - 1, "x") == 1 / y
        True
    """

    def __init__(self, names: Sequence[str]) -> None:
        if len(set(names)) < len(names):
            twice = sorted(name for name in set(names) if list(names).count(name) > 1)
            raise InputError(f"{twice[0]} is a symbol of the solutions; a hyperparameter needs another name")
        self.field, *generators = field(",".join(names), QQ)
        self.names = tuple(names)
        self.symbols: dict[str, Element] = dict(zip(names, generators, strict=True))

    def number(self, value: Any) -> Element:
        """A rational number as an element."""
        return self.field(rational(value))

    def place(self, name: str) -> int:
        """Where the exponent of a symbol stands."""
        return self.names.index(name)

    def _made(self, value: Element, keep: Callable[[tuple[int, ...]], bool]) -> Element:
        """The terms of the numerator with some exponents, over the denominator."""
        ring = value.numer.ring
        kept = {powers: coefficient for powers, coefficient in value.numer.terms() if keep(powers)}
        return self.field(ring.from_dict(kept)) / self.field(value.denom)

    def below(self, value: Element, names: Iterable[str], order: int) -> Element:
        """An element without the terms of its numerator whose total power of some symbols is above an order.

        Raises:
            InputError: one of them stands below the fraction bar.
        """
        places = [self.place(name) for name in names]
        if any(powers[place] for powers in value.denom for place in places):
            raise InputError("what is expanded in stands below a fraction bar")
        return self._made(value, lambda powers: sum(powers[place] for place in places) <= order)

    def powers(self, value: Element, name: str) -> dict[int, Element]:
        """The numerator by powers of one symbol, each over the denominator."""
        place = self.place(name)
        found = {powers[place] for powers in value.numer}
        symbol = self.symbols[name]
        return {
            power: self._made(value, lambda own, power=power: own[place] == power) / symbol**power  # type: ignore[misc]
            for power in sorted(found)
        }

    def degree(self, value: Element, name: str) -> int:
        """The degree in one symbol: above less below the fraction bar; zero has that of its denominator."""
        place = self.place(name)
        above: int = max((powers[place] for powers in value.numer), default=0)
        below: int = max(powers[place] for powers in value.denom)
        return above - below

    def valuation(self, value: Element, name: str) -> int:
        """The lowest power of one symbol in an element that is not zero."""
        place = self.place(name)
        above: int = min(powers[place] for powers in value.numer)
        below: int = min(powers[place] for powers in value.denom)
        return above - below

    def root(self, value: Element, name: str) -> Element:
        """Where an element that is linear in one symbol vanishes.

        Raises:
            UnsupportedError: it is not linear in the symbol.
        """
        parts = self.powers(value, name)
        if 1 not in parts or max(parts) > 1:
            raise UnsupportedError(f"a condition of criticality is not linear in {name}")
        return -parts.get(0, self.field(0)) / parts[1]

    def at(self, value: Element, point: Mapping[str, Any], number: Callable[[Any], Any] = Fraction) -> Any:
        """An element at a point, in any arithmetic; symbols that do not occur need no value.

        Args:
            value: the element.
            point: numbers by name.
            number: makes a number of a rational one.

        Raises:
            ZeroDivisionError: the denominator vanishes.
        """

        def polynomial(terms: Any) -> Any:
            total = number(0)
            for exponents, coefficient in terms:
                term = number(Fraction(int(coefficient.numerator), int(coefficient.denominator)))
                for name, power in zip(self.names, exponents, strict=True):
                    if power:
                        term = term * point[name] ** power
                total = total + term
            return total

        below = polynomial(value.denom.terms())
        if not below:
            raise ZeroDivisionError("the denominator vanishes at the point")
        return polynomial(value.numer.terms()) / below
