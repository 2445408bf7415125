"""Averages over initialisations of what training does, at order 1/n.

A prediction holds outputs, the tangent kernel and its differentials. Its average is a sum over cumulants of these
trees, and a cumulant is a sum over pairings of its vertices, with a tensor for each: which tensor, the engine says,
and whether it has a recursion. Values of tensors are random, with the right symmetries.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import reduce
from itertools import count, product
from operator import mul
from typing import NamedTuple

import numpy as np

from pertheory.book import engine
from pertheory.book.indexed import PRIME, Array, Factor, Pair, constant, contract, monomials, plus
from pertheory.book.syntax import Call, Component, Mark, Node, Product, Zed
from pertheory.book.training import SAMPLES, TREES, Definitions, Training
from pertheory.errors import InputError
from pertheory.graphs.partitions import pairings, set_partitions
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import build
from pertheory.rulebook.tensors import find_tensor, tensor_of

#: n_L; no coefficient of these formulas, so that it cannot be mistaken for one
OUTPUTS = 3
_NTK = find_tensor("H")[0].kind


class Tree(NamedTuple):
    """A random factor: its name, and the label of each vertex."""

    shape: str
    labels: tuple[str, ...]


class Part(NamedTuple):
    """A term of a prediction: a number, fixed factors, random ones."""

    coefficient: Fraction
    fixed: tuple[Node, ...]
    random: tuple[Tree, ...]


class Ensemble(Training):
    """A point of training with a random value for every tensor of the network's statistics.

    Args:
        seed: fixes everything.
        definitions: the abbreviations.
        rule: the network whose recursions the engine derives.
    """

    def __init__(self, seed: str, definitions: Definitions, rule: Network) -> None:
        super().__init__(seed, definitions, neurons=OUTPUTS)
        self.seed, self.rule = seed, rule
        self.arrays: dict[TensorType, Array] = {_NTK: self.theta}

    def tensor(self, kind: TensorType) -> Array:
        """A tensor between samples; axes are the vertices of its type."""
        if kind not in self.arrays:
            array = np.zeros((SAMPLES,) * kind.size, dtype=object)
            for place in product(range(SAMPLES), repeat=kind.size):
                draw = random.Random(f"{self.seed} {kind} {canonical_slots(kind, place)}")
                array[place] = draw.randrange(PRIME)
            self.arrays[kind] = array
        return self.arrays[kind]

    def look(self, node: Node) -> Factor:
        """Besides what training knows, the tensors; y of the outer neuron, and yy(a,b) summed over neurons."""
        targets = self.targets.value.reshape(SAMPLES, self.neurons)
        match node:
            case Call("y", labels):
                return Factor(constant(targets[:, 0][self.cut(labels)]), labels)
            case Call("yy", labels):
                return Factor(constant((targets @ targets.T)[self.cut(labels)]), labels)
            case Component(name, 0, False, 0, labels, False) if name not in ("H", "Theta"):
                tensor = find_tensor(name)[0]
                array = self.tensor(tensor.kind).transpose(tensor.slots)
                return Factor(constant(array[self.cut(labels)]), labels)
        return super().look(node)

    def average(self, node: Node, outside: str, order: int, keep: frozenset[str]) -> Array:
        """The average of a prediction for the outer neuron, at one order of 1/n.

        Args:
            node: the prediction.
            outside: its label.
            order: the power of 1/n.
            keep: the names of the random trees, outputs left aside, whose terms are taken.
        """
        total: Pair | None = None
        for coefficient, fixed, trees in parts(node):
            if {tree.shape for tree in trees} - {"z"} != keep:
                continue
            for cumulants in self.cumulants(trees, order):
                factors = [self.with_neurons(factor) for factor in fixed]
                term = contract(coefficient, [*factors, *cumulants], (outside,), self.neurons, neurons=True)
                total = term if total is None else plus(total, term)
        if total is None:
            raise InputError("no term of the prediction contributes")
        return total.value[:, 0]

    def covariance(self, first: Node, second: Node, outside: Sequence[str]) -> Array:
        """The covariance of two predictions for one output, at infinite width; axes are their samples."""
        total: Pair | None = None
        for coefficient, fixed, trees in parts(Product((first, second))):
            if [tree.shape for tree in trees] != ["z", "z"]:  # the rest is the product of the means
                continue
            for cumulants in self.cumulants(trees, 0):
                factors = [self.with_neurons(factor) for factor in fixed]
                term = contract(coefficient, [*factors, *cumulants], outside, self.neurons, neurons=True)
                total = term if total is None else plus(total, term)
        if total is None:
            raise InputError("the predictions do not depend on the outputs at the start")
        return total.value

    def with_neurons(self, node: Node) -> Factor:
        """A fixed factor; targets with their neuron."""
        if isinstance(node, Call) and node.name == "y":
            return self.joint(self.targets, node.labels)
        return super().look(node)

    def cumulants(self, trees: Sequence[Tree], order: int) -> Iterator[list[Factor]]:
        """The average of a product of trees at one order of 1/n: products of tensors between paired vertices."""
        for partition in set_partitions(range(len(trees))):
            groups = [[trees[i] for i in block] for block in partition]
            sizes = [sum(len(tree.labels) for tree in group) for group in groups]
            lone = any(len(group) == 1 and group[0].shape == "H" for group in groups)  # H stands for H - Theta here
            if lone or any(size % 2 for size in sizes) or sum(size // 2 - 1 for size in sizes) != order:
                continue
            for choice in product(*(list(self.pairings(group)) for group in groups)):
                yield list(choice)

    def pairings(self, group: Sequence[Tree]) -> Iterator[Factor]:
        """The joint cumulant of some trees to leading order."""
        names = iter("123456789")
        observable = reduce(mul, [build(tree.shape, [next(names) for _ in tree.labels]) for tree in group])
        labels = tuple(label for tree in group for label in tree.labels)
        for chosen in pairings(range(len(labels))):
            kind, vertex_of = observable.tensor([(observable.labels[u], observable.labels[v]) for u, v in chosen])
            if not engine.terms_of(self.rule, tensor_of(kind).kind, 0):
                continue
            array = self.tensor(kind).transpose(vertex_of)
            ties = tuple((labels[u], labels[v]) for u, v in chosen)
            yield Factor(constant(array[self.cut(labels)]), labels, (), ties)


def parts(node: Node) -> Iterator[Part]:
    """A prediction multiplied out, with the tangent kernel written as its mean and a fluctuation H, to second order."""
    fresh = (f"#{number}" for number in count())
    for coefficient, factors in monomials(node):
        options = [list(_expanded(factor, fresh)) for factor in factors]
        for choice in product(*options):
            yield Part(
                reduce(mul, [part.coefficient for part in choice], coefficient),
                tuple(f for part in choice for f in part.fixed),
                tuple(t for part in choice for t in part.random),
            )


def _expanded(node: Node, fresh: Iterator[str]) -> Iterator[Part]:
    one = Fraction(1)
    match node:
        case Call("r", labels):
            yield Part(one, (), (Tree("z", labels),))
            yield Part(-one, (Call("y", labels),), ())
        case Zed(label):
            yield Part(one, (), (Tree("z", (label,)),))
        case Mark(name, labels, False) if name in TREES:
            yield Part(one, (), (Tree(name, labels),))
        case Component("H", 0, False, 0, labels, False):
            yield Part(one, (_mean(*labels),), ())
            yield Part(one, (), (Tree("H", labels),))
        case Component("H", 0, False, 0, labels, True):
            a, b = labels
            c, d, e, f = (next(fresh) for _ in range(4))
            yield Part(one, (_inverse(a, b),), ())
            yield Part(-one, (_inverse(a, c), _inverse(d, b)), (Tree("H", (c, d)),))
            chain = (_inverse(a, c), _inverse(d, e), _inverse(f, b))
            yield Part(one, chain, (Tree("H", (c, d)), Tree("H", (e, f))))
        case _:
            yield Part(one, (node,), ())


def _mean(a: str, b: str) -> Node:
    return Component("Theta", 0, False, 0, (a, b), False)


def _inverse(a: str, b: str) -> Node:
    return Component("Theta", 0, False, 0, (a, b), True)
