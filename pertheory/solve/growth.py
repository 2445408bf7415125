"""Sums of powers of the depth l and of its logarithm, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import reduce
from operator import mul
from typing import NamedTuple

from pertheory.algebra.polynomial import add_sums, multiply_sums, without_zeros
from pertheory.errors import InputError
from pertheory.solve.averages import Element


class DepthPower(NamedTuple):
    """``l^-power log(l)^-minus_logs``; the smaller the tuple, the larger the term."""

    power: Fraction
    minus_logs: int

    def times(self, other: DepthPower) -> DepthPower:
        """The product; beyond every term stays beyond."""
        if NEVER in (self, other):
            return NEVER
        return DepthPower(self.power + other.power, self.minus_logs + other.minus_logs)


#: beyond every term
NEVER = DepthPower(Fraction(10**6), 0)


class Growth:
    """``(l^(1-p))^edges`` times a sum of coefficients times powers of l and of log(l).

    Args:
        terms: the coefficient of each power.
        edges: how many factors l^(1-p).
        known: terms from this power on are not known.
    """

    def __init__(self, terms: Mapping[DepthPower, Element], edges: int = 0, known: DepthPower = NEVER) -> None:
        self.terms, self.edges, self.known = without_zeros(terms), edges, known

    @property
    def lead(self) -> DepthPower:
        """The largest power; that from which on nothing is known, if there is none."""
        return min(self.terms, default=self.known)

    def __add__(self, other: Growth) -> Growth:
        edges = {side.edges for side in (self, other) if side.terms or side.known != NEVER} or {0}
        if len(edges) > 1:
            raise InputError("a sum of terms that grow with different powers l^(1-p)")
        return Growth(add_sums(self.terms, other.terms), edges.pop(), min(self.known, other.known))

    def __neg__(self) -> Growth:
        return Growth({power: -value for power, value in self.terms.items()}, self.edges, self.known)

    def __sub__(self, other: Growth) -> Growth:
        return self + (-other)

    def __mul__(self, other: Growth) -> Growth:
        terms = multiply_sums(self.terms, other.terms, DepthPower.times)
        known = min(self.known.times(other.lead), other.known.times(self.lead))
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
        return " + ".join(f"({value}) l^{-p} log^{-m}" for (p, m), value in sorted(self.terms.items())) or "0"
