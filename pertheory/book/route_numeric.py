"""The numeric route: a statement as an exact number, without Stein's lemma or any other rewriting.

The formula is evaluated as it stands, with its z's, raised indices and sums over samples, at a random point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import product
from typing import Any

from pertheory.algebra.dual import Dual, dual
from pertheory.algebra.polynomial import add_into
from pertheory.algebra.terms import Terms
from pertheory.book import engine, syntax
from pertheory.book.canonical import KERNEL
from pertheory.book.indices import contracted, open_dummies
from pertheory.book.point import Point, Polynomial, product_of
from pertheory.book.syntax import Node
from pertheory.book.visit import Interpreter, shown
from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.partitions import joint_cumulant
from pertheory.graphs.tensor import TensorType
from pertheory.memo import kept
from pertheory.rulebook.network import Network

#: formulas are polynomials of at most twice this degree in a tensor other than K
SLOPE_STEPS = 3

Place = Mapping[str, int]


class NumericRoute(Interpreter[Polynomial]):
    """Evaluates the sides of one statement at a point: polynomials in preactivations, numbers outside averages.

    Args:
        rule: the network whose recursions stand for tensors of the layer above.
        samples: the number of each sample label.
        point: the point.
    """

    lacks = "meaning"

    def __init__(self, rule: Network, samples: Place, point: Point) -> None:
        self.rule, self.names, self.point = rule, dict(samples), point
        self.memo: dict[tuple[int, tuple[int, ...]], Polynomial] = {}
        self.open: dict[int, tuple[Node, tuple[str, ...]]] = {}
        self.contracted: dict[int, tuple[str, ...]] = {}
        self.of_engine: dict[tuple[TensorType, int, tuple[int, ...]], Dual] = {}

    def side(self, node: Node) -> Dual:
        """The value of one side.

        Raises:
            InputError: what fluctuates stands outside an average and an expectation.
        """
        found = self.interpret(node, self.names)
        if any(exponents != self.point.one for exponents in found):
            raise InputError("s, z, Obs or f stands outside an average <...> and an expectation E[...]")
        return self.constant(found)

    def constant(self, polynomial: Polynomial) -> Dual:
        """The term without preactivations."""
        return polynomial.get(self.point.one, dual(0))

    def interpret(self, node: Node, *place: Any) -> Polynomial:
        """The value of a node at a place, which tells the number of each label; kept in a memory."""
        if id(node) not in self.open:  # the node is kept with its dummies, so that no other one gets its id
            self.open[id(node)] = node, tuple(sorted(open_dummies(node)))
        key = (id(node), tuple([place[0][name] for name in self.open[id(node)][1]]))
        if key not in self.memo:
            self.memo[key] = super().interpret(node, *place)
        return self.memo[key]

    def number(self, value: Fraction) -> Polynomial:
        """A rational number."""
        return self.point.number(dual(value.numerator if value.denominator == 1 else value))  # whole numbers are fast

    def times(self, a: Polynomial, b: Polynomial) -> Polynomial:
        """The product."""
        return product_of(a, b)

    def inverse(self, value: Polynomial) -> Polynomial:
        """One over a number."""
        return self.point.number(self.constant(value).inverse())

    def meaning(self, node: Node, *place: Any) -> Polynomial:
        """The value of a node at a place."""
        match node:
            case syntax.Product():
                return self.product(node, *place)
            case syntax.Sum(terms):
                total: Polynomial = {}
                for term in terms:
                    add_into(total, self.interpret(term, *place))
                return total
            case syntax.Symbol(name):
                return self.point.number(self.point.symbol(name))
            case syntax.Line(order):
                return self.point.function(order, self.field(node, *place))
            case syntax.Zed():
                return {self.point.power(self.field(node, *place), 1): dual(1)}
            case syntax.Component(labels=labels):
                return self.point.number(self.component(node, tuple([place[0][label] for label in labels])))
            case syntax.Derivative(of=of):
                return derivative(self.interpret(of, *place), self.field(node, *place))
            case syntax.Average(pieces):
                found = [self.interpret(piece, *place) for piece in pieces]
                return self.point.number(self.joint_cumulant(found, self.point.mean))
            case syntax.Slope(variable, of):
                kind = engine.tensor_named(variable).kind
                if kind != self.point.variable:
                    return self.point.number(self.slope_by_differences(kind, of))
                return self.number(self.constant(self.interpret(of, *place)).slope)
            case syntax.Mark() | syntax.Raise() | syntax.Apply():
                raise UnsupportedError(f"{shown(node)} has no numeric value")
        return super().meaning(node, *place)

    def product(self, node: syntax.Product, place: Place) -> Polynomial:
        """A product, summed over the dummies that stand in it twice."""
        if id(node) not in self.contracted:
            self.contracted[id(node)] = contracted(node)
        names = self.contracted[id(node)]
        total: Polynomial = {}
        for choice in product(*(self.values_of(name) for name in names)):
            here = {**place, **dict(zip(names, choice, strict=True))}
            term = self.number(Fraction(1))
            for factor in node.factors:
                term = self.times(term, self.interpret(factor, here))
                if not term:
                    break
            add_into(total, term)
        return total

    def values_of(self, name: str) -> range:
        """What a dummy runs over."""
        return range(self.point.samples)

    def field(self, node: syntax.Zed | syntax.Line | syntax.Derivative, place: Place) -> int:
        """The field at which a node stands."""
        return place[node.label]

    @staticmethod
    def joint_cumulant(pieces: Sequence[Polynomial], mean: Callable[[Polynomial], Dual]) -> Dual:
        """The joint cumulant of some polynomials, from the mean of any."""
        found: Dual = joint_cumulant(len(pieces), lambda at: mean(reduce(product_of, [pieces[i] for i in at])), dual)
        return found

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
                moved = NumericRoute(self.rule, self.names, self.point.moved(kind, sign * step))
                total = total + moved.side(of) * dual(sign * weight / 2)
        return total

    def component(self, node: syntax.Component, labels: tuple[int, ...]) -> Dual:
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
            self.of_engine[key] = self.engine_value(engine.terms_for(self.rule, node), labels)
        return self.of_engine[key]

    def engine_value(self, terms: Terms, labels: tuple[int, ...]) -> Dual:
        """The engine's terms, evaluated; nothing of the canonical form is used."""
        point = self.point
        total = dual(0)
        for term, coefficient in terms.items():
            widths = (("n", term.width_power), ("n_prev", -term.width_power))
            scale = dual(coefficient * point.scalars((*term.couplings, *widths)))
            value = dual(1)  # whole numbers first: a fraction that multiplies the result once is a slow one once
            for part in term.tensors:
                value = value * point.tensor(part.kind, part.order, [labels[slot] for slot in part.slots])
            for item in term.averages:
                value = value * self.average_of(*engine.lines_of(item, labels))
            total = total + scale * value
        return total

    @kept
    def average_of(self, lines: tuple[tuple[int, int], ...], zeds: tuple[int, ...]) -> Dual:
        """The average of derivatives of the activation, (sample, order) each, and of preactivations."""
        factors = [self.point.function(order, sample) for sample, order in lines]
        factors += [{self.point.power(sample, 1): dual(1)} for sample in zeds]
        return self.point.mean(reduce(product_of, factors))


def derivative(polynomial: Polynomial, field: int) -> Polynomial:
    """The derivative with respect to one preactivation."""
    total: Polynomial = {}
    for exponents, value in polynomial.items():
        if exponents[field]:
            lower = tuple([e - (i == field) for i, e in enumerate(exponents)])
            total[lower] = value * dual(exponents[field])
    return total
