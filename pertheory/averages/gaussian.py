"""Numeric Gaussian averages of products of derivatives of activation functions.

The one place where the rest of the program asks for numbers: `GaussianAverages` takes the covariance over the
inputs and a list of requests, has `shares.py` tell what every set of distinct inputs needs, and hands
each set to the method that is exact for it: nested trapezoids for smooth functions, moments on orthants and
piecewise integration for kinked ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import IDENTITY, Factor, Line, Request, show_request
from pertheory.averages.closed import ClosedAverages
from pertheory.averages.kinked import Divergent, KinkedAverages
from pertheory.averages.methods.kinked_pairs import MANY_KINKED, KinkedPairs
from pertheory.averages.methods.mehler_pairs import MANY, ManyInputs
from pertheory.averages.methods.trapezoid import SmoothAverages
from pertheory.averages.methods.trapezoid_single import Rules, single_averages
from pertheory.averages.quadrature import check_covariance
from pertheory.averages.shares import Atom, Place, Places, Plan, Share, Sum, make_plan
from pertheory.errors import InputError, UnsupportedError
from pertheory.rulebook.activation import Activation

__all__ = ["Divergence", "Factor", "GaussianAverages", "Line", "Request"]

Array = NDArray[np.float64]

#: Distinct inputs that one entry may have.
MOST_INPUTS = 4
#: Relative error of averages of kinked functions above which a warning is given even if less was asked for.
KINKED = 1e-8
#: Sets of inputs whose positions are worked out together.
BLOCK = 1024
#: Inputs without the others that are averaged together.
TOGETHER = 64
#: About how long a set of one, two, three or four inputs takes, relative to one input.
EFFORT = (0.0, 1.0, 4.0, 12.0, 60.0)


@dataclass(frozen=True)
class Divergence:
    """An average that is infinite or undefined: the request, the inputs of the entry and why."""

    request: Request
    inputs: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class _Weak:
    """An average whose estimated error is too large."""

    error: float
    allowed: float
    place: str


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
        divergences: what was infinite or undefined so far; the entries are NaN.
        worst_error: largest error estimate so far, relative to the scale of the average.
        progress: as given; may be replaced.
        evaluated: how many averages were integrated or summed so far (a closed form counts, a copy does not).

    Example:
        >>> import numpy as np
        >>> from pertheory.rulebook.activation import activation
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
        self._functions = dict(functions)
        self._frozen = tuple(sorted(self._functions.items()))
        self._rtol = rtol
        self._only_distinct = distinct
        self.progress = progress
        self._smooth = SmoothAverages(functions, rtol)
        self._pieced = frozenset(name for name, function in functions.items() if not function.is_smooth)
        self._has_closed = any(function.closed_form for function in functions.values())
        self._rules: Rules = {}
        self._other_error = 0.0
        self._weak: list[_Weak] = []
        self.divergences: list[Divergence] = []
        self.evaluated = 0

    @property
    def worst_error(self) -> float:
        """Largest error estimate so far, relative to the scale of the average."""
        return max(self._smooth.worst_error, self._other_error)

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
        k = check_covariance(covariance)
        self._check_names(requests)
        same = _representatives(k)
        own = np.unique(same)
        self._weak = []
        if len(own) == len(k):
            results = self._average(k, tuple(requests), self._only_distinct, range(len(k)))
        else:  # inputs that are one variable: two axes that carry them meet, whatever their numbers
            small = self._average(k[np.ix_(own, own)], tuple(requests), False, own.tolist())
            back = np.searchsorted(own, same)
            results = [array[np.ix_(*[back] * array.ndim)] for array in small]
        self._warn()
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
        self._check_names(requests)
        own, names, back = np.unique(variances, return_index=True, return_inverse=True)
        self._weak = []
        found = []
        report, self.progress = self.progress, None
        for start in range(0, len(own), TOGETHER):
            part = slice(start, start + TOGETHER)
            k = check_covariance(np.diag(own[part]))
            found.append(self._average(k, tuple(requests), False, names[part].tolist()))
            if report is not None:
                report(min(start + TOGETHER, len(own)) / len(own))
        self.progress = report
        self._warn()
        return [np.concatenate(parts)[back.ravel()] for parts in zip(*found, strict=True)]

    def _check_names(self, requests: Sequence[Request]) -> None:
        for name in {line[0] for request in requests for _, lines in request for line in lines}:
            if name != IDENTITY and name not in self._functions:
                raise InputError(f"unknown function {name!r} in a request; known: {sorted(self._functions)}")

    def _average(
        self, k: Array, requests: tuple[Request, ...], distinct: bool, names: Sequence[int]
    ) -> list[NDArray[np.float64]]:
        """Average over distinct variables; `names` are their numbers among all inputs."""
        found, missing = self._all_pairs(k, requests)
        rest = tuple(request for number, request in enumerate(requests) if number not in found)
        others = iter(self._evaluate(k, rest, distinct, names))
        results = [found[n] if n in found else next(others) for n in range(len(requests))]
        if missing:
            lacking = np.any(list(missing.values()), axis=0)
            some = {1: np.argwhere(np.diag(lacking)), 2: np.argwhere(np.triu(lacking, 1))}
            again = self._evaluate(k, tuple(requests[n] for n in missing), distinct, names, some)
            for (n, mask), array in zip(missing.items(), again, strict=True):
                results[n] = np.where(mask, array, results[n])
        return results

    def _all_pairs(
        self, k: Array, requests: tuple[Request, ...]
    ) -> tuple[dict[int, NDArray[np.float64]], dict[int, NDArray[np.bool_]]]:
        """The two-point averages where inputs are many.

        Returns:
            By the number of the request the averages, and, where there are any, the entries that are still missing.
        """
        wanted = [
            number
            for number, request in enumerate(requests)
            if len(request) == 2 and not any(line[0] in self._pieced for _, lines in request for line in lines)
        ]
        found, missing = self._kinked_pairs(k, requests)
        if len(k) < MANY or not wanted:
            return found, missing
        pairs = ManyInputs(self._frozen, k, range(len(k)), [requests[n] for n in wanted])
        for number in wanted:
            array, error, left = pairs.average(*requests[number])
            if error <= self._rtol:
                found[number] = array
                self.evaluated += len(k) * (len(k) + 1) // 2
                self._other_error = max(self._other_error, error)
                if left.any():
                    missing[number] = left
        return found, missing

    def _kinked_pairs(
        self, k: Array, requests: tuple[Request, ...]
    ) -> tuple[dict[int, NDArray[np.float64]], dict[int, NDArray[np.bool_]]]:
        """The two-point averages of functions with pieces."""
        pairs = KinkedPairs(self._frozen, k)
        wanted = [
            number
            for number, request in enumerate(requests)
            if any(line[0] in self._pieced for _, lines in request for line in lines) and pairs.supports(request)
        ]
        if len(k) < MANY_KINKED or not wanted:
            return {}, {}
        found, missing = {}, {}
        for number, (array, error, left) in zip(wanted, pairs.averages([requests[n] for n in wanted]), strict=True):
            if error <= max(self._rtol, KINKED):
                found[number], missing[number] = array, left
                self.evaluated += len(k) * (len(k) - 1) // 2
                self._other_error = max(self._other_error, error)
        return found, missing

    def _evaluate(
        self,
        k: Array,
        requests: tuple[Request, ...],
        distinct: bool,
        names: Sequence[int],
        only: Mapping[int, Places] | None = None,
    ) -> list[NDArray[np.float64]]:
        """Average set by set of distinct inputs; of the sets in `only` if it is given."""
        plan = make_plan(requests, len(k), self._pieced, distinct)
        buffer = np.full(plan.starts[-1], np.nan)
        # it looks at the whole covariance, which takes long for many inputs
        kinked = KinkedAverages(self._functions, k) if self._pieced else None
        closed = ClosedAverages(self._functions, k) if self._has_closed else None
        context = _Context(k, requests, plan, kinked, closed, names)
        self._refuse_large(context)
        total = sum(EFFORT[size] * count for size, count in plan.sets().items())
        done = 0.0
        for size, share in plan.shares.items():
            sets = _sets(len(k), size) if only is None else only.get(size, np.empty((0, size), dtype=np.int64))
            groups = _equal(k, sets)
            together = len(groups) if size == 1 else 1
            for start in range(0, len(groups), max(together, 1)):
                some = groups[start : start + together]
                averages = self._averages(context, share, some)
                for members, own in zip(some, averages, strict=True):
                    values = share.values(own)
                    for first in range(0, len(members), BLOCK):
                        buffer[share.positions(members[first : first + BLOCK])] = values[:, None]
                done += EFFORT[size] * sum(len(members) for members in some)
                if self.progress is not None:
                    self.progress(done / total if total else 1.0)
        for exact in (kinked, closed):
            if exact is not None:
                self._other_error = max(self._other_error, exact.worst_error)
        return plan.results(buffer)

    def _averages(self, context: _Context, share: Share, groups: Sequence[Places]) -> Array:
        """The averages of a share over some groups of sets of inputs with equal covariances, one row a group."""
        sets = np.array([group[0] for group in groups])
        found = np.empty((len(sets), len(share.atoms) + len(share.sums)))
        self.evaluated += found.size
        quick = [self._maybe_closed(atom) for atom in share.atoms] if self._has_closed else []
        if sets.shape[1] == 1 and not any(quick) and share.atoms:
            found[:, : len(share.atoms)] = self._single(context, share, sets)
        elif share.atoms:
            for row, members in zip(found, sets.tolist(), strict=True):
                row[: len(share.atoms)] = self._plain(context, share, members, quick)
        for row, group in zip(found, groups, strict=True):
            for number, total in enumerate(share.sums):
                row[len(share.atoms) + number] = self._bent(context, share, group, number, total)
        return found

    def _maybe_closed(self, atom: Atom) -> bool:
        names = {name for product in atom for name, _ in product} - {IDENTITY}
        return all(self._functions[name].closed_form for name in names)

    def _single(self, context: _Context, share: Share, sets: Places) -> Array:
        """All averages at one input, all inputs together."""
        inputs = sets[:, 0]
        products = [atom[0] for atom in share.atoms]
        values, errors = single_averages(
            self._smooth, self._frozen, context.covariance.diagonal()[inputs], products, self._rules
        )
        worst = errors.max(axis=1, initial=0.0)
        good = worst <= self._rtol
        self._other_error = max(self._other_error, float(worst[good].max(initial=0.0)))
        for row in np.nonzero(~good)[0].tolist():
            values[row] = self._integrated(context, share, [int(inputs[row])], range(len(share.atoms)))
        return values

    def _plain(self, context: _Context, share: Share, members: list[int], quick: Sequence[bool]) -> Array:
        """The averages of smooth functions over one set of inputs."""
        values = np.empty(len(share.atoms))
        left = []
        for number, atom in enumerate(share.atoms):
            exact = None
            if context.closed is not None and quick[number]:
                exact = context.closed.average(tuple(zip(members, atom, strict=True)))
            if exact is None:
                left.append(number)
            else:
                values[number] = exact
        if left:
            values[left] = self._integrated(context, share, members, left)
        return values

    def _integrated(self, context: _Context, share: Share, members: list[int], numbers: Sequence[int]) -> Array:
        k = context.covariance[np.ix_(members, members)]
        atoms = share.atoms if len(numbers) == len(share.atoms) else tuple(share.atoms[n] for n in numbers)
        values, errors = self._smooth.averages(k, atoms)
        errors = np.where(np.isfinite(values), errors, 0.0)  # what overflows is an error later, and named there
        worst = int(np.argmax(errors)) if len(errors) else 0
        if len(errors) and not errors[worst] <= self._rtol:
            self._note(float(errors[worst]), self._rtol, context.show(share.shown[numbers[worst]], members))
        return values

    def _bent(self, context: _Context, share: Share, group: Places, number: int, total: Sum) -> float:
        """A sum of averages of functions with pieces; NaN if it diverges."""
        members = group[0].tolist()
        place = share.shown[len(share.atoms) + number]
        kinked = context.kinked
        assert kinked is not None  # there are no sums without functions with pieces
        before, kinked.worst_error = kinked.worst_error, 0.0
        try:
            value = kinked.average([(tuple(zip(members, atom, strict=True)), count) for atom, count in total])
        except Divergent as error:
            for own in group.tolist():
                self.divergences += context.entries(share, len(share.atoms) + number, own, str(error))
            return float("nan")
        except UnsupportedError as error:
            raise UnsupportedError(f"{context.name(place, members)}: {error}") from None
        finally:
            found, kinked.worst_error = kinked.worst_error, max(before, kinked.worst_error)
        allowed = max(self._rtol, KINKED)
        if not found <= allowed:
            self._note(found, allowed, context.show(place, members))
        return value

    def _note(self, error: float, allowed: float, place: str) -> None:
        self._weak.append(_Weak(error, allowed, place))

    def _warn(self) -> None:
        """One warning a call: the worst average, and how many sets of inputs have others."""
        if not self._weak:
            return
        worst = max(self._weak, key=lambda weak: weak.error)
        more = f", the worst of {len(self._weak)} such estimates" if len(self._weak) > 1 else ""
        warnings.warn(
            f"{worst.place}: estimated relative error {worst.error:.1e} is above {worst.allowed:.1e}{more}",
            stacklevel=3,
        )

    def _refuse_large(self, context: _Context) -> None:
        """Refuse what cannot be averaged before anything has been."""
        for size, share in context.plan.shares.items():
            if size <= MOST_INPUTS:
                continue
            members = list(range(size))
            if share.atoms:
                raise UnsupportedError(
                    f"{context.name(share.shown[0], members)}: {size} distinct "
                    f"inputs in one average; at most {MOST_INPUTS} are supported"
                )
            if share.sums:
                self._bent(context, share, np.array([members]), 0, share.sums[0])


@dataclass(frozen=True)
class _Context:
    """What the averages of one call share; inputs have the names that the caller knows them by."""

    covariance: Array
    requests: tuple[Request, ...]
    plan: Plan
    kinked: KinkedAverages | None
    closed: ClosedAverages | None
    names: Sequence[int]

    def name(self, place: Place, members: Sequence[int]) -> str:
        inputs = tuple(self.names[i] for i in place.inputs(members))
        return f"{show_request(self.requests[place.request])} at inputs {inputs}"

    def show(self, place: Place, members: Sequence[int]) -> str:
        inputs = list(dict.fromkeys(place.inputs(members)))
        return f"{self.name(place, members)}, K = {self.covariance[np.ix_(inputs, inputs)].tolist()}"

    def entries(self, share: Share, column: int, members: Sequence[int], reason: str) -> Iterator[Divergence]:
        """All entries that an average enters, as divergences."""
        rows = np.isin(share.entries, share.rows[share.columns == column])
        places = share.positions(np.array([members]))[rows, 0]
        for place in places.tolist():
            number = int(np.searchsorted(self.plan.starts, place, side="right")) - 1
            inputs = np.unravel_index(place - self.plan.starts[number], self.plan.shapes[number])
            yield Divergence(self.requests[number], tuple(self.names[int(i)] for i in inputs), reason)


@lru_cache(maxsize=16)
def _sets(inputs: int, size: int) -> Places:
    """All sets of so many inputs, one a row."""
    return np.array(list(combinations(range(inputs), size)), dtype=np.int64).reshape(comb(inputs, size), size)


def _equal(k: Array, sets: Places) -> list[Places]:
    """Sets with the very same covariance: their averages are the same numbers."""
    if len(sets) <= 1 or sets.shape[1] == 0:
        return [sets] if len(sets) else []
    entries = k[sets[:, :, None], sets[:, None, :]].reshape(len(sets), -1)
    first, group = np.unique(entries, axis=0, return_index=True, return_inverse=True)[1:]
    if len(first) == len(sets):
        return [sets[n : n + 1] for n in range(len(sets))]
    order = np.argsort(group.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(group.ravel()))[:-1]
    return [sets[members] for members in np.split(order, ends)]


def _representatives(k: NDArray[np.float64]) -> list[int]:
    """Map each input to the first one that is the same random variable."""
    variances = k.diagonal()
    apart = np.abs(variances[:, None] - k) + np.abs(variances - k)
    # the diagonal always holds, and the first that holds is the first of all
    same: list[int] = np.argmax(apart <= 4e-16 * variances[:, None], axis=1).tolist()
    return same
