"""Statements to canonical sums: multiply out, average, put in what the engine derived for the layer above."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import reduce
from itertools import count
from math import factorial
from typing import Any

from pertheory.book import engine
from pertheory.book.canonical import (
    DUMMY,
    KERNEL,
    Mono,
    Poly,
    add,
    average,
    constant,
    differentiate,
    invert,
    kernel,
    multiply,
    powers,
    settle,
)
from pertheory.book.syntax import Average, Component, Derivative, Line, Mark, Node, Slope, Symbol, Zed
from pertheory.book.visit import Interpreter, shown
from pertheory.errors import InputError
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

#: marks that do not change when their labels are exchanged
SYMMETRIC = frozenset({"delta", "xx"})


class Expander(Interpreter[Poly]):
    """Turns the sides of one statement into sums.

    Args:
        rule: the network whose recursions stand for tensors of the layer above.
        samples: the number of each sample label.
        one: whether the statement is about a single input.
        marks: the marks that this kind of statement knows.
    """

    def __init__(self, rule: Network, samples: Mapping[str, int], one: bool, marks: frozenset[str]) -> None:
        self.rule, self.one, self.marks = rule, one, marks
        self.numbers: dict[str, int] = dict(samples)
        self.fresh = count(DUMMY)

    def side(self, node: Node) -> Poly:
        """One side in canonical form.

        Raises:
            InputError: a function stands outside an average, or a mark is not known here.
        """
        poly = settle(self.interpret(node))
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
        """A number."""
        return constant(value)

    def plus(self, a: Poly, b: Poly) -> Poly:
        """The sum."""
        return add(dict(a), b)

    def times(self, a: Poly, b: Poly) -> Poly:
        """The product."""
        return multiply(a, b)

    def inverse(self, value: Poly) -> Poly:
        """One over a single term of numbers and scalars."""
        return invert(value)

    def of_symbol(self, node: Symbol, *place: Any) -> Poly:
        """A scalar."""
        return {Mono(scalars=((node.name, 1),)): Fraction(1)}

    def of_line(self, node: Line, *place: Any) -> Poly:
        """A derivative of the activation."""
        return {Mono(lines=((self.label(one_neuron(node)), node.order),)): Fraction(1)}

    def of_zed(self, node: Zed, *place: Any) -> Poly:
        """A preactivation."""
        return {Mono(zeds=(self.label(one_neuron(node)),)): Fraction(1)}

    def of_derivative(self, node: Derivative, *place: Any) -> Poly:
        """A derivative of what stands behind it."""
        label = self.label(one_neuron(node))
        return differentiate(self.interpret(node.of), label)

    def of_mark(self, node: Mark, *place: Any) -> Poly:
        """A mark that this kind of statement knows."""
        if node.name not in self.marks or node.up:
            raise InputError(f"{node.name}{chr(39) * node.up} has no meaning in this kind of statement")
        places = self.labels(node.labels)
        return {Mono(marks=((node.name, tuple(sorted(places)) if node.name in SYMMETRIC else places),)): Fraction(1)}

    def of_average(self, node: Average, *place: Any) -> Poly:
        """An average, or the joint cumulant of several pieces as signed products of averages."""
        polys = [self.interpret(piece) for piece in node.pieces]
        if any(mono.averages for poly in polys for mono in poly):
            raise InputError("an average stands inside an average")
        total: Poly = {}
        for partition in set_partitions(range(len(polys))):
            term = constant(1)
            for block in partition:
                inside = reduce(multiply, [polys[number] for number in block])
                term = multiply(term, average(inside, self.one))
            add(total, term, (-1) ** (len(partition) - 1) * factorial(len(partition) - 1))
        return total

    def refuse(self, node: Any, *place: Any) -> Poly:
        """Functions, exponents that are expressions, expectations."""
        raise InputError(f"{shown(node)} has no meaning in this kind of statement")

    of_expectation = of_raise = of_apply = of_call = refuse

    def of_component(self, node: Component, *place: Any) -> Poly:
        """A component; of the layer above what the engine derives, with raised indices as inverses of K."""
        labels = self.labels(node.labels)
        if node.up or node.layer > 1:
            return engine.derived(self.rule, node, labels, self.one)
        kind = engine.tensor_named(node.name).kind
        if node.raised:
            lower = tuple(next(self.fresh) for _ in labels)
            pairs = tuple(zip(labels, lower, strict=True))
            if kind == KERNEL and node.order == 0:
                return {Mono(inverses=((min(labels), max(labels)),)): Fraction(1)}
            below = Mono(tensors=(engine.component(node, lower),), inverses=tuple(sorted(pairs)))
            return {below: Fraction(1)}
        if kind == KERNEL and node.order == 0:
            return {kernel(labels[0], labels[1], self.one): Fraction(1)}
        return {Mono(tensors=(engine.component(node, labels),)): Fraction(1)}

    def of_slope(self, node: Slope, *place: Any) -> Poly:
        """The derivative with respect to K (d/dK <F> = <F''>/2) or to a tensor."""
        poly, kind = self.interpret(node.of), engine.tensor_named(node.variable).kind
        total: Poly = {}
        for mono, coefficient in poly.items():
            if kind == KERNEL:
                add(total, self._slope_in_kernel(mono), coefficient)
            else:
                add(total, _slope_in_tensor(mono, kind), coefficient)
        return total

    def _slope_in_kernel(self, mono: Mono) -> Poly:
        total: Poly = {}
        exponent = dict(mono.scalars).get("K", 0)
        if exponent:
            add(total, {mono._replace(scalars=powers(mono.scalars, (("K", -1),))): Fraction(exponent)})
        for place, lines in enumerate(mono.averages):
            rest = mono._replace(averages=mono.averages[:place] + mono.averages[place + 1 :])
            sample = lines[0][0]
            inside = differentiate(differentiate({Mono(lines=lines): Fraction(1)}, sample), sample)
            add(total, multiply({rest: Fraction(1)}, average(inside, self.one)), Fraction(1, 2))
        return total


def one_neuron(node: Line | Zed | Derivative) -> str:
    """The sample of a node that names no neuron."""
    if node.neuron:
        raise InputError("a neuron, as in z(1;2), has no meaning in this kind of statement")
    return node.label


def _slope_in_tensor(mono: Mono, kind: TensorType) -> Poly:
    total: Poly = {}
    for place, part in enumerate(mono.tensors):
        if part.kind == kind and part.order == 0:
            add(total, {mono._replace(tensors=mono.tensors[:place] + mono.tensors[place + 1 :]): Fraction(1)})
    return total
