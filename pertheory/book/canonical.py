"""A statement as a sum of terms in which no z, no dummy and no inverse of K is left.

Stein's lemma <z_b F> = sum_c K_bc <d_c F> turns every z into derivatives, and K^bc K_cd = delta removes the inverses.
What is left is exactly what the engine's expanded form holds: couplings, components in canonical slots, averages of
products of s^(k). Two statements are the same if these sums are equal as values. A dummy or an inverse that cannot be
removed stays in its term (the dummies renamed canonically), so it makes a difference and is never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import permutations
from typing import Any, NamedTuple

from pertheory.algebra.monomial import Powers, multiply_powers
from pertheory.algebra.polynomial import collected, multiply_sums, without_zeros
from pertheory.algebra.terms import Component
from pertheory.errors import InputError
from pertheory.graphs.tensor import canonical_slots, pure_type

KERNEL, _ = pure_type(1)
#: numbers from here on are dummies, below are samples
DUMMY = 100
MAX_DUMMIES = 6

Labels = tuple[tuple[int, int], ...]


class Mono(NamedTuple):
    """A term without its coefficient.

    Attributes:
        scalars: powers of couplings, widths, K (single input) and declared symbols; exponents may be negative.
        tensors: components with lower indices, K among them.
        inverses: components of the inverse of K.
        averages: each the sorted (sample, derivative order) of its product.
        marks: factors that only some kinds of statement know.
        lines: functions that are not averaged yet.
        zeds: preactivations that are not averaged yet.
    """

    scalars: Powers = ()
    tensors: tuple[Component, ...] = ()
    inverses: Labels = ()
    averages: tuple[Labels, ...] = ()
    marks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    lines: Labels = ()
    zeds: tuple[int, ...] = ()


Poly = dict[Mono, Fraction]
UNIT = Mono()


def constant(value: Fraction | int) -> Poly:
    """A number."""
    return {UNIT: Fraction(value)} if value else {}


def _times(a: Mono, b: Mono) -> Mono:
    pairs: Iterable[tuple[Any, Any]] = zip(a[1:], b[1:], strict=True)
    others = [tuple(sorted(x + y)) if x and y else x or y for x, y in pairs]
    return Mono(multiply_powers((a.scalars, b.scalars)), *others)


def multiply(a: Poly, b: Poly) -> Poly:
    """The product."""
    return without_zeros(multiply_sums(a, b, _times))


def invert(poly: Poly) -> Poly:
    """One over a single term of numbers and scalars.

    Raises:
        InputError: it is a sum, or holds tensors or averages.
    """
    if len(poly) == 1:
        ((mono, coefficient),) = poly.items()
        if mono == Mono(mono.scalars):
            return {Mono(tuple((name, -exponent) for name, exponent in mono.scalars)): 1 / coefficient}
    raise InputError("only numbers, couplings, widths and K of a single input may stand behind a division sign")


def kernel(a: int, b: int, one: bool) -> Mono:
    """K between two samples."""
    if one:
        return Mono((("K", 1),))
    return Mono(tensors=(Component(KERNEL, 0, canonical_slots(KERNEL, (a, b))),))


def differentiate(poly: Poly, label: int) -> Poly:
    """d/dz at one sample of what is not averaged yet; a sample that differs gives a Kronecker delta."""
    return collected(
        (_with_delta(derived, label, sample), coefficient)
        for mono, coefficient in poly.items()
        for derived, sample in _derivatives(mono)
    )


def _derivatives(mono: Mono) -> Iterator[tuple[Mono, int]]:
    """A term with one factor derived, and the sample of that factor."""
    for place, (sample, order) in enumerate(mono.lines):
        rest = mono.lines[:place] + mono.lines[place + 1 :]
        yield mono._replace(lines=tuple(sorted(((sample, order + 1), *rest)))), sample
    for place, sample in enumerate(mono.zeds):
        yield mono._replace(zeds=mono.zeds[:place] + mono.zeds[place + 1 :]), sample


def _with_delta(mono: Mono, a: int, b: int) -> Mono:
    """Times a Kronecker delta, kept as a mark until `settle` has the whole term with all that carries the label."""
    return mono if a == b else mono._replace(marks=tuple(sorted((*mono.marks, ("=", (min(a, b), max(a, b)))))))


def average(poly: Poly, one: bool) -> Poly:
    """The Gaussian average of what is not averaged yet, every z removed by Stein's lemma."""
    return collected(
        (_times(mono._replace(lines=(), zeds=()), averaged), coefficient * count)
        for mono, coefficient in poly.items()
        for averaged, count in _stein(Mono(lines=mono.lines, zeds=mono.zeds), one).items()
    )


@lru_cache(maxsize=50_000)
def _stein(inside: Mono, one: bool) -> dict[Mono, int]:
    """<z_b F> = sum_c K_bc <d_c F>, until no z is left."""
    if not inside.zeds:
        return {Mono(averages=(inside.lines,) if inside.lines else ()): 1}
    head, rest = inside.zeds[0], inside._replace(zeds=inside.zeds[1:])
    return collected(
        (_times(averaged, kernel(head, sample, one)), count)
        for derived, sample in _derivatives(rest)
        for averaged, count in _stein(derived, one).items()
    )


def settle(poly: Poly) -> Poly:
    """Contract inverses with K, resolve Kronecker deltas, and name what dummies are left canonically."""
    settled = ((_settle(mono), coefficient) for mono, coefficient in poly.items())
    return collected((mono, coefficient) for mono, coefficient in settled if mono is not None)


@lru_cache(maxsize=50_000)
def _settle(mono: Mono) -> Mono | None:
    """The settled term; None if a delta between different samples makes it vanish."""
    while True:
        delta = next((mark for mark in mono.marks if mark[0] == "="), None)
        if delta is not None:
            marks = list(mono.marks)
            marks.remove(delta)
            mono = mono._replace(marks=tuple(marks))
            a, b = delta[1]
        else:
            found = _contraction(mono)
            if found is None:
                return _canonical_dummies(mono)
            mono, a, b = found
        if a == b:
            if a >= DUMMY:  # a closed loop: the number of samples
                mono = mono._replace(scalars=multiply_powers((mono.scalars, (("samples", 1),))))
        elif a >= DUMMY or b >= DUMMY:
            mono = rename(mono, {max(a, b): min(a, b)})
        else:
            return None


def _contraction(mono: Mono) -> tuple[Mono, int, int] | None:
    """Take out one pair K^(d,a) K(d,b) with a dummy d; a and b are then equal."""
    for number, (u, v) in enumerate(mono.inverses):
        for dummy, other in ((u, v), (v, u)):
            if dummy < DUMMY:
                continue
            for place, (kind, order, slots) in enumerate(mono.tensors):
                if kind == KERNEL and order == 0 and dummy in slots:
                    left = slots[1] if slots[0] == dummy else slots[0]
                    tensors = mono.tensors[:place] + mono.tensors[place + 1 :]
                    inverses = mono.inverses[:number] + mono.inverses[number + 1 :]
                    return mono._replace(tensors=tensors, inverses=inverses), other, left
    return None


def rename(mono: Mono, names: Mapping[int, int]) -> Mono:
    """The term with labels replaced."""

    def new(label: int) -> int:
        return names.get(label, label)

    return Mono(
        mono.scalars,
        tuple(
            sorted(
                Component(kind, order, canonical_slots(kind, tuple([new(s) for s in slots])))
                for kind, order, slots in mono.tensors
            )
        ),
        tuple(sorted((min(new(a), new(b)), max(new(a), new(b))) for a, b in mono.inverses)),
        tuple(sorted(tuple(sorted((new(a), k) for a, k in lines)) for lines in mono.averages)),
        tuple(sorted((name, tuple([new(s) for s in labels])) for name, labels in mono.marks)),
        tuple(sorted((new(a), k) for a, k in mono.lines)),
        tuple(sorted(new(a) for a in mono.zeds)),
    )


def _canonical_dummies(mono: Mono) -> Mono:
    """Of all ways to number the dummies that are left the one that comes first."""
    left = sorted(_dummies(mono))
    if not left:
        return mono
    if len(left) > MAX_DUMMIES:
        raise InputError(f"{len(left)} summed indices are left in one term; at most {MAX_DUMMIES} can be compared")
    return min(rename(mono, dict(zip(left, order, strict=True))) for order in permutations(_fresh(len(left))))


def _fresh(count: int) -> Sequence[int]:
    return range(DUMMY, DUMMY + count)


def _dummies(mono: Mono) -> set[int]:
    found = {s for _, _, slots in mono.tensors for s in slots} | {s for pair in mono.inverses for s in pair}
    found |= {a for lines in (*mono.averages, mono.lines) for a, _ in lines} | set(mono.zeds)
    found |= {s for _, labels in mono.marks for s in labels}
    return {label for label in found if label >= DUMMY}
