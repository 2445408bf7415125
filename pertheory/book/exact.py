"""A statement as an exact number: the second route, which uses neither Stein's lemma nor any other rewriting.

The formula is evaluated as it stands, with its z's, raised indices and sums over samples, at a random kernel, random
tensors with the right symmetries and a random polynomial activation. Then every Gaussian average is a finite sum over
pairings, all numbers are rational, and two sides are equal or not.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Mapping, Sequence
from copy import copy
from fractions import Fraction
from functools import cached_property, reduce
from itertools import product
from typing import Any

from pertheory.algebra.dual import Dual, dual
from pertheory.algebra.polynomial import add_sums, multiply_sums
from pertheory.algebra.terms import Terms
from pertheory.book import engine
from pertheory.book.canonical import KERNEL
from pertheory.book.indices import contracted, open_dummies
from pertheory.book.matrices import Matrix, invert_matrix, is_regular
from pertheory.book.syntax import Average, Component, Derivative, Expectation, Line, Node, Product, Slope, Symbol, Zed
from pertheory.book.visit import Interpreter, shown
from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.partitions import joint_cumulant
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.rulebook.network import Network

#: derivatives up to the fourth of the activation occur, so a polynomial needs at least this degree to tell them apart
DEGREE = 5
#: formulas are polynomials of at most twice this degree in a tensor other than K
SLOPE_STEPS = 3

Exponents = tuple[int, ...]
Polynomial = dict[Exponents, "Dual"]


class Point:
    """A random point: kernel, tensors, couplings and activation.

    Args:
        samples: how many different samples there are.
        seed: fixes everything.
        variable: the tensor type with respect to which slopes are taken, or None.
    """

    def __init__(self, samples: int, seed: str, variable: TensorType | None = None) -> None:
        self.seed, self.variable = seed, variable
        self.shift: dict[TensorType, int] = {}
        self.drawn: dict[tuple[TensorType, int, tuple[int, ...]], int] = {}
        draw = random.Random(seed)
        self.samples = samples
        self.activation = [draw.choice([-1, 1]) * draw.randint(2, 40) for _ in range(DEGREE + 1)]
        while True:
            off = [[draw.choice([-1, 1]) * draw.randint(2, 60) for _ in range(samples)] for _ in range(samples)]
            whole = [
                [off[min(a, b)][max(a, b)] if a != b else draw.randint(20, 200) for b in range(samples)]
                for a in range(samples)
            ]
            if is_regular(whole):
                break
        self.whole = whole
        own = 1 if variable == KERNEL else 0
        self.kernel = [[Dual(entry, own) for entry in row] for row in whole]  # type: ignore[arg-type]
        self.moments: dict[Exponents, Dual] = {(0,) * samples: dual(1)}
        self.raised: dict[tuple[TensorType, int], dict[Exponents, Dual]] = {}

    @cached_property
    def inverse(self) -> Matrix:
        """The inverse of the kernel, which raises indices."""
        found = invert_matrix(self.whole)
        assert found is not None, "a regular matrix has its inverse"
        return found

    def symbol(self, name: str) -> Dual:
        """The value of a scalar: a whole number, as a fraction that can be divided by."""
        value = Fraction(random.Random(f"{self.seed} {name}").randint(100, 100_000))
        return Dual(value, Fraction(0))

    def tensor(self, kind: TensorType, order: int, labels: Sequence[int]) -> Dual:
        """A component, in the order of the vertices of the type."""
        if kind == KERNEL and order == 0:
            return self.kernel[labels[0]][labels[1]]
        slots = canonical_slots(kind, tuple(labels))
        key = (kind, order, slots)
        if key not in self.drawn:
            self.drawn[key] = random.Random(f"{self.seed} {kind} {order} {slots}").randint(1_000, 100_000)
        value = self.drawn[key]
        value += self.shift.get(kind, 0) if order == 0 else 0
        return Dual(value, int(kind == self.variable and order == 0))  # type: ignore[arg-type]

    def moved(self, kind: TensorType, step: int) -> Point:
        """The same point with all components of a tensor raised by a number."""
        other = copy(self)
        other.raised = {}
        other.shift = {**self.shift, kind: self.shift.get(kind, 0) + step}
        return other

    def raised_tensor(self, kind: TensorType, order: int) -> dict[Exponents, Dual]:
        """All components with every index raised, one index after the other."""
        key = (kind, order)
        if key not in self.raised:
            everywhere = list(product(range(self.samples), repeat=kind.size))
            values = {at: self.tensor(kind, order, at).value for at in everywhere}
            for slot in range(kind.size):
                values = {
                    at: sum(
                        (
                            self.inverse[at[slot]][c] * values[(*at[:slot], c, *at[slot + 1 :])]
                            for c in range(self.samples)
                        ),
                        Fraction(0),
                    )
                    for at in everywhere
                }
            self.raised[key] = {at: dual(value) for at, value in values.items()}
        return self.raised[key]

    def moment(self, exponents: Exponents) -> Dual:
        """The Gaussian average of a product of powers of the preactivations."""
        known = self.moments.get(exponents)
        if known is not None:
            return known
        head = next(i for i, power in enumerate(exponents) if power)
        rest = [*exponents[:head], exponents[head] - 1, *exponents[head + 1 :]]
        total = dual(0)
        if sum(rest) % 2:
            for other, power in enumerate(rest):
                if power:
                    lower = rest.copy()
                    lower[other] -= 1
                    total = total + dual(power) * self.kernel[head][other] * self.moment(tuple(lower))
        self.moments[exponents] = total
        return total

    def function(self, order: int, sample: int) -> Polynomial:
        """A derivative of the activation at a sample."""
        coefficients = self.activation
        for _ in range(order):
            coefficients = [power * c for power, c in enumerate(coefficients)][1:]
        return {self.power(sample, power): dual(c) for power, c in enumerate(coefficients) if c}

    def power(self, sample: int, exponent: int) -> Exponents:
        """The exponents of a power of one preactivation."""
        return tuple([exponent if i == sample else 0 for i in range(self.samples)])

    @property
    def one(self) -> Exponents:
        """The exponents of a constant."""
        return (0,) * self.samples


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of polynomials in the preactivations."""
    if any(value.slope for value in a.values()) or any(value.slope for value in b.values()):
        return multiply_sums(a, b, _times)
    plain = multiply_sums({key: value.value for key, value in a.items()}, {k: v.value for k, v in b.items()}, _times)
    return {key: Dual(value, 0) for key, value in plain.items()}  # type: ignore[arg-type]


def _times(a: Exponents, b: Exponents) -> Exponents:
    return tuple(map(operator.add, a, b))


class Evaluator(Interpreter[Polynomial]):
    """Evaluates the sides of one statement at a point.

    Args:
        rule: the network whose recursions stand for tensors of the layer above.
        samples: the number of each sample label.
        point: the point.
    """

    def __init__(self, rule: Network, samples: Mapping[str, int], point: Point) -> None:
        self.rule, self.names, self.point = rule, dict(samples), point
        self.memo: dict[tuple[int, tuple[int, ...]], Polynomial] = {}
        self.open: dict[int, tuple[Node, tuple[str, ...]]] = {}
        self.sums: dict[int, tuple[str, ...]] = {}
        self.averages: dict[object, Dual] = {}
        self.of_engine: dict[tuple[TensorType, int, tuple[int, ...]], Dual] = {}

    def side(self, node: Node) -> Dual:
        """The value of one side."""
        found = self.value(node, self.names)
        return found.get(self.point.one, dual(0))

    def value(self, node: Node, place: Mapping[str, int]) -> Polynomial:
        """The value of a node, a polynomial in preactivations inside an average and a number outside."""
        if id(node) not in self.open:  # the node is kept with its dummies, so that no other one gets its id
            self.open[id(node)] = node, tuple(sorted(open_dummies(node)))
        key = (id(node), tuple([place[name] for name in self.open[id(node)][1]]))
        if key not in self.memo:
            self.memo[key] = self.fresh(node, place)
        return self.memo[key]

    def fresh(self, node: Node, place: Mapping[str, int]) -> Polynomial:
        """The value of a node that is not in the memory."""
        return self.interpret(node, place)

    def part(self, node: Node, *place: Any) -> Polynomial:
        """The value of a node below another one."""
        return self.value(node, *place)

    def number(self, value: Fraction | Dual) -> Polynomial:
        """A number as a polynomial."""
        return {self.point.one: value if isinstance(value, Dual) else dual(value)}

    def plus(self, a: Polynomial, b: Polynomial) -> Polynomial:
        """The sum."""
        return add_sums(a, b)

    def times(self, a: Polynomial, b: Polynomial) -> Polynomial:
        """The product."""
        return multiply(a, b)

    def inverse(self, value: Polynomial) -> Polynomial:
        """One over a number."""
        return self.number(value.get(self.point.one, dual(0)).inverse())

    def of_symbol(self, node: Symbol, *place: Any) -> Polynomial:
        """A scalar."""
        return self.number(self.point.symbol(node.name).value)

    def of_line(self, node: Line, *place: Any) -> Polynomial:
        """A derivative of the activation."""
        return self.point.function(node.order, place[0][node.label])

    def of_zed(self, node: Zed, *place: Any) -> Polynomial:
        """A preactivation."""
        return {self.point.power(place[0][node.label], 1): dual(1)}

    def of_component(self, node: Component, *place: Any) -> Polynomial:
        """A component of a tensor."""
        return self.number(self.component(node, tuple([place[0][label] for label in node.labels])))

    def of_derivative(self, node: Derivative, *place: Any) -> Polynomial:
        """A derivative of what stands behind it."""
        return self.derivative(self.value(node.of, *place), place[0][node.label])

    def of_average(self, node: Average, *place: Any) -> Polynomial:
        """An average, or the joint cumulant of several pieces."""
        return self.number(self.cumulant([self.value(piece, *place) for piece in node.pieces]))

    def of_slope(self, node: Slope, *place: Any) -> Polynomial:
        """The derivative with respect to K or to a tensor."""
        kind = engine.tensor_named(node.variable).kind
        if kind != self.point.variable:
            return self.number(self.slope_by_differences(kind, node.of))
        return self.number(dual(self.value(node.of, *place).get(self.point.one, dual(0)).slope))

    def of_expectation(self, node: Expectation, *place: Any) -> Polynomial:
        """Refused."""
        raise InputError("E[...] has no meaning in this kind of statement")

    def refuse(self, node: Any, *place: Any) -> Polynomial:
        """What has no number at a random point."""
        raise UnsupportedError(f"{shown(node)} has no numeric value")

    of_mark = of_call = of_raise = of_apply = refuse

    def slope_by_differences(self, kind: TensorType, of: Node) -> Dual:
        """The derivative with respect to a tensor in which a formula is a polynomial, by exact central differences."""
        total = dual(0)
        for step in range(1, SLOPE_STEPS + 1):
            # weights that are exact for polynomials of degree 2 * SLOPE_STEPS
            weight = Fraction(1, step)
            for other in range(1, SLOPE_STEPS + 1):
                if other != step:
                    weight *= Fraction(other**2, other**2 - step**2)
            for sign in (1, -1):
                moved = Evaluator(self.rule, self.names, self.point.moved(kind, sign * step))
                total = total + moved.side(of) * dual(sign * weight / 2)
        return total

    def of_product(self, node: Product, *place: Any) -> Polynomial:
        """A product, summed over the dummies that stand in it twice."""
        if id(node) not in self.sums:
            self.sums[id(node)] = contracted(node)
        names = self.sums[id(node)]
        total: Polynomial = {}
        for choice in product(*(self.values_of(name) for name in names)):
            here = {**place[0], **dict(zip(names, choice, strict=True))}
            term = self.number(dual(1))
            for factor in node.factors:
                term = multiply(term, self.value(factor, here))
                if not term:
                    break
            for key, value in term.items():
                total[key] = total[key] + value if key in total else value
        return total

    def values_of(self, name: str) -> range:
        """What a dummy runs over."""
        return range(self.point.samples)

    @staticmethod
    def derivative(polynomial: Polynomial, sample: int) -> Polynomial:
        """The derivative with respect to the preactivation at a sample."""
        total: Polynomial = {}
        for exponents, value in polynomial.items():
            if exponents[sample]:
                lower = tuple([e - (i == sample) for i, e in enumerate(exponents)])
                total[lower] = value * dual(exponents[sample])
        return total

    def mean(self, polynomial: Polynomial) -> Dual:
        """The Gaussian average."""
        total: Fraction = 0  # type: ignore[assignment]
        slope: Fraction = 0  # type: ignore[assignment]
        for exponents, (value, change) in polynomial.items():
            mean, moved = self.point.moment(exponents)
            total += value * mean
            if change or moved:
                slope += value * moved + change * mean
        return Dual(total, slope)

    def cumulant(self, pieces: list[Polynomial]) -> Dual:
        """The joint cumulant; of one piece the average."""

        def moment(block: tuple[int, ...]) -> Dual:
            return self.mean(reduce(multiply, [pieces[index] for index in block]))

        found: Dual = joint_cumulant(len(pieces), moment, dual)
        return found

    def component(self, node: Component, labels: tuple[int, ...]) -> Dual:
        """A component of a tensor; of the layer above what the engine's recursion gives for it."""
        tensor = engine.tensor_named(node.name)
        if node.raised:
            if tensor.kind == KERNEL and node.order == 0:
                return dual(self.point.inverse[labels[0]][labels[1]])
            return self.point.raised_tensor(tensor.kind, node.order)[engine.by_vertex(tensor, labels)]
        if not node.up and node.layer < 2:
            return self.point.tensor(tensor.kind, node.order, engine.by_vertex(tensor, labels))
        key = (tensor.kind, node.order, labels)
        if key not in self.of_engine:
            terms = engine.terms_of(self.rule, tensor.kind, node.order)
            if node.layer:
                terms = {
                    term: c
                    for term, c in terms.items()
                    if all(engine.first_layer(self.rule, part.kind, part.order) for part in term.tensors)
                }
            self.of_engine[key] = self.engine_value(terms, labels)
        return self.of_engine[key]

    def engine_value(self, terms: Terms, labels: tuple[int, ...]) -> Dual:
        """The engine's terms, evaluated; nothing of the canonical form is used."""
        point = self.point
        total = dual(0)
        for term, coefficient in terms.items():
            value = dual(coefficient)
            widths = (("n", term.width_power), ("n_prev", -term.width_power))
            for name, exponent in (*term.couplings, *widths):
                scalar = dual(point.symbol(name).value)
                for _ in range(abs(exponent)):
                    value = value * (scalar if exponent > 0 else scalar.inverse())
            for part in term.tensors:
                value = value * point.tensor(part.kind, part.order, [labels[slot] for slot in part.slots])
            for item in term.averages:
                value = value * self.average_of(*engine.lines_of(item, labels))
            total = total + value
        return total

    def average_of(self, lines: tuple[tuple[int, int], ...], zeds: tuple[int, ...]) -> Dual:
        """The average of derivatives of the activation, (sample, order) each, and of preactivations."""
        if (lines, zeds) not in self.averages:
            factors = [self.point.function(order, sample) for sample, order in lines]
            factors += [{self.point.power(sample, 1): dual(1)} for sample in zeds]
            self.averages[lines, zeds] = self.mean(reduce(multiply, factors, self.number(dual(1))))
        return self.averages[lines, zeds]
