"""Averages over initialisations of formulas about trained networks, order by order in 1/n.

A formula holds outputs, the tangent kernel and its differentials. Its average is a sum over joint cumulants of these
trees; a cumulant of 2p vertices is of order 1/n^(p-1) and a sum over pairings of its vertices, with a tensor for each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import count, product
from operator import mul
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pertheory.errors import InputError
from pertheory.graphs.canonical import Permutation
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import Pair, TensorType, canonical_slots
from pertheory.rulebook.observable import forest
from pertheory.training.arithmetic import RESIDUES, Arithmetic, Array, DualArray
from pertheory.training.contraction import Labelled, contract
from pertheory.training.formula import Formula, Object
from pertheory.training.state import DIFFERENTIALS, Objects

#: the components of a tensor between samples, axes in the order of the vertices of its type; None where there is none
Tensors = Callable[[TensorType], Array | None]


class RandomTerm(NamedTuple):
    """A term of a formula: a number, fixed factors, and trees that are random."""

    coefficient: Fraction
    fixed: tuple[Object, ...]
    random: tuple[Object, ...]


class Ensemble:
    """Networks of one kind, trained alike.

    Args:
        objects: what does not depend on the initialisation: targets, mean tangent kernel, learning rate.
        tensors: the statistics at the start, to leading order.
    """

    def __init__(self, objects: Objects, tensors: Tensors) -> None:
        self.objects, self.tensors = objects, tensors

    def average(self, formula: Formula, outside: Sequence[str], order: int, trees: Collection[str]) -> DualArray:
        """The coefficient of one order of 1/n in the average of a formula, of the terms with some random trees.

        Args:
            formula: such as the prediction when training has ended.
            outside: its labels.
            order: the power of 1/n.
            trees: the names of the random trees, outputs left aside, whose terms are taken; "H" is H - Theta.

        Raises:
            InputError: there is no such term.

        Equation:
            Of the prediction (inf.154) this gives the mean predictions that follow it, part by part.
        """
        chosen = (part for part in parts(formula) if {tree.name for tree in part.random} - {"z"} == set(trees))
        return self.total(chosen, outside, order)

    def covariance(self, first: Formula, second: Formula, outside: Sequence[str]) -> DualArray:
        """The covariance of two formulas that are linear in the outputs, at infinite width.

        Raises:
            InputError: one does not depend on the outputs.

        Equation:
            The covariance of predictions in chapter 10, "10.covariance" in rules/book.
        """
        one, other = ([p for p in parts(f) if [tree.name for tree in p.random] == ["z"]] for f in (first, second))
        both = [(a.coefficient * b.coefficient, a.fixed + b.fixed, a.random + b.random) for a in one for b in other]
        return self.total(map(RandomTerm._make, both), outside, 0)

    def total(self, chosen: Iterator[RandomTerm], outside: Sequence[str], order: int) -> DualArray:
        """The sum of the averages of some terms."""
        arithmetic, neurons = self.objects.state.arithmetic, self.objects.state.neurons
        total: DualArray | None = None
        for coefficient, fixed, trees in chosen:
            factors = [self.objects(item) for item in fixed]
            for cumulants in self.cumulants(trees, order):
                number = arithmetic.number(coefficient)
                term = contract(arithmetic, number, [*factors, *cumulants], outside, neurons, neurons=True)
                total = term if total is None else arithmetic.plus(total, term)
        if total is None:
            raise InputError("no term of the prediction contributes")
        return total

    def cumulants(self, trees: Sequence[Object], order: int) -> Iterator[list[Labelled]]:
        """The average of a product of trees at one order of 1/n: products of tensors between paired vertices."""
        for group in cumulants(trees, order):
            found = [self.tensor(item) for item in group]
            known = [item for item in found if item is not None]
            if len(known) == len(group):
                yield known

    def tensor(self, item: Cumulant) -> Labelled | None:
        """The components of a tensor at labels, if there is one."""
        array = self.tensors(item.kind)
        if array is None:
            return None
        entries = array.transpose(item.vertex_of)[self.objects.cut(item.labels)]
        return Labelled(self.objects.state.arithmetic.constant(entries), item.labels, (), item.ties)


class Cumulant(NamedTuple):
    """The joint cumulant of some trees with their vertices paired.

    Attributes:
        trees: their names.
        kind: the type of the tensor.
        order: T{k} of it.
        labels: of the vertices of all trees.
        vertex_of: for each label the vertex of the type.
        ties: labels that share a neuron.
    """

    trees: tuple[str, ...]
    kind: TensorType
    order: int
    labels: tuple[str, ...]
    vertex_of: Permutation
    ties: tuple[tuple[str, str], ...]


def cumulants(
    trees: Sequence[Object], order: int, corrections: bool = False, field_of: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Cumulant, ...]]:
    """The average of a product of trees at one order of 1/n: products of joint cumulants with paired vertices.

    Args:
        trees: ``H`` is the fluctuation of the tangent kernel about its mean Theta at infinite width.
        order: the power of 1/n.
        corrections: whether tensors enter beyond their leading order too; without them H is the fluctuation about the
            mean at finite width.
        field_of: the fields of labels, where they are not "z".
    """
    for partition in set_partitions(trees):
        sizes = [sum(len(tree.labels) for tree in group) for group in partition]
        if any(size % 2 for size in sizes):
            continue
        least = [int(len(group) == 1 and group[0].name == "H") for group in partition]  # the mean of H is Theta
        rest = order - sum(size // 2 - 1 for size in sizes) - sum(least)
        if rest < 0 or (not corrections and (rest or any(least))):
            continue
        for extra in product(range(rest + 1), repeat=len(partition)):
            if sum(extra) == rest:
                orders = [a + b for a, b in zip(least, extra, strict=True)]
                own = (list(_cumulants(g, k, field_of)) for g, k in zip(partition, orders, strict=True))
                yield from product(*own)


def _cumulants(group: Sequence[Object], order: int, field_of: Mapping[str, str]) -> Iterator[Cumulant]:
    names = tuple(tree.name for tree in group)
    labels = tuple(label for tree in group for label in tree.labels)
    for kind, vertex_of, chosen in _pairings(names, tuple(field_of.get(label, "z") for label in labels)):
        ties = tuple((labels[u], labels[v]) for u, v in chosen)
        yield Cumulant(names, kind, order, labels, vertex_of, ties)


def random_tensor(kind: TensorType, samples: int, seed: str, arithmetic: Arithmetic = RESIDUES) -> Array:
    """A tensor between samples with random components and the symmetries of its type."""
    array = np.zeros((samples,) * kind.size, dtype=object)
    for place in product(range(samples), repeat=kind.size):
        array[place] = arithmetic.draw(random.Random(f"{seed} {kind} {canonical_slots(kind, place)}")).item()
    return arithmetic.array(array)


@lru_cache(maxsize=200)
def _pairings(
    names: tuple[str, ...], fields: tuple[str, ...]
) -> tuple[tuple[TensorType, Permutation, tuple[Pair, ...]], ...]:
    """The ways to pair the vertices of trees; fields that differ are never paired."""
    return tuple(replace(forest(names), fields=fields).pairings())


def parts(formula: Formula) -> Iterator[RandomTerm]:
    """The terms of a formula, with the tangent kernel written as its mean and a fluctuation H, to second order."""
    fresh = (f"#{number}" for number in count())
    for coefficient, factors in formula:
        for choice in product(*(list(_expanded(factor, fresh)) for factor in factors)):
            yield RandomTerm(
                reduce(mul, [part.coefficient for part in choice], coefficient),
                tuple(item for part in choice for item in part.fixed),
                tuple(tree for part in choice for tree in part.random),
            )


def _expanded(item: Object, fresh: Iterator[str]) -> Iterator[RandomTerm]:
    one, labels = Fraction(1), item.labels
    match item:
        case Object("r"):
            yield RandomTerm(one, (), (Object("z", labels),))
            yield RandomTerm(-one, (Object("y", labels),), ())
        case Object("H", _, False):
            yield RandomTerm(one, (Object("Theta", labels),), ())
            yield RandomTerm(one, (), (item,))
        case Object("H", (a, b), True):
            c, d, e, f = (next(fresh) for _ in range(4))
            yield RandomTerm(one, (_inverse(a, b),), ())
            yield RandomTerm(-one, (_inverse(a, c), _inverse(d, b)), (Object("H", (c, d)),))
            chain = (_inverse(a, c), _inverse(d, e), _inverse(f, b))
            yield RandomTerm(one, chain, (Object("H", (c, d)), Object("H", (e, f))))
        case Object(name) if name == "z" or name in DIFFERENTIALS:
            yield RandomTerm(one, (), (item,))
        case _:
            yield RandomTerm(one, (item,), ())


def _inverse(a: str, b: str) -> Object:
    return Object("Theta", (a, b), True)
