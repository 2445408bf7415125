"""Move 4, insert: which tensors of the layer below stand in a diagram.

The average over the layer below is a Gaussian average with covariance K plus insertions of cumulants. The trees of the
layer below are partitioned into groups; a group with any number of bare z legs is one tensor. Besides, any number of
pure-z tensors is inserted. Only pairings whose pairs sit on equal neurons survive: a tree vertex is paired with another
(their sites merge), or with a leg on its own site, or two legs are paired on one neuron.

The cost of a tensor in powers of 1/n is its pairs - 1 + its own order; every merged site costs one power as well, and
nothing beyond the wanted order is built.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from pertheory.algebra.terms import Line
from pertheory.derive.moves.coincide import Arrangement, merge
from pertheory.derive.moves.refine import Ground, Lower, Sites
from pertheory.graphs.canonical import connected_components
from pertheory.graphs.partitions import compositions, set_partitions
from pertheory.graphs.tensor import Pair
from pertheory.rulebook.network import IDENTITY


class Group(NamedTuple):
    """Trees of the layer below that make up one tensor.

    Attributes:
        vertices: its lower vertices.
        pairs: those paired with each other.
        single: those paired with a leg.
    """

    vertices: tuple[int, ...]
    pairs: tuple[Pair, ...]
    single: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Its power of 1/n before free pairs of legs and higher orders."""
        return len(self.pairs) + len(self.single) - 1


class Gathered(NamedTuple):
    """Groups together with the sites that their deltas leave; ``sites`` maps each old site to its merged one."""

    groups: tuple[Group, ...]
    sites: tuple[int, ...]
    cost: int


def gather(lower: Lower, ground: Ground, budget: int) -> Iterator[Gathered]:
    """All groupings of the trees into tensors, with all pairings of their vertices.

    Args:
        lower: the forest of the layer below.
        ground: the sites on which its vertices stand.
        budget: the largest total cost.
    """
    site_of, fields, pinned = ground.of_lower, ground.fields, ground.pinned
    sites = tuple(range(len(fields)))
    trees = connected_components(len(lower.owners), lower.edges)

    def extend(
        parts: Sequence[Sequence[list[int]]], labels: tuple[int, ...], cost: int, done: tuple[Group, ...]
    ) -> Iterator[Gathered]:
        if not parts:
            yield Gathered(done, labels, cost)
            return
        vertices = tuple(v for tree in parts[0] for v in tree)
        at_least = sum(sum(len(tree) for tree in part) // 2 - 1 for part in parts[1:])
        for group, new_labels, new_cost in matchings(vertices, labels, cost - 1, budget - at_least):
            yield from extend(parts[1:], new_labels, new_cost, (*done, group))

    def matchings(
        vertices: tuple[int, ...], labels: tuple[int, ...], cost: int, limit: int
    ) -> Iterator[tuple[Group, tuple[int, ...], int]]:
        """Every vertex of a group is left single or paired with a later one; each pair or single costs a power."""

        def go(
            left: tuple[int, ...],
            labels: tuple[int, ...],
            cost: int,
            pairs: tuple[Pair, ...],
            single: tuple[int, ...],
        ) -> Iterator[tuple[Group, tuple[int, ...], int]]:
            if cost + (len(left) + 1) // 2 > limit:
                return
            if not left:
                yield Group(vertices, pairs, single), labels, cost
                return
            head, rest = left[0], left[1:]
            yield from go(rest, labels, cost + 1, pairs, (*single, head))
            here = site_of[head]
            for place, partner in enumerate(rest):
                there = site_of[partner]
                if fields[here] != fields[there]:
                    continue
                joined, extra = labels, 0
                if labels[here] != labels[there]:
                    joined, extra = merge(labels, labels[here], labels[there]), 1
                    merged = joined[here]
                    if sum(pinned[i] for i, label in enumerate(joined) if label == merged) > 1:
                        continue
                others = (*rest[:place], *rest[place + 1 :])
                yield from go(others, joined, cost + 1 + extra, (*pairs, (head, partner)), single)

        yield from go(vertices, labels, cost, (), ())

    for partition in set_partitions(trees):
        yield from extend(partition, sites, 0, ())


def capacity(sites: Sites, arrangement: Arrangement, gathered: Gathered) -> list[float] | None:
    """How many pairs of legs each neuron can take before identity lines are derived to zero.

    Returns:
        A number, or infinity, for each neuron; None if single legs alone derive something to zero, or if a site whose
        lines are constant should have a joint cumulant with others.
    """
    single: dict[tuple[int, int], int] = {}
    for group in gathered.groups:
        for vertex in group.single:
            place = arrangement.of_lower[vertex]
            single[place] = single.get(place, 0) + 1
    found = []
    for number, neuron in enumerate(arrangement.neurons):
        total = 0.0
        for index, site in enumerate(neuron):
            degree = sum(_degree(sites.lines[vertex]) for vertex in site)
            legs = single.get((number, index), 0)
            if len(neuron) > 1 and degree == 0 and not legs:
                return None
            total += degree - legs
        if total < 0:
            return None
        found.append(total // 2 if math.isfinite(total) else total)
    return found


def _degree(line: Line | None) -> float:
    """How often a line can be derived before it vanishes."""
    if line is None or line[0] != IDENTITY:
        return math.inf
    return 1 - line[1]


class Filling(NamedTuple):
    """What is added to the groups: for each group its own order and its free pairs of legs per neuron; the pure
    tensors as (order, pairs of legs per neuron); and one over the number of symmetries of the legs."""

    groups: tuple[tuple[int, tuple[int, ...]], ...]
    pure: tuple[tuple[int, tuple[int, ...]], ...]
    weight: Fraction


Insertion = tuple[int, tuple[int, ...]]


@lru_cache(maxsize=10_000)
def _insertions(neurons: int, cost: int, pure: bool) -> tuple[Insertion, ...]:
    """All (order, pairs per neuron) of one cost; a pure tensor has one pair for free, but is no K."""
    found = []
    for order in range(cost + 1):
        pairs = cost - order + pure
        for distribution in compositions(pairs, neurons):
            found.append((order, distribution))
    return tuple(found)


def _legs_weight(distribution: Sequence[int]) -> int:
    """Symmetries of free pairs of legs: turn a pair round, exchange pairs on one neuron."""
    return math.prod(2**pairs * math.factorial(pairs) for pairs in distribution)


def fill(groups: int, neurons: int, budget: int, room: Sequence[float]) -> Iterator[Filling]:
    """All ways to spend exactly ``budget`` powers of 1/n on orders, free pairs of legs and pure tensors.

    Args:
        groups: number of tree tensors.
        neurons: number of neurons.
        budget: powers of 1/n to spend.
        room: how many pairs of legs each neuron can take, see `capacity`.
    """

    def fits(used: tuple[int, ...]) -> bool:
        return all(u <= c for u, c in zip(used, room, strict=True))

    def add(used: tuple[int, ...], distribution: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([u + d for u, d in zip(used, distribution, strict=True)])

    def on_groups(
        left: int, todo: int, used: tuple[int, ...], done: tuple[Insertion, ...], symmetry: int
    ) -> Iterator[Filling]:
        if todo == 0:
            kinds = [i for cost in range(left, 0, -1) for i in _insertions(neurons, cost, True)]
            yield from pure(left, kinds, 0, 0, used, done, (), symmetry)
            return
        for cost in range(left + 1):
            for insertion in _insertions(neurons, cost, False):
                total = add(used, insertion[1])
                if fits(total):
                    factor = symmetry * _legs_weight(insertion[1])
                    yield from on_groups(left - cost, todo - 1, total, (*done, insertion), factor)

    def pure(
        left: int,
        kinds: list[Insertion],
        start: int,
        repeats: int,
        used: tuple[int, ...],
        on: tuple[Insertion, ...],
        done: tuple[Insertion, ...],
        symmetry: int,
    ) -> Iterator[Filling]:
        if left == 0:
            yield Filling(on, done, Fraction(1, symmetry))
            return
        for place in range(start, len(kinds)):
            order, distribution = kinds[place]
            cost = order + sum(distribution) - 1
            if cost > left:
                continue
            total = add(used, distribution)
            if not fits(total):
                continue
            again = repeats + 1 if place == start and done else 1  # equal tensors may be exchanged
            factor = symmetry * _legs_weight(distribution) * again
            yield from pure(left - cost, kinds, place, again, total, on, (*done, kinds[place]), factor)

    yield from on_groups(budget, groups, (0,) * neurons, (), 1)
