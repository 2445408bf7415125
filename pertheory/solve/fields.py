"""Rational functions of named symbols over the rationals: the exact numbers of this room.

An element is a quotient of two polynomials of sympy's (`sympy.polys.rings`) in lowest terms. Most denominators here are
constants or monomials, whose common factors are read off; greatest common divisors are for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy.polys.domains import QQ
from sympy.polys.rings import ring

from pertheory.errors import InputError, UnsupportedError

Element = Any
Exponents = tuple[int, ...]


def rational(value: Any) -> Any:
    """A Python rational as sympy's."""
    exact = Fraction(value)
    return QQ(exact.numerator, exact.denominator)


class Quotient:
    """An element: equal ones have equal numerators and denominators.

    Attributes:
        numer, denom: polynomials; the leading coefficient of the denominator is one.
    """

    __slots__ = ("denom", "numer")

    def __init__(self, numer: Any, denom: Any) -> None:
        self.numer, self.denom = numer, denom

    @staticmethod
    def lowest(numer: Any, denom: Any) -> Quotient:
        """The quotient of two polynomials in lowest terms."""
        if not denom:
            raise ZeroDivisionError("division by zero")
        if not numer:
            return Quotient(numer, denom.ring.one)
        if len(denom) > 1 and not numer.is_ground:
            numer, denom = _cancelled(numer, denom)
        if len(denom) == 1:
            ((powers, _),) = denom.terms()
            common = powers
            if any(common):
                for own in numer:
                    common = tuple(map(min, common, own))
            if any(common):
                monomial = denom.ring.from_dict({common: QQ(1)})
                numer, denom = numer.quo(monomial), denom.quo(monomial)
        head = denom.LC
        return Quotient(numer, denom) if head == 1 else Quotient(numer.quo_ground(head), denom.quo_ground(head))

    def _like(self, other: Any) -> Quotient:
        if isinstance(other, Quotient):
            return other
        return Quotient(self.numer.ring.ground_new(rational(other)), self.numer.ring.one)

    def __add__(self, other: Any) -> Quotient:
        if not isinstance(other, int | Fraction | Quotient):
            return NotImplemented
        own = self._like(other)
        if self.denom == own.denom:
            return Quotient.lowest(self.numer + own.numer, self.denom)
        total = self.numer * own.denom + own.numer * self.denom
        if self.denom == 1 or own.denom == 1:  # a/b + c is in lowest terms as a/b is
            return Quotient(total, self.denom * own.denom)
        return Quotient.lowest(total, self.denom * own.denom)

    __radd__ = __add__

    def __neg__(self) -> Quotient:
        return Quotient(-self.numer, self.denom)

    def __sub__(self, other: Any) -> Quotient:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Quotient:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Quotient:
        if not isinstance(other, int | Fraction | Quotient):
            return NotImplemented
        own = self._like(other)
        one = self.numer.ring.one
        if self.denom == one and own.denom == one:
            return Quotient(self.numer * own.numer, one)
        # both are in lowest terms: only the numerator of one and the denominator of the other have common factors
        left, right = Quotient.lowest(self.numer, own.denom), Quotient.lowest(own.numer, self.denom)
        return Quotient(left.numer * right.numer, left.denom * right.denom)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Quotient:
        own = self._like(other)
        return self * Quotient.lowest(own.denom, own.numer)

    def __rtruediv__(self, other: Any) -> Quotient:
        return self._like(other) / self

    def __pow__(self, exponent: int) -> Quotient:
        if exponent < 0:
            return Quotient.lowest(self.denom**-exponent, self.numer**-exponent)
        return Quotient(self.numer**exponent, self.denom**exponent)

    def __bool__(self) -> bool:
        return bool(self.numer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, int | Fraction | Quotient):
            return NotImplemented
        own = self._like(other)
        return bool(self.numer == own.numer and self.denom == own.denom)

    def __hash__(self) -> int:
        return hash((self.numer, self.denom))

    def __str__(self) -> str:
        return str(self.numer) if self.denom == 1 else f"({self.numer})/({self.denom})"

    __repr__ = __str__

    def diff(self, symbol: Quotient) -> Quotient:
        """The derivative with respect to a symbol."""
        above = self.numer.diff(symbol.numer) * self.denom - self.numer * self.denom.diff(symbol.numer)
        return Quotient.lowest(above, self.denom**2)


@lru_cache(maxsize=1000)
def _cancelled(numer: Any, denom: Any) -> tuple[Any, Any]:
    """Two polynomials without their greatest common divisor; most are asked for several times."""
    above, below = numer.cancel(denom)
    return above, below


def number_of(value: Any) -> Fraction | None:
    """An element that is a rational number, as one; None for all others."""
    if isinstance(value, Quotient):
        if not (value.numer.is_ground and value.denom.is_ground):
            return None
        value = value.numer.coeff(1) / value.denom.coeff(1)
    return Fraction(int(value.numerator), int(value.denominator))


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
        self.ring, *generators = ring(",".join(names), QQ)
        self.names = tuple(names)
        elements = (Quotient(generator, self.ring.one) for generator in generators)
        self.symbols: dict[str, Element] = dict(zip(names, elements, strict=True))

    def number(self, value: Any) -> Element:
        """A rational number as an element."""
        return Quotient(self.ring.ground_new(rational(value)), self.ring.one)

    def place(self, name: str) -> int:
        """Where the exponent of a symbol stands."""
        return self.names.index(name)

    def _made(self, value: Element, keep: Callable[[Exponents], bool]) -> Element:
        """The terms of the numerator with some exponents, over the denominator."""
        kept = {powers: coefficient for powers, coefficient in value.numer.terms() if keep(powers)}
        return Quotient.lowest(self.ring.from_dict(kept), value.denom)

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
        found: dict[int, dict[Exponents, Any]] = {}
        for powers, coefficient in value.numer.terms():
            rest = tuple([0 if i == place else power for i, power in enumerate(powers)])
            found.setdefault(powers[place], {})[rest] = coefficient
        return {power: Quotient.lowest(self.ring.from_dict(part), value.denom) for power, part in sorted(found.items())}

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
        return parts[0] / -parts[1] if 0 in parts else self.number(0)

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

    def expression(self, value: Element, known: Mapping[str, Any]) -> Any:
        """An element as sympy writes it, some of its symbols replaced by sympy expressions."""
        pairs = {self.ring.symbols[self.place(name)]: own for name, own in known.items()}
        above, below = (part.as_expr().subs(pairs, simultaneous=True) for part in (value.numer, value.denom))
        return above / below
