"""Statements to canonical sums: multiply out, average, put in what the engine derived for the layer above."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import count

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
from pertheory.book.syntax import (
    Apply,
    Average,
    Component,
    Derivative,
    Expectation,
    Line,
    Mark,
    Node,
    Number,
    Power,
    Product,
    Raise,
    Slope,
    Sum,
    Symbol,
    Zed,
)
from pertheory.errors import InputError
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

#: marks that do not change when their labels are exchanged
SYMMETRIC = frozenset({"delta", "xx"})


class Expander:
    """Turns the sides of one statement into sums.

    Args:
        rule: the network whose recursions stand for tensors of the layer above.
        samples: the number of each sample label.
        one: whether the statement is about a single input.
        marks: the marks that this kind of statement knows.
    """

    def __init__(self, rule: Network, samples: Mapping[str, int], one: bool, marks: frozenset[str]) -> None:
        self.rule, self.one, self.marks = rule, one, marks
        self.number: dict[str, int] = dict(samples)
        self.fresh = count(DUMMY)

    def side(self, node: Node) -> Poly:
        """One side in canonical form.

        Raises:
            InputError: a function stands outside an average, or a mark is not known here.
        """
        poly = settle(self.expand(node))
        for mono in poly:
            if mono.lines or mono.zeds:
                raise InputError("s or z stands outside an average <...>")
        return poly

    def opened(self, node: Node) -> Poly:
        """One side in which functions may stand outside averages."""
        return settle(self.expand(node))

    def label(self, name: str) -> int:
        """The number of a label; one that is no sample gets the next number of a dummy."""
        if name not in self.number:
            self.number[name] = next(self.fresh)
        return self.number[name]

    def labels(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """The numbers of several labels."""
        return tuple([self.label(name) for name in names])

    def expand(self, node: Node) -> Poly:
        """A node multiplied out, dummies and inverses still in it."""
        match node:
            case Number(value):
                return constant(value)
            case Symbol(name):
                return {Mono(scalars=((name, 1),)): Fraction(1)}
            case Line(neuron=neuron) | Zed(neuron=neuron) | Derivative(neuron=neuron) if neuron:
                raise InputError("a neuron, as in z(1;2), has no meaning in this kind of statement")
            case Expectation():
                raise InputError("E[...] has no meaning in this kind of statement")
            case Line(order, label):
                return {Mono(lines=((self.label(label), order),)): Fraction(1)}
            case Zed(label):
                return {Mono(zeds=(self.label(label),)): Fraction(1)}
            case Mark(name, labels, up):
                if name not in self.marks or up:
                    raise InputError(f"{name}{chr(39) * up} has no meaning in this kind of statement")
                places = self.labels(labels)
                shown = tuple(sorted(places)) if name in SYMMETRIC else places
                return {Mono(marks=((name, shown),)): Fraction(1)}
            case Component():
                return self.component(node)
            case Sum(terms):
                total: Poly = {}
                for term in terms:
                    add(total, self.expand(term))
                return total
            case Product(factors):
                result = constant(1)
                for factor in factors:
                    result = multiply(result, self.expand(factor))
                return result
            case Power(base, exponent):
                poly = self.expand(base)
                if exponent < 0:
                    poly = invert(poly)
                result = constant(1)
                for _ in range(abs(exponent)):
                    result = multiply(result, poly)
                return result
            case Derivative(label, of):
                return differentiate(self.expand(of), self.label(label))
            case Average(pieces):
                return self.cumulant(pieces)
            case Raise() | Apply():
                raise InputError("functions and exponents that are expressions have no meaning here")
            case Slope(variable, of):
                return self.slope(variable, self.expand(of))
        raise AssertionError(node)

    def cumulant(self, pieces: tuple[Node, ...]) -> Poly:
        """An average, or the joint cumulant of several pieces as signed products of averages."""
        polys = [self.expand(piece) for piece in pieces]
        if any(mono.averages for poly in polys for mono in poly):
            raise InputError("an average stands inside an average")
        total: Poly = {}
        for partition in set_partitions(range(len(pieces))):
            term = constant(1)
            for block in partition:
                inside = constant(1)
                for number in block:
                    inside = multiply(inside, polys[number])
                term = multiply(term, average(inside, self.one))
            sign = 1
            for number in range(1, len(partition)):
                sign *= -number
            add(total, term, sign)
        return total

    def component(self, node: Component) -> Poly:
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

    def slope(self, variable: str, poly: Poly) -> Poly:
        """The derivative with respect to K (d/dK <F> = <F''>/2) or to a tensor."""
        kind = engine.tensor_named(variable).kind
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


def _slope_in_tensor(mono: Mono, kind: TensorType) -> Poly:
    total: Poly = {}
    for place, part in enumerate(mono.tensors):
        if part.kind == kind and part.order == 0:
            add(total, {mono._replace(tensors=mono.tensors[:place] + mono.tensors[place + 1 :]): Fraction(1)})
    return total
