"""Moments of preactivations, functions of them and trees of derivatives, from the engine's joint cumulants.

A moment is the sum over all ways to group its factors of products of joint cumulants; a joint cumulant is the sum over
pairings into neurons of the tensors for which the engine finds a recursion, times 1/n_prev for each pair but one. Kept
is what is of order one and of order 1/n_prev. No functional derivative and no inverse of K occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from math import comb
from typing import NamedTuple

from pertheory.algebra.dual import SMALL, Dual, dual, sum_of_products
from pertheory.algebra.terms import Component
from pertheory.book import engine
from pertheory.book.canonical import KERNEL
from pertheory.book.point import Exponents, Point, Polynomial
from pertheory.graphs.tensor import canonical_slots
from pertheory.memo import kept, remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import Observable, forest


class PlacedTree(NamedTuple):
    """A tree of contracted derivatives.

    Attributes:
        shape: its name, "H" or "dH" or ...
        places: neuron and sample of each of its vertices.
    """

    shape: str
    places: tuple[tuple[int, int], ...]


#: a tensor, with the pairs of places that share a neuron
Pairing = tuple[Component, tuple[tuple[int, int], ...]]


@remembered(maxsize=200)
def pairings_of(rule: Network, shapes: tuple[str, ...], first: bool) -> tuple[Pairing, ...]:
    """All pairings of a product of trees for which the engine finds a tensor, at any layer or at the first one."""
    return tuple(derived_pairings(rule, forest(shapes), first))


def derived_pairings(rule: Network, observable: Observable, first: bool = False) -> Iterator[Pairing]:
    """As `pairings_of`; samples of a tensor and places of the pairs are positions among the labels."""
    for kind, vertex_of, pairs in observable.pairings():
        if engine.first_layer(rule, kind, 0) if first else engine.terms_of(rule, kind, 0):
            slots = tuple(sorted(range(len(vertex_of)), key=vertex_of.__getitem__))
            yield Component(kind, 0, canonical_slots(kind, slots)), pairs


class FieldMoments:
    """Moments at a random point.

    Args:
        rule: the network.
        point: the point.
        first: whether the layer is the first one.
    """

    def __init__(self, rule: Network, point: Point, first: bool = False) -> None:
        self.rule, self.point, self.first = rule, point, first
        #: every preactivation as a tree
        fields = range(point.neurons * point.samples)
        self.leaves = [PlacedTree("z", (point.place(field),)) for field in fields]

    def mean(self, polynomial: Polynomial, trees: tuple[PlacedTree, ...] = ()) -> Dual:
        """The expectation of a polynomial in the fields times trees, up to order 1/n_prev."""
        return sum_of_products((value, self.moment(exponents, trees)) for exponents, value in polynomial.items())

    @kept
    def moment(self, exponents: Exponents, trees: tuple[PlacedTree, ...]) -> Dual:
        """The expectation of a product: its first factor with all that can be grouped with it, times the rest."""
        own: tuple[int, ...] = ()
        head, others, left = trees[:1], trees[1:], exponents
        if not trees:
            own = tuple(field for field, power in enumerate(exponents) if power)[:1]
            if not own:
                return dual(1)
            left = _lowered(exponents, own)
        if self.is_odd(exponents, trees):
            return dual(0)
        terms = []
        for size in range(len(others) + 1):
            for chosen in combinations(range(len(others)), size):
                group = (*head, *(others[i] for i in chosen))
                rest = tuple(tree for i, tree in enumerate(others) if i not in chosen)
                vertices = len(own) + sum(len(tree.places) for tree in group)
                for order in (2, 4):
                    for fields, ways in _choices(left, order - vertices):
                        cumulant = self.cumulant(group, own + fields)
                        if cumulant:
                            terms.append((dual(ways) * cumulant, self.moment(_lowered(left, fields), rest)))
        return sum_of_products(terms)

    def is_odd(self, exponents: Exponents, trees: tuple[PlacedTree, ...]) -> bool:
        """Whether some neuron has an odd number of vertices, of which one stays without a partner in every pairing."""
        odd = [False] * self.point.neurons
        for field, power in enumerate(exponents):
            odd[field // self.point.samples] ^= power % 2 == 1
        for tree in trees:
            for neuron, _ in tree.places:
                odd[neuron] ^= True
        return any(odd)

    @kept
    def cumulant(self, trees: tuple[PlacedTree, ...], fields: tuple[int, ...]) -> Dual:
        """The joint cumulant of trees and preactivations, with two or four vertices in all."""
        group = (*trees, *[self.leaves[field] for field in fields])
        places = [place for tree in group for place in tree.places]
        total = dual(0)
        for part, pairs in pairings_of(self.rule, tuple(tree.shape for tree in group), self.first):
            if all(places[u][0] == places[v][0] for u, v in pairs):
                samples = [places[slot][1] for slot in part.slots]
                total = total + self.tensor(part, samples)
        return total * SMALL if len(places) == 4 else total

    def tensor(self, part: Component, samples: list[int]) -> Dual:
        """T{0} + T{1}/n_prev at the point."""
        value = self.point.tensor(part.kind, 0, samples)
        if part.kind == KERNEL:
            value = dual(value.value)
        if not self.first and engine.terms_of(self.rule, part.kind, 1):
            value = value + self.point.tensor(part.kind, 1, samples) * SMALL
        return value


@lru_cache(maxsize=10_000)
def _choices(exponents: Exponents, size: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    """All multisets of so many fields, each with the number of ways to take it from a product of powers."""
    if size < 0:
        return ()
    found = []
    present = [field for field, power in enumerate(exponents) if power]
    for fields in combinations_with_replacement(present, size):
        ways = 1
        for field in set(fields):
            ways *= comb(exponents[field], fields.count(field))
        if ways:
            found.append((fields, ways))
    return tuple(found)


def _lowered(exponents: Exponents, fields: tuple[int, ...]) -> Exponents:
    left = list(exponents)
    for field in fields:
        left[field] -= 1
    return tuple(left)
