"""Statements on several neurons, as exact numbers: the right sides of kinds "insertion" and "weights".

A field is a preactivation z_{i;a}: a neuron and a sample. Fields of different neurons are independent in an average
<...>. Numbers are `Dual`: value + slope/n_prev, with all higher powers of 1/n_prev cut off.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb

from pertheory.algebra.dual import Dual, dual
from pertheory.book.canonical import KERNEL
from pertheory.book.chapters import Equation
from pertheory.book.exact import Evaluator, Exponents, Point, Polynomial
from pertheory.book.syntax import (
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
    Statement,
    Symbol,
    Zed,
)
from pertheory.book.visit import walk
from pertheory.errors import InputError, RuleError
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

#: a function that a statement leaves open is tried with all its monomials at once: up to this degree and this many
TOP_DEGREE = 6
MONOMIALS = 300
#: activations of this degree: products of four have to stay small
STEEPEST = 3
#: 1/n_prev
SMALL = Dual(0, 1)  # type: ignore[arg-type]


class Fields(Point):
    """A random point for so many neurons.

    Args:
        neurons: how many there are.
        samples: how many different samples there are.
        seed: fixes everything.
    """

    def __init__(self, neurons: int, samples: int, seed: str) -> None:
        super().__init__(samples, seed)
        self.neurons = neurons
        self.activation = self.activation[: STEEPEST + 1]
        self.single = Point(samples, seed)
        self.components: dict[tuple[TensorType, int, tuple[int, ...]], Dual] = {}

    def use(self, kernel: list[list[Dual]]) -> None:
        """Take another covariance of the averages; what raises indices stays the inverse of its values."""
        self.kernel = self.single.kernel = kernel
        self.single.moments = {(0,) * self.samples: dual(1)}

    def tensor(self, kind: TensorType, order: int, labels: Sequence[int]) -> Dual:
        """A component, in the order of the vertices of the type."""
        if kind == KERNEL and order == 0:
            return self.kernel[labels[0]][labels[1]]
        key = (kind, order, tuple(labels))
        if key not in self.components:
            self.components[key] = super().tensor(kind, order, labels)
        return self.components[key]

    def field(self, neuron: int, sample: int) -> int:
        """The number of a field."""
        return neuron * self.samples + sample

    def place(self, field: int) -> tuple[int, int]:
        """Neuron and sample of a field."""
        return divmod(field, self.samples)

    @property
    def one(self) -> Exponents:
        """The exponents of a constant."""
        return (0,) * (self.neurons * self.samples)

    def power(self, sample: int, exponent: int) -> Exponents:
        """The exponents of a power of one field."""
        return tuple([exponent if i == sample else 0 for i in range(self.neurons * self.samples)])

    def moment(self, exponents: Exponents) -> Dual:
        """The Gaussian average; neurons are independent."""
        total = dual(1)
        for neuron in range(self.neurons):
            own = exponents[neuron * self.samples : (neuron + 1) * self.samples]
            total = total * self.single.moment(own)
        return total

    def probe(self, name: str, neurons: range) -> Polynomial:
        """A polynomial in the fields of some neurons with a random coefficient at every monomial.

        A statement that is linear in it holds for each of the monomials if it holds for this one, as long as no
        coincidence of random numbers makes errors cancel.
        """
        fields = [self.field(neuron, sample) for neuron in neurons for sample in range(self.samples)]
        count = len(fields)
        degree = max(d for d in range(1, TOP_DEGREE + 1) if d == 1 or comb(count + d, d) <= MONOMIALS)
        draw = random.Random(f"{self.seed} {name} {neurons}")
        found: Polynomial = {}
        for size in range(degree + 1):
            for choice in combinations_with_replacement(fields, size):
                exponents = list(self.one)
                for field in choice:
                    exponents[field] += 1
                found[tuple(exponents)] = dual(draw.choice([-1, 1]) * draw.randint(1, 10_000))
        return found


class Neurons(Evaluator):
    """Evaluates the sides of a statement on several neurons.

    Args:
        rule: the network.
        samples: the number of each sample label.
        point: the point.
        neurons: the neuron of each sample label.
        summed: dummies that name neurons.
    """

    point: Fields

    def __init__(
        self,
        rule: Network,
        samples: Mapping[str, int],
        point: Fields,
        neurons: Mapping[str, int],
        summed: frozenset[str],
    ) -> None:
        super().__init__(rule, samples, point)
        self.neurons, self.summed = dict(neurons), summed
        self.probes: dict[tuple[str, range], Polynomial] = {}

    def side(self, node: Node) -> Dual:
        """The value of one side.

        Raises:
            InputError: what fluctuates stands outside an average and an expectation.
        """
        found = self.value(node, self.names)
        if any(exponents != self.point.one for exponents in found):
            raise InputError("s, z, Obs or f stands outside an average <...> and an expectation E[...]")
        return super().side(node)

    def values_of(self, name: str) -> range:
        """What a dummy runs over: neurons or samples."""
        return range(self.point.neurons if name in self.summed else self.point.samples)

    def fresh(self, node: Node, place: Mapping[str, int]) -> Polynomial:
        """The value of a node that is not in the memory."""
        point = self.point
        match node:
            case Zed():
                return {point.power(self.field(node, place), 1): dual(1)}
            case Line(order):
                return point.function(order, self.field(node, place))
            case Derivative(_, of):
                return self.derivative(self.value(of, place), self.field(node, place))
            case Mark("delta", (a, b)):
                return self.number(dual(int(self.neuron(a, place) == self.neuron(b, place))))
            case Mark("Obs"):
                return self.probe("Obs", range(point.neurons))
            case Mark("f", (a,)):
                own = self.neuron(a, place)
                return self.probe("f", range(own, own + 1))
            case Symbol("n"):
                return self.number(dual(point.neurons))
            case Power(Symbol("n_prev"), -1):
                return self.number(SMALL)
            case Symbol("n_prev"):
                raise InputError("n_prev may only stand as a factor 1/n_prev, in which both sides are expanded")
            case Expectation():
                return self.number(self.expectation(node, place))
        return super().fresh(node, place)

    def expectation(self, node: Expectation, place: Mapping[str, int]) -> Dual:
        """The expectation over networks; kinds of statement say how."""
        raise InputError("E[...] has no meaning in this kind of statement")

    def probe(self, name: str, neurons: range) -> Polynomial:
        """The polynomial that stands for a function that the statement leaves open."""
        if (name, neurons) not in self.probes:
            self.probes[name, neurons] = self.point.probe(name, neurons)
        return self.probes[name, neurons]

    def neuron(self, label: str, place: Mapping[str, int]) -> int:
        """The neuron that a label names."""
        if label in self.summed:
            return place[label]
        if label in self.neurons:
            return self.neurons[label]
        raise InputError(f"{label} does not name a neuron: a sample of the statement does, or a letter that is summed")

    def field(self, node: Zed | Line | Derivative, place: Mapping[str, int]) -> int:
        """The field at which a node stands."""
        if not node.neuron and node.label not in self.neurons:
            raise InputError(f"the neuron at {node.label} is missing; write it in front, as in z(1;{node.label})")
        return self.point.field(self.neuron(node.neuron or node.label, place), place[node.label])


def summed_neurons(statement: Statement) -> frozenset[str]:
    """The dummies that name neurons.

    Raises:
        InputError: one also names a sample.
    """
    nodes = [node for side in statement.sides for node in walk(side)]
    places = [node for node in nodes if isinstance(node, Zed | Line | Derivative)]
    neurons = frozenset(node.neuron for node in places if node.neuron and not node.neuron.isdigit())
    named = {label for node in nodes for label in getattr(node, "labels", ())} | {node.label for node in places}
    for label in sorted(neurons & named):
        raise InputError(f"index {label} stands for a neuron here and for a sample there")
    return neurons


def assignments(setting: str, labels: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """The ways in which the samples of a statement may share neurons.

    Args:
        setting: empty for all of them, "distinct neurons", or "neurons 03,12" for who shares one.
        labels: the samples.
    """
    if setting.startswith("neurons "):
        groups = [group.strip() for group in setting.removeprefix("neurons ").split(",")]
        if sorted("".join(groups)) != sorted(labels):
            raise InputError(f"setting {setting!r} has to name each of the samples {', '.join(labels)} once")
        yield {label: number for number, group in enumerate(groups) for label in group}
        return
    for partition in set_partitions(range(len(labels))):
        if setting == "distinct neurons" and len(partition) < len(labels):
            continue
        yield {labels[index]: number for number, block in enumerate(partition) for index in block}


def factors(piece: Node) -> tuple[Node, ...]:
    """The factors of a piece of an expectation."""
    return piece.factors if isinstance(piece, Product) else (piece,)


def check_piece(piece: Node) -> None:
    """See that a piece of an expectation holds only what fluctuates, and numbers.

    Raises:
        InputError: names what else stands there.
    """
    for node in walk(piece):
        if isinstance(node, Average | Expectation):
            raise InputError("an average or an expectation stands inside an expectation")
        if isinstance(node, Component):
            raise InputError(f"{node.name} does not fluctuate; an expectation holds Obs, f, z, s, H, dH and the like")


def without(piece: Node, taken: list[Node]) -> Node:
    """A piece of an expectation without some of its factors."""
    left = tuple(factor for factor in factors(piece) if not any(factor is other for other in taken))
    return Product(left) if left else Number(Fraction(1))


def refuse(equation: Equation, message: str) -> RuleError:
    """The error of an equation in a file."""
    return RuleError(f"{equation.place}: equation {equation.number}: {message}")
