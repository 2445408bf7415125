"""Expectations over networks, as exact numbers: at one layer by the engine's cumulants, one layer up by plain sums."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import Any, cast

from pertheory.algebra.dual import Dual, dual
from pertheory.book import engine, syntax
from pertheory.book.cumulants import FieldMoments, PlacedTree
from pertheory.book.forward import METRIC, Above
from pertheory.book.neuron_sums import NeuronSums
from pertheory.book.neurons import Neurons, check_piece, factors, without
from pertheory.book.point import Point, Polynomial, product_of
from pertheory.book.route_numeric import Place
from pertheory.book.syntax import Node
from pertheory.book.visit import walk
from pertheory.errors import InputError
from pertheory.graphs.partitions import joint_cumulant
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import SHAPES


class AtOneLayer(Neurons):
    """Evaluates statements whose expectations come from the engine's cumulants at the layer itself."""

    def meaning(self, node: Node, *place: Any) -> Polynomial:
        """An expectation is the joint cumulant of the pieces, each a polynomial in the fields, perhaps times trees."""
        if not isinstance(node, syntax.Expectation):
            return super().meaning(node, *place)
        moments = FieldMoments(self.rule, self.point, node.first)
        if node.first and engine.first_layer(self.rule, pure_type(2)[0], 0):
            raise InputError("the first layer of this network is not Gaussian")

        def opened(piece: Node) -> tuple[Polynomial, tuple[PlacedTree, ...]]:
            trees = [factor for factor in factors(piece) if is_tree(factor)]
            rest = without(piece, trees)
            if any(is_tree(part) for part in walk(rest)):
                raise InputError("H and its differentials may only be factors of an expectation")
            check_piece(rest)
            return self.interpret(rest, *place), tuple(self.tree(tree, *place) for tree in trees)

        pieces = [opened(piece) for piece in node.pieces]

        def mean(block: tuple[int, ...]) -> Dual:
            chosen = [pieces[i] for i in block]
            return moments.mean(reduce(product_of, [p for p, _ in chosen]), sum((trees for _, trees in chosen), ()))

        return self.point.number(joint_cumulant(len(pieces), mean, dual))

    def tree(self, node: Node, place: Place) -> PlacedTree:
        """A tree with the neurons and samples of its vertices."""
        tree = cast(syntax.Component | syntax.Mark, node)
        for label in tree.labels:
            if label not in self.neurons:
                raise InputError(f"{tree.name} in an expectation stands at samples of the statement, not at {label}")
        return PlacedTree(tree.name, tuple((self.neuron(label, place), place[label]) for label in tree.labels))


def is_tree(node: Node) -> bool:
    """Whether a factor of an expectation is H or one of its differentials."""
    named = isinstance(node, syntax.Mark) or (isinstance(node, syntax.Component) and not node.order and not node.raised)
    return named and node.name in SHAPES and not node.up  # type: ignore[union-attr]


class OneLayerUp(Neurons):
    """Evaluates statements about the layer above; numbers are value + slope/n_prev at fixed n/n_prev.

    Args:
        rule: the network.
        samples: the number of each sample label.
        point: the point.
        above: sums over neurons at the same point, which several statements may share.
        width: the name of the width below the layer that the statement is about.
        neurons: the neuron of each sample label.
    """

    def __init__(
        self, rule: Network, samples: Place, point: Point, above: NeuronSums, width: str, neurons: Place
    ) -> None:
        super().__init__(rule, samples, point, neurons)
        self.above, self.width = above, width

    def meaning(self, node: Node, *place: Any) -> Polynomial:
        """One over the width below is small; an expectation is the joint cumulant of products of stochastic metrics."""
        match node:
            case syntax.Symbol("n" | "n_prev"):
                raise InputError(f"a width may only stand as a factor 1/{self.width}, in which both sides are expanded")
            case syntax.Power(syntax.Symbol(name), -1) if name == self.width:
                return self.point.number(Dual(Fraction(0), 1 / self.above.ratio))
            case syntax.Mark(name) if name == METRIC:
                raise InputError("hatG may only stand inside E[...]")
            case syntax.Expectation(pieces):
                return self.point.number(self.above.cumulant([self.metrics(piece, *place) for piece in pieces], {}))
        return super().meaning(node, *place)

    @staticmethod
    def metrics(piece: Node, place: Place) -> list[Above]:
        """The stochastic metrics of which a piece of an expectation is the product."""
        found = [factor for factor in factors(piece) if isinstance(factor, syntax.Mark) and factor.name == METRIC]
        if len(found) < len(factors(piece)):
            raise InputError("in a statement on the metric an expectation holds products of hatG(1,2) only")
        return [(METRIC, tuple(place[label] for label in metric.labels)) for metric in found]
