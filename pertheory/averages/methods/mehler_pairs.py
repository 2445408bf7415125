"""Two-point averages over many inputs at once.

Each function has one row of coefficients in normalised Hermite polynomials per input, and

    <f(z_i) g(z_j)> = sum over n of a_n(i) b_n(j) rho_ij^n

with the correlation rho (Mehler's formula), so that all pairs are a short sum of outer products. The work per
input is one-dimensional. Entries whose series would be long (nearly collinear inputs of large variance) are
named, for a direct method to replace them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import uses
from pertheory.averages.estimate import Mask, Remembered, Wanted, Whole
from pertheory.averages.grids import EPSILON, SHIFTED, Functions, condition, even_size, measured, rounded
from pertheory.averages.methods.mehler import LACK, hermite_weights
from pertheory.averages.methods.panelling import FactorValues
from pertheory.averages.quadrature import Array
from pertheory.averages.request import Request

#: Averages of a request, the largest error relative to the scale of those that were summed, and the entries that were
#: not.
Result: TypeAlias = tuple[Array, float, Mask]

#: Most and fewest terms of the series: powers of correlations make it short, and a tail is estimated from thirty.
TERMS, FEWEST = 128, 32
#: An entry counts as summed when what is left out is below this fraction of its scale.
TAIL = 1e-13
#: Where root mean squares may be larger by this factor than the least scale, the scales of entries are looked at, and
#: entries whose error is above this fraction of theirs are left to another method.
RARE, SURE = 30.0, 1e-11
#: Correlations between which the series is as long as its powers say.
FALLS, SHORT = 0.35, 0.79
PLACES = np.arange(TERMS + 1)
#: The spreads of a quarter octave at which bounds of errors are measured, relative to its end.
QUARTER = 2.0 ** np.array([-0.25, -0.125, 0.0])
#: Rows of a block of pairs: with a few hundred columns it stays in the cache. Fewer inputs than some are one.
ROWS, FEW = 64, 8


class SmoothPairs:
    """Two-point averages of smooth functions at all pairs, from `bound` inputs on, or where there are only such."""

    def __init__(self, wanted: Wanted, bound: int) -> None:
        self._rtol = wanted.rtol

        def prepared(requests: Mapping[int, Request]) -> tuple[list[int], _Factors, int]:
            own = {n: r for n, r in requests.items() if len(r) == 2 and not uses(r, wanted.pieced)}
            least = bound if any(len(r) > 2 for r in requests.values()) else 2
            return list(own), _factors(wanted.frozen, tuple(own.values())), least

        self._prepared = Remembered(prepared)

    def average(self, covariance: Array, requests: Mapping[int, Request], distinct: bool) -> dict[int, Whole]:
        """Average what has two factors."""
        numbers, factors, least = self._prepared(requests)
        found: dict[int, Whole] = {}
        size = len(covariance)
        if not numbers or size < least:
            return found
        series = ManyInputs(factors, covariance)
        averages = series.averages()
        if any(error > self._rtol for _, error, _ in averages):
            averages = series.averages(measured=True)
        for n, (values, error, weak) in zip(numbers, averages, strict=True):
            if error <= self._rtol:
                found[n] = Whole(values, error, weak if weak.any() else None, None, size * (size + 1) // 2)
        return found


class _Rule(NamedTuple):
    """A trapezoid rule.

    Attributes:
        nodes: positions.
        weights: of the nodes.
        columns: weights times normalised Hermite polynomials, one column a degree.
        signs: 1 and -1 in turn: times weights, these give what the rule with every second node differs by.
        power: the error is about that of this rule to this power.
    """

    nodes: Array
    weights: Array
    columns: Array
    signs: Array
    power: float


class _Bounds(NamedTuple):
    """What is measured for the spreads of some inputs, the worst of them.

    Attributes:
        lost: of each request, relative to root mean squares: what rounding and the rule do to it.
        weak: of each request by degree, what the rule does to a term of the series before its power.
        left: of each request by degree, what the terms from this degree on may sum to before the power.
        rarity: of each request the product of root mean squares over that of `even_size`.
        beyond: of each factor and spread what its coefficients lack from each degree on.
    """

    lost: Array
    weak: Array
    left: Array
    rarity: list[float]
    beyond: Mapping[float, Array]


class _Factors:
    """What does not depend on the covariance, or is measured once a quarter octave of spreads.

    Args:
        functions: activations by name.
        requests: of two factors each.
    """

    def __init__(self, functions: Functions, requests: Sequence[Request]) -> None:
        self.functions = functions
        factors = {factor: n for n, factor in enumerate(dict.fromkeys(f for request in requests for f in request))}
        #: For each request the numbers of its factors.
        self.pairs = [(factors[one], factors[two]) for one, two in requests]
        squares = self.pairs == [(n, n) for n in range(len(factors))]
        every: Any = slice(None)
        self.first, self.second = (every, every) if squares else np.transpose(self.pairs)
        self.values = FactorValues(functions, list(factors))
        # at equal inputs both factors are of one variable
        terms = self.values.terms
        both = {(x, y) for one, two in self.pairs for x, _ in terms[one] for y, _ in terms[two]}
        merged = {tuple(sorted(one + two)) for one, two in both}
        self._resolved = merged | {product for own in terms for product, _ in own}
        self._rules: dict[float, _Rule] = {}
        self._lost: dict[float, Array] = {}
        self._measured: dict[float, tuple[Array, ...]] = {}
        self._bounds: dict[frozenset[float], _Bounds] = {}

    def rule(self, widest: float) -> _Rule:
        """A rule for spreads up to some."""
        key = rounded(widest)
        if key not in self._rules:
            base = measured(self.functions, self._resolved, widest)
            frequency = 2 * np.pi / float(base.nodes[1] - base.nodes[0]) + 0.7 * np.sqrt(TERMS)
            # Hermite polynomials push the weight outwards
            rule, columns = hermite_weights(2 * np.pi / frequency, 1.5 * float(base.nodes[-1]), TERMS)
            signs = 1.0 - 2.0 * (np.arange(len(rule.nodes)) % 2 == 0)
            self._rules[key] = _Rule(rule.nodes, rule.weights, columns, signs, base.power)
        return self._rules[key]

    def _rounding(self, key: float) -> Array:
        """Rounding errors of the factors relative to their scales, at a spread."""
        if key not in self._lost:
            terms = self.values.terms
            found = [[condition(self.functions, product, key) for product, _ in own] for own in terms]
            losses = ((EPSILON * (x.values + x.argument) + SHIFTED * x.shift for x in own) for own in found)
            self._lost[key] = np.array([max(own, default=0.0) for own in losses])
        return self._lost[key]

    def _measure(self, rule: _Rule, values: Array) -> tuple[Array, ...]:
        """What a rule says of values at some spreads.

        Returns:
            By factor and spread rarities, and, by degree, coefficients, what they differ by from those of the rule of
            twice the step, and what they lack from each degree on, relative to root mean squares; by request and spread
            what its average at equal inputs differs by.
        """
        both = values[self.first] * values[self.second]
        scale = np.abs(both) @ rule.weights
        apart = np.abs(both @ (rule.signs * rule.weights)) / np.where(scale > 0, scale, 1.0)
        squares, least = values**2 @ rule.weights, even_size(values, rule.weights)
        norms = np.sqrt(squares)
        rare = np.divide(norms, least, out=np.full_like(norms, np.inf), where=least > 0)
        safe = np.where(norms > 0, norms, 1.0)[..., None]
        fine, differ = (np.abs(x @ rule.columns) / safe for x in (values, values * rule.signs))
        left = np.sqrt(_left(fine**2, norms > 0))
        return np.where(norms > 0, rare, 1.0), fine, differ, left, apart

    def _worst(self, rows: Sequence[tuple[Array, ...]], lost: Array, power: float, beyond: Any) -> _Bounds:
        """Bounds from what was measured at some spreads."""
        stacked = (np.concatenate(own, axis=1) for own in zip(*rows, strict=True))
        rare, sizes, errors, left, apart = (own.max(axis=1, initial=0.0) for own in stacked)
        one, two = self.first, self.second
        return _Bounds(
            apart**power + EPSILON + lost[one] + lost[two] if power else np.full(len(apart), np.inf),
            errors[one] * sizes[two] + sizes[one] * errors[two],
            left[one] * left[two],
            (rare[one] * rare[two]).tolist(),
            beyond | {0.0: np.zeros_like(left)},
        )

    def bounds(self, spreads: Sequence[float]) -> _Bounds:
        """What holds for all spreads of the quarter octaves of some, measured once."""
        keys = frozenset(rounded(spread) for spread in spreads if spread)
        if keys not in self._bounds:
            for key in keys - self._measured.keys():
                rule = self.rule(key)
                self._measured[key] = self._measure(rule, np.array(self.values(key * QUARTER[:, None] * rule.nodes)))
            rows = [self._measured[key] for key in keys]
            beyond = {key: self._measured[key][3].max(axis=1) for key in keys}
            self._bounds[keys] = self._bounded(rows, keys, beyond)
        return self._bounds[keys]

    def own_bounds(self, spreads: Sequence[float], values: Array) -> _Bounds:
        """What holds for some spreads themselves, where that of their quarter octaves is not good enough."""
        keys = [rounded(spread) if spread else 0.0 for spread in spreads]
        row = self._measure(self.rule(max(spreads) or 1.0), values)
        beyond = {key: row[3][:, [k == key for k in keys]].max(axis=1) for key in keys if key}
        return self._bounded([row], frozenset(keys) - {0.0}, beyond)

    def _bounded(self, rows: Sequence[tuple[Array, ...]], keys: frozenset[float], beyond: Any) -> _Bounds:
        if not rows or not keys:
            nothing = self._measure(self.rule(1.0), np.array(self.values(0 * self.rule(1.0).nodes[None])))
            return self._worst([nothing], np.zeros(len(self.values.terms)), 2.0, {})
        lost = np.max([self._rounding(key) for key in keys], axis=0)
        return self._worst(rows, lost, self.rule(max(keys)).power, beyond)


@lru_cache(maxsize=32)
def _factors(functions: Functions, requests: tuple[Request, ...]) -> _Factors:
    return _Factors(functions, requests)


class ManyInputs:
    """All two-point averages of smooth functions over one covariance.

    Args:
        factors: of the requests.
        covariance: D x D, of different variables.
    """

    def __init__(self, factors: _Factors, covariance: Array) -> None:
        spreads = np.sqrt(covariance.diagonal())
        safe = spreads if spreads.all() else np.where(spreads > 0, spreads, 1.0)
        self._rho = np.maximum(np.minimum(covariance / safe / safe[:, None], 1.0), -1.0)
        self._off = np.abs(self._rho)
        self._off.reshape(-1)[:: len(spreads) + 1] = 0.0
        self._largest = float(self._off.max(initial=0.0))
        self._count = TERMS if self._largest >= SHORT else FEWEST
        if FALLS < self._largest < SHORT:  # powers beyond are nothing, whatever the coefficients
            self._count = max(FEWEST, math.ceil(math.log(TAIL) / math.log(self._largest)))
        self._sigma: Array = spreads
        self._place: Any = slice(None)
        if len(spreads) > FEW:  # equal variances (normalised inputs) have equal coefficients
            self._sigma, self._place = np.unique(spreads, return_inverse=True)
        sigmas = self._sigma.tolist()
        self._rule, self._factors = factors.rule(max(sigmas, default=0.0) or 1.0), factors
        self._values = np.array(factors.values(self._sigma[:, None] * self._rule.nodes))

    def averages(self, measured: bool = False) -> list[Result]:
        """Average all requests at all pairs of inputs; `measured` takes bounds at the spreads themselves."""
        place, values, rule, count = self._place, self._values, self._rule, self._count
        sigmas = self._sigma.tolist()
        bounds = self._factors.own_bounds(sigmas, values) if measured else self._factors.bounds(sigmas)
        # equal inputs: one variable, no series
        same = (values[self._factors.first] * values[self._factors.second]) @ rule.weights
        fine = (values.reshape(-1, len(rule.nodes)) @ rule.columns[:, :count]).reshape(*values.shape[:2], count)
        powers = self._largest ** PLACES[: count + 1]
        left = bounds.left[:, : count + 1] * powers
        enough = left <= TAIL
        terms = np.where(enough[:, -1], np.maximum(enough.argmax(axis=1), 1), count)
        weak = bounds.weak[:, :count] * powers[:-1] * (PLACES[:count] < terms[:, None])
        rest = np.minimum(left[PLACES[: len(terms)], terms], TAIL)
        lost = (bounds.lost + weak.sum(axis=1) ** rule.power + rest).tolist()
        few = self._few(fine, int(terms.max(initial=0))) if len(self._rho) <= FEW else None
        found = []
        for n, (one, two) in enumerate(self._factors.pairs):
            total = self._sum(fine[one][place], fine[two][place], int(terms[n])) if few is None else few[n]
            total.reshape(-1)[:: len(total) + 1] = same[n][place]
            missing, error = np.zeros(total.shape, dtype=bool), lost[n]
            if not enough[n, -1]:
                lacking = np.array([bounds.beyond[rounded(x) if x else 0.0][:, count] for x in self._sigma.tolist()]).T
                missing = np.outer(lacking[one][place], lacking[two][place]) * self._off**count > TAIL
            if math.isfinite(error) and bounds.rarity[n] > RARE:
                sizes = np.sqrt(values**2 @ rule.weights), even_size(values, rule.weights)
                own = [np.multiply.outer(x[one][place], x[two][place]) for x in sizes]
                scales = np.maximum(np.abs(total), own[1])
                errors = error * np.divide(own[0], scales, out=np.ones_like(scales), where=scales > 0)
                np.fill_diagonal(errors, error)  # these were summed themselves
                missing = missing | (errors > SURE)
                error = float(errors[~missing].max(initial=0.0))
            found.append((total, error, missing))
        return found

    def _few(self, coefficients: Array, terms: int) -> Array:
        """The series of all requests over a few inputs."""
        powers = np.ones((*self._rho.shape, terms))
        powers[..., 1:] = self._rho[..., None]
        np.multiply.accumulate(powers, axis=-1, out=powers)
        one, two = (
            coefficients[self._factors.first, :, None, :terms],
            coefficients[self._factors.second, None, :, :terms],
        )
        return np.asarray((one * two * powers).sum(axis=-1))

    def _sum(self, a: Array, b: Array, terms: int) -> Array:
        """The series; by Horner's rule over the degrees that occur, a block of rows at a time."""
        a, b = a[:, :terms], b[:, :terms]
        result = np.zeros(self._rho.shape)
        sizes = np.abs(a).max(axis=0, initial=0.0) * np.abs(b).max(axis=0, initial=0.0)
        degrees: NDArray[np.intp] = np.nonzero(sizes > 1e-18 * sizes.max(initial=0.0))[0]
        gaps = np.diff(degrees, prepend=0)
        for start in range(0, len(result) if len(degrees) else 0, ROWS):
            part = slice(start, start + ROWS)
            rho, total = self._rho[part], result[part]
            powers_of = {int(gap): rho ** int(gap) for gap in set(gaps.tolist()) if gap > 0}
            term = np.empty_like(total)
            for n, gap in zip(degrees[::-1].tolist(), gaps[::-1].tolist(), strict=True):
                np.multiply.outer(a[part, n], b[:, n], out=term)
                total += term
                if gap:
                    total *= powers_of[gap]
        return result


def _left(squares: Array, some: Mask) -> Array:
    """The sums of squares of normalised coefficients from each degree on, with what lies beyond the last."""
    sums = np.cumsum(squares[..., ::-1], axis=-1)
    last, before = sums[..., 15], sums[..., 31] - sums[..., 15]
    ratio = np.minimum(np.divide(last, before, out=np.zeros_like(last), where=before > 0), 0.999)
    # what the sum of squares lacks is beyond; where that is rounding, the fall of the last ones is continued
    lacking = some - sums[..., -1]
    beyond = np.where(lacking > LACK, lacking, last * ratio / (1 - ratio))[..., None]
    return np.concatenate([sums[..., ::-1] + beyond, beyond], axis=-1)
