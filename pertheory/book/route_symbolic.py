"""The symbolic route: a statement as a canonical sum, averages taken, what the engine derived put in."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial, reduce
from itertools import count
from typing import Any

from pertheory.algebra.monomial import multiply_powers
from pertheory.algebra.polynomial import add_into, collected
from pertheory.book import engine, syntax
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
from pertheory.book.syntax import Node
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

    def meaning(self, node: Node, *place: Any) -> Poly:
        """The sum that a node stands for; functions and preactivations wait to be averaged."""
        match node:
            case syntax.Sum(terms):
                total: Poly = {}
                for term in terms:
                    add_into(total, self.interpret(term))
                return total
            case syntax.Symbol(name):
                return _single(Mono(scalars=((name, 1),)))
            case syntax.Line() | syntax.Zed() | syntax.Derivative() if node.neuron:
                raise InputError("a neuron, as in z(1;2), has no meaning in this kind of statement")
            case syntax.Line(order, label):
                return _single(Mono(lines=((self.label(label), order),)))
            case syntax.Zed(label):
                return _single(Mono(zeds=(self.label(label),)))
            case syntax.Derivative(label, of):
                return differentiate(self.interpret(of), self.label(label))
            case syntax.Mark(name, names, up):
                if name not in self.marks or up:
                    raise InputError(f"{name}{chr(39) * up} has no meaning in this kind of statement")
                places = self.labels(names)
                return _single(Mono(marks=((name, tuple(sorted(places)) if name in SYMMETRIC else places),)))
            case syntax.Average(pieces):
                return self.average([self.interpret(piece) for piece in pieces])
            case syntax.Component():
                return self.component(node)
            case syntax.Slope(variable, of):
                kind = engine.tensor_named(variable).kind
                slope = self._slope_in_kernel if kind == KERNEL else partial(_slope_in_tensor, kind)
                total = {}
                for mono, coefficient in self.interpret(of).items():
                    add_into(total, slope(mono), coefficient)
                return total
        return super().meaning(node, *place)

    def average(self, polys: list[Poly]) -> Poly:
        """An average, or the joint cumulant of several pieces as signed products of averages."""
        if any(mono.averages for poly in polys for mono in poly):
            raise InputError("an average stands inside an average")
        total: Poly = {}
        for sign, partition in cumulant_partitions(len(polys)):
            term: Poly = reduce(multiply, [self._mean([polys[i] for i in block]) for block in partition])
            add_into(total, term, sign)
        return total

    def _mean(self, pieces: list[Poly]) -> Poly:
        return average(reduce(multiply, pieces), self.one)

    def component(self, node: syntax.Component) -> Poly:
        """A component; of the layer above what the engine derives, with raised indices as inverses of K."""
        labels = self.labels(node.labels)
        if node.up or node.layer > 1:
            return engine.derived(self.rule, node, labels, self.one)
        of_kernel = engine.tensor_named(node.name).kind == KERNEL and node.order == 0
        if node.raised and of_kernel:
            return _single(Mono(inverses=((min(labels), max(labels)),)))
        if node.raised:
            lower = tuple(next(self.fresh) for _ in labels)
            pairs = tuple(sorted(zip(labels, lower, strict=True)))
            return _single(Mono(tensors=(engine.component(node, lower),), inverses=pairs))
        if of_kernel:
            return _single(kernel(labels[0], labels[1], self.one))
        return _single(Mono(tensors=(engine.component(node, labels),)))

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


def _slope_in_tensor(kind: TensorType, mono: Mono) -> Poly:
    left = (
        mono._replace(tensors=mono.tensors[:place] + mono.tensors[place + 1 :])
        for place, part in enumerate(mono.tensors)
        if part.kind == kind and part.order == 0
    )
    return collected((rest, Fraction(1)) for rest in left)


def _single(mono: Mono) -> Poly:
    return {mono: Fraction(1)}
