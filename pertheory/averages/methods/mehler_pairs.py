"""Two-point averages over many inputs at once.

Each function has one row of coefficients in normalised Hermite polynomials per input, and

    <f(z_i) g(z_j)> = sum over n of a_n(i) b_n(j) rho_ij^n

with the correlation rho (Mehler's formula), so that all pairs are a short sum of outer products. The work per
input is one-dimensional. Entries whose series would be long (nearly collinear inputs of large variance) are
named, for a direct method to replace them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import Factor, Product, Request, expand, tidy
from pertheory.averages.grids import EPSILON, SHIFTED, Functions, Tables, condition, measured, rounded
from pertheory.averages.methods.mehler import LACK, hermite_weights
from pertheory.averages.quadrature import Array

#: Inputs from which on the series of all pairs is faster than one pair at a time.
MANY = 4
#: Most terms of the series.
TERMS = 128
#: An entry counts as summed when what is left out is below this fraction of its scale.
TAIL = 1e-13
#: Rows of a block of pairs: with a few hundred columns it stays in the cache.
ROWS = 64


@dataclass(frozen=True)
class Series:
    """One function at every input, as Hermite coefficients.

    Attributes:
        coefficients: one row per input.
        left: norm of the coefficients from each degree on, with an estimate of what lies beyond the last.
        norms: root of the mean square of the function at every input.
        sizes: largest coefficient of every degree, relative to the norm.
        errors: largest disagreement of two rules for every degree, relative to the norm.
    """

    coefficients: Array
    left: Array
    sizes: Array
    errors: Array


def _terms(factor: Factor) -> tuple[tuple[Product, int], ...]:
    start = tidy(factor[1])
    return () if start is None else expand(factor[0], start)


class ManyInputs:
    """All two-point averages of smooth functions over one covariance.

    Args:
        functions: activations by name.
        covariance: D x D.
        same: for every input the first one that is the same variable.
        requests: what will be asked for.
    """

    def __init__(
        self, functions: Functions, covariance: Array, same: Sequence[int], requests: Sequence[Request]
    ) -> None:
        self._functions = functions
        sigma = np.sqrt(covariance.diagonal())
        # equal variances (normalised inputs) have equal coefficients
        self._sigma, self._place = np.unique(sigma, return_inverse=True)
        safe = np.where(sigma > 0, sigma, 1.0)
        self._rho = np.clip(covariance / safe / safe[:, None], -1.0, 1.0)
        first = np.asarray(same)
        self._equal = first == first[:, None]
        self._off = np.abs(np.where(self._equal, 0.0, self._rho))
        self._largest = float(self._off.max(initial=0.0))
        expansions = {factor: _terms(factor) for request in requests for factor in request}
        products = {product for terms in expansions.values() for product, _ in terms}
        # equal inputs bring both factors to one variable
        merged = {
            tuple(sorted(one + two))
            for first_factor, second_factor in requests
            for one, _ in expansions[first_factor]
            for two, _ in expansions[second_factor]
        }
        widest = float(self._sigma.max(initial=0.0)) or 1.0
        base = measured(functions, products | merged, widest)
        frequency = 2 * np.pi / float(base.nodes[1] - base.nodes[0]) + 0.7 * np.sqrt(TERMS)
        # Hermite polynomials push the weight outwards
        rule, self._columns = hermite_weights(2 * np.pi / frequency, 1.5 * float(base.nodes[-1]), TERMS)
        self._table = Tables(dict(functions), self._sigma[:, None] * rule.nodes, products)
        self._weights = rule.weights
        self._power = base.power
        self._values = {factor: self._combine(terms) for factor, terms in expansions.items()}
        self._noise = {factor: self._rounding(terms) for factor, terms in expansions.items()}
        self._series = {factor: self._expand(values) for factor, values in self._values.items()}

    def _rounding(self, terms: Iterable[tuple[Product, int]]) -> float:
        """Rounding errors of a factor relative to its scale, the largest over its terms and the inputs."""
        sizes = {rounded(sigma) for sigma in self._sigma.tolist() if sigma}
        found = [condition(self._functions, product, size) for product, _ in terms for size in sizes]
        return max((EPSILON * (one.values + one.argument) + SHIFTED * one.shift for one in found), default=0.0)

    def _combine(self, terms: Iterable[tuple[Product, int]]) -> Array:
        total = np.zeros((len(self._sigma), len(self._weights)))
        for product, count in terms:
            total += count * self._table[product]
        return total

    def _expand(self, values: Array) -> Series:
        fine = values @ self._columns
        rough = values[:, ::2] @ (2 * self._columns[::2])
        norms = np.sqrt(values**2 @ self._weights)
        squares = fine**2
        last, before = squares[:, -16:].sum(axis=1), squares[:, -32:-16].sum(axis=1)
        ratio = np.minimum(np.divide(last, before, out=np.zeros_like(last), where=before > 0), 0.999)
        # what the sum of squares lacks is beyond; where that is rounding, the fall of the last ones is continued
        lacking = norms**2 - squares.sum(axis=1)
        beyond = np.where(lacking > LACK * norms**2, lacking, last * ratio / (1 - ratio))
        left = np.sqrt(np.cumsum(squares[:, ::-1], axis=1)[:, ::-1] + beyond[:, None])
        left = np.concatenate([left, np.sqrt(beyond)[:, None]], axis=1)
        safe = np.where(norms > 0, norms, 1.0)[:, None]
        sizes = (np.abs(fine) / safe).max(axis=0, initial=0.0)
        errors = (np.abs(fine - rough) / safe).max(axis=0, initial=0.0)
        return Series(fine, left / safe, sizes, errors)

    def average(self, first: Factor, second: Factor) -> tuple[Array, float, NDArray[np.bool_]]:
        """Average a product of two factors at all pairs of inputs.

        Returns:
            The averages, the largest error relative to the scale (of the entries that were summed), and the
            entries that were not.
        """
        f, g = self._series[first], self._series[second]
        place = self._place
        terms, missing, tail = self._cut(f, g)
        a, b = f.coefficients[place, :terms], g.coefficients[place, :terms]
        sizes = np.abs(a).max(axis=0, initial=0.0) * np.abs(b).max(axis=0, initial=0.0)
        degrees = np.nonzero(sizes > 1e-18 * sizes.max(initial=0.0))[0]
        result = self._sum(a, b, degrees)
        # equal inputs: one variable, no series
        same = (self._values[first] * self._values[second]) @ self._weights
        rough = (self._values[first] * self._values[second])[:, ::2] @ (2 * self._weights[::2])
        scale = np.abs(self._values[first] * self._values[second]) @ self._weights
        apart = np.abs(same - rough) / np.where(scale > 0, scale, 1.0)
        rows, columns = np.nonzero(self._equal)
        result[rows, columns] = same[place[rows]]
        weak = (f.errors * g.sizes + f.sizes * g.errors)[:terms] * self._largest ** np.arange(terms)
        error = max(float(weak.sum()) ** self._power + tail, float(apart.max(initial=0.0)) ** self._power)
        error = error if self._power else np.inf
        return result, error + EPSILON + self._noise[first] + self._noise[second], missing

    def _cut(self, f: Series, g: Series) -> tuple[int, NDArray[np.bool_], float]:
        """Terms to sum, the entries for which they are not enough, and the largest tail of the others."""
        place = self._place
        powers = self._largest ** np.arange(TERMS + 1)
        bound = f.left.max(axis=0, initial=0.0) * g.left.max(axis=0, initial=0.0) * powers
        enough = np.nonzero(bound <= TAIL)[0]
        if len(enough):
            terms = max(int(enough[0]), 1)
            return terms, np.zeros(self._rho.shape, dtype=bool), float(bound[min(terms, TERMS)])
        tails = np.outer(f.left[place, -1], g.left[place, -1]) * self._off**TERMS
        missing = tails > TAIL
        missing &= ~self._equal
        return TERMS, missing, TAIL

    def _sum(self, a: Array, b: Array, degrees: NDArray[np.intp]) -> Array:
        """Horner's rule over the degrees that occur, a block of rows at a time."""
        result = np.zeros(self._rho.shape)
        if not len(degrees):
            return result
        gaps = np.diff(degrees, prepend=0)
        for start in range(0, len(result), ROWS):
            part = slice(start, start + ROWS)
            rho, total = self._rho[part], result[part]
            powers = {int(gap): rho ** int(gap) for gap in set(gaps.tolist()) if gap > 0}
            term = np.empty_like(total)
            for n, gap in zip(degrees[::-1].tolist(), gaps[::-1].tolist(), strict=True):
                np.multiply.outer(a[part, n], b[:, n], out=term)
                total += term
                if gap:
                    total *= powers[gap]
        return result
