"""The symbolic route: a statement as a canonical sum, averages taken, what the engine derived put in."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import reduce
from itertools import count
from typing import Any

from pertheory.algebra.monomial import multiply_powers
from pertheory.algebra.polynomial import add_into
from pertheory.book import engine
from pertheory.book.canonical import (
    DUMMY,
    KERNEL,
    Mono,
    Poly,
    average,
    constant,
    differentiate,
    invert,
    kernel,
    multiply,
    settle,
)
from pertheory.book.syntax import (
    AverageNode,
    ComponentNode,
    DerivativeNode,
    LineNode,
    MarkNode,
    Node,
    SlopeNode,
    SumNode,
    SymbolNode,
    ZedNode,
)
from pertheory.book.visit import Interpreter
from pertheory.errors import InputError
from pertheory.graphs.partitions import cumulant_partitions
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

#: marks that do not change when their labels are exchanged
SYMMETRIC = frozenset({"delta", "xx"})


class SymbolicRoute(Interpreter[Poly]):
    """Turns the sides of one statement into sums.

    Args:
        rule: the network whose recursions stand for tensors of the layer above.
        samples: the number of each sample label.
        one: whether the statement is about a single input.
        marks: the marks that this kind of statement knows.
    """

    lacks = "meaning"

    def __init__(
        self, rule: Network, samples: Mapping[str, int], one: bool = False, marks: frozenset[str] = frozenset()
    ) -> None:
        self.rule, self.one, self.marks = rule, one, marks
        self.numbers: dict[str, int] = dict(samples)
        self.fresh = count(DUMMY)

    def side(self, node: Node) -> Poly:
        """One side in canonical form.

        Raises:
            InputError: a function stands outside an average, or a mark is not known here.
        """
        poly = self.opened(node)
        for mono in poly:
            if mono.lines or mono.zeds:
                raise InputError("s or z stands outside an average <...>")
        return poly

    def opened(self, node: Node) -> Poly:
        """One side in which functions may stand outside averages."""
        return settle(self.interpret(node))

    def label(self, name: str) -> int:
        """The number of a label; one that is no sample gets the next number of a dummy."""
        if name not in self.numbers:
            self.numbers[name] = next(self.fresh)
        return self.numbers[name]

    def labels(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """The numbers of several labels."""
        return tuple([self.label(name) for name in names])

    def number(self, value: Fraction) -> Poly:
        """A rational number."""
        return constant(value)

    def times(self, a: Poly, b: Poly) -> Poly:
        """The product."""
        return multiply(a, b)

    def inverse(self, value: Poly) -> Poly:
        """One over a term of numbers and scalars."""
        return invert(value)

    def of_sum(self, node: SumNode, *place: Any) -> Poly:
        """A sum."""
        total: Poly = {}
        for term in node.terms:
            add_into(total, self.interpret(term))
        return total

    def of_symbol(self, node: SymbolNode, *place: Any) -> Poly:
        """A scalar."""
        return {Mono(scalars=((node.name, 1),)): Fraction(1)}

    def of_line(self, node: LineNode, *place: Any) -> Poly:
        """A function that is not averaged yet."""
        _see_no_neuron(node)
        return {Mono(lines=((self.label(node.label), node.order),)): Fraction(1)}

    def of_zed(self, node: ZedNode, *place: Any) -> Poly:
        """A preactivation that is not averaged yet."""
        _see_no_neuron(node)
        return {Mono(zeds=(self.label(node.label),)): Fraction(1)}

    def of_derivative(self, node: DerivativeNode, *place: Any) -> Poly:
        """A derivative of what is not averaged yet."""
        _see_no_neuron(node)
        return differentiate(self.interpret(node.of), self.label(node.label))

    def of_mark(self, node: MarkNode, *place: Any) -> Poly:
        """A mark that this kind of statement knows."""
        if node.name not in self.marks or node.up:
            raise InputError(f"{node.name}{chr(39) * node.up} has no meaning in this kind of statement")
        places = self.labels(node.labels)
        return {Mono(marks=((node.name, tuple(sorted(places)) if node.name in SYMMETRIC else places),)): Fraction(1)}

    def of_average(self, node: AverageNode, *place: Any) -> Poly:
        """An average, or the joint cumulant of several pieces as signed products of averages."""
        polys = [self.interpret(piece) for piece in node.pieces]
        if any(mono.averages for poly in polys for mono in poly):
            raise InputError("an average stands inside an average")
        total: Poly = {}
        for sign, partition in cumulant_partitions(len(polys)):
            term: Poly = reduce(multiply, [self._mean([polys[i] for i in block]) for block in partition])
            add_into(total, term, sign)
        return total

    def _mean(self, pieces: list[Poly]) -> Poly:
        return average(reduce(multiply, pieces), self.one)

    def of_component(self, node: ComponentNode, *place: Any) -> Poly:
        """A component; of the layer above what the engine derives, with raised indices as inverses of K."""
        labels = self.labels(node.labels)
        if node.up or node.layer > 1:
            return engine.derived(self.rule, node, labels, self.one)
        of_kernel = engine.tensor_named(node.name).kind == KERNEL and node.order == 0
        if node.raised:
            lower = tuple(next(self.fresh) for _ in labels)
            pairs = tuple(zip(labels, lower, strict=True))
            if of_kernel:
                return {Mono(inverses=((min(labels), max(labels)),)): Fraction(1)}
            below = Mono(tensors=(engine.component(node, lower),), inverses=tuple(sorted(pairs)))
            return {below: Fraction(1)}
        if of_kernel:
            return {kernel(labels[0], labels[1], self.one): Fraction(1)}
        return {Mono(tensors=(engine.component(node, labels),)): Fraction(1)}

    def of_slope(self, node: SlopeNode, *place: Any) -> Poly:
        """The derivative with respect to K (d/dK <F> = <F''>/2) or to a tensor."""
        kind = engine.tensor_named(node.variable).kind
        total: Poly = {}
        for mono, coefficient in self.interpret(node.of).items():
            derived = self._slope_in_kernel(mono) if kind == KERNEL else _slope_in_tensor(mono, kind)
            add_into(total, derived, coefficient)
        return total

    def _slope_in_kernel(self, mono: Mono) -> Poly:
        total: Poly = {}
        exponent = dict(mono.scalars).get("K", 0)
        if exponent:
            add_into(total, {mono._replace(scalars=multiply_powers((mono.scalars, (("K", -1),)))): Fraction(exponent)})
        for place, lines in enumerate(mono.averages):
            rest = mono._replace(averages=mono.averages[:place] + mono.averages[place + 1 :])
            sample = lines[0][0]
            inside = differentiate(differentiate({Mono(lines=lines): Fraction(1)}, sample), sample)
            add_into(total, multiply({rest: Fraction(1)}, average(inside, self.one)), Fraction(1, 2))
        return total


def _slope_in_tensor(mono: Mono, kind: TensorType) -> Poly:
    total: Poly = {}
    for place, part in enumerate(mono.tensors):
        if part.kind == kind and part.order == 0:
            add_into(total, {mono._replace(tensors=mono.tensors[:place] + mono.tensors[place + 1 :]): Fraction(1)})
    return total


def _see_no_neuron(node: LineNode | ZedNode | DerivativeNode) -> None:
    if node.neuron:
        raise InputError("a neuron, as in z(1;2), has no meaning in this kind of statement")
