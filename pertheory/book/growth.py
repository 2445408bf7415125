"""Sums of powers of the depth l, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from pertheory.errors import InputError

Element = Any


class Power(NamedTuple):
    """``l^-power log(l)^-minus_logs``; the smaller the tuple, the larger the term."""

    power: Fraction
    minus_logs: int


#: beyond every term
NEVER = Power(Fraction(10**6), 0)


class Growth:
    """``(l^(1-p))^edges`` times a sum of coefficients times powers of l and of log(l).

    Args:
        terms: the coefficient of each power.
        edges: how many factors l^(1-p).
        known: terms from this power on are not known.
    """

    def __init__(self, terms: Mapping[Power, Element], edges: int = 0, known: Power = NEVER) -> None:
        self.terms = {power: value for power, value in terms.items() if value}
        self.edges, self.known = edges, known

    @property
    def lead(self) -> Power:
        """The largest power; that from which on nothing is known, if there is none."""
        return min(self.terms, default=self.known)

    def __add__(self, other: Growth) -> Growth:
        edges = {side.edges for side in (self, other) if side.terms or side.known != NEVER} or {0}
        if len(edges) > 1:
            raise InputError("a sum of terms that grow with different powers l^(1-p)")
        total = dict(self.terms)
        for power, value in other.terms.items():
            total[power] = total[power] + value if power in total else value
        return Growth(total, edges.pop(), min(self.known, other.known))

    def __neg__(self) -> Growth:
        return Growth({power: -value for power, value in self.terms.items()}, self.edges, self.known)

    def __sub__(self, other: Growth) -> Growth:
        return self + (-other)

    def __mul__(self, other: Growth) -> Growth:
        total: dict[Power, Element] = {}
        for left, u in self.terms.items():
            for right, v in other.terms.items():
                power = _sum(left, right)
                total[power] = total[power] + u * v if power in total else u * v
        known = min(_limit(self.known, other.lead), _limit(other.known, self.lead))
        return Growth(total, self.edges + other.edges, known)

    def __pow__(self, exponent: int) -> Growth:
        base = self if exponent > 0 else self.inverse()
        result = base
        for _ in range(abs(exponent) - 1):
            result = result * base
        return result

    def inverse(self) -> Growth:
        """One over a single term; what is not known of it is as small, relative to it, as before."""
        if len(self.terms) != 1:
            raise InputError("at large depth only a single power of l may stand behind a division sign")
        ((power, value),) = self.terms.items()
        flipped = Power(-power.power, -power.minus_logs)
        known = NEVER if self.known == NEVER else _sum(_sum(self.known, flipped), flipped)
        return Growth({flipped: 1 / value}, -self.edges, known)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return " + ".join(f"({value}) l^{-p} log^{-m}" for (p, m), value in sorted(self.terms.items())) or "0"


def _sum(a: Power, b: Power) -> Power:
    return Power(a.power + b.power, a.minus_logs + b.minus_logs)


def _limit(known: Power, lead: Power) -> Power:
    return NEVER if known == NEVER or lead == NEVER else _sum(known, lead)
