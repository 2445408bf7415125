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
from pertheory.averages.estimate import Mask, Wanted, Whole
from pertheory.averages.grids import EPSILON, SHIFTED, Functions, Tables, condition, even_size, measured, rounded
from pertheory.averages.methods.mehler import LACK, hermite_weights
from pertheory.averages.methods.panelling import factor_terms
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
#: Rows of a block of pairs: with a few hundred columns it stays in the cache. Fewer inputs than some are one.
ROWS, FEW = 64, 8


class SmoothPairs:
    """Two-point averages of smooth functions at all pairs, from `bound` inputs on, or where there are only such."""

    def __init__(self, wanted: Wanted, bound: int) -> None:
        self._wanted, self._bound = wanted, bound
        self._factors: dict[tuple[Request, ...], _Factors] = {}

    def average(self, covariance: Array, requests: Mapping[int, Request], distinct: bool) -> dict[int, Whole]:
        """Average what has two factors."""
        own = {n: r for n, r in requests.items() if len(r) == 2 and not uses(r, self._wanted.pieced)}
        if not own or len(covariance) < (self._bound if any(len(r) > 2 for r in requests.values()) else 2):
            return {}
        key, found, size = tuple(own.values()), {}, len(covariance)
        if key not in self._factors:
            self._factors[key] = _factors(self._wanted.frozen, key)  # functions have hashes that take long
        for n, (values, error, weak) in zip(own, ManyInputs(self._factors[key], covariance).averages(), strict=True):
            if error <= self._wanted.rtol:
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


class _Factors:
    """What does not depend on the covariance, or is measured once a quarter octave of spreads.

    Args:
        functions: activations by name.
        requests: of two factors each.
    """

    def __init__(self, functions: Functions, requests: Sequence[Request]) -> None:
        self.functions, self._known = functions, dict(functions)
        factors = {factor: n for n, factor in enumerate(dict.fromkeys(f for request in requests for f in request))}
        #: For each request the numbers of its factors, and for each factor its terms.
        self.pairs = [(factors[one], factors[two]) for one, two in requests]
        self.first, self.second = np.transpose(self.pairs)
        #: Whether the requests are the squares of the factors, in their order.
        self.squares = self.pairs == [(n, n) for n in range(len(factors))]
        self.terms = [factor_terms(factor) for factor in factors]
        self._products = {product for terms in self.terms for product, _ in terms}
        # at equal inputs both factors are of one variable
        both = {(x, y) for one, two in self.pairs for x, _ in self.terms[one] for y, _ in self.terms[two]}
        self._merged = {tuple(sorted(one + two)) for one, two in both}
        self._rules: dict[float, _Rule] = {}
        self._noises: dict[float, Array] = {}
        self._worst: dict[frozenset[float], Array] = {}

    def rule(self, widest: float) -> _Rule:
        """A rule for spreads up to some."""
        key = rounded(widest)
        if key not in self._rules:
            base = measured(self.functions, self._products | self._merged, widest)
            frequency = 2 * np.pi / float(base.nodes[1] - base.nodes[0]) + 0.7 * np.sqrt(TERMS)
            # Hermite polynomials push the weight outwards
            rule, columns = hermite_weights(2 * np.pi / frequency, 1.5 * float(base.nodes[-1]), TERMS)
            signs = 1.0 - 2.0 * (np.arange(len(rule.nodes)) % 2 == 0)
            self._rules[key] = _Rule(rule.nodes, rule.weights, columns, signs, base.power)
        return self._rules[key]

    def noise(self, spreads: Sequence[float]) -> Array:
        """Of the factors rounding errors relative to their scales, the largest over terms and spreads, and rarities.

        Returns:
            Two rows; a rarity is the root mean square over `even_size`.
        """
        keys = frozenset(rounded(spread) for spread in spreads if spread)
        if keys in self._worst:
            return self._worst[keys]
        for key in keys - self._noises.keys():
            found = [[condition(self.functions, product, key) for product, _ in terms] for terms in self.terms]
            lost = [[EPSILON * (x.values + x.argument) + SHIFTED * x.shift for x in own] for own in found]
            rule = self.rule(key)
            values = self.values(key * rule.nodes)
            norms, least = np.sqrt(values**2 @ rule.weights), even_size(values, rule.weights)
            rare = np.divide(norms, least, out=np.full_like(norms, np.inf), where=least > 0)
            self._noises[key] = np.array([[max(own, default=0.0) for own in lost], np.where(norms > 0, rare, 1.0)])
        self._worst[keys] = np.max([self._noises[key] for key in keys] or [np.zeros((2, len(self.terms)))], axis=0)
        return self._worst[keys]

    def values(self, x: Array) -> Array:
        """Values of the factors; the first axis is the factor."""
        table = Tables(self._known, x, self._products)
        found = np.zeros((len(self.terms), *x.shape))
        for own, terms in zip(found, self.terms, strict=True):
            for product, count in terms:
                own += table[product] if count == 1 else count * table[product]
        return found


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
        self._rule, self._factors = factors.rule(float(spreads.max(initial=0.0)) or 1.0), factors
        self._values = factors.values(self._sigma[:, None] * self._rule.nodes)
        self._noise, self._rarity = factors.noise(self._sigma.tolist())

    def averages(self) -> list[Result]:
        """Average all requests at all pairs of inputs."""
        first, second, place, values = self._factors.first, self._factors.second, self._place, self._values
        _, weights, columns, signs, power = self._rule
        count, columns = self._count, columns[:, : self._count]
        # equal inputs: one variable, no series
        both = values[first] * values[second]
        same, scale = both @ weights, np.abs(both) @ weights
        # by factor, input and degree: coefficients
        flat = values.reshape(-1, len(weights))
        fine, differ = (x.reshape(*values.shape[:2], count) for x in (flat @ columns, (flat * signs) @ columns))
        norms = np.sqrt(same if self._factors.squares else values**2 @ weights)
        safe = (norms if norms.all() else np.where(norms > 0, norms, 1.0))[..., None]
        left = np.sqrt(_left(fine**2, norms**2)) / safe
        # the largest coefficients of every degree, and the largest disagreements of two rules, relative to the norms
        sizes, errors = ((np.abs(x) / safe).max(axis=1, initial=0.0) for x in (fine, differ))
        powers = self._largest ** PLACES[: count + 1]
        bounds = left.max(axis=1, initial=0.0)
        bounds = bounds[first] * bounds[second] * powers
        enough = bounds <= TAIL
        terms = np.where(enough[:, -1], np.maximum(enough.argmax(axis=1), 1), count)
        weak = (errors[first] * sizes[second] + sizes[first] * errors[second]) * powers[:-1]
        weak[PLACES[:count] >= terms[:, None]] = 0.0
        lost = weak.sum(axis=1) ** power + np.minimum(bounds[PLACES[: len(terms)], terms], TAIL)
        apart = np.abs(both @ (signs * weights)) / np.where(scale > 0, scale, 1.0)
        lost = np.maximum(lost, apart.max(axis=1, initial=0.0) ** power) + EPSILON
        lost = lost + self._noise[first] + self._noise[second] if power else np.full(len(terms), np.inf)
        found = []
        for n, (one, two) in enumerate(self._factors.pairs):
            total = self._sum(fine[one][place], fine[two][place], int(terms[n]))
            total.reshape(-1)[:: len(total) + 1] = same[n][place]
            missing = np.zeros(total.shape, dtype=bool)
            if not enough[n, -1]:
                missing = np.outer(left[one, :, -1][place], left[two, :, -1][place]) * self._off**count > TAIL
            error = float(lost[n])
            if np.isfinite(error) and self._rarity[one] * self._rarity[two] > RARE:
                own = [
                    np.multiply.outer(x[one][place], x[two][place]) for x in (norms, even_size(self._values, weights))
                ]
                scales = np.maximum(np.abs(total), own[1])
                errors = error * np.divide(own[0], scales, out=np.ones_like(scales), where=scales > 0)
                np.fill_diagonal(errors, error)  # these were summed themselves
                missing = missing | (errors > SURE)
                error = float(errors[~missing].max(initial=0.0))
            found.append((total, error, missing))
        return found

    def _sum(self, a: Array, b: Array, terms: int) -> Array:
        """The series; by Horner's rule over the degrees that occur, a block of rows at a time."""
        if len(a) <= FEW:
            powers: Array = self._rho[..., None] ** np.arange(terms)
            return np.asarray((a[:, None, :terms] * b[:, :terms] * powers).sum(axis=-1))
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


def _left(squares: Array, whole: Array) -> Array:
    """Squares of the norms of coefficients from each degree on, with what lies beyond the last."""
    sums = np.cumsum(squares[..., ::-1], axis=-1)
    last, before = sums[..., 15], sums[..., 31] - sums[..., 15]
    ratio = np.minimum(np.divide(last, before, out=np.zeros_like(last), where=before > 0), 0.999)
    # what the sum of squares lacks is beyond; where that is rounding, the fall of the last ones is continued
    lacking = whole - sums[..., -1]
    beyond = np.where(lacking > LACK * whole, lacking, last * ratio / (1 - ratio))[..., None]
    return np.concatenate([sums[..., ::-1] + beyond, beyond], axis=-1)
