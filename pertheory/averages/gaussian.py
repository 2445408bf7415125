"""Numeric Gaussian averages of products of derivatives of activation functions.

The one place where the rest of the program asks for numbers: `GaussianAverages` takes the covariance over the inputs
and a list of requests. What has a closed form, and the two-point averages of many inputs, is done for all pairs at
once; for the rest `sets.py` tells what every set of distinct inputs needs, `evaluate.py` carries it out for many sets
at a time, and `choose.py` says which method averages what.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import IDENTITY, Factor, Line, Request, show_request
from pertheory.averages.choose import KINKED, MANY, MANY_KINKED, Chooser
from pertheory.averages.evaluate import Numbers, SetEvaluation
from pertheory.averages.exact import ClosedForms, closed_codes
from pertheory.averages.leaves import Leaves
from pertheory.averages.methods.closed import evaluate, is_accurate
from pertheory.averages.methods.kinked_pairs import KinkedPairs
from pertheory.averages.methods.mehler_pairs import ManyInputs
from pertheory.averages.quadrature import check_covariance
from pertheory.averages.reduce import Undefined
from pertheory.averages.sets import SetPlan, SetPlans, Shape, set_plans
from pertheory.errors import InputError, UnsupportedError
from pertheory.rulebook.activation import Activation

__all__ = ["Divergence", "Factor", "GaussianAverages", "Line", "Request"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

#: Distinct inputs that one entry may have.
MOST_INPUTS = 4
#: Numbers (nodes times sets) that are evaluated together.
BLOCK = 1_000_000
#: Inputs without the others that are averaged together.
TOGETHER = 64
#: About how long a set of one, two, three or four inputs takes, relative to one input.
EFFORT = (0.0, 1.0, 4.0, 12.0, 60.0)


@dataclass(frozen=True)
class Divergence:
    """An average that is infinite or undefined: the request, the inputs of the entry and why.

    Attributes:
        undefined: it has no value because an input has no variance and is at a kink; all else in it is finite.
    """

    request: Request
    inputs: tuple[int, ...]
    reason: str
    undefined: bool = False


@dataclass(frozen=True)
class _Weak:
    """An average whose estimated error is too large."""

    error: float
    absolute: float
    allowed: float
    place: str


class _Lost(NamedTuple):
    """Entries that a method for all pairs left out, and how far off those may be that it has all the same."""

    where: Mask
    bound: Array | None


class _Asked(NamedTuple):
    """A call: inputs have the names that the caller knows them by."""

    covariance: Array
    requests: tuple[Request, ...]
    distinct: bool
    names: Sequence[int]

    def show(self, request: int, inputs: Sequence[int]) -> str:
        """An entry as text."""
        own = list(dict.fromkeys(inputs))
        names = tuple(self.names[i] for i in inputs)
        k = self.covariance[np.ix_(own, own)].tolist()
        return f"{show_request(self.requests[request])} at inputs {names}, K = {k}"


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
        chooser: of methods; it keeps account of what they did.

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
        self._pieced = frozenset(name for name, function in functions.items() if not function.is_smooth)
        self.chooser = Chooser(self._functions, rtol)
        self._leaves = Leaves(self._functions, self.chooser)
        # functions have hashes that take long
        self._shapes: dict[tuple[Request, ...], list[Shape]] = {}
        self._forms: dict[tuple[Request, ...], dict[int, ClosedForms]] = {}
        self._plans: dict[tuple[tuple[Request, ...], bool], SetPlans] = {}
        self._weak: list[_Weak] = []
        self.divergences: list[Divergence] = []
        self.worst_error = 0.0
        self.evaluated = 0

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
            results = self._average(_Asked(k, tuple(requests), self._only_distinct, range(len(k))))
        else:  # inputs that are one variable: two axes that carry them meet, whatever their numbers
            small = self._average(_Asked(k[np.ix_(own, own)], tuple(requests), False, own.tolist()))
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
        own, names, back = variances, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        if len(variances) > 1:
            own, names, back = np.unique(variances, return_index=True, return_inverse=True)
        self._weak = []
        if not np.isfinite(own).all() or own[0] < 0:
            check_covariance(np.diag(own))  # says what is wrong
        found = []
        report, self.progress = self.progress, None
        for start in range(0, len(own), TOGETHER):
            part = slice(start, start + TOGETHER)
            k = np.diag(own[part])
            found.append(self._average(_Asked(k, tuple(requests), False, names[part].tolist())))
            if report is not None:
                report(min(start + TOGETHER, len(own)) / len(own))
        self.progress = report
        self._warn()
        place = back.ravel()
        return [(parts[0] if len(parts) == 1 else np.concatenate(parts))[place] for parts in zip(*found, strict=True)]

    def _check_names(self, requests: Sequence[Request]) -> None:
        for name in {line[0] for request in requests for _, lines in request for line in lines}:
            if name != IDENTITY and name not in self._functions:
                raise InputError(f"unknown function {name!r} in a request; known: {sorted(self._functions)}")

    def _average(self, asked: _Asked) -> list[NDArray[np.float64]]:
        """Average over distinct variables."""
        shapes = self._shapes.get(asked.requests)
        if shapes is None:
            shapes = self._shapes[asked.requests] = [Shape.of(request) for request in asked.requests]
        results: list[NDArray[np.float64]] = []
        found: dict[int, Array] = {}
        lost: dict[int, _Lost] = {}
        wanted = {n: shape for n, shape in enumerate(shapes) if shape.axes and shape.weight}
        rest = {n: shape.factors for n, shape in wanted.items()}
        for method in (self._closed, self._all_pairs, self._kinked_pairs):
            if rest and method(asked, rest, found, lost):
                rest = {n: request for n, request in rest.items() if n not in found}
        if rest:
            found |= zip(rest, self._evaluate(asked, rest)[0], strict=True)
        if lost:
            self._replace(asked, {n: wanted[n].factors for n in lost}, found, lost)
        size = len(asked.covariance)
        for n, (request, shape) in enumerate(zip(asked.requests, shapes, strict=True)):
            if n in found and shape.weight == 1 and len(shape.axes) == len(request):
                results.append(found[n])
                continue
            array = shape.weight * found[n] if n in found else np.full((), float(shape.weight))
            if len(shape.axes) < len(request):
                kept = [size if axis in shape.axes else 1 for axis in range(len(request))]
                array = np.broadcast_to(array.reshape(kept) if n in found else array, (size,) * len(request))
            results.append(array)
        return results

    def _closed(
        self, asked: _Asked, requests: Mapping[int, Request], found: dict[int, Array], lost: dict[int, _Lost]
    ) -> bool:
        """What has a closed form."""
        k, numbers = asked.covariance, list(requests)
        size, own = len(k), k.diagonal()
        key = tuple(requests.values())
        if key not in self._forms:
            self._forms[key] = closed_codes(key, self._frozen)
        for rank, form in self._forms[key].items():
            rows: Places = np.arange(size)
            columns = rows
            if rank == 2:
                upper, beyond = np.triu_indices(size, 1 if asked.distinct else 0)
                rows, columns = upper.astype(np.int64), beyond.astype(np.int64)
            shared = own if rank == 1 else k[rows, columns]
            for place, bounded in zip(form.places, evaluate(form.code, own[rows], shared, own[columns]), strict=True):
                value, error = bounded
                number = numbers[place.request]
                good = is_accurate(bounded)
                if any(line[0] in self._pieced for _, lines in requests[number] for line in lines):
                    good &= (own[rows] > 0) & (own[columns] > 0)  # it may be at a kink
                with np.errstate(all="ignore"):
                    worst = np.where(good & (value != 0), error / np.abs(value), 0.0)
                self.evaluated += int(good.sum())
                self._seen(worst)
                self.chooser.note("one or two inputs", "closed", int(good.sum()), float(worst.max(initial=0.0)))
                shape = (size,) * rank
                if number not in found:
                    found[number] = np.full(shape, np.nan)
                where: list[tuple[Places, ...]] = (
                    [(rows,)] if rank == 1 else [(columns, rows) if place.turned else (rows, columns)]
                )
                if place.symmetric:
                    where.append((columns, rows))
                for entries in where:
                    found[number][entries] = value
                    if not good.all():
                        if number not in lost:
                            lost[number] = _Lost(np.zeros(shape, dtype=bool), np.full(shape, np.inf))
                        lost[number].where[entries] = ~good
                        lost[number].bound[entries] = np.where(np.isfinite(value), error, np.inf)  # type: ignore[index]
        return bool(self._forms[key])

    def _replace(
        self, asked: _Asked, requests: Mapping[int, Request], found: dict[int, Array], lost: Mapping[int, _Lost]
    ) -> None:
        """Average directly what the methods for all pairs left out or lost digits of; the better estimate wins."""
        allowed = max(self._rtol, KINKED) if self._pieced else self._rtol
        for rank in (1, 2):
            own = {n: request for n, request in requests.items() if len(request) == rank}
            if not own:
                continue
            either = np.any([lost[n].where for n in own], axis=0)
            if rank == 1:
                only = {1: np.argwhere(either)}
            else:
                either |= either.T
                only = {1: np.argwhere(np.diag(either)), 2: np.argwhere(np.triu(either, 1))}
            direct = self._evaluate(asked, own, only)
            for place, n in enumerate(own):
                where, bound = lost[n]
                value, error, scale = (part[place] for part in direct)
                with np.errstate(invalid="ignore"):
                    better = where & ~(bound < error) if bound is not None else where
                    final = np.where(better, error, 0.0 if bound is None else bound)
                    relative = np.where(where & (final > 0), final / np.where(scale > 0, scale, 1.0), 0.0)
                found[n] = np.where(better, value, found[n])
                self._seen(relative)
                for entry in np.argwhere(relative > allowed).tolist():
                    shown = asked.show(n, entry)
                    weak = float(relative[tuple(entry)]), float(final[tuple(entry)])
                    self._weak.append(_Weak(*weak, allowed, shown))

    def _all_pairs(
        self, asked: _Asked, requests: Mapping[int, Request], found: dict[int, Array], lost: dict[int, _Lost]
    ) -> bool:
        """The two-point averages of smooth functions where inputs are many."""
        k = asked.covariance
        if len(k) < (MANY if any(len(request) > 2 for request in requests.values()) else 2):
            return False
        own = {
            n: request
            for n, request in requests.items()
            if len(request) == 2 and not any(line[0] in self._pieced for _, lines in request for line in lines)
        }
        if not own:
            return False
        pairs = ManyInputs(self._frozen, k, range(len(k)), list(own.values()))
        for number, request in own.items():
            array, error, left = pairs.average(*request)
            if error <= self._rtol:
                found[number] = array
                self.evaluated += len(k) * (len(k) + 1) // 2
                self._seen(error)
                self.chooser.note("two, smooth", "mehler series", len(k) * (len(k) + 1) // 2, error)
                if left.any():
                    lost[number] = _Lost(left, None)
        return True

    def _kinked_pairs(
        self, asked: _Asked, requests: Mapping[int, Request], found: dict[int, Array], lost: dict[int, _Lost]
    ) -> bool:
        """The two-point averages of functions with pieces where inputs are many."""
        k = asked.covariance
        if len(k) < MANY_KINKED or not self._pieced:
            return False
        pairs = KinkedPairs(self._frozen, k)
        own = {
            n: request
            for n, request in requests.items()
            if any(line[0] in self._pieced for _, lines in request for line in lines) and pairs.supports(request)
        }
        if not own:
            return False
        for number, (array, error, left) in zip(own, pairs.averages(list(own.values())), strict=True):
            if error <= max(self._rtol, KINKED):
                found[number], lost[number] = array, _Lost(left, None)
                self.evaluated += len(k) * (len(k) - 1) // 2
                self._seen(error)
                self.chooser.note("two, kinked", "mehler series", len(k) * (len(k) - 1) // 2, error)
        return True

    def _evaluate(
        self, asked: _Asked, requests: Mapping[int, Request], only: Mapping[int, Places] | None = None
    ) -> list[list[Array]]:
        """Average set by set of distinct inputs.

        Returns:
            The values of each request. With `only`, of the sets in it, and the errors and scales as well.
        """
        key = (tuple(requests.values()), asked.distinct)
        plans = self._plans.get(key)
        if plans is None:
            plans = self._plans[key] = set_plans(key[0], self._frozen, asked.distinct)
        numbers = list(requests)
        size = len(asked.covariance)
        starts = plans.starts(size)
        buffers = [np.full(starts[-1], np.nan) for _ in range(1 if only is None else 3)]
        self.chooser.forget()
        still, moving = np.zeros(0, dtype=np.int64), None
        if plans.kinked and not asked.covariance.diagonal().all():
            # an input without variance is no variable, and it may be at a kink
            still, moving = (np.flatnonzero(where) for where in _split(asked.covariance.diagonal() == 0))
        number = size - len(still)
        jobs = plans.jobs(number, len(still))
        if jobs and (most := max(q for q, _ in jobs)) > MOST_INPUTS:
            self._refuse(asked, plans, numbers, most)
        total = sum(EFFORT[q] * comb(number, q) for q, _ in jobs) or 1.0
        done = 0.0
        for q, zero in jobs:
            plan = plans.plan(q, bool(zero))
            if not plan.shown:
                continue
            if only is None:
                sets = _sets(number, q) if moving is None else moving[_sets(number, q)]
            else:
                sets = only.get(q + zero, np.empty((0, q + zero), dtype=np.int64))
                sets = sets[np.isin(sets, still).sum(axis=1) == zero]
                sets = sets[~np.isin(sets, still)].reshape(len(sets), q)
            groups = _equal(asked.covariance, sets)
            step = max(1, BLOCK // plan.nodes)
            for start in range(0, len(groups), step):
                some = groups[start : start + step]
                self._fill(asked, plan, numbers, some, still[:zero], buffers, starts)
                done += EFFORT[q] * sum(map(len, some))
                if self.progress is not None and only is None:
                    self.progress(min(done / total, 1.0))
        parts = list(zip(starts, starts[1:], plans.ranks, strict=False))
        return [[buffer[start:end].reshape((size,) * rank) for start, end, rank in parts] for buffer in buffers]

    def _fill(
        self,
        asked: _Asked,
        plan: SetPlan,
        numbers: Sequence[int],
        groups: Sequence[Places],
        still: Places,
        buffers: Sequence[Array],
        starts: tuple[int, ...],
    ) -> None:
        """Evaluate sets of inputs, one of each group, and put the values where they belong."""
        sets = np.array([group[0] for group in groups], dtype=np.int64).reshape(len(groups), -1)
        k = asked.covariance[sets[:, :, None], sets[:, None, :]]
        self._leaves.members = sets
        own = SetEvaluation(plan.layout, k, self._leaves).numbers()
        values, errors, scales = plan.evaluate(own)
        self.evaluated += plan.evaluated * len(sets)
        if len(buffers) == 1:
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = np.where(scales > 0, errors / scales, np.where(errors > 0, np.inf, 0.0))
            relative[~np.isfinite(values)] = 0.0  # what overflows is an error later, and named there
            self._judge(asked, plan, numbers, relative, errors, still, sets)
        everywhere = list(groups)
        if len(still):
            everywhere = [np.concatenate([np.tile(still, (len(group), 1)), group], axis=1) for group in groups]
        which, offsets, strides = plan.targets(len(asked.covariance), starts)
        if len(groups) == sum(map(len, groups)):
            places = offsets[:, None] + strides @ np.concatenate(everywhere).T
            for buffer, array in zip(buffers, (values, errors, scales), strict=False):
                buffer[places] = array[which]
        else:
            for n, group in enumerate(everywhere):
                places = offsets[:, None] + strides @ group.T
                for buffer, array in zip(buffers, (values, errors, scales), strict=False):
                    buffer[places] = array[which, n][:, None]
        if np.isnan(values).any():
            self._diverged(asked, plan, numbers, own, values, everywhere)

    def _judge(
        self,
        asked: _Asked,
        plan: SetPlan,
        numbers: Sequence[int],
        relative: Array,
        errors: Array,
        still: Places,
        sets: Places,
    ) -> None:
        """Keep the worst of some errors, and note those that are too large."""
        allowed = max(self._rtol, KINKED) if plan.kinked else self._rtol
        worst = self._seen(relative)
        for value, place in np.argwhere(~(relative <= allowed)).tolist() if not worst <= allowed else ():
            entry = plan.shown[value]
            members = [*still.tolist(), *sets[place].tolist()]
            where = asked.show(numbers[entry.request], [members[slot] for slot in entry.slots])
            self._weak.append(_Weak(float(relative[value, place]), float(errors[value, place]), allowed, where))

    def _diverged(
        self,
        asked: _Asked,
        plan: SetPlan,
        numbers: Sequence[int],
        own: Numbers,
        values: Array,
        groups: Sequence[Places],
    ) -> None:
        """Write down why entries are no numbers."""
        for value, place in np.argwhere(np.isnan(values)).tolist():
            reason = plan.reason(own, value, place)
            for _, request, slots in (item for item in plan.places if item[0] == value):
                for members in groups[place].tolist():
                    inputs = tuple(asked.names[members[slot]] for slot in slots)
                    self.divergences.append(
                        Divergence(asked.requests[numbers[request]], inputs, str(reason), isinstance(reason, Undefined))
                    )

    def _seen(self, errors: Array | float) -> float:
        """Keep the worst, and return that of these."""
        worst = float(np.max(errors, initial=0.0))
        self.worst_error = max(self.worst_error, worst)
        return worst

    def _refuse(self, asked: _Asked, plans: SetPlans, numbers: Sequence[int], size: int) -> None:
        request = next(n for n, rank in zip(numbers, plans.ranks, strict=True) if rank >= size)
        what = "a kinked activation at {} distinct inputs" if plans.kinked else "{} distinct inputs"
        raise UnsupportedError(
            f"{show_request(asked.requests[request])}: {what.format(size)} in one average; at most {MOST_INPUTS} can be"
        )

    def _warn(self) -> None:
        """One warning a call: the worst average, and how many others there are."""
        if not self._weak:
            return
        worst = max(self._weak, key=lambda weak: weak.error)
        more = f", the worst of {len(self._weak)} such estimates" if len(self._weak) > 1 else ""
        warnings.warn(
            f"{worst.place}: estimated relative error {worst.error:.1e} (absolute {worst.absolute:.1e}) "
            f"is above {worst.allowed:.1e}{more}",
            stacklevel=3,
        )


def _split(where: Mask) -> tuple[Mask, Mask]:
    return where, ~where


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
