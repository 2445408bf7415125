"""Numbers for self-tests of emitted code, found without that code: no kernels, no printers, no quadrature of ours.

Two ways. With a polynomial as activation all Gaussian averages are finite sums over pairings, and a step from random
rational tensors is exact in rational arithmetic. With the activation itself, averages over one or two inputs are
integrated with 25 digits, derivatives by Taylor arithmetic, and all layers are run in that precision.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import mpmath
from mpmath.calculus.quadrature import GaussLegendre

from pertheory.algebra.terms import Average, Factor, Terms
from pertheory.closure import Theory, covariance_type
from pertheory.emit.c.folder.selftest import Entry, Layers, SelfTest, Step
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.kernels.language import Program
from pertheory.numeric.atoms import IDENTITY, Product, expand, tidy
from pertheory.numeric.reduce import Divergent, distribution, reduce_terms, singular_lines
from pertheory.recursion import Recursion
from pertheory.rulebook.activation import Activation
from pertheory.rulebook.taylor import derivatives
from pertheory.work import Node

DIGITS = 25
#: Degree of the polynomial activation and number of inputs, to order 1/n and beyond it, where ranks are higher.
DEGREES, INPUTS = (4, 3), (4, 2)
#: Components of a tensor that are compared.
COMPONENTS = 8
#: The runs: depth and the Gram matrix over n_0.
DEPTH, GRAM = 3, ((0.6, 0.25), (0.25, 0.5))
#: Standard deviations beyond which the density is negligible in a double.
REACH = 10

Functions = Mapping[str, Activation]
Key = tuple[TensorType, int]
Exact = Fraction | int


def reference_values(theory: Theory, program: Program, functions: Functions) -> SelfTest:
    """What a self-test of a program compares with.

    Args:
        theory: from which the program was lowered.
        program: for the order of tensors, requests and hyperparameters.
        functions: the activation of each function of the network.
    """
    with mpmath.workdps(DIGITS):
        runs = [_single(theory, program, functions)]
        if program.inputs == "many" and not _jumps(functions):
            runs.append(_pair(theory, program, functions))
        return SelfTest(_step(theory, program), tuple(runs))


# ---- terms at a point ----


class Numbers(NamedTuple):
    """What the terms of a recursion are evaluated with.

    Attributes:
        average: the value of a Gaussian average whose factors carry inputs.
        component: the value of a component of a tensor below, in canonical slots.
        symbols: values of the hyperparameters.
        ratio: n / n_prev.
    """

    average: Callable[[Average], Any]
    component: Callable[[TensorType, int, tuple[int, ...]], Any]
    symbols: Mapping[str, Any]
    ratio: Any


def evaluate(terms: Terms, inputs: Sequence[int], numbers: Numbers) -> tuple[Any, Any]:
    """The sum of terms whose slot s carries the input ``inputs[s]``, and that of the absolute values."""
    exact = isinstance(numbers.ratio, Fraction)
    total: Any = Fraction(0) if exact else mpmath.mpf(0)
    size = total
    for term, coefficient in terms.items():
        value: Any = coefficient if exact else _mpf(coefficient)
        for symbol, power in term.couplings:
            value *= numbers.symbols[symbol] ** power
        value *= numbers.ratio**term.width_power
        for kind, order, slots in term.tensors:
            value *= numbers.component(kind, order, canonical_slots(kind, tuple(inputs[s] for s in slots)))
        for average in term.averages:
            factors = tuple(Factor(inputs[f.sample], f.legs, f.lines) for f in average.factors)
            value *= numbers.average(Average(average.field, factors))
        total, size = total + value, size + abs(value)
    return total, size


def _mpf(value: Any) -> Any:
    exact = Fraction(value)
    return mpmath.mpf(exact.numerator) / exact.denominator


def _first_layer(program: Program, theory: Theory, symbols: Mapping[str, Any], gram: Any) -> dict[Key, Any]:
    """G and H of the first layer for one entry of the Gram matrix; all else is zero."""
    state: dict[Key, Any] = {}
    nodes = {node.key: node for node in theory.nodes if node.sublayer == len(program.levels) - 1}
    for item in program.initial:
        value = mpmath.mpf(0)
        for parts, factor in ((item.constant, mpmath.mpf(1)), (item.gram, gram)):
            for coefficient, powers in parts:
                value += _mpf(coefficient) * factor * prod(symbols[name] ** power for name, power in powers)
        state[nodes[item.key].kind, nodes[item.key].order] = value
    return state


# ---- a polynomial, exactly ----


def _step(theory: Theory, program: Program) -> Step:
    one = program.inputs == "one"
    degree = DEGREES[program.order > 1]
    inputs = INPUTS[program.order > 1]
    draw = random.Random(f"{program.network} {program.order} {program.inputs}")
    # whole numbers where they do: sums over pairings are then sums of integers
    coefficients = {name: [draw.randint(1, 5) for _ in range(degree + 1)] for name in _names(program)}
    symbols = {name: draw.randint(1, 5) for name, _ in program.hyperparameters}
    ratios = [Fraction(draw.randint(5, 12), 8) for _ in program.levels]
    state: dict[tuple[Key, tuple[int, ...]], Exact] = {}
    last = len(program.levels) - 1
    nodes = {node.key: node for node in theory.nodes if node.sublayer == last}
    order = [nodes[kernel.key] for kernel in program.levels[-1].kernels]

    covariances = {covariance_type(name) for name in theory.network.fields}

    def below(node: Node, labels: tuple[int, ...]) -> Exact:
        """A component in the order of the vertices of the type, drawn when it is first asked for."""
        slots = canonical_slots(node.kind, labels)
        key = ((node.kind, node.order), slots)
        if key not in state:
            own = random.Random(f"{node.key} {slots}")
            if node.order == 0 and node.kind in covariances:  # diagonally dominant
                state[key] = 7 if slots[0] == slots[1] else own.randint(1, 2)
            else:
                state[key] = own.randint(1, 9)
        return state[key]

    arrays = []
    for node in order:
        spots = _spots(node, inputs, one)
        arrays.append(tuple(float(below(node, _by_vertex(node, at))) for at in spots))
    entries: list[Entry] = []
    for level in range(len(program.levels)):
        previous = dict(state)
        wick = Wick(coefficients, _exact_covariance(theory, (level - 1) % len(program.levels), previous, inputs))
        numbers = Numbers(wick.average, _reader(previous), symbols, ratios[level])
        state = {}
        final = level == last
        for node in [n for n in theory.nodes if n.sublayer == level]:
            recursion = theory.recursion(node)
            terms = recursion.terms
            spots = list(_spots(node, inputs, one))
            if final:
                chosen = spots if len(spots) <= COMPONENTS else draw.sample(spots, COMPONENTS - 2) + [spots[0], spots[-1]]
                if not one and len(node.kind.pairs) * 2 <= inputs:
                    chosen = [tuple(draw.sample(range(inputs), node.kind.size)), *chosen]  # all inputs distinct
            else:
                chosen = spots
            known: dict[tuple[int, ...], tuple[Exact, Exact]] = {}
            for at in dict.fromkeys(chosen):
                slots = canonical_slots(node.kind, _by_vertex(node, at))
                if slots not in known:
                    known[slots] = evaluate(terms, [at[0]] * node.kind.size if one else at, numbers)
                value, size = known[slots]
                state[(node.kind, node.order), slots] = value
                if final:
                    place = at[0] if one else _place(at, inputs)
                    entries.append(Entry(0, order.index(node), place, float(value), float(size)))
    pool: dict[tuple[float, ...], int] = {}
    requests = []
    for program_level in program.levels:
        for average in program_level.averages:
            axes = []
            for legs, lines in average.request:
                own = tuple(float(c) for c in _polynomial(coefficients, legs, lines)) or (0.0,)
                axes.append(pool.setdefault(own, len(pool)))
            requests.append(tuple(axes))
    return Step(
        inputs,
        tuple(pool),
        tuple(requests),
        tuple(arrays),
        tuple(float(symbols[name]) for name, _ in program.hyperparameters),
        tuple(float(ratio) for ratio in ratios),
        tuple(sorted(entries, key=lambda e: (e.tensor, e.place))),
    )


def _names(program: Program) -> list[str]:
    lines = [line for level in program.levels for a in level.averages for _, own in a.request for line in own]
    return sorted({name for name, _ in lines} - {IDENTITY})


def _spots(node: Node, inputs: int, one: bool) -> Iterator[tuple[int, ...]]:
    """All places of a tensor, in slot order."""
    if one:
        return iter([(i,) for i in range(inputs)])
    return product(range(inputs), repeat=node.kind.size)


def _by_vertex(node: Node, at: tuple[int, ...]) -> tuple[int, ...]:
    """The inputs of a place in the order of the vertices of the type."""
    if len(at) == 1:
        return at * node.kind.size
    labels = [0] * node.kind.size
    for slot, vertex in enumerate(node.tensor.slots):
        labels[vertex] = at[slot]
    return tuple(labels)


def _place(at: Sequence[int], inputs: int) -> int:
    place = 0
    for index in at:
        place = place * inputs + index
    return place


def _reader(
    state: Mapping[tuple[Key, tuple[int, ...]], Exact],
) -> Callable[[TensorType, int, tuple[int, ...]], Exact]:
    return lambda kind, order, slots: state[(kind, order), slots]


def _exact_covariance(
    theory: Theory, sublayer: int, state: Mapping[tuple[Key, tuple[int, ...]], Exact], inputs: int
) -> dict[str, list[list[Exact | None]]]:
    """The covariance of each field; None where it is not known (other inputs in a theory for one)."""
    found = {}
    for field, _ in theory.network.sublayers[sublayer].fields:
        kind = covariance_type(field)
        rows: list[list[Exact | None]] = []
        for a in range(inputs):
            rows.append([state.get(((kind, 0), canonical_slots(kind, (a, b)))) for b in range(inputs)])
        found[field] = rows
    return found


def _polynomial(coefficients: Mapping[str, Sequence[Exact]], legs: int, lines: Sequence[tuple[str, int]]) -> list[Exact]:
    """A derivative of a product of derivatives of polynomials: coefficients of 1, x, x^2, ..."""

    def derived(own: Sequence[Exact], times: int) -> list[Exact]:
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
        coefficients: Mapping[str, Sequence[Exact]],
        covariances: Mapping[str, Sequence[Sequence[Exact | None]]],
    ) -> None:
        self._coefficients = coefficients
        self._covariances = covariances
        self._moments: dict[tuple[str, tuple[tuple[int, int], ...]], Exact] = {}
        self._known: dict[Average, Exact] = {}

    def average(self, average: Average) -> Exact:
        """The average of what stands at each input."""
        if average not in self._known:
            total = 0
            factors = [_polynomial(self._coefficients, f.legs, f.lines) for f in average.factors]
            for powers in product(*(range(len(own)) for own in factors)):
                weight = prod((own[p] for own, p in zip(factors, powers, strict=True)), start=1)
                if weight:
                    exponents: dict[int, int] = {}
                    for factor, power in zip(average.factors, powers, strict=True):
                        exponents[factor.sample] = exponents.get(factor.sample, 0) + power
                    key = tuple(sorted((i, p) for i, p in exponents.items() if p))
                    total += weight * self._moment(average.field, key)
            self._known[average] = total
        return self._known[average]

    def _moment(self, field: str, exponents: tuple[tuple[int, int], ...]) -> Exact:
        if not exponents:
            return 1
        if sum(power for _, power in exponents) % 2:
            return 0
        if (field, exponents) not in self._moments:
            left = dict(exponents)
            head = exponents[0][0]
            left[head] -= 1
            total = 0
            for other, power in left.items():
                if power:
                    strength = self._covariances[field][head][other]
                    assert strength is not None
                    rest = {**left, other: power - 1}
                    key = tuple(sorted((i, p) for i, p in rest.items() if p))
                    total += power * strength * self._moment(field, key)
            self._moments[field, exponents] = total
        return self._moments[field, exponents]


# ---- the activation itself, with many digits ----


class Values:
    """Derivatives of activations at points, each found once; at a kink the left piece holds."""

    def __init__(self, functions: Functions, highest: int) -> None:
        self._functions, self._highest = functions, highest
        self._known: dict[tuple[str, Any], list[Any]] = {}

    def __call__(self, lines: Product, x: Any) -> Any:
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
    for low, high in zip(edges, edges[1:], strict=False):
        count = int(mpmath.ceil((high - low) / width))
        for number in range(count):
            half = (high - low) / count / 2
            middle = low + (2 * number + 1) * half
            for node, weight in _legendre(degree):
                x = middle + half * node
                yield x, half * weight * mpmath.npdf(x)


class OneInput:
    """Averages at one input: what stands there is combined before it is averaged, so that kinks do no harm."""

    def __init__(self, functions: Functions, covariances: Mapping[str, Any], highest: int) -> None:
        self._functions = functions
        self._sigma = {field: mpmath.sqrt(k) for field, k in covariances.items()}
        self._kinks = sorted({kink for function in functions.values() for kink in function.kinks})
        self._points: dict[str, list[tuple[Any, Any]]] = {}
        self._values = Values(functions, highest)
        self._known: dict[tuple[str, int, Product], Any] = {}

    def average(self, average: Average) -> Any:
        """The average; NaN where it is infinite."""
        (factor,) = average.factors
        key = (average.field, factor.legs, factor.lines)
        if key not in self._known:
            self._known[key] = self._find(average.field, factor.legs, factor.lines)
        return self._known[key]

    def _find(self, field: str, legs: int, lines: Product) -> Any:
        start = tidy(lines)
        if start is None:
            return mpmath.mpf(0)
        total = mpmath.mpf(0)
        group: dict[tuple[Product, ...], float] = {(own,): float(count) for own, count in expand(legs, start)}
        if all(function.is_smooth for function in self._functions.values()):
            return mpmath.fsum(_mpf(count) * self._regular(field, own) for (own,), count in group.items())
        try:
            for ((order, own),), count in reduce_terms(group, self._functions).items():
                found = distribution(order, own, self._functions)
                for part, weight in found.regular:
                    total += _mpf(count) * _mpf(weight) * self._regular(field, part)
                for (position, derivative), weight in found.deltas:
                    total += _mpf(count) * _mpf(weight) * self._delta(field, position, derivative)
        except Divergent:
            return mpmath.nan
        return total

    def _regular(self, field: str, lines: Product) -> Any:
        if not lines:
            return mpmath.mpf(1)
        sigma = self._sigma[field]
        if field not in self._points:
            self._points[field] = list(_nodes([_mpf(kink) / sigma for kink in self._kinks], mpmath.mpf(1)))
        return mpmath.fsum(weight * self._values(lines, sigma * x) for x, weight in self._points[field])

    def _delta(self, field: str, position: float, order: int) -> Any:
        """The average of a derivative of a delta: of the density's Hermite polynomial."""
        sigma = self._sigma[field]
        x = _mpf(position) / sigma
        below, hermite = mpmath.mpf(0), mpmath.mpf(1)
        for n in range(order):
            below, hermite = hermite, x * hermite - n * below
        return hermite * mpmath.npdf(x) / sigma ** (order + 1)


def _single(theory: Theory, program: Program, functions: Functions) -> Layers:
    """All tensors on one input."""
    symbols = _couplings(program)
    gram = _mpf(GRAM[0][0])
    state = _first_layer(program, theory, symbols, gram)
    recursions = {node: theory.recursion(node) for node in theory.nodes}
    highest = _highest(recursions.values())
    order = {kernel.key: number for number, kernel in enumerate(program.levels[-1].kernels)}
    last = len(program.levels) - 1
    entries = []
    for layer in range(2, DEPTH + 1):
        for level in range(len(program.levels)):
            below = dict(state)
            fields = theory.network.fields_below(level)
            covariances = {field: below[covariance_type(field), 0] for field in fields if (covariance_type(field), 0) in below}
            averages = OneInput(functions, covariances, highest)

            def component(kind: TensorType, k: int, _: tuple[int, ...], own: Mapping[Key, Any] = below) -> Any:
                return own[kind, k]

            numbers = Numbers(averages.average, component, symbols, mpmath.mpf(1))
            state = {}
            for node, recursion in recursions.items():
                if node.sublayer == level:
                    value, size = evaluate(recursion.single_input_terms, [0] * node.kind.size, numbers)
                    state[node.kind, node.order] = value
                    if level == last:
                        entries.append(Entry(layer, order[node.key], 0, float(value), float(size)))
    return Layers(
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
    return {name: _mpf(value) if value else _mpf(Fraction(1, 4)) for name, value in program.hyperparameters}


def _jumps(functions: Functions) -> bool:
    """Whether a function itself jumps, so that even its first derivative is no function."""
    return any(singular_lines(((name, 1),), functions) for name in functions)


class TwoInputs:
    """Averages of ordinary functions at two inputs."""

    def __init__(self, functions: Functions, covariances: Mapping[str, Any]) -> None:
        self._covariances = covariances
        self._kinks = [_mpf(k) for k in sorted({kink for function in functions.values() for kink in function.kinks})]
        self._values = Values(functions, 1)
        self._smooth = all(function.is_smooth for function in functions.values())
        self._known: dict[Average, Any] = {}
        self._points: dict[tuple[str, tuple[int, ...]], list[tuple[Any, Any, Any]]] = {}

    def average(self, average: Average) -> Any:
        """The average of what stands at one or two inputs."""
        if average not in self._known:
            lines: dict[int, Product] = {}
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


def _pair(theory: Theory, program: Program, functions: Functions) -> Layers:
    """K and Theta on two inputs, two layers."""
    symbols = _couplings(program)
    inputs = len(GRAM)
    wanted = [node for node in theory.nodes if node.order == 0 and len(node.kind.pairs) == 1]
    recursions: dict[Node, Recursion] = {node: theory.recursion(node) for node in wanted}
    order = {kernel.key: number for number, kernel in enumerate(program.levels[-1].kernels)}
    state: dict[tuple[Key, tuple[int, ...]], Any] = {}
    for a, b in product(range(inputs), repeat=2):
        for (kind, k), value in _first_layer(program, theory, symbols, _mpf(GRAM[a][b])).items():
            if len(kind.pairs) == 1:
                state[(kind, k), canonical_slots(kind, (a, b))] = value
    entries = []
    for level in range(len(program.levels)):
        below = dict(state)
        covariances = {
            field: [
                [below[(covariance_type(field), 0), canonical_slots(covariance_type(field), (a, b))] for b in range(inputs)]
                for a in range(inputs)
            ]
            for field in theory.network.fields_below(level)
            if any(kind == covariance_type(field) for (kind, _), _ in below)
        }
        numbers = Numbers(TwoInputs(functions, covariances).average, _reader(below), symbols, mpmath.mpf(1))
        state = {}
        for node, recursion in recursions.items():
            if node.sublayer != level:
                continue
            for at in product(range(inputs), repeat=2):
                slots = canonical_slots(node.kind, _by_vertex(node, at))
                if ((node.kind, node.order), slots) in state:
                    continue
                value, size = evaluate(recursion.terms, at, numbers)
                state[(node.kind, node.order), slots] = value
                if level == len(program.levels) - 1:
                    entries.append(Entry(2, order[node.key], _place(at, inputs), float(value), float(size)))
    flat = tuple(x for row in GRAM for x in row)
    hyper = tuple(float(symbols[name]) for name, _ in program.hyperparameters)
    return Layers("two inputs, built-in averages", inputs, 2, flat, hyper, tuple(entries))
