"""One layer with a polynomial as activation: averages are sums over pairings, and all numbers are rational."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from pertheory.algebra.gaussian import GaussianMoments
from pertheory.algebra.terms import Average
from pertheory.averages.atoms import IDENTITY
from pertheory.closure import Closure, covariance_type
from pertheory.graphs.tensor import canonical_slots
from pertheory.kernels.language import Program
from pertheory.witness.records import Expected, RationalStep
from pertheory.witness.terms import Key, PointValues, by_vertex, evaluate, place_of, reader
from pertheory.worker import Node

#: Degree of the polynomial activation and number of inputs, to order 1/n and beyond it, where ranks are higher.
DEGREES, INPUTS = (4, 3), (4, 2)
#: Components of a tensor that are compared.
COMPONENTS = 8

Exact = Fraction | int


State = dict[tuple[Key, tuple[int, ...]], Exact]


def exact_step(theory: Closure, program: Program) -> RationalStep:
    """A layer from random tensors, some components of each tensor of the new state."""
    one = program.inputs == "one"
    beyond = program.order > 1
    degree, inputs = DEGREES[beyond], INPUTS[beyond]
    draw = random.Random(f"{program.network} {program.order} {program.inputs}")
    # whole numbers where they do: sums over pairings are then sums of integers
    coefficients = {name: [draw.randint(1, 5) for _ in range(degree + 1)] for name in _names(program)}
    symbols = {name: draw.randint(1, 5) for name, _ in program.hyperparameters}
    ratios = [Fraction(draw.randint(5, 12), 8) for _ in program.levels]
    last = len(program.levels) - 1
    nodes = {node.key: node for node in theory.nodes if node.sublayer == last}
    order = [nodes[kernel.key] for kernel in program.levels[last].kernels]
    state, arrays = _random_state(theory, order, inputs, one)
    entries: list[Expected] = []
    for level in range(last + 1):
        previous = state
        wick = Wick(coefficients, _covariances(theory, (level - 1) % len(program.levels), previous, inputs))
        numbers = PointValues(wick.average, reader(previous), symbols, ratios[level])
        state = {}
        for node in [n for n in theory.nodes if n.sublayer == level]:
            terms = theory.recursion(node).terms
            places = list(_places(node, inputs, one))
            if level == last:
                places = _some(draw, node, places, inputs)
            known: dict[tuple[int, ...], tuple[Exact, Exact]] = {}
            for at in places:
                slots = canonical_slots(node.kind, by_vertex(node, at))
                if slots not in known:
                    known[slots] = evaluate(terms, at * node.kind.size if one else at, numbers)
                value, size = known[slots]
                state[(node.kind, node.order), slots] = value
                if level == last:
                    entries.append(Expected(0, order.index(node), place_of(at, inputs), float(value), float(size)))
    polynomials, requests = _requests(program, coefficients)
    return RationalStep(
        inputs,
        polynomials,
        requests,
        arrays,
        tuple(float(symbols[name]) for name, _ in program.hyperparameters),
        tuple(float(ratio) for ratio in ratios),
        tuple(sorted(entries, key=lambda e: (e.tensor, e.place))),
    )


def _random_state(
    theory: Closure, order: Sequence[Node], inputs: int, one: bool
) -> tuple[State, tuple[tuple[float, ...], ...]]:
    """Tensors with the right symmetries, and as dense arrays."""
    covariances = {covariance_type(name) for name in theory.network.fields}
    state: State = {}
    arrays = []
    for node in order:
        array = []
        for at in _places(node, inputs, one):
            slots = canonical_slots(node.kind, by_vertex(node, at))
            draw = random.Random(f"{node.key} {slots}")
            value = draw.randint(1, 9)
            if node.order == 0 and node.kind in covariances:  # diagonally dominant
                value = 7 if slots[0] == slots[1] else draw.randint(1, 2)
            state[(node.kind, node.order), slots] = value
            array.append(float(value))
        arrays.append(tuple(array))
    return state, tuple(arrays)


def _some(draw: random.Random, node: Node, places: list[tuple[int, ...]], inputs: int) -> list[tuple[int, ...]]:
    """A few places, one with all inputs distinct among them where there is one."""
    if len(places) <= COMPONENTS:
        return places
    chosen = draw.sample(places, COMPONENTS)
    if node.kind.size <= inputs:
        chosen.append(tuple(draw.sample(range(inputs), node.kind.size)))
    return list(dict.fromkeys(chosen))


def _requests(
    program: Program, coefficients: Mapping[str, Sequence[int]]
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[int, ...], ...]]:
    """What each average holds at each of its inputs: the polynomials, and their numbers for each request."""
    pool: dict[tuple[float, ...], int] = {}
    requests = []
    for level in program.levels:
        for average in level.averages:
            axes = []
            for legs, lines in average.request:
                own = tuple(float(c) for c in _polynomial(coefficients, legs, lines)) or (0.0,)
                axes.append(pool.setdefault(own, len(pool)))
            requests.append(tuple(axes))
    return tuple(pool), tuple(requests)


def _names(program: Program) -> list[str]:
    lines = [line for level in program.levels for a in level.averages for _, own in a.request for line in own]
    return sorted({name for name, _ in lines} - {IDENTITY})


def _places(node: Node, inputs: int, one: bool) -> Iterator[tuple[int, ...]]:
    """All places of a tensor, in slot order."""
    if one:
        return iter([(i,) for i in range(inputs)])
    return product(range(inputs), repeat=node.kind.size)


def _covariances(theory: Closure, sublayer: int, state: State, inputs: int) -> dict[str, list[list[Exact | None]]]:
    """The covariance of each field; None where it is not known (other inputs in a theory for one)."""
    found = {}
    for field, _ in theory.network.sublayers[sublayer].fields:
        kind = covariance_type(field)
        rows: list[list[Exact | None]] = []
        for a in range(inputs):
            rows.append([state.get(((kind, 0), canonical_slots(kind, (a, b)))) for b in range(inputs)])
        found[field] = rows
    return found


def _polynomial(coefficients: Mapping[str, Sequence[int]], legs: int, lines: Sequence[tuple[str, int]]) -> list[int]:
    """A derivative of a product of derivatives of polynomials: coefficients of 1, x, x^2, ..."""

    def derived(own: Sequence[int], times: int) -> list[int]:
        result = list(own)
        for _ in range(times):
            result = [power * c for power, c in enumerate(result)][1:]
        return result

    total = [1]
    for name, order in lines:
        own = derived([0, 1] if name == IDENTITY else coefficients[name], order)
        following = [0] * max(len(total) + len(own) - 1, 0)
        for i, a in enumerate(total):
            for j, b in enumerate(own):
                following[i + j] += a * b
        total = following
    return derived(total, legs)


class Wick:
    """Averages of polynomials, as sums over pairings."""

    def __init__(
        self,
        coefficients: Mapping[str, Sequence[int]],
        covariances: Mapping[str, Sequence[Sequence[Exact | None]]],
    ) -> None:
        self._coefficients = coefficients
        self._moments = {field: GaussianMoments(rows, int) for field, rows in covariances.items()}
        self._known: dict[Average, Exact] = {}

    def average(self, average: Average) -> Exact:
        """The average of what stands at each input."""
        if average not in self._known:
            moments = self._moments[average.field]
            total: Exact = 0
            factors = [_polynomial(self._coefficients, f.legs, f.lines) for f in average.factors]
            for powers in product(*(range(len(own)) for own in factors)):
                weight = prod((own[p] for own, p in zip(factors, powers, strict=True)), start=1)
                if weight:
                    exponents = [0] * len(moments.covariance)
                    for factor, power in zip(average.factors, powers, strict=True):
                        exponents[factor.sample] += power
                    total += weight * moments.moment(tuple(exponents))
            self._known[average] = total
        return self._known[average]
