"""What a list of requests needs of every set of distinct inputs, and where its values go.

An entry of a request is an average over the distinct inputs that its axes carry. What a set of one, two, three and four
inputs needs does not depend on which inputs they are, so it is planned once a size; entries that come down to the same
sum of nodes are one value. Evaluating a plan costs as much bookkeeping as there are sets, not as there are entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import accumulate, permutations
from itertools import product as cartesian
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import IDENTITY, Factor, expand, tidy
from pertheory.averages.evaluate import Layout, Numbers
from pertheory.averages.grids import Functions
from pertheory.averages.nodes import KinkedNodes, SetBuilder, SmoothNodes
from pertheory.averages.plan import STEIN, SUM, Entry, InputSet
from pertheory.averages.planning import fill
from pertheory.averages.quadrature import Array
from pertheory.averages.reduce import Divergent
from pertheory.averages.request import Request, request_classes

Places: TypeAlias = NDArray[np.int64]

#: A sum is told from zero where it is larger than so many errors, and than this part of its terms.
TOLD, CANCELLED = 100.0, 1e-9


class Shape(NamedTuple):
    """A request without the factors that do not depend on their inputs.

    Attributes:
        axes: that are left.
        factors: on these axes.
        weight: the product of the others.
    """

    axes: tuple[int, ...]
    factors: Request
    weight: int

    @staticmethod
    def of(request: Request) -> Shape:
        """Take out what is constant, such as the slope of the identity."""
        constants = [_constant(factor) for factor in request]
        axes = tuple(axis for axis, constant in enumerate(constants) if constant is None)
        weight = prod(constant for constant in constants if constant is not None)
        return Shape(axes, tuple(request[axis] for axis in axes), weight)


def _constant(factor: Factor) -> int | None:
    start = tidy(factor[1])
    terms = () if start is None else expand(factor[0], start)
    if not terms:
        return 0
    return terms[0][1] if len(terms) == 1 and terms[0][0] == () else None


class SetPlan:
    """What a set of so many inputs needs.

    Args:
        builder: of the set; the entries have been entered.
        requests: without constant factors.
        entries: of the requests.
        reasons: by their numbers why entries have no value.
        zero: whether they are over one more input, whose preactivation is always zero; it comes first.
    """

    def __init__(
        self,
        builder: SetBuilder,
        requests: tuple[Request, ...],
        entries: tuple[Entry, ...],
        reasons: Mapping[int, Divergent],
        zero: bool = False,
    ) -> None:
        self.kinked, self._requests = isinstance(builder, KinkedNodes), requests
        self.input_set: InputSet = builder.finish(() if zero else entries, entries if zero else ())
        self.layout = Layout(self.input_set, builder.lines)
        self.members = builder.size + zero
        leaves = sum(len(group.leaves) for group in self.input_set.groups)
        self.nodes = max(leaves + len(self.input_set.nodes), 1)
        self._entries: tuple[Entry, ...] = self.input_set.zero_entries if zero else self.input_set.entries
        values: dict[object, int] = {}
        self.shown: list[Entry] = []
        self.infinite: dict[int, Divergent] = {}
        self._value_of = []
        for number, entry in enumerate(self._entries):
            key = (number,) if entry.infinite else tuple(sorted(entry.terms, key=lambda term: term[1]))
            if key not in values:
                values[key] = len(self.shown)
                self.shown.append(entry)
                if entry.infinite:
                    self.infinite[values[key]] = reasons[number]
            self._value_of.append(values[key])
        terms = [(weight, node) for entry in self.shown for weight, node in (entry.terms or ((0.0, -1),))]
        weights = np.array([weight for weight, _ in terms])
        self._weights = np.stack([weights, np.abs(weights), np.abs(weights)])[:, :, None]
        self._nodes = np.array([node for _, node in terms], dtype=np.int64)
        self._starts = np.cumsum([0, *(max(len(entry.terms), 1) for entry in self.shown)])[:-1]
        self.evaluated = len(self.shown) if self.kinked else leaves
        self.sums = [leaves + n for n, node in enumerate(self.input_set.nodes) if node.kind == SUM]
        stein = np.array([*([False] * leaves), *(n.kind == STEIN for n in self.input_set.nodes), False])
        self._raised = np.array([bool(stein[[n for _, n in entry.terms]].any()) for entry in self.shown], dtype=bool)
        self._targets: dict[tuple[int, tuple[int, ...]], tuple[Places, Places, Places]] = {}

    @cached_property
    def places(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """For every entry of a request its value, the request, and the slot of each axis; all symmetric ones."""
        found = []
        for entry, value in zip(self._entries, self._value_of, strict=True):
            classes = request_classes(self._requests[entry.request])
            runs, start = [], 0
            for length in classes:
                runs.append(sorted(set(permutations(entry.slots[start : start + length]))))
                start += length
            for choice in cartesian(*runs):
                found.append((value, entry.request, tuple(slot for run in choice for slot in run)))
        return found

    def targets(self, inputs: int, starts: tuple[int, ...]) -> tuple[Places, Places, Places]:
        """For every entry its value, its offset in a buffer, and what the number of each member adds to it."""
        key = (inputs, starts)
        if key not in self._targets:
            values = np.array([value for value, _, _ in self.places], dtype=np.int64)
            offsets = np.array([starts[request] for _, request, _ in self.places], dtype=np.int64)
            strides = np.zeros((len(self.places), self.members), dtype=np.int64)
            for row, (_, _, slots) in zip(strides, self.places, strict=True):
                for axis, slot in enumerate(slots):
                    row[slot] += inputs ** (len(slots) - 1 - axis)
            self._targets = {key: (values, offsets, strides)}
        return self._targets[key]

    def evaluate(self, numbers: Numbers) -> tuple[Array, Array, Array]:
        """Values, errors and scales, one row a value, one column a set.

        The scale of one term is the average of its absolute value. Where terms are summed (by the product rule, by
        what deltas leave) it is the absolute value of the sum, so that their cancellation counts as a loss; a sum
        that its error, or `CANCELLED`, does not tell from zero has the sum of the scales of its terms.
        """
        if not self.shown:
            return (np.zeros((0, numbers.table.shape[2])),) * 3
        parts = self._weights * numbers.table[:, self._nodes]
        values, errors, scales = np.add.reduceat(parts, self._starts, axis=1)
        if self.kinked:
            largest = np.maximum.reduceat(parts[2], self._starts)
            with np.errstate(invalid="ignore"):
                told = np.abs(values) > np.maximum(TOLD * errors, CANCELLED * scales)
                combined = self._raised[:, None] | (scales > (1 + CANCELLED) * largest)
            scales = np.where(combined & told, np.abs(values), scales)
        for value in self.infinite:
            values[value] = np.nan
        errors[~np.isfinite(values)] = np.inf
        return values, errors, scales

    def reason(self, numbers: Numbers, value: int, place: int) -> Divergent:
        """Why a value is no number."""
        if value in self.infinite:
            return self.infinite[value]
        for _, node in self.shown[value].terms:
            if (place, node) in numbers.reasons:
                return Divergent(numbers.reasons[place, node])
        return Divergent("the average is infinite")


class SetPlans:
    """The plans of some requests, one for each number of inputs, each made when it is needed.

    Args:
        requests: without constant factors.
        functions: activations by name.
        apart: only entries whose axes all carry different inputs.
    """

    def __init__(self, requests: tuple[Request, ...], functions: Functions, apart: bool) -> None:
        self._requests, self._functions, self._apart = requests, functions, apart
        kinked = {name for name, function in functions if not function.is_smooth}
        self.kinked = any(line[0] in kinked for request in requests for _, lines in request for line in lines)
        self.ranks = [len(request) for request in requests]
        self._plans: dict[tuple[int, bool], SetPlan] = {}
        self._jobs: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._starts: dict[int, tuple[int, ...]] = {}

    def plan(self, size: int, zero: bool = False) -> SetPlan:
        """The plan of a set of so many inputs (and one that is always zero)."""
        if (size, zero) not in self._plans:
            builder = (KinkedNodes if self.kinked else SmoothNodes)(size, dict(self._functions), {(IDENTITY, 0): 0})
            entries, reasons = fill(builder, self._requests, self._apart, zero)
            self._plans[size, zero] = SetPlan(builder, self._requests, entries, reasons, zero)
        return self._plans[size, zero]

    def starts(self, inputs: int) -> tuple[int, ...]:
        """Where the entries of each request begin in a buffer, and its length."""
        if inputs not in self._starts:
            self._starts[inputs] = (0, *accumulate(inputs**rank for rank in self.ranks))
        return self._starts[inputs]

    def jobs(self, moving: int, still: int) -> list[tuple[int, int]]:
        """Sizes of sets for which anything is needed, without and with an input that is always zero."""
        if (moving, still) not in self._jobs:
            most = max(self.ranks, default=0)
            self._jobs[moving, still] = [
                (size, zero)
                for zero in range(1 + still)
                for size in range(1 - zero, moving + 1)
                if size + zero in self.ranks or (not self._apart and size + zero <= most)
            ]
        return self._jobs[moving, still]


@lru_cache(maxsize=64)
def set_plans(requests: tuple[Request, ...], functions: Functions, apart: bool) -> SetPlans:
    """Plans of requests, made once."""
    return SetPlans(requests, functions, apart)
