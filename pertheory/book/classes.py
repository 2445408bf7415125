"""Classes of activations, as algebras in which their Gaussian averages on one input are exact.

`PiecewiseLinear`  s(z) = a_plus z for z > 0 and a_minus z for z < 0 (chapter 3 is a_plus = a_minus = 1)
`SmallKernel`      s smooth with s(0) = 0: averages as power series in K, coefficients in the derivatives of s at 0
`Generic`          any smooth s: averages are symbols, equal exactly if Leibniz's rule and Stein's lemma make them equal

Elements are sympy's rational functions (`sympy.polys.fields`), or truncated series of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from sympy.polys.domains import QQ
from sympy.polys.fields import field

from pertheory.algebra.terms import Lines
from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.rulebook.network import IDENTITY

Element = Any


def rational_functions(names: Sequence[str]) -> tuple[Any, dict[str, Element]]:
    """The field of rational functions of some symbols over the rationals, and its generators by name."""
    made, *generators = field(",".join(names), QQ)
    return made, dict(zip(names, generators, strict=True))


def rational(value: Any) -> Any:
    """A Python rational as sympy's."""
    exact = Fraction(value)
    return QQ(exact.numerator, exact.denominator)


def functions_of(lines: Lines) -> tuple[int, tuple[int, ...]]:
    """The number of bare z's, and the derivative orders of s, of the lines of an average."""
    zeds = 0
    orders = []
    for name, order in lines:
        if name == IDENTITY:
            if order:
                raise UnsupportedError("a derived identity line should have been carried out")
            zeds += 1
        elif name == "s":
            orders.append(order)
        else:
            raise UnsupportedError(f"the classes of the book know one activation s, not {name!r}")
    return zeds, tuple(sorted(orders))


class PiecewiseLinear:
    """Activations of two slopes: scale-invariant.

    Args:
        of: the field of the elements.
        plus, minus: the slopes for positive and negative z, as elements.

    A product with s'' or a higher derivative is a distribution at z = 0. It is read as the limit of smooth functions
    e s_1(z/e), e to 0: each s and each z counts e, each s^(k) e^(1-k), the integral e. What tends to zero is zero,
    and a product that is a total derivative (s'' s'^q) is derived by parts; all else depends on how the corner is
    smoothed, or diverges, and is an error.
    """

    def __init__(self, of: Any, plus: Element, minus: Element) -> None:
        self.of, self.plus, self.minus = of, plus, minus

    def number(self, value: Any) -> Element:
        """A rational number as an element."""
        return self.of(rational(value))

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """The average, by half-line moments: <d^m f> = <f He_m(z/sqrt K)> K^(-m/2)."""
        zeds, orders = functions_of(lines)
        sharp = [order for order in orders if order > 1]
        weight = Fraction(1)
        if sharp:
            if zeds + sum(1 - order for order in orders) + 1 > 0:
                return self.number(0)
            rest = [order for order in orders if order < 2]
            if zeds or len(sharp) > 1 or (rest and sharp != [2]) or 0 in rest:
                shown = " ".join(f"s^({order})" for order in orders)
                raise DivergentAverageError(
                    f"<{shown}> of a piecewise linear activation depends on how its corner is smoothed, or diverges"
                )
            # s'' s'^q = (s'^(q+1))'/(q+1), and s^(k) alone is the (k-1)-th derivative of s'
            weight = Fraction(1, len(rest) + 1)
            legs += sharp[0] - 1
            orders = (1,) * (len(rest) + 1)
        power = zeds + orders.count(0)
        if (power + legs) % 2:
            raise UnsupportedError("an average that is odd in z is not a rational function of the slopes")
        # the integrand is even in z but for the slopes, so the sides add up
        sides = self._slopes(self.plus, len(orders)) + self._slopes(self.minus, len(orders))
        total = self.number(0)
        for exponent, coefficient in enumerate(hermite(legs)):
            if coefficient:
                total = total + self.number(coefficient * half_moment(power + exponent))
        return self.number(weight) * sides * total * kernel ** ((power - legs) // 2)

    def _slopes(self, slope: Element, count: int) -> Element:
        return slope**count if count else self.number(1)


def hermite(order: int) -> list[int]:
    """The coefficients of He_order, constant first."""
    lower: list[int] = []
    found = [1]
    for n in range(order):
        lower, found = (
            found,
            [a - n * b for a, b in zip([0, *found], [*lower, *([0] * (len(found) + 1 - len(lower)))], strict=True)],
        )
    return found


def half_moment(power: int) -> Fraction:
    """The integral of z^power over z > 0 under the standard Gaussian, for even powers: half of (power - 1)!!."""
    return Fraction(math.prod(range(1, power, 2)), 2)


class Series:
    """A power series in one variable, truncated: the order in ``K`` that is kept is that of its class."""

    __slots__ = ("coefficients",)

    def __init__(self, coefficients: Sequence[Element]) -> None:
        self.coefficients = tuple(coefficients)

    def __str__(self) -> str:
        """The coefficients in the order of their powers."""
        return f"[{', '.join(map(str, self.coefficients))}]"

    def __add__(self, other: Any) -> Series:
        pairs = zip(self.coefficients, self._like(other).coefficients, strict=True)
        return Series([a + b for a, b in pairs])

    __radd__ = __add__

    def __neg__(self) -> Series:
        return Series([-a for a in self.coefficients])

    def __sub__(self, other: Any) -> Series:
        return self + (-self._like(other))

    def __mul__(self, other: Any) -> Series:
        left, right = self.coefficients, self._like(other).coefficients
        size = len(left)
        total = [left[0] * 0 for _ in range(size)]
        for i, a in enumerate(left):
            if a:
                for j in range(size - i):
                    if right[j]:
                        total[i + j] = total[i + j] + a * right[j]
        return Series(total)

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Series:
        if exponent < 0:
            return self.inverse() ** (-exponent)
        result = self._like(self.coefficients[0] * 0 + 1)
        for _ in range(exponent):
            result = result * self
        return result

    def inverse(self) -> Series:
        """One over it; the constant coefficient must not vanish."""
        head = self.coefficients[0]
        found = [1 / head]
        for order in range(1, len(self.coefficients)):
            total = sum((self.coefficients[i] * found[order - i] for i in range(1, order + 1)), head * 0)
            found.append(-total / head)
        return Series(found)

    def __bool__(self) -> bool:
        return any(self.coefficients)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self.coefficients == other.coefficients

    def __hash__(self) -> int:
        return hash(self.coefficients)

    def _like(self, other: Any) -> Series:
        if isinstance(other, Series):
            return other
        zero = self.coefficients[0] * 0
        return Series([zero + other, *[zero] * (len(self.coefficients) - 1)])

    @property
    def lowest(self) -> int | None:
        """The first order with a coefficient that is not zero."""
        return next((order for order, value in enumerate(self.coefficients) if value), None)


class SmallKernel:
    """Smooth activations with s(0) = 0, at small K.

    Args:
        of: the field of the coefficients.
        derivatives: the derivatives of s at 0, from the first, as elements; as many as `order` needs.
        order: the highest power of K that is kept.

    <F>_K = sum_j (K/2)^j / j! F^(2j)(0), exact to the order kept.
    """

    def __init__(self, of: Any, derivatives: Sequence[Element], order: int) -> None:
        self.of, self.order = of, order
        self.derivatives = (of(0), *derivatives)

    def number(self, value: Any) -> Series:
        """A rational number as an element."""
        return self.constant(self.of(rational(value)))

    def constant(self, value: Element) -> Series:
        """A coefficient as an element."""
        return Series([value, *[self.of(0)] * self.order])

    @property
    def kernel(self) -> Series:
        """K itself."""
        return Series([self.of(int(i == 1)) for i in range(self.order + 1)])

    def average(self, kernel: Series, legs: int, lines: Lines) -> Series:
        """The average as a series in K."""
        zeds, orders = functions_of(lines)
        taylor = [self.of(int(power == zeds)) for power in range(2 * self.order + legs + 1)]
        for order in orders:
            taylor = self._times(taylor, order)
        total = self.number(0)
        step = self.number(1)
        for j in range(self.order + 1):
            place = 2 * j + legs
            value = taylor[place] * rational(Fraction(math.factorial(place), 2**j * math.factorial(j)))
            total = total + step * self.constant(value)
            step = step * kernel
        return total

    def _times(self, taylor: list[Element], order: int) -> list[Element]:
        """Multiply Taylor coefficients at 0 by those of s^(order)."""
        total = [self.of(0) for _ in taylor]
        for i, a in enumerate(taylor):
            if a:
                for j in range(len(taylor) - i):
                    total[i + j] = total[i + j] + a * self._derivative(order + j) * rational(
                        Fraction(1, math.factorial(j))
                    )
        return total

    def _derivative(self, order: int) -> Element:
        if order >= len(self.derivatives):
            raise UnsupportedError(f"the derivative of order {order} of s at 0 is needed and not kept")
        return self.derivatives[order]


class Generic:
    """Any smooth activation: averages as symbols.

    Leibniz's rule takes every derivative into the product and Stein's lemma <z F> = K <F'> removes every bare z, so
    that an average is a sum over products of derivatives of s, which stand for themselves.

    Args:
        of_lines: gives the element of ``<s^(a) s^(b) ...>`` for the ascending orders (a, b, ...).
        number: makes an element of a rational number.
    """

    def __init__(self, of_lines: Callable[[tuple[int, ...]], Element], number: Callable[[Any], Element]) -> None:
        self.of_lines, self.number = of_lines, number

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """The average as a sum over symbols."""
        zeds, orders = functions_of(lines)
        total = self.number(0)
        for count, power, key in reduced(zeds, legs, orders):
            value = self.number(count) * kernel**power
            total = total + (value * self.of_lines(key) if key else value)
        return total


def reduced(zeds: int, legs: int, orders: tuple[int, ...]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """``<d^legs (z^zeds s^(a) s^(b) ..)>`` as terms: a number, a power of K, ascending orders of a product of s's."""
    found: dict[tuple[int, int, tuple[int, ...]], int] = {}
    for hit in range(min(legs, zeds) + 1):
        # `hit` of the derivatives act on the z's; what is left of the z's differentiates by Stein's lemma
        ways = math.comb(legs, hit) * math.perm(zeds, hit)
        left = zeds - hit
        for paired in range(left // 2 + 1):
            pairings = math.comb(left, 2 * paired) * math.prod(range(1, 2 * paired, 2))
            single = left - 2 * paired
            for counts, key in _spread(legs - hit + single, orders):
                place = (paired + single, 0, key)
                found[place] = found.get(place, 0) + ways * pairings * counts
    for (power, _, key), count in sorted(found.items()):
        yield count, power, key


def _spread(derivatives: int, orders: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Leibniz's rule: the derivatives distributed over the functions."""
    if not orders:
        if derivatives == 0:
            yield 1, ()
        return
    for shares in product(range(derivatives + 1), repeat=len(orders)):
        if sum(shares) == derivatives:
            ways = math.factorial(derivatives)
            for share in shares:
                ways //= math.factorial(share)
            yield ways, tuple(sorted([order + share for order, share in zip(orders, shares, strict=True)]))
