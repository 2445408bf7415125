"""Two-point averages of functions with kinks over many inputs: a series for most pairs, panels for close ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import IDENTITY, Factor, tidy, uses
from pertheory.averages.estimate import COLLINEAR, Wanted, Whole
from pertheory.averages.methods.kinked_series import REACH, coefficients, series
from pertheory.averages.methods.nested import edges_of, reach_of
from pertheory.averages.methods.pairs import pair_averages
from pertheory.averages.methods.panelling import Functions
from pertheory.averages.quadrature import Array
from pertheory.averages.request import Request

#: Averages, the largest error relative to the scale, and the entries that are missing.
Result: TypeAlias = tuple[Array, float, NDArray[np.bool_]]

#: Numbers of terms of the series, and about how many seconds one takes per input.
COUNTS = {64: 1e-4, 128: 2e-4, 256: 7e-4, 512: 2e-3, 1024: 6e-3}
#: About how many seconds panels take for a pair.
PAIR = 3e-4
#: What the series may lack, relative to the product of the norms.
LACK = 1e-11


class KinkedSeries:
    """Two-point averages of ordinary functions with kinks at all pairs of different inputs, from `bound` inputs on."""

    def __init__(self, wanted: Wanted, bound: int) -> None:
        self._wanted, self._bound = wanted, bound

    def average(self, covariance: Array, requests: Mapping[int, Request], distinct: bool) -> dict[int, Whole]:
        """Average what has two factors without deltas."""
        size, pieced = len(covariance), self._wanted.pieced
        if not pieced or size < self._bound or not any(uses(request, pieced) for request in requests.values()):
            return {}
        pairs = KinkedPairs(self._wanted.frozen, covariance)
        own = {n: r for n, r in requests.items() if uses(r, pieced) and pairs.supports(r)}
        found: dict[int, Whole] = {}
        if not own:
            return found
        for n, (values, error, weak) in zip(own, pairs.averages(list(own.values())), strict=True):
            if error <= max(self._wanted.rtol, self._wanted.kinked):
                found[n] = Whole(values, error, weak, None, size * (size - 1) // 2)
        return found


class KinkedPairs:
    """Two-point averages of ordinary functions with kinks, all pairs of different inputs at once.

    Args:
        functions: activations by name.
        covariance: D x D.

    Example:
        >>> import numpy as np
        >>> from pertheory.functions.activation import activation
        >>> pairs = KinkedPairs((("s", activation("relu")),), np.eye(3))
        >>> found, error, missing = pairs.averages([((0, (("s", 0),)), (0, (("s", 0),)))])[0]
        >>> round(found[0, 1] * 2 * np.pi, 10), missing[0, 1], missing[1, 1]
        (1.0, False, True)
    """

    def __init__(self, functions: Functions, covariance: Array) -> None:
        self._functions, self._table = functions, dict(functions)
        self._sigma = np.sqrt(covariance.diagonal())
        product = np.multiply.outer(self._sigma, self._sigma)
        self._rho = np.divide(covariance, product, out=np.ones_like(product), where=product > 0)
        # one variable, or none: for a method that knows what to do there
        self._apart = (1 - np.abs(self._rho) > COLLINEAR) & (product > 0)

    def supports(self, request: Request) -> bool:
        """Say whether a request is a product of two functions that have no deltas."""
        return len(request) == 2 and all(self._is_ordinary(factor) for factor in request)

    def _is_ordinary(self, factor: Factor) -> bool:
        legs, lines = factor
        for name, order in tidy(lines) or ():
            first = None if name == IDENTITY else self._table[name].jump_order
            if first is not None and order + legs > first:
                return False
        return True

    def averages(self, requests: Sequence[Request]) -> list[Result]:
        """Average requests that are supported.

        Returns:
            For each the averages, the largest error relative to the scale, and which are missing (NaN): equal and
            collinear inputs, inputs that are zero, and those that cost too many digits.
        """
        missing = ~self._apart
        if missing.all():
            return [(np.full(self._rho.shape, np.nan), 0.0, missing) for _ in requests]
        factors = sorted({factor for request in requests for factor in request})
        sigma = np.where(self._sigma > 0, self._sigma, self._sigma.max())
        widest = max(REACH, reach_of(self._functions, float(sigma.max()))) * float(sigma.max())
        cuts = np.array(edges_of(self._functions, float(2.0 ** np.ceil(np.log2(widest)))))
        count = self._count(len(requests))
        found = coefficients(self._functions, factors, sigma, cuts, count)
        close = self._apart & (np.abs(self._rho) ** count > LACK)
        results = []
        sums = [series(found[one], found[two], self._rho) for one, two in requests]
        for _, errors in sums:
            close &= errors > LACK
        rows, columns = np.nonzero(np.triu(close | close.T))
        if len(rows):
            spreads = self._sigma[rows], self._sigma[columns]
            both = [*requests, *((two, one) for one, two in requests if one != two)]
            direct = dict(
                zip(
                    both,
                    zip(*pair_averages(self._functions, both, self._rho[rows, columns], spreads)[:2], strict=True),
                    strict=True,
                )
            )
            for (one, two), (total, errors) in zip(requests, sums, strict=True):
                total[rows, columns], errors[rows, columns] = direct[one, two]
                total[columns, rows], errors[columns, rows] = direct[two, one]
        for total, errors in sums:
            total[missing] = np.nan
            results.append((total, float(errors[self._apart].max()), missing))
        return results

    def _count(self, requests: int) -> int:
        """The number of terms with the least work, for the series and for the pairs that it does not reach."""
        rho = np.abs(self._rho[self._apart])

        def seconds(count: int) -> float:
            return COUNTS[count] * len(self._sigma) + PAIR * requests * int((rho**count > LACK).sum()) / 2

        return min(COUNTS, key=seconds)
