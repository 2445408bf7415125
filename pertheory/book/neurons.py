"""Statements on several neurons, as exact numbers: the right sides of kinds "insertion" and "weights".

A field is a preactivation z_{i;a}: a neuron and a sample. Point of different neurons are independent in an average
<...>. Numbers are `Dual`: value + slope/n_prev, with all higher powers of 1/n_prev cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from pertheory.algebra.dual import SMALL
from pertheory.book import syntax
from pertheory.book.point import Point, Polynomial
from pertheory.book.route_numeric import NumericRoute, Place
from pertheory.book.syntax import Node, Statement
from pertheory.book.visit import walk
from pertheory.errors import InputError
from pertheory.graphs.partitions import set_partitions
from pertheory.memo import kept
from pertheory.rulebook.network import Network


class Neurons(NumericRoute):
    """Evaluates the sides of a statement on several neurons.

    Args:
        rule: the network.
        samples: the number of each sample label.
        point: the point.
        neurons: the neuron of each sample label.
        summed: dummies that name neurons.
    """

    def __init__(
        self, rule: Network, samples: Place, point: Point, neurons: Place, summed: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(rule, samples, point)
        self.neurons, self.summed = dict(neurons), summed

    def values_of(self, name: str) -> range:
        """What a dummy runs over: neurons or samples."""
        return range(self.point.neurons if name in self.summed else self.point.samples)

    def meaning(self, node: Node, *place: Any) -> Polynomial:
        """Whether neurons are the same, and functions that a statement leaves open; 1/n_prev is the small number."""
        match node:
            case syntax.Mark("delta", (a, b)):
                return self.number(Fraction(self.neuron(a, *place) == self.neuron(b, *place)))
            case syntax.Mark("Obs"):
                return self.probe("Obs", range(self.point.neurons))
            case syntax.Mark("f", (a,)):
                own = self.neuron(a, *place)
                return self.probe("f", range(own, own + 1))
            case syntax.Symbol("n"):
                return self.number(Fraction(self.point.neurons))
            case syntax.Symbol("n_prev"):
                raise InputError("n_prev may only stand as a factor 1/n_prev, in which both sides are expanded")
            case syntax.Power(syntax.Symbol("n_prev"), -1):
                return self.point.number(SMALL)
        return super().meaning(node, *place)

    @kept
    def probe(self, name: str, neurons: range) -> Polynomial:
        """The polynomial that stands for a function that the statement leaves open."""
        return self.point.probe(name, neurons)

    def neuron(self, label: str, place: Place) -> int:
        """The neuron that a label names."""
        if label in self.summed:
            return place[label]
        if label in self.neurons:
            return self.neurons[label]
        raise InputError(f"{label} does not name a neuron: a sample of the statement does, or a letter that is summed")

    def field(self, node: syntax.Zed | syntax.Line | syntax.Derivative, place: Place) -> int:
        """The field at which a node stands: its neuron, or that of its sample, and its sample."""
        if not node.neuron and node.label not in self.neurons:
            raise InputError(f"the neuron at {node.label} is missing; write it in front, as in z(1;{node.label})")
        return self.point.field(self.neuron(node.neuron or node.label, place), place[node.label])


def summed_neurons(statement: Statement) -> frozenset[str]:
    """The dummies that name neurons.

    Raises:
        InputError: one also names a sample.
    """
    nodes = list(walk(*statement.sides))
    places = [node for node in nodes if isinstance(node, syntax.Zed | syntax.Line | syntax.Derivative)]
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
    return piece.factors if isinstance(piece, syntax.Product) else (piece,)


def check_piece(piece: Node) -> None:
    """See that a piece of an expectation holds only what fluctuates, and numbers.

    Raises:
        InputError: names what else stands there.
    """
    for node in walk(piece):
        if isinstance(node, syntax.Average | syntax.Expectation):
            raise InputError("an average or an expectation stands inside an expectation")
        if isinstance(node, syntax.Component):
            raise InputError(f"{node.name} does not fluctuate; an expectation holds Obs, f, z, s, H, dH and the like")


def without(piece: Node, taken: Sequence[Node]) -> Node:
    """A piece of an expectation without some of its factors."""
    left = tuple(factor for factor in factors(piece) if not any(factor is other for other in taken))
    return syntax.Product(left) if left else syntax.Number(Fraction(1))
