"""Carries out a plan of averages: all nodes of a set of inputs, for many sets of inputs at once.

Every node is three arrays over the sets: values, bounds of their errors, scales. Leaves are left to the methods; what
is made of them, and the moments that come down to probabilities of orthants, is arithmetic with covariances. Where
moments of an orthant that nearly opposite variables leave nearly empty cancel, and where inputs determine each other,
the same nodes are carried out again with more digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import mpmath
import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Line
from pertheory.averages.conditional import Given, doubles, neglected, spread_out
from pertheory.averages.estimate import ROUNDING
from pertheory.averages.leaves import Leaves, leaf_layouts
from pertheory.averages.methods.orthants import four_signs
from pertheory.averages.plan import CARRIER, MOMENT, ORTHANT, POWER, SHARED, STEIN, STEP, SUM, InputSet, SetNode
from pertheory.averages.quadrature import Array, factor

#: Relative error from which on a moment is done again with this many bits, and what an operation loses then.
LOST, BITS, FINE = 1e-11, 240, 2.0**-236
#: Own noise, in bits of the variance, that variables get that others determine, and the digits that this takes.
NOISE, NOISY = 160, 640
#: Outside of these variances moments, or densities, are beyond doubles though what is made of them is not.
FAINT, HUGE = 1e-60, 1e60


class Numbers(NamedTuple):
    """Nodes of many sets.

    Attributes:
        table: shape (3, nodes + 1, sets): the averages, NaN where they are infinite or undefined; bounds of their
            errors; what errors are compared with. The last node is the number one.
        reasons: by set and node why there is no number.
    """

    table: Array
    reasons: Mapping[tuple[int, int], str]


class _Arithmetic(NamedTuple):
    """Doubles, or numbers with more bits in arrays of objects."""

    number: Callable[[Any], Any]
    root: Callable[[Any], Any]
    angle: Callable[[Any, Any], Any]
    pi: Any
    rounding: float


def _with_bits(bits: int) -> _Arithmetic:
    own = mpmath.MPContext()
    own.prec = bits
    number = np.frompyfunc(lambda x: own.mpf(x.numerator) / x.denominator, 1, 1)
    return _Arithmetic(number, np.frompyfunc(own.sqrt, 1, 1), np.frompyfunc(own.atan2, 2, 1), +own.pi, FINE)


DOUBLES = _Arithmetic(lambda x: x, np.sqrt, np.arctan2, math.pi, ROUNDING)


class _Moments:
    """Moments of steps, node by node, in one arithmetic."""

    def __init__(self, plan: InputSet, first: int, given: Given, arithmetic: _Arithmetic) -> None:
        self._plan, self._first, self._given, self._arithmetic = plan, first, given, arithmetic
        self._known: dict[int, tuple[Any, Any, Any]] = {}
        self._joint: dict[int, tuple[Array, Array]] = {}

    def covariance(self, fixed: tuple[int, ...], i: int, j: int) -> Any:
        """A covariance given others, as numbers of the arithmetic."""
        if self._arithmetic is DOUBLES:
            return self._given.covariance(fixed, i, j)
        return self._arithmetic.number(self._given.exact(fixed, i, j))

    def __getitem__(self, number: int) -> tuple[Any, Any, Any]:
        """Value, error and scale of a moment; number -1 is one."""
        if number == -1:
            one = np.ones(self._given.count)
            return one, 0 * one, one
        if number not in self._known:
            node = self._plan.nodes[number - self._first]
            self._known[number] = self._orthant(node) if node.kind == ORTHANT else self._lifted(node)
        return self._known[number]

    def _lifted(self, node: SetNode) -> tuple[Any, Any, Any]:
        """Take a power off a slot by Stein's lemma."""
        fixed = _slots(node.mask)
        value = error = scale = np.zeros(self._given.count)
        for term in node.terms:
            strength = term.weight * self.covariance(fixed, node.slot, term.slot)
            if term.kind == STEP:
                own = self.covariance(fixed, term.slot, term.slot)
                strength = strength * _inverse(self._arithmetic.root(2 * self._arithmetic.pi * own))
            part = self[term.node]
            value = value + strength * part[0]
            error = error + abs(strength) * part[1]
            scale = scale + abs(strength) * part[2]
        return value, error + self._arithmetic.rounding * scale, scale

    def _orthant(self, node: SetNode) -> tuple[Any, Any, Any]:
        """Probability of signs."""
        fixed = _slots(node.mask)
        active = [slot for slot, sign in enumerate(node.signs) if sign]
        count = len(active)
        total = np.zeros(self._given.count)
        for i, j in combinations(active, 2):
            shared, own = self.covariance(fixed, i, j), self.covariance(fixed, i, i)
            away = self._arithmetic.root(own) * self._arithmetic.root(self.covariance((*fixed, i), j, j))
            total = total + node.signs[i] * node.signs[j] * self._arithmetic.angle(shared, away)
        value = 0.5**count + total / (2 ** (count - 1) * self._arithmetic.pi)
        ones = np.ones(self._given.count)
        if count < 4:
            return value, self._arithmetic.rounding * ones, ones
        if node.mask not in self._joint:
            self._joint[node.mask] = self._four()
        joint, error = self._joint[node.mask]
        return value + math.prod(node.signs) * joint, error + ROUNDING, ones

    def _four(self) -> tuple[Array, Array]:
        rows = [
            [[self._given.exact((), i, j)[n] for j in range(4)] for i in range(4)] for n in range(self._given.count)
        ]
        fine = np.array([four_signs(k) for k in rows])
        return fine, np.abs(fine - np.array([four_signs(k, 12) for k in rows]))


def _inverse(x: Any) -> Any:
    """One over what is positive; what is zero is the spread of a variable that others determine."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.array([1 / value if value else value for value in x], dtype=object)
    return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0)


def _slots(mask: int) -> tuple[int, ...]:
    return tuple(slot for slot in range(mask.bit_length()) if mask >> slot & 1)


class _Traits(NamedTuple):
    """Of a moment: the slots with powers and with steps, and whether four signs are among what it is made of."""

    powers: int
    steps: int
    deep: bool


def _traits(plan: InputSet, first: int) -> dict[int, _Traits]:
    """What moments are of, from what they are made of."""
    found = {-1: _Traits(0, 0, False)}
    for number, node in enumerate(plan.nodes, start=first):
        if node.kind == ORTHANT:
            steps = sum(1 << slot for slot, sign in enumerate(node.signs) if sign)
            found[number] = _Traits(0, steps, sum(map(abs, node.signs)) == 4)
        elif node.kind == MOMENT:
            powers, steps, deep = 1 << node.slot, 0, False
            for term in node.terms:
                part, own = found[term.node], 1 << term.slot
                powers |= part.powers | (own if term.kind == POWER else 0)
                steps |= part.steps | (own if term.kind == STEP else 0)
                deep |= part.deep
            found[number] = _Traits(powers, steps, deep)
    return found


class Layout:
    """What of a set of inputs does not depend on the covariance.

    Args:
        plan: the set.
        lines: that its columns refer to.
    """

    def __init__(self, plan: InputSet, lines: Sequence[Line]) -> None:
        self.plan = plan
        self.groups = leaf_layouts(plan, lines)
        self.first = sum(group.leaves for group in self.groups)
        self.traits = _traits(plan, self.first)


class SetEvaluation:
    """All nodes of a set of inputs over some covariances.

    Args:
        layout: of the set.
        covariance: shape (sets, size, size), with positive variances.
        leaves: averages ordinary functions.
    """

    def __init__(self, layout: Layout, covariance: Array, leaves: Leaves) -> None:
        plan = self._plan = layout.plan
        self._k = covariance
        self._given = Given(covariance)
        self._leaves = leaves
        # moments are made of variables in units of powers of two, which are taken back in the end
        self._units: NDArray[np.intp] | None = None
        self._scaled = self._given
        own = covariance.diagonal(axis1=1, axis2=2)
        if plan.nodes and not ((own > FAINT) & (own < HUGE)).all():
            self._units = np.frexp(own)[1] // 2
            self._k = np.ldexp(covariance, -self._units[:, :, None] - self._units[:, None, :])
            self._scaled = Given(self._k)
        self._groups, self._first, self._own = layout.groups, layout.first, layout.traits
        self._table = np.zeros((3, self._first + len(plan.nodes) + 1, len(covariance)))
        self._table[0, -1] = self._table[2, -1] = 1.0
        self._values, self._errors, self._scales = self._table
        self._reasons: dict[tuple[int, int], str] = {}
        self._roots: dict[int, Array | None] = {}
        self._finer: dict[int, _Moments] = {}

    @cached_property
    def _moments(self) -> _Moments:
        return _Moments(self._plan, self._first, self._scaled, DOUBLES)

    def _exponents(self, mask: int, number: int) -> NDArray[np.intp]:
        """By set the power of two in a moment times the density of the deltas of a mask."""
        if self._units is None:
            return np.zeros(len(self._k), dtype=np.intp)
        node = self._plan.nodes[number - self._first] if number >= 0 else None
        powers = np.array(node.places if node and node.kind == MOMENT else [0] * self._plan.size, dtype=np.intp)
        powers[list(_slots(mask))] -= 1
        return np.asarray(self._units @ powers)

    def numbers(self) -> Numbers:
        """Evaluate all nodes."""
        number = 0
        with np.errstate(over="ignore", invalid="ignore"):
            for group in self._groups:
                found = self._leaves.averages(group, self._given, self._reason_of(number, group.leaves))
                end = number + group.leaves
                self._table[:, number:end] = found
                number = end
            for node in self._plan.nodes:
                if node.kind in (STEIN, SUM):
                    (self._stein if node.kind == STEIN else self._sum)(number, node)
                number += 1
        return Numbers(self._table, self._reasons)

    def _reason_of(self, first: int, count: int) -> Callable[[int, str], None]:
        def note(place: int, reason: str) -> None:
            for number in range(first, first + count):
                self._reasons[place, number] = reason

        return note

    def _set(self, number: int, value: Array, error: Array, scale: Array) -> None:
        self._values[number], self._scales[number] = value, scale
        self._errors[number] = np.where(np.isfinite(value), error, np.inf)

    def _stein(self, number: int, node: SetNode) -> None:
        """Lower a derivative of a delta: solved for the slots that carry deltas."""
        carriers = _slots(node.mask)
        row = self._given.row(carriers, node.slot)
        value, error, scale = np.zeros((3, len(self._k)))
        for term in node.terms:
            strength = np.full(len(self._k), term.weight)
            if term.kind == CARRIER:
                strength = strength * doubles(row[term.slot])
            elif term.kind == SHARED:
                strength = strength * self._given.drift(carriers, node.slot, term.slot)
            if term.node == -1:
                value, scale = value + strength, scale + np.abs(strength)
                continue
            value = value + strength * self._values[term.node]
            error = error + np.abs(strength) * self._errors[term.node]
            scale = scale + np.abs(strength) * self._scales[term.node]
            self._pass_on(term.node, number, strength)
        self._set(number, value, error, scale)

    def _pass_on(self, source: int, number: int, strength: Array) -> None:
        for place in np.flatnonzero(np.isnan(self._values[source]) & (strength != 0)).tolist():
            reason = self._reasons.get((place, source))
            if reason is not None:
                self._reasons[place, number] = reason

    def _sum(self, number: int, node: SetNode) -> None:
        """The density of deltas at zero times a sum of moments."""
        places = tuple(0.0 if node.mask >> slot & 1 else None for slot in range(self._plan.size))
        condition = self._leaves.condition(places, self._scaled, self._reason_of(number, 1))
        value, error, scale = np.zeros((3, len(self._k)))
        zero = self._determined(node.mask)
        for term in node.terms:
            traits = self._own[term.node]
            one_sign = not traits.powers & ~traits.steps and term.node != -1
            weight = np.where(zero & traits.powers, 0.0, term.weight)
            part = np.stack([weight * self._moments[term.node][0], *(np.abs(weight) * self._moments[term.node][1:])])
            if self._units is not None:  # in the end: the unit itself may be beyond doubles
                part = np.ldexp(part, self._exponents(node.mask, term.node))
            value = value + part[0]
            error = error + part[1]
            scale = scale + (np.abs(part[0]) if one_sign else part[2])
        value, error, scale = self._refined(node, zero, value, error, scale)
        for slot in _slots(node.slot):  # a function that jumps where its input is
            if not node.mask >> slot & 1:
                for place in np.flatnonzero(self._given.is_determined(_slots(node.mask), slot)).tolist():
                    if node.mask and condition.density[place]:
                        value[place] = np.nan
                        self._reasons[place, number] = (
                            "a function has no value at its kink x = 0, and other inputs put it there"
                        )
        density_ = condition.density
        error = density_ * error + condition.doubt * np.abs(density_ * value)
        self._set(number, density_ * value, error, density_ * scale)

    def _determined(self, mask: int) -> NDArray[np.int64]:
        """For every set the slots that are zero because those of a mask are."""
        fixed = _slots(mask)
        bits = np.zeros(len(self._k), dtype=np.int64)
        for slot in range(self._plan.size) if fixed else ():
            if slot not in fixed:
                bits |= self._given.is_determined(fixed, slot).astype(np.int64) << slot
        return bits

    def _refined(
        self, node: SetNode, zero: NDArray[np.int64], value: Array, error: Array, scale: Array
    ) -> tuple[Array, Array, Array]:
        """Sums that have lost digits, with more digits."""
        if not any(term.node != -1 for term in node.terms):
            return value, error, scale
        deep = any(self._own[term.node].deep for term in node.terms)
        again = np.zeros(len(value), dtype=bool) if deep else (error > LOST * scale)
        for place in range(len(value)) if self._plan.size > 2 else ():
            again[place] |= self._root(place) is not None
        for place in np.flatnonzero(again).tolist():
            value[place], error[place], scale[place] = self._again(node, int(zero[place]), place)
        return value, error, scale

    def _root(self, place: int) -> Array | None:
        """Factors of a singular covariance; None of a regular one."""
        if place not in self._roots:
            k = self._k[place]
            if self._plan.size == 2:
                one = (k[0] / math.sqrt(k[0, 0]))[:, None]
                self._roots[place] = one if self._given.is_determined((0,), 1)[place] else None
            else:
                root, pivots = factor(k)
                self._roots[place] = root if len(pivots) < len(root) else None
        return self._roots[place]

    def _again(self, node: SetNode, zero: int, place: int) -> tuple[float, float, float]:
        k, missing, bits = self._k[place], 0.0, BITS
        given = Given(k[None])
        root = self._root(place) if self._plan.size > 1 else None
        if root is not None:
            missing, bits = math.sqrt(neglected(k, root)) / math.pi, NOISY
            given = Given(spread_out(k, root, NOISE)[None])
        moments = self._fine(place, given, bits)
        value: Any = 0
        error, scale = 0.0, 0.0
        for term in node.terms:
            traits = self._own[term.node]
            if traits.powers & zero:
                continue
            part = [x[0] for x in moments[term.node]]
            one_sign = not traits.powers & ~traits.steps and term.node != -1
            unit = mpmath.ldexp(1, int(self._exponents(node.mask, term.node)[place]))
            value += mpmath.mpf(Fraction(term.weight).numerator) / Fraction(term.weight).denominator * part[0] * unit
            doubt = max(missing, 0.0 if root is None else 2.0 ** (2 - NOISE / 2)) * float(part[2])
            error += float(abs(term.weight) * (part[1] + doubt) * unit)
            # a power has one sign on an orthant; what is not told from zero has the scale of what it was summed from
            told = one_sign and abs(part[0]) > doubt
            scale += float(abs(term.weight) * (abs(part[0]) if told else part[2]) * unit)
        return float(value), error + ROUNDING * abs(float(value)), scale

    def _fine(self, place: int, given: Given, bits: int) -> _Moments:
        if place not in self._finer:
            self._finer[place] = _Moments(self._plan, self._first, given, _with_bits(bits))
        return self._finer[place]
