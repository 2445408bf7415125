"""Runs with the activation itself: averages over one or two inputs are integrated with many digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import mpmath
from mpmath.calculus.quadrature import GaussLegendre

from pertheory.algebra.terms import Average, Lines
from pertheory.averages.atoms import IDENTITY, expand, tidy
from pertheory.averages.reduce import Divergent, distribution, reduce_terms, singular_lines
from pertheory.closure import Closure, covariance_type
from pertheory.functions.activation import Activation
from pertheory.functions.taylor import derivatives
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.kernels.language import Program
from pertheory.recursion import Recursion
from pertheory.witness.records import Expected, ReferenceRun
from pertheory.witness.terms import Key, PointValues, by_vertex, evaluate, place_of, precise, reader
from pertheory.worker import Node

#: The runs: depth and the Gram matrix over n_0.
DEPTH, GRAM = 3, ((0.6, 0.25), (0.25, 0.5))
#: Standard deviations beyond which the density is negligible in a double.
REACH = 10

Functions = Mapping[str, Activation]


def _first_layer(theory: Closure, symbols: Mapping[str, Any], gram: Any) -> dict[Key, Any]:
    """The first layer for one entry of the Gram matrix, of which every average there is one."""
    numbers = PointValues(lambda _: gram, reader({}), symbols, mpmath.mpf(1))
    last = len(theory.network.sublayers) - 1
    return {
        (node.kind, node.order): evaluate(theory.first_layer(node).single_input_terms, [0] * node.kind.size, numbers)[0]
        for node in theory.nodes
        if node.sublayer == last
    }


class Values:
    """Derivatives of activations at points, each found once; at a kink the left piece holds."""

    def __init__(self, functions: Functions, highest: int) -> None:
        self._functions, self._highest = functions, highest
        self._known: dict[tuple[str, Any], list[Any]] = {}

    def __call__(self, lines: Lines, x: Any) -> Any:
        """A product of lines at a point."""
        result = mpmath.mpf(1)
        for name, order in lines:
            if name == IDENTITY:
                result *= x if order == 0 else int(order == 1)
                continue
            if (name, x) not in self._known:
                function = self._functions[name]
                part = sum(kink < x for kink in function.kinks)
                self._known[name, x] = derivatives(function, part, x, self._highest)
            result *= self._known[name, x][order]
        return result


@lru_cache(maxsize=4)
def _legendre(degree: int) -> list[tuple[Any, Any]]:
    nodes: list[tuple[Any, Any]] = GaussLegendre(mpmath.mp).get_nodes(-1, 1, degree, mpmath.mp.prec)
    return nodes


def _nodes(cuts: Sequence[Any], width: Any, degree: int = 4) -> Iterator[tuple[Any, Any]]:
    """Nodes and weights times the normal density on [-REACH, REACH], in panels that end at the cuts."""
    edges = sorted({mpmath.mpf(-REACH), mpmath.mpf(REACH), *(c for c in cuts if abs(c) < REACH)})
    for low, high in pairwise(edges):
        count = int(mpmath.ceil((high - low) / width))
        for number in range(count):
            half = (high - low) / count / 2
            middle = low + (2 * number + 1) * half
            for node, weight in _legendre(degree):
                x = middle + half * node
                yield x, half * weight * mpmath.npdf(x)


class OneInputQuadrature:
    """Averages at one input: what stands there is combined before it is averaged, so that kinks do no harm."""

    def __init__(self, functions: Functions, covariances: Mapping[str, Any], highest: int) -> None:
        self._functions = functions
        self._sigma = {field: mpmath.sqrt(k) for field, k in covariances.items()}
        self._kinks = sorted({kink for function in functions.values() for kink in function.kinks})
        self._points: dict[str, list[tuple[Any, Any]]] = {}
        self._values = Values(functions, highest)
        self._known: dict[tuple[str, int, Lines], Any] = {}

    def average(self, average: Average) -> Any:
        """The average; NaN where it is infinite."""
        (factor,) = average.factors
        key = (average.field, factor.legs, factor.lines)
        if key not in self._known:
            self._known[key] = self._find(average.field, factor.legs, factor.lines)
        return self._known[key]

    def _find(self, field: str, legs: int, lines: Lines) -> Any:
        start = tidy(lines)
        if start is None:
            return mpmath.mpf(0)
        total = mpmath.mpf(0)
        group: dict[tuple[Lines, ...], float] = {(own,): float(count) for own, count in expand(legs, start)}
        if all(function.is_smooth for function in self._functions.values()):
            return mpmath.fsum(precise(count) * self._regular(field, own) for (own,), count in group.items())
        try:
            for ((order, own),), count in reduce_terms(group, self._functions).items():
                found = distribution(order, own, self._functions)
                for part, weight in found.regular:
                    total += precise(count) * precise(weight) * self._regular(field, part)
                for (position, derivative), weight in found.deltas:
                    total += precise(count) * precise(weight) * self._delta(field, position, derivative)
        except Divergent:
            return mpmath.nan
        return total

    def _regular(self, field: str, lines: Lines) -> Any:
        if not lines:
            return mpmath.mpf(1)
        sigma = self._sigma[field]
        if field not in self._points:
            self._points[field] = list(_nodes([precise(kink) / sigma for kink in self._kinks], mpmath.mpf(1)))
        return mpmath.fsum(weight * self._values(lines, sigma * x) for x, weight in self._points[field])

    def _delta(self, field: str, position: float, order: int) -> Any:
        """The average of a derivative of a delta: of the density's Hermite polynomial."""
        sigma = self._sigma[field]
        x = precise(position) / sigma
        below, hermite = mpmath.mpf(0), mpmath.mpf(1)
        for n in range(order):
            below, hermite = hermite, x * hermite - n * below
        return hermite * mpmath.npdf(x) / sigma ** (order + 1)


def single_run(theory: Closure, program: Program, functions: Functions) -> ReferenceRun:
    """All tensors on one input."""
    symbols = _couplings(program)
    gram = precise(GRAM[0][0])
    state = _first_layer(theory, symbols, gram)
    recursions = {node: theory.recursion(node) for node in theory.nodes}
    highest = _highest(recursions.values())
    order = {kernel.key: number for number, kernel in enumerate(program.levels[-1].kernels)}
    last = len(program.levels) - 1
    entries = []
    for layer in range(2, DEPTH + 1):
        for level in range(len(program.levels)):
            below = dict(state)
            fields = theory.network.fields_below(level)
            covariances = {
                field: below[covariance_type(field), 0] for field in fields if (covariance_type(field), 0) in below
            }
            averages = OneInputQuadrature(functions, covariances, highest)

            def component(kind: TensorType, k: int, _: tuple[int, ...], own: Mapping[Key, Any] = below) -> Any:
                return own[kind, k]

            numbers = PointValues(averages.average, component, symbols, mpmath.mpf(1))
            state = {}
            for node, recursion in recursions.items():
                if node.sublayer == level:
                    value, size = evaluate(recursion.single_input_terms, [0] * node.kind.size, numbers)
                    state[node.kind, node.order] = value
                    if level == last:
                        entries.append(Expected(layer, order[node.key], 0, float(value), float(size)))
    return ReferenceRun(
        "one input, built-in averages",
        1,
        DEPTH,
        (GRAM[0][0],),
        tuple(float(symbols[name]) for name, _ in program.hyperparameters),
        tuple(entries),
    )


def _highest(recursions: Any) -> int:
    found = 1
    for recursion in recursions:
        for term in recursion.single_input_terms:
            for average in term.averages:
                for factor in average.factors:
                    found = max(found, factor.legs + max((order for _, order in factor.lines), default=0))
    return found


def _couplings(program: Program) -> dict[str, Any]:
    """The values that are run with: defaults, with biases and their learning rates switched on."""
    return {name: precise(value) if value else precise(Fraction(1, 4)) for name, value in program.hyperparameters}


def jumps(functions: Functions) -> bool:
    """Whether a function itself jumps, so that even its first derivative is no function."""
    return any(singular_lines(((name, 1),), functions) for name in functions)


class TwoInputQuadrature:
    """Averages of ordinary functions at two inputs."""

    def __init__(self, functions: Functions, covariances: Mapping[str, Any]) -> None:
        self._covariances = covariances
        self._kinks = [precise(k) for k in sorted({kink for function in functions.values() for kink in function.kinks})]
        self._values = Values(functions, 1)
        self._smooth = all(function.is_smooth for function in functions.values())
        self._known: dict[Average, Any] = {}
        self._points: dict[tuple[str, tuple[int, ...]], list[tuple[Any, Any, Any]]] = {}

    def average(self, average: Average) -> Any:
        """The average of what stands at one or two inputs."""
        if average not in self._known:
            lines: dict[int, Lines] = {}
            for factor in average.factors:
                lines[factor.sample] = (*lines.get(factor.sample, ()), *factor.lines)
            inputs = tuple(sorted(lines))
            places = self._pairs(average.field, inputs) if len(inputs) == 2 else self._line(average.field, inputs)
            self._known[average] = mpmath.fsum(
                weight * self._values(lines[inputs[0]], first) * self._values(lines[inputs[-1]], second)
                if len(inputs) == 2
                else weight * self._values(lines[inputs[0]], first)
                for first, second, weight in places
            )
        return self._known[average]

    def _line(self, field: str, inputs: tuple[int, ...]) -> list[tuple[Any, Any, Any]]:
        sigma = mpmath.sqrt(self._covariances[field][inputs[0]][inputs[0]])
        cuts = [kink / sigma for kink in self._kinks]
        return [(sigma * x, None, weight) for x, weight in _nodes(cuts, mpmath.mpf(1))]

    @staticmethod
    def _lattice(sigma: Any, slope: Any, spread: Any) -> list[tuple[Any, Any, Any]]:
        """The trapezoid rule, which converges exponentially for analytic functions."""
        step = mpmath.mpf(1) / 4
        line = [step * i for i in range(-36, 37)]
        return [
            (sigma * x, slope * x + spread * y, weight)
            for x in line
            for y in line
            if (weight := step**2 * mpmath.npdf(x) * mpmath.npdf(y)) > 1e-22
        ]

    def _pairs(self, field: str, inputs: tuple[int, ...]) -> list[tuple[Any, Any, Any]]:
        if (field, inputs) not in self._points:
            k = self._covariances[field]
            a, b = inputs
            sigma = mpmath.sqrt(k[a][a])
            slope = k[a][b] / sigma
            spread = mpmath.sqrt(k[b][b] - slope**2)
            width = mpmath.mpf(5) / 2
            points = []
            if self._smooth:
                self._points[field, inputs] = self._lattice(sigma, slope, spread)
                return self._points[field, inputs]
            # where a kink of the second would be met for no fluctuation of its own, the outer function bends
            outer = [kink / sigma for kink in self._kinks] + [kink / slope for kink in self._kinks]
            for x, weight in _nodes(outer, width, 3):
                inner = [(kink - slope * x) / spread for kink in self._kinks]
                for y, more in _nodes(inner, width, 3):
                    if weight * more > 1e-26:
                        points.append((sigma * x, slope * x + spread * y, weight * more))
            self._points[field, inputs] = points
        return self._points[field, inputs]


def pair_run(theory: Closure, program: Program, functions: Functions) -> ReferenceRun:
    """K and Theta on two inputs, two layers."""
    symbols = _couplings(program)
    inputs = len(GRAM)
    wanted = [node for node in theory.nodes if node.order == 0 and len(node.kind.pairs) == 1]
    recursions: dict[Node, Recursion] = {node: theory.recursion(node) for node in wanted}
    order = {kernel.key: number for number, kernel in enumerate(program.levels[-1].kernels)}
    state: dict[tuple[Key, tuple[int, ...]], Any] = {}
    for a, b in product(range(inputs), repeat=2):
        for (kind, k), value in _first_layer(theory, symbols, precise(GRAM[a][b])).items():
            if len(kind.pairs) == 1:
                state[(kind, k), canonical_slots(kind, (a, b))] = value
    entries = []
    for level in range(len(program.levels)):
        below = dict(state)
        covariances = {
            field: [
                [
                    below[(covariance_type(field), 0), canonical_slots(covariance_type(field), (a, b))]
                    for b in range(inputs)
                ]
                for a in range(inputs)
            ]
            for field in theory.network.fields_below(level)
            if any(kind == covariance_type(field) for (kind, _), _ in below)
        }
        numbers = PointValues(TwoInputQuadrature(functions, covariances).average, reader(below), symbols, mpmath.mpf(1))
        state = {}
        for node, recursion in recursions.items():
            if node.sublayer != level:
                continue
            for at in product(range(inputs), repeat=2):
                slots = canonical_slots(node.kind, by_vertex(node, at))
                if ((node.kind, node.order), slots) in state:
                    continue
                value, size = evaluate(recursion.terms, at, numbers)
                state[(node.kind, node.order), slots] = value
                if level == len(program.levels) - 1:
                    entries.append(Expected(2, order[node.key], place_of(at, inputs), float(value), float(size)))
    flat = tuple(x for row in GRAM for x in row)
    hyper = tuple(float(symbols[name]) for name, _ in program.hyperparameters)
    return ReferenceRun("two inputs, built-in averages", inputs, 2, flat, hyper, tuple(entries))
