"""Averages set by set of distinct inputs: which sets there are, many of them at a time, and where their values go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.account import Account, Asked, Divergence
from pertheory.averages.atoms import show_request
from pertheory.averages.choose import STEPS, Chooser
from pertheory.averages.evaluate import Numbers, SetEvaluation
from pertheory.averages.grids import EPSILON
from pertheory.averages.leaves import Leaves
from pertheory.averages.planning import MOST_INPUTS
from pertheory.averages.quadrature import SMALLEST, Array
from pertheory.averages.reduce import Undefined
from pertheory.averages.request import Request
from pertheory.averages.sets import SetPlan, SetPlans, set_plans
from pertheory.errors import UnsupportedError

Places: TypeAlias = NDArray[np.int64]

#: Numbers (nodes times sets) that are evaluated together.
BLOCK = 1_000_000
#: About how long a set of one, two, three or four inputs takes, relative to one input.
EFFORT = (0.0, 1.0, 4.0, 12.0, 60.0)


class SetWise:
    """Averages of requests over sets of inputs.

    Args:
        chooser: of methods.
        account: of what is done.
    """

    def __init__(self, chooser: Chooser, account: Account) -> None:
        self._chooser, self._account = chooser, account
        self._leaves = Leaves(chooser.wanted.functions, chooser)
        self._plans: dict[tuple[tuple[Request, ...], bool], SetPlans] = {}  # functions have hashes that take long

    def allowed(self, kinked: bool) -> float:
        """The relative error above which there is a warning."""
        wanted = self._chooser.wanted
        return max(wanted.rtol, wanted.kinked) if kinked else wanted.rtol

    def average(
        self,
        asked: Asked,
        requests: Mapping[int, Request],
        only: Mapping[int, Places] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> list[list[Array]]:
        """Average requests.

        Args:
            asked: the call.
            requests: those of its requests that are to be averaged, without constant factors, by their numbers.
            only: by size the sets that are wanted; else all.
            progress: called now and then with the fraction that is done.

        Returns:
            The values of each request. With `only`, of the sets in it, and the errors and scales as well.
        """
        key = (tuple(requests.values()), asked.distinct)
        if key not in self._plans:
            self._plans[key] = set_plans(key[0], self._chooser.wanted.frozen, asked.distinct)
        plans, numbers, size = self._plans[key], list(requests), len(asked.covariance)
        starts = plans.starts(size)
        buffers = [np.full(starts[-1], np.nan) for _ in range(1 if only is None else 3)]
        self._chooser.forget()
        still, moving = np.zeros(0, dtype=np.int64), None
        if plans.kinked and not asked.covariance.diagonal().all():
            # an input without variance is no variable, and it may be at a kink
            still, moving = (
                np.flatnonzero(asked.covariance.diagonal() == 0),
                np.flatnonzero(asked.covariance.diagonal()),
            )
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
                if progress is not None:
                    progress(min(done / total, 1.0))
        parts = list(zip(starts, starts[1:], plans.ranks, strict=False))
        return [[buffer[start:end].reshape((size,) * rank) for start, end, rank in parts] for buffer in buffers]

    def _fill(
        self,
        asked: Asked,
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
        found = values, errors, scales = plan.evaluate(own)
        self._account.evaluated += plan.evaluated * len(sets)
        if plan.sums:
            lost, sizes = own.table[1:, plan.sums]
            relative = np.divide(lost, sizes, out=np.zeros_like(lost), where=(sizes > 0) & np.isfinite(lost))
            self._account.note(STEPS, "orthants", relative.size, float(relative.max(initial=0.0)))
        if len(buffers) == 1:
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = np.where(scales > 0, errors / scales, np.where(errors > 0, np.inf, 0.0))
            # what is infinite is named by who asked, NaN below; of what underflows doubles know nothing
            relative[~np.isfinite(values) | (errors < SMALLEST / EPSILON)] = 0.0
            allowed = self.allowed(plan.kinked)
            if not self._account.seen(relative) <= allowed:
                for value, place in np.argwhere(~(relative <= allowed)).tolist():
                    entry, members = plan.shown[value], [*still.tolist(), *sets[place].tolist()]
                    inputs = [members[slot] for slot in entry.slots]
                    weak = float(relative[value, place]), float(errors[value, place])
                    self._account.judge(asked, numbers[entry.request], inputs, *weak, allowed)
        everywhere = list(groups)
        if len(still):
            everywhere = [np.concatenate([np.tile(still, (len(group), 1)), group], axis=1) for group in groups]
        which, offsets, strides = plan.targets(len(asked.covariance), starts)
        if len(groups) == sum(map(len, groups)):
            places = offsets[:, None] + strides @ np.concatenate(everywhere).T
            for buffer, array in zip(buffers, found, strict=False):
                buffer[places] = array[which]
        else:
            for n, group in enumerate(everywhere):
                places = offsets[:, None] + strides @ group.T
                for buffer, array in zip(buffers, found, strict=False):
                    buffer[places] = array[which, n][:, None]
        if np.isnan(values).any():
            self._diverged(asked, plan, numbers, own, values, everywhere)

    def _diverged(
        self,
        asked: Asked,
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
                    self._account.divergences.append(
                        Divergence(asked.requests[numbers[request]], inputs, str(reason), isinstance(reason, Undefined))
                    )

    def _refuse(self, asked: Asked, plans: SetPlans, numbers: Sequence[int], size: int) -> None:
        request = next(n for n, rank in zip(numbers, plans.ranks, strict=True) if rank >= size)
        what = "a kinked activation at {} distinct inputs" if plans.kinked else "{} distinct inputs"
        raise UnsupportedError(
            f"{show_request(asked.requests[request])}: {what.format(size)} in one average; at most {MOST_INPUTS} can be"
        )


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
