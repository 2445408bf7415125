"""Gaussian averages on one input, in any arithmetic: what a layer needs to know of its activation.

`TwoSlopes`   s(z) = a_plus z for z > 0 and a_minus z for z < 0
`AtZero`      variance zero: products of derivatives of s at 0
`Expanded`    a power series in the variance about any value, from averages there (about 0: the expansion in small K; of
              polynomials all of it, exact at every variance)
`Symbols`     any smooth s: averages stand for themselves, equal exactly if Leibniz's rule and Stein's lemma make
them so

Numbers are in `pertheory.solve.numbers`. Elements are what the arithmetic of a class has: rational functions,
fractions, floating-point numbers, series of any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, Protocol

from pertheory.algebra.polynomial import add_term
from pertheory.algebra.series import TaylorSeries
from pertheory.algebra.terms import Lines
from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.rulebook.network import IDENTITY

#: adds, multiplies and has powers
Element = Any
MakeNumber = Callable[[Any], Element]


class MoreOrders(UnsupportedError):
    """More powers of K are needed than are kept."""


class Averages(Protocol):
    """A class of activations: an arithmetic, and averages in it."""

    def number(self, value: Any) -> Element:
        """A rational number as an element."""

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """``<d^legs/dz^legs of the product of the lines>`` over a Gaussian variable of variance ``kernel``."""


def functions_of(lines: Lines) -> tuple[int, Lines]:
    """The number of bare z's, and the derivatives of activations, of the lines of an average."""
    if any(name == IDENTITY and order for name, order in lines):
        raise UnsupportedError("a derived identity line should have been carried out")
    functions = tuple(sorted(line for line in lines if line[0] != IDENTITY))
    return len(lines) - len(functions), functions


class TwoSlopes:
    """Activations of two slopes: scale-invariant.

    Args:
        number: makes an element of a rational number.
        slopes: for positive and for negative z, by function.

    A product with s'' or a higher derivative is a distribution at z = 0. It is read as the limit of smooth functions
    e s_1(z/e), e to 0: each s and each z counts e, each s^(k) e^(1-k), the integral e. What tends to zero is zero,
    and a product that is a total derivative (s'' s'^q) is derived by parts; all else depends on how the corner is
    smoothed, or diverges, and is an error.
    """

    def __init__(self, number: MakeNumber, slopes: Mapping[str, tuple[Element, Element]]) -> None:
        self.number, self.slopes = number, slopes

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """The average, by half-line moments: <d^m f> = <f He_m(z/sqrt K)> K^(-m/2).

        Raises:
            DivergentAverageError: it depends on how the corner is smoothed, or diverges.
            UnsupportedError: it is odd in z, and so has a root of K.
        """
        zeds, functions = functions_of(lines)
        orders = [order for _, order in functions]
        sharp = [order for order in orders if order > 1]
        weight = Fraction(1)
        if sharp:
            if zeds + sum(1 - order for order in orders) + 1 > 0:
                return self.number(0)
            rest = [order for order in orders if order < 2]
            several = len({name for name, _ in functions}) > 1
            if several or zeds or len(sharp) > 1 or (rest and sharp != [2]) or 0 in rest:
                shown = " ".join(f"{name}^({order})" for name, order in functions)
                raise DivergentAverageError(
                    f"<{shown}> of a piecewise linear activation depends on how its corner is smoothed, or diverges"
                )
            # s'' s'^q = (s'^(q+1))'/(q+1), and s^(k) alone is the (k-1)-th derivative of s'
            weight = Fraction(1, len(rest) + 1)
            legs += sharp[0] - 1
            orders = [1] * (len(rest) + 1)
        power = zeds + orders.count(0)
        if (power + legs) % 2:
            raise UnsupportedError("an average that is odd in z is not a rational function of the slopes")
        # the integrand is even in z but for the slopes, so the sides add up
        sides = self._side(functions, 0) + self._side(functions, 1)
        moments = (c * half_moment(power + exponent) for exponent, c in enumerate(hermite(legs)) if c)
        return sides * self.number(weight * sum(moments, Fraction(0))) * kernel ** ((power - legs) // 2)

    def _side(self, functions: Lines, side: int) -> Element:
        total = self.number(1)
        for name, _ in functions:
            total = total * self.slopes[name][side]
        return total


def hermite(order: int) -> list[int]:
    """The coefficients of He_order, constant first."""
    lower: list[int] = []
    found = [1]
    for n in range(order):
        padded = [*lower, *([0] * (len(found) + 1 - len(lower)))]
        lower, found = found, [a - n * b for a, b in zip([0, *found], padded, strict=True)]
    return found


def half_moment(power: int) -> Fraction:
    """The integral of z^power over z > 0 under the standard Gaussian, for even powers: half of (power - 1)!!."""
    return Fraction(math.prod(range(1, power, 2)), 2)


class AtZero:
    """Averages at variance zero: the product itself at z = 0.

    Args:
        number: makes an element of a rational number.
        derivatives: of each function at 0, the value first.
        polynomial: whether derivatives beyond the last one are zero; otherwise they are not known.
    """

    def __init__(
        self, number: MakeNumber, derivatives: Mapping[str, Sequence[Element]], polynomial: bool = False
    ) -> None:
        self.number, self.derivatives, self.polynomial = number, derivatives, polynomial
        self._known: dict[Lines, list[Element]] = {}

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """The derivative of the product at 0.

        Raises:
            UnsupportedError: it needs a derivative that is not known.
        """
        return self._taylor(lines, legs)[legs] * self.number(math.factorial(legs))

    def degree(self, lines: Lines) -> int:
        """The degree of the product of polynomials."""
        zeds, functions = functions_of(lines)
        return zeds + sum(max(len(self.derivatives[name]) - 1 - order, 0) for name, order in functions)

    def _taylor(self, lines: Lines, highest: int) -> list[Element]:
        """The Taylor coefficients at 0 of the product, at least up to a power."""
        if len(self._known.get(lines, ())) <= highest:
            zeds, functions = functions_of(lines)
            taylor = [self.number(int(power == zeds)) for power in range(highest + 1)]
            for name, order in functions:
                own = [
                    self._derivative(name, order + j) * self.number(Fraction(1, math.factorial(j)))
                    for j in range(highest + 1)
                ]
                taylor = list((TaylorSeries(taylor) * TaylorSeries(own)).coefficients)
            self._known[lines] = taylor
        return self._known[lines]

    def _derivative(self, name: str, order: int) -> Element:
        known = self.derivatives[name]
        if order < len(known):
            return known[order]
        if self.polynomial:
            return self.number(0)
        raise MoreOrders(f"the derivative of order {order} of {name} at 0 is needed and not kept")


class Expanded:
    """Averages as power series in the variance, exact to the order kept: <F>_(K+d) = sum_j (d/2)^j/j! <F^(2j)>_K.

    Args:
        base: averages at the point.
        start: the variance K there.
        order: the highest power of d that is kept; elements are series in d. None if everything is a polynomial and
            nothing is dropped (``base`` is `AtZero` then, and elements are those of the base).
    """

    def __init__(self, base: Any, start: Element, order: int | None) -> None:
        self.base, self.start, self.order = base, start, order

    def number(self, value: Any) -> Element:
        """A rational number as an element."""
        return self.constant(self.base.number(value))

    def constant(self, value: Element) -> Element:
        """An element of the base, which does not depend on the variance."""
        return value if self.order is None else TaylorSeries.constant(value, self.order)

    @property
    def kernel(self) -> TaylorSeries:
        """The variance itself."""
        assert self.order is not None, "the variance of polynomials is any element"
        zeros = [self.base.number(0)] * (self.order - 1)
        return TaylorSeries([self.start, self.base.number(1), *zeros])

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """The average as a series."""
        last = self.order if self.order is not None else max(self.base.degree(lines) - legs, 0) // 2
        step = (kernel - self.start) / 2
        total = self.number(0)
        for j in range(last, -1, -1):
            total = (total * step) / (j + 1) + self.base.average(self.start, legs + 2 * j, lines)
        return total


class Symbols:
    """Any smooth activation: averages as symbols.

    Leibniz's rule takes every derivative into the product and Stein's lemma <z F> = K <F'> removes every bare z, so
    that an average is a sum over products of derivatives of s, which stand for themselves.

    Args:
        number: makes an element of a rational number.
        of_lines: gives the element of ``<s^(a) s^(b) ...>``; lines are sorted.
    """

    def __init__(self, number: MakeNumber, of_lines: Callable[[Lines], Element]) -> None:
        self.number, self.of_lines = number, of_lines

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """The average as a sum over symbols."""
        zeds, functions = functions_of(lines)
        total = self.number(0)
        for count, power, key in without_zeds(zeds, legs, functions):
            value = self.number(count) * kernel**power if power else self.number(count)
            total = total + (value * self.of_lines(key) if key else value)
        return total


def without_zeds(zeds: int, legs: int, functions: Lines) -> Iterator[tuple[int, int, Lines]]:
    """``<d^legs (z^zeds s^(a) s^(b) ..)>`` as terms: a number, a power of K, and a product of functions, sorted."""
    found: dict[tuple[int, Lines], int] = {}
    for hit in range(min(legs, zeds) + 1):
        # `hit` of the derivatives act on the z's; what is left of the z's differentiates by Stein's lemma
        ways = math.comb(legs, hit) * math.perm(zeds, hit)
        left = zeds - hit
        for paired in range(left // 2 + 1):
            pairings = math.comb(left, 2 * paired) * math.prod(range(1, 2 * paired, 2))
            single = left - 2 * paired
            for counts, key in _leibniz(legs - hit + single, functions):
                add_term(found, (paired + single, key), ways * pairings * counts)
    for (power, key), count in sorted(found.items()):
        yield count, power, key


def _leibniz(derivatives: int, functions: Lines) -> Iterator[tuple[int, Lines]]:
    """The derivatives distributed over the functions."""
    if not functions:
        if derivatives == 0:
            yield 1, ()
        return
    for shares in product(range(derivatives + 1), repeat=len(functions)):
        if sum(shares) == derivatives:
            ways = math.factorial(derivatives)
            for share in shares:
                ways //= math.factorial(share)
            yield ways, tuple(sorted((name, order + n) for (name, order), n in zip(functions, shares, strict=True)))
