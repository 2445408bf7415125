"""Numeric Gaussian averages of products of derivatives of activation functions.

The one place where the rest of the program asks for numbers: `GaussianAverages` takes the covariance over the inputs
and a list of requests. `choose.py` says which method averages what; what no method averages at all inputs at once is
left to `setwise.py`, set by set of distinct inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Line
from pertheory.averages.account import Account, Asked, Divergence
from pertheory.averages.atoms import IDENTITY, Factor
from pertheory.averages.choose import KINKED, Chooser
from pertheory.averages.estimate import Mask, Wanted
from pertheory.averages.planning import MOST_INPUTS
from pertheory.averages.quadrature import Array, check_covariance
from pertheory.averages.request import Request
from pertheory.averages.sets import Shape
from pertheory.averages.setwise import SetWise
from pertheory.errors import InputError
from pertheory.functions.activation import Activation

__all__ = ["MOST_INPUTS", "Divergence", "Factor", "GaussianAverages", "Line", "Request"]

#: Inputs without the others that are averaged together.
TOGETHER = 64
#: Correlations as near to one as this are those of one variable.
SAME = 4e-16


class _Ready(NamedTuple):
    """Requests, looked at once.

    Attributes:
        requests: as they were given.
        shapes: what they are without constant factors.
        wanted: those that do depend on the covariance, by their numbers.
    """

    requests: tuple[Request, ...]
    shapes: list[Shape]
    wanted: dict[int, Request]


class GaussianAverages:
    """Averages over Gaussian preactivations.

    A request has one axis per factor; a factor is ``(legs, lines)``: the derivative of order `legs` of the
    product of lines ``(function, derivative order)``, all at one variable. The name ``id`` is the identity.

    Args:
        functions: activations by the names that lines use.
        rtol: relative error, with respect to the scale of the average, above which a warning is given.
        distinct: only entries whose axes all carry different inputs are wanted; the others are NaN.
        progress: called now and then with the fraction of a call that is done.

    Attributes:
        account: what was made by which method, and what went wrong.
        progress: as given; may be replaced.

    Example:
        >>> import numpy as np
        >>> from pertheory.functions.activation import activation
        >>> average = GaussianAverages({"s": activation("x2")})
        >>> average(np.array([[2.0]]), [((0, (("s", 0),)),), ((2, (("s", 0), ("s", 0))),)])
        [array([2.]), array([24.])]
    """

    def __init__(
        self,
        functions: Mapping[str, Activation],
        rtol: float = 1e-9,
        distinct: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        if IDENTITY in functions:
            raise InputError(f"the name {IDENTITY!r} always means the identity function; use another name")
        self._functions, self._distinct, self.progress = dict(functions), distinct, progress
        self.account = Account(self._functions)
        self._chooser = Chooser(Wanted(self._functions, rtol, KINKED), self.account)
        self._sets = SetWise(self._chooser, self.account)
        self._known: dict[tuple[Request, ...], _Ready] = {}
        self._last: _Ready | None = None

    @property
    def divergences(self) -> list[Divergence]:
        """What was infinite or undefined so far; the entries are NaN."""
        return self.account.divergences

    @property
    def worst_error(self) -> float:
        """The largest error estimate so far, relative to the scale of the average."""
        return self.account.worst

    @property
    def evaluated(self) -> int:
        """How many averages were integrated or summed so far (a closed form counts, a copy does not)."""
        return self.account.evaluated

    def __call__(self, covariance: NDArray[np.float64], requests: Sequence[Request]) -> list[NDArray[np.float64]]:
        """Evaluate requests.

        Args:
            covariance: D x D over the inputs; singular and zero are allowed.
            requests: what to average.

        Returns:
            One array of shape (D,) * (number of factors) for each request.

        Raises:
            InputError: wrong covariance or unknown function name.
            UnsupportedError: an entry with more than four distinct inputs.
        """
        k, ready = check_covariance(covariance), self._ready(requests)
        same = representatives(k)
        own = np.flatnonzero(same == np.arange(len(k)))
        self.account.start()
        if len(own) == len(k):
            results = self._average(Asked(k, ready.requests, self._distinct, range(len(k))), ready)
        else:  # inputs that are one variable: two axes that carry them meet, whatever their numbers
            small = self._average(Asked(k[np.ix_(own, own)], ready.requests, False, own.tolist()), ready)
            back = np.searchsorted(own, same)
            results = [array[np.ix_(*[back] * array.ndim)] for array in small]
        self.account.warn()
        return results

    def alone(self, variances: NDArray[np.float64], requests: Sequence[Request]) -> list[NDArray[np.float64]]:
        """Evaluate requests with one factor, which need no more of the covariance than its diagonal.

        Args:
            variances: of the inputs, shape (D,).
            requests: what to average.

        Returns:
            One array of shape (D,) for each request.

        Raises:
            InputError: a negative or infinite variance, a request with several factors, or an unknown function name.
        """
        if any(len(request) != 1 for request in requests):
            raise InputError("variances alone are enough only for requests with one factor")
        ready = self._ready(requests)
        own, names, back = variances, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        if len(variances) > 1:
            own, names, back = np.unique(variances, return_index=True, return_inverse=True)
        self.account.start()
        if not np.isfinite(own).all() or own[0] < 0:
            check_covariance(np.diag(own))  # says what is wrong
        found = []
        report, self.progress = self.progress, None
        for start in range(0, len(own), TOGETHER):
            part = slice(start, start + TOGETHER)
            found.append(self._average(Asked(np.diag(own[part]), ready.requests, False, names[part].tolist()), ready))
            if report is not None:
                report(min(start + TOGETHER, len(own)) / len(own))
        self.progress = report
        self.account.warn()
        place = back.ravel()
        return [(parts[0] if len(parts) == 1 else np.concatenate(parts))[place] for parts in zip(*found, strict=True)]

    def _ready(self, requests: Sequence[Request]) -> _Ready:
        """Look at requests, unless they were here before."""
        key = tuple(requests)
        if self._last is not None and key is self._last.requests:
            return self._last
        if key not in self._known:
            for name in {line[0] for request in key for _, lines in request for line in lines} - {IDENTITY}:
                if name not in self._functions:
                    raise InputError(f"unknown function {name!r} in a request; known: {sorted(self._functions)}")
            shapes = [Shape.of(request) for request in key]
            wanted = {n: shape.factors for n, shape in enumerate(shapes) if shape.axes and shape.weight}
            self._known[key] = _Ready(key, shapes, wanted)
        self._last = self._known[key]
        return self._last

    def _average(self, asked: Asked, ready: _Ready) -> list[NDArray[np.float64]]:
        """Average over distinct variables."""
        found: dict[int, Array] = {}
        weak: dict[int, tuple[Mask, Array | float]] = {}
        for n, whole in self._chooser.at_once(asked.covariance, ready.wanted, asked.distinct):
            found[n] = whole.values
            if whole.weak is not None:
                weak[n] = whole.weak, np.inf if whole.errors is None else whole.errors
        if rest := {n: request for n, request in ready.wanted.items() if n not in found}:
            found.update(zip(rest, self._sets.average(asked, rest, None, self.progress)[0], strict=True))
        for rank in (1, 2) if weak else ():
            self._replace(asked, {n: ready.wanted[n] for n in weak if len(ready.wanted[n]) == rank}, found, weak)
        size, results = len(asked.covariance), []
        for n, (request, shape) in enumerate(zip(ready.requests, ready.shapes, strict=True)):
            if n in found and shape.weight == 1 and len(shape.axes) == len(request):
                results.append(found[n])
                continue
            array = shape.weight * found[n] if n in found else np.full((), float(shape.weight))
            if len(shape.axes) < len(request):
                kept = [size if axis in shape.axes else 1 for axis in range(len(request))]
                array = np.broadcast_to(array.reshape(kept) if n in found else array, (size,) * len(request))
            results.append(array)
        return results

    def _replace(
        self,
        asked: Asked,
        requests: Mapping[int, Request],
        found: dict[int, Array],
        weak: Mapping[int, tuple[Mask, Array | float]],
    ) -> None:
        """Average set by set what the methods for all inputs left out or lost digits of; the better estimate wins."""
        if not requests:
            return
        either = np.any([weak[n][0] for n in requests], axis=0)
        if either.ndim == 1:
            only = {1: np.argwhere(either)}
        else:
            either |= either.T
            only = {1: np.argwhere(np.diag(either)), 2: np.argwhere(np.triu(either, 1))}
        allowed = self._sets.allowed(bool(self._chooser.wanted.pieced))
        for n, value, error, scale in zip(requests, *self._sets.average(asked, requests, only), strict=True):
            where, bound = weak[n]
            with np.errstate(invalid="ignore"):
                better = where & ~(bound < error)
                final = np.where(better, error, bound)
                relative = np.where(where & (final > 0), final / np.where(scale > 0, scale, 1.0), 0.0)
            found[n] = np.where(better, value, found[n])
            relative[~np.isfinite(found[n])] = 0.0  # named by who asked
            self.account.seen(relative)
            for entry in np.argwhere(relative > allowed).tolist():
                self.account.judge(asked, n, entry, float(relative[tuple(entry)]), float(final[tuple(entry)]), allowed)


def representatives(k: Array) -> NDArray[np.int64]:
    """For each input the first one that is the same random variable."""
    variances = k.diagonal()
    if np.count_nonzero(k >= (1 - 2 * SAME) * variances[:, None]) == len(k):  # the diagonal: the common case
        return np.arange(len(k))
    apart = np.abs(variances[:, None] - k) + np.abs(variances - k)
    # the diagonal always holds, and the first that holds is the first of all
    same: NDArray[np.int64] = np.argmax(apart <= SAME * variances[:, None], axis=1)
    return same
