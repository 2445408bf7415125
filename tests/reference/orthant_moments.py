"""Moments of steps by a recursion in rational arithmetic, one average at a time: a witness for the plan's orthants.

It shares with the package the probability of four signs only. Collinear variables are merged here, and made regular
there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias

import mpmath

from pertheory.averages.methods.orthants import four_signs
from pertheory.averages.quadrature import Array
from pertheory.errors import UnsupportedError

#: For every variable the power of z and the sign of the step: 1 for z > 0, -1 for z < 0, 0 for no step.
Powers: TypeAlias = tuple[tuple[int, int], ...]

#: Conditional variances below this fraction of the variance are rounding: the variables are collinear.
COLLINEAR = 3e-15
#: What one operation of the recursion may lose, relative to the size of its terms.
ROUNDING = 1e-15
#: Relative error from which on a moment is done again with this many bits, and what an operation loses then.
LOST, BITS, FINE = 1e-11, 240, 2.0**-236
#: The part of an arithmetic of mpmath that is used here, with doubles.
DOUBLES = SimpleNamespace(mpf=float, sqrt=math.sqrt, atan2=math.atan2, pi=math.pi)


class Moment(NamedTuple):
    """A moment, a bound of its error, and its scale.

    The scale is the average of the absolute value, or the size of what the moment was summed from.
    """

    value: float
    error: float
    size: float


def _angles(k: Sequence[Sequence[Fraction]], signs: Sequence[int], arithmetic: Any = DOUBLES) -> Any:
    """Sum of the arcsines of the correlations of all pairs, times their signs."""
    total = arithmetic.mpf(0)
    for i, j in combinations(range(len(k)), 2):
        square = k[i][j] ** 2 / (k[i][i] * k[j][j])
        sine, cosine = (arithmetic.sqrt(_number(x, arithmetic)) for x in (square, max(1 - square, Fraction(0))))
        total += signs[i] * signs[j] * arithmetic.atan2(sine if k[i][j] > 0 else -sine, cosine)
    return total


def _number(x: Fraction, arithmetic: Any) -> Any:
    """A fraction as a double, or with the digits of an arithmetic of mpmath."""
    return float(x) if arithmetic is DOUBLES else arithmetic.mpf(x.numerator) / x.denominator


def orthant4(covariance: Sequence[Sequence[Fraction]]) -> float:
    """Probability that four zero-mean variables are all positive.

    Args:
        covariance: 4 x 4, exact.
    """
    angles: float = _angles(covariance, (1, 1, 1, 1))
    return 1 / 16 + angles / (8 * math.pi) + four_signs(covariance)


class OrthantMoments:
    """Moments of zero-mean Gaussian variables with steps at zero.

    Args:
        covariance: of up to four variables, with positive variances.
        bits: of the arithmetic; 53 are doubles.

    Example:
        >>> import numpy as np
        >>> moments = OrthantMoments(np.eye(2))
        >>> round(moments(((1, 1), (1, 1))).value * 2 * np.pi, 12)  # <relu(z_1) relu(z_2)>
        1.0
    """

    def __init__(self, covariance: Array, bits: int = 53) -> None:
        self._arithmetic: Any = DOUBLES
        self._rounding = ROUNDING
        if bits > 53:
            self._arithmetic = mpmath.MPContext()
            self._arithmetic.prec = bits
            self._rounding = FINE
        self._covariance = covariance
        self._finer: OrthantMoments | None = None
        self._exact = [[Fraction(float(x)) for x in row] for row in covariance]
        self._conditional: dict[tuple[tuple[int, ...], int, int], Fraction] = {}
        self._merged: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, int, float, float], ...]] = {}
        self._joint: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, float]] = {}
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...], Powers], Moment] = {}

    def __call__(self, powers: Powers) -> Moment:
        """Average the product over all variables of z^power times its step."""
        return self.average((), tuple(range(len(powers))), powers)

    def average(self, fixed: tuple[int, ...], alive: tuple[int, ...], powers: Powers) -> Moment:
        """As `conditional`, with digits enough and the scale that the moment has."""
        found = self.conditional(fixed, alive, powers)
        if found.value and found.error > LOST * abs(found.value) and len(alive) < 4:
            if self._finer is None:
                self._finer = OrthantMoments(self._covariance, BITS)
            value, error, size = map(float, self._finer.conditional(fixed, alive, powers))
            found = Moment(value, error + ROUNDING * abs(value), size)
        if found.value and all(step for power, step in powers if power or step):
            return found._replace(size=abs(found.value))  # a power has one sign on an orthant
        return found

    def covariance(self, fixed: tuple[int, ...], i: int, j: int) -> Fraction:
        """An entry of the covariance given that the variables of `fixed` have values."""
        if not fixed:
            return self._exact[i][j]
        key = (fixed, min(i, j), max(i, j))
        if key not in self._conditional:
            before, b = fixed[:-1], fixed[-1]
            known = self.covariance(before, i, b) * self.covariance(before, b, j) / self.covariance(before, b, b)
            self._conditional[key] = self.covariance(before, i, j) - known
        return self._conditional[key]

    def _links(self, fixed: tuple[int, ...], alive: tuple[int, ...]) -> tuple[tuple[int, int, float, float], ...]:
        """Pairs ``(kept, dropped, ratio, neglected relative variance)`` of collinear variables."""
        key = (fixed, alive)
        if key not in self._merged:
            k = partial(self.covariance, fixed)
            found: list[tuple[int, int, float, float]] = []
            gone: set[int] = set()
            for place, i in enumerate(alive):
                for j in alive[place + 1 :]:
                    if {i, j} & gone:
                        continue
                    left = float(1 - k(i, j) ** 2 / (k(i, i) * k(j, j)))
                    # what an elimination leaves is rounding of the given numbers where it is this small
                    loss = float(min(k(i, i) / self._exact[i][i], k(j, j) / self._exact[j][j]))
                    if left * loss <= COLLINEAR:
                        found.append((i, j, float(k(i, j) / k(i, i)), max(left, 0.0)))
                        gone.add(j)
            self._merged[key] = tuple(found)
        return self._merged[key]

    def conditional(self, fixed: tuple[int, ...], alive: tuple[int, ...], powers: Powers) -> Moment:
        """Average z^power times its step over the variables `alive`, given that those of `fixed` are zero."""
        fixed = tuple(sorted(fixed))
        kept = [(i, p) for i, p in zip(alive, powers, strict=True) if p != (0, 0)]
        alive, powers = tuple(i for i, _ in kept), tuple(p for _, p in kept)
        key = (fixed, alive, powers)
        if key not in self._known:
            self._known[key] = self._evaluate(fixed, alive, powers)
        return self._known[key]

    def _evaluate(self, fixed: tuple[int, ...], alive: tuple[int, ...], powers: Powers) -> Moment:
        if not alive:
            return Moment(self._arithmetic.mpf(1), 0.0, 1.0)
        for i, j, ratio, neglected in self._links(fixed, alive):
            return self._merge(fixed, dict(zip(alive, powers, strict=True)), i, j, ratio, neglected)
        k, arithmetic = partial(self.covariance, fixed), self._arithmetic
        lifted = next((i for i, (n, _) in zip(alive, powers, strict=True) if n), None)
        if lifted is None:
            return self._orthant(fixed, tuple(zip(alive, (step for _, step in powers), strict=True)))
        here = dict(zip(alive, powers, strict=True))
        n, step = here[lifted]
        here[lifted] = (n - 1, step)
        value = error = size = arithmetic.mpf(0)
        for b in alive:
            n, step = here[b]
            strength = _number(k(lifted, b), arithmetic)
            if strength == 0:
                continue
            if n:
                lower = here | {b: (n - 1, step)}
                part = self.conditional(fixed, alive, tuple(lower[i] for i in alive))
                strength *= n
            elif step:
                rest = tuple(i for i in alive if i != b)
                part = self.conditional((*fixed, b), rest, tuple(here[i] for i in rest))
                strength *= step / arithmetic.sqrt(2 * arithmetic.pi * _number(k(b, b), arithmetic))
            else:
                continue
            value += strength * part.value
            error += abs(strength) * part.error
            size += abs(strength) * part.size
        return Moment(value, error + self._rounding * size, size)

    def _merge(
        self, fixed: tuple[int, ...], here: dict[int, tuple[int, int]], i: int, j: int, ratio: float, neglected: float
    ) -> Moment:
        """Replace z_j by ratio * z_i."""
        (n, first), (m, second) = here[i], here.pop(j)
        second *= 1 if ratio > 0 else -1
        if first * second < 0:
            here[i] = (n + m, 1)  # nothing remains but what was neglected
            factor = 0.0
        else:
            here[i] = (n + m, first or second)
            factor = 1.0
        part = self.conditional(fixed, tuple(here), tuple(here.values()))
        weight = ratio**m
        missing = math.sqrt(neglected) / math.pi * abs(weight) * part.size
        size = abs(weight) * part.size if factor or neglected else 0.0
        return Moment(factor * weight * part.value, abs(weight) * part.error * factor + missing, size)

    def _orthant(self, fixed: tuple[int, ...], steps: tuple[tuple[int, int], ...]) -> Moment:
        """Probability of the signs of the steps."""
        if len(steps) > 4:
            raise UnsupportedError(f"steps of {len(steps)} variables in one average; at most 4")
        size = len(steps)
        inputs, signs = tuple(i for i, _ in steps), tuple(step for _, step in steps)
        k = [[self.covariance(fixed, i, j) for j in inputs] for i in inputs]
        value = 0.5**size + _angles(k, signs, self._arithmetic) / (2 ** (size - 1) * self._arithmetic.pi)
        if size < 4:
            return Moment(value, self._rounding, 1.0)
        if (fixed, inputs) not in self._joint:
            joint = four_signs(k)
            self._joint[fixed, inputs] = joint, abs(joint - four_signs(k, 12))
        joint, error = self._joint[fixed, inputs]
        return Moment(value + math.prod(signs) * joint, error + ROUNDING, 1.0)
