"""From requests of a program and chosen functions to a plan of averages: no function and no symbol passes this gate.

Everything that does not depend on the covariance happens here: Leibniz' rule, which axes carry the same input, the
reduction of products at kinks to ordinary functions and deltas, Stein's lemma for their derivatives, and for piecewise
polynomials with their kink at zero the recursion down to probabilities of orthants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from itertools import product as cartesian
from typing import TYPE_CHECKING

import numpy as np

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY, atoms
from pertheory.averages.closed_forms import exact_code
from pertheory.averages.code import code_function, losses
from pertheory.averages.methods.closed import evaluate
from pertheory.averages.nodes import KinkedNodes, SetBuilder, SmoothNodes
from pertheory.averages.plan import SAFE, AverageGroup, AveragePlan, Entry, ExactCode, InputSet, RequestShape
from pertheory.averages.quadrature import Array
from pertheory.averages.reduce import Divergent, Undefined
from pertheory.averages.request import Request, request_classes
from pertheory.functions.activation import Activation

if TYPE_CHECKING:
    from pertheory.kernels.language import Program

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
    used = {name: functions[name] for name in sorted(names)}
    return AverageGroup(
        kinked=kinked,
        requests=tuple(RequestShape(number, request_classes(request)) for number, request in requests),
        sets=_sets(requests, functions, lines, kinked, True) if apart else full,
        full=full,
        singles=singles,
        pairs=pairs,
        safe=(1.0, 1.0) if singles is None or pairs is None else _safe((singles, pairs)),
        loss=losses(used, leaf_products(full, tuple(lines))),
    )


def leaf_products(sets: Iterable[InputSet], lines: Sequence[Line]) -> set[Lines]:
    """The products at one input that the leaves of some sets are averages of."""
    found: set[Lines] = set()
    for own in sets:
        columns: list[Lines] = []
        for column in own.columns:
            before = columns[column.parent] if column.parent >= 0 else ()
            columns.append(before if column.line < 0 else (*before, lines[column.line]))
        found.update(columns[n] for group in own.groups for leaf in group.leaves for n in leaf if n >= 0)
    return found


def _exact(
    requests: list[Request], functions: Mapping[str, Activation]
) -> tuple[ExactCode, ExactCode] | tuple[None, None]:
    """Closed forms, of requests of one axis and of two interchangeable ones; None unless all have them."""
    if any(request_classes(request) not in ((1,), (2,)) for request in requests):
        return None, None
    singles, pairs = (exact_code([r for r in requests if len(r) == rank], functions) for rank in (1, 2))
    return (None, None) if singles is None or pairs is None else (singles, pairs)


def _safe(codes: Sequence[ExactCode]) -> tuple[float, float]:
    """Between which variances averages at one input lose no more than `SAFE` units of rounding."""
    variances: Array = 2.0 ** np.arange(-460.0, 461.0, 4.0)
    good = np.ones(len(variances), dtype=bool)
    for code in codes:
        values, errors = evaluate(code, variances, variances, variances)
        good &= (np.isfinite(values) & (errors <= SAFE * np.finfo(float).eps * np.abs(values))).all(axis=0)
    bad = variances[~good].tolist()
    low = max((own for own in bad if own <= 1), default=variances[0] / 16)
    high = min((own for own in bad if own > 1), default=variances[-1] * 16)
    return float(low * 16), float(high / 16)


def _sets(
    requests: list[tuple[int, Request]],
    functions: Mapping[str, Activation],
    lines: dict[Line, int],
    kinked: bool,
    apart: bool,
) -> tuple[InputSet, ...]:
    make = KinkedNodes if kinked else SmoothNodes
    builders: list[SetBuilder] = [make(size, functions, lines) for size in range(MOST_INPUTS + 1)]
    plain = tuple(request for _, request in requests)
    filled = [[fill(builder, plain, apart, zero)[0] for zero in (False, True)] for builder in builders]
    return tuple(builder.finish(own, zero) for builder, (own, zero) in zip(builders, filled, strict=True))


def fill(
    builder: SetBuilder, requests: tuple[Request, ...], apart: bool, zero: bool
) -> tuple[tuple[Entry, ...], dict[int, Divergent]]:
    """Enter what requests need of a set of inputs.

    Args:
        builder: of the set.
        requests: the averages.
        apart: only entries whose axes all carry different inputs.
        zero: entries over one more input, whose preactivation is always zero.

    Returns:
        The entries, and by their numbers why some of them have no finite value whatever the covariance.
    """
    size = builder.size + zero
    entries: list[Entry] = []
    reasons: dict[int, Divergent] = {}
    for place, request in enumerate(requests):
        if size > len(request) or (apart and size < len(request)):
            continue
        for slots in _patterns(request_classes(request), size):
            try:
                entries.append(Entry(place, slots, builder.combine(atoms(request, slots), zero)))
            except Divergent as error:
                reasons[len(entries)] = error
                entries.append(Entry(place, slots, (), True, isinstance(error, Undefined)))
    return tuple(entries), reasons


def _patterns(classes: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """Slots of all axes: all of so many occur, and they do not increase inside a class."""
    rank = sum(classes)
    starts = [sum(classes[:n]) for n in range(len(classes))]
    for slots in cartesian(range(size), repeat=rank):
        if len(set(slots)) != size:
            continue
        runs = (slots[start : start + length] for start, length in zip(starts, classes, strict=True))
        if all(a >= b for run in runs for a, b in pairwise(run)):
            yield slots
