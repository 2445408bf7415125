"""Sums of powers of the depth l and of its logarithm, as far as they are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache, reduce
from operator import mul
from typing import NamedTuple

from pertheory.algebra.polynomial import add_sums, add_term, multiply_sums, without_zeros
from pertheory.algebra.series import TaylorSeries
from pertheory.errors import InputError
from pertheory.solve.averages import Element

#: more logarithms than any term has
MANY = 10**4


class DepthPower(NamedTuple):
    """``l^-power log(l)^-minus_logs`` times constants of integration; the smaller the tuple, the larger the term."""

    power: Fraction
    minus_logs: int = 0
    constants: tuple[str, ...] = ()

    def times(self, other: DepthPower) -> DepthPower:
        """The product; beyond every term stays beyond."""
        if NEVER in (self, other):
            return NEVER
        constants = tuple(sorted((*self.constants, *other.constants)))
        return DepthPower(self.power + other.power, self.minus_logs + other.minus_logs, constants)


#: beyond every term
NEVER = DepthPower(Fraction(10**6))


def order(power: Fraction | int) -> DepthPower:
    """What is larger than all terms of a power of l, whatever their logarithms."""
    return DepthPower(Fraction(power), -MANY)


class Growth:
    """``(l^(1-p))^edges`` times a sum of coefficients times powers of l and of log(l).

    Args:
        terms: the coefficient of each power.
        edges: how many factors l^(1-p).
        known: terms from this power on are not known, and are dropped.
    """

    def __init__(self, terms: Mapping[DepthPower, Element], edges: int = 0, known: DepthPower = NEVER) -> None:
        self.terms = without_zeros({power: value for power, value in terms.items() if power < known})
        self.edges, self.known = edges, known

    @property
    def lead(self) -> DepthPower:
        """The largest power; that from which on nothing is known, if there is none."""
        return min(self.terms, default=self.known)

    def below(self, known: DepthPower) -> Growth:
        """Without the terms from a power on."""
        return Growth(self.terms, self.edges, min(known, self.known))

    def __add__(self, other: Growth) -> Growth:
        edges = {side.edges for side in (self, other) if side.terms} or {max(self.edges, other.edges)}
        if len(edges) > 1:
            raise InputError("a sum of terms that grow with different powers l^(1-p)")
        return Growth(add_sums(self.terms, other.terms), edges.pop(), min(self.known, other.known))

    def __neg__(self) -> Growth:
        return Growth({power: -value for power, value in self.terms.items()}, self.edges, self.known)

    def __sub__(self, other: Growth) -> Growth:
        return self + (-other)

    def __mul__(self, other: Growth) -> Growth:
        known = min(self.known.times(other.lead), other.known.times(self.lead))
        terms = multiply_sums(self.terms, other.terms, lambda a, b: None if (c := a.times(b)) >= known else c)
        return Growth(terms, self.edges + other.edges, known)

    def __pow__(self, exponent: int) -> Growth:
        base = self if exponent > 0 else self.inverse()
        return reduce(mul, [base] * abs(exponent))

    def inverse(self) -> Growth:
        """One over a single term; what is not known of it is as small, relative to it, as before."""
        if len(self.terms) != 1:
            raise InputError("at large depth only a single power of l may stand behind a division sign")
        ((power, value),) = self.terms.items()
        flipped = DepthPower(-power.power, -power.minus_logs)
        return Growth({flipped: 1 / value}, -self.edges, self.known.times(flipped).times(flipped))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        rows = sorted(self.terms.items())
        return " + ".join(f"({value}) l^{-p} log^{-m}{''.join(c)}" for (p, m, c), value in rows) or "0"


def one_layer_up(growth: Growth, offset: Element, cut: Fraction | int) -> Growth:
    """The same at l + 1, in powers of l.

    Args:
        growth: a sum.
        offset: edges times 1 - p, in the arithmetic of the coefficients.
        cut: the power 1/l^cut and all below are left out.
    """
    total: dict[DepthPower, Element] = {}
    for (power, minus_logs, constants), value in growth.terms.items():
        count, exponent = math.ceil(cut - power), offset - power
        binomials = [value]
        for k in range(1, count):
            binomials.append(binomials[-1] * (exponent - (k - 1)) / k)
        for lost in range(-minus_logs + 1):
            of_log = [c * math.comb(-minus_logs, lost) for c in _powers_of_log(lost, count)]
            for k, binomial in enumerate(binomials):
                for more, factor in enumerate(of_log[: count - k]):
                    if factor:
                        key = DepthPower(power + k + more, minus_logs + lost, constants)
                        add_term(total, key, binomial * factor)
    return Growth(total, growth.edges, min(growth.known, order(cut)))


@lru_cache(maxsize=256)
def _powers_of_log(power: int, count: int) -> tuple[Fraction, ...]:
    """The first coefficients of log(1 + x)^power in x."""
    one = TaylorSeries([Fraction(1), Fraction(1), *[Fraction(0)] * count])
    return (one.logarithm() ** power).coefficients[:count]
