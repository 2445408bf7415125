"""From requests of a program and chosen functions to a plan of averages: no function and no symbol passes this gate.

Everything that does not depend on the covariance happens here: Leibniz' rule, which axes carry the same input, the
reduction of products at kinks to ordinary functions and deltas, Stein's lemma for their derivatives, and for piecewise
polynomials with their kink at zero the recursion down to probabilities of orthants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from itertools import product as cartesian

from pertheory.averages.atoms import IDENTITY, Line, atoms
from pertheory.averages.code import code_function
from pertheory.averages.exact import exact_code
from pertheory.averages.nodes import Atoms, KinkedNodes, SetBuilder, SmoothNodes
from pertheory.averages.plan import AverageGroup, AveragePlan, Entry, ExactCode, InputSet, RequestShape
from pertheory.averages.reduce import Divergent
from pertheory.kernels.language import Program, Request, request_classes
from pertheory.rulebook.activation import Activation

#: Distinct inputs that one entry may have.
MOST_INPUTS = 4


def plan_averages(program: Program, activations: Mapping[str, Activation]) -> AveragePlan:
    """Everything that a routine for the averages of a program has to know.

    Args:
        program: lowered with ``kinked`` where a function has kinks.
        activations: by the names that the requests use.

    Raises:
        UnsupportedError: a product of kinked functions that has no definite meaning.
    """
    requests = [array.request for level in program.levels for array in level.averages]
    names = {name for request in requests for _, factor in request for name, _ in factor}
    used = {name: function for name, function in sorted(activations.items()) if name in names}
    lines: dict[Line, int] = {(IDENTITY, 0): 0}
    groups = []
    number = 0
    for level in program.levels:
        for field, _ in level.covariances:
            own = [(number + n, array.request) for n, array in enumerate(level.averages) if array.field == field]
            groups.append(_group(own, used, lines))
        number += len(level.averages)
    orders = {name: tuple(sorted(order for line, order in lines if line == name)) for name in used}
    return AveragePlan(
        lines=tuple(lines),
        functions=tuple(code_function(name, used[name], orders[name]) for name in used if orders[name]),
        groups=tuple(groups),
    )


def _group(
    requests: list[tuple[int, Request]], functions: Mapping[str, Activation], lines: dict[Line, int]
) -> AverageGroup:
    names = {line[0] for _, request in requests for _, ls in request for line in ls} - {IDENTITY}
    kinked = any(not functions[name].is_smooth for name in names)
    # a program for kinked functions combines what stands at one input before it is averaged
    apart = any(not function.is_smooth for function in functions.values())
    full = _sets(requests, functions, lines, kinked, False)
    singles, pairs = _exact([request for _, request in requests], functions)
    return AverageGroup(
        kinked=kinked,
        requests=tuple(RequestShape(number, request_classes(request)) for number, request in requests),
        sets=_sets(requests, functions, lines, kinked, True) if apart else full,
        full=full,
        singles=singles,
        pairs=pairs,
    )


def _exact(
    requests: list[Request], functions: Mapping[str, Activation]
) -> tuple[ExactCode, ExactCode] | tuple[None, None]:
    """Closed forms, of requests of one axis and of two interchangeable ones; None unless all have them."""
    if any(request_classes(request) not in ((1,), (2,)) for request in requests):
        return None, None
    singles, pairs = (exact_code([r for r in requests if len(r) == rank], functions) for rank in (1, 2))
    return (None, None) if singles is None or pairs is None else (singles, pairs)


def _sets(
    requests: list[tuple[int, Request]],
    functions: Mapping[str, Activation],
    lines: dict[Line, int],
    kinked: bool,
    apart: bool,
) -> tuple[InputSet, ...]:
    make = KinkedNodes if kinked else SmoothNodes
    builders: list[SetBuilder] = [make(size, functions, lines) for size in range(MOST_INPUTS + 1)]
    entries: list[list[Entry]] = [[] for _ in builders]
    zero_entries: list[list[Entry]] = [[] for _ in builders]
    for place, (_, request) in enumerate(requests):
        for slots in _patterns(request_classes(request)):
            size = max(slots) + 1
            if apart and size < len(request):
                continue
            terms = atoms(request, slots)
            if size <= MOST_INPUTS:
                entries[size].append(_entry(place, slots, builders[size], terms, False))
            if size <= MOST_INPUTS + 1:
                zero_entries[size - 1].append(_entry(place, slots, builders[size - 1], terms, True))
    return tuple(
        builder.finish(tuple(own), tuple(zero))
        for builder, own, zero in zip(builders, entries, zero_entries, strict=True)
    )


def _entry(place: int, slots: tuple[int, ...], builder: SetBuilder, terms: Atoms, zero: bool) -> Entry:
    try:
        return Entry(place, slots, builder.combine(terms, zero))
    except Divergent:
        return Entry(place, slots, (), True)


def _patterns(classes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Slots of all axes: every slot from 0 on occurs, and they do not increase inside a class."""
    rank = sum(classes)
    starts = [sum(classes[:n]) for n in range(len(classes))]
    for slots in cartesian(range(min(rank, MOST_INPUTS + 1)), repeat=rank):
        if set(slots) != set(range(max(slots) + 1)):
            continue
        runs = (slots[start : start + length] for start, length in zip(starts, classes, strict=True))
        if all(a >= b for run in runs for a, b in pairwise(run)):
            yield slots
