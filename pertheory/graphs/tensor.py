"""Tensor types: a forest of contracted derivatives whose vertices are paired into neurons.

A vertex is a preactivation, an edge a pair of parameter derivatives contracted with the learning-rate tensor, a
pair two vertices on the same neuron. The joint cumulant of the trees, for 2p vertices, is

    kappa = n^-(p-1) * sum over pairings M of prod delta * T_M,        n = width of the layer below.

One `TensorType` stands for T_M up to renaming of vertices: it is kept in canonical numbering, so two types are the
same exactly if they are equal as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from pertheory.graphs.canonical import (
    ColouredGraph,
    Permutation,
    canonical_form,
    connected_components,
    group_elements,
)

Pair = tuple[int, int]

TREE, PAIR = "t", "p"


class TensorType(NamedTuple):
    """A tensor type in canonical numbering; make it with `tensor_type`.

    Attributes:
        fields: the field of each vertex ("z" in a perceptron).
        edges: contracted derivatives.
        pairs: vertices that share a neuron.
    """

    fields: tuple[str, ...]
    edges: tuple[Pair, ...]
    pairs: tuple[Pair, ...]

    def __repr__(self) -> str:
        fields = "" if set(self.fields) <= {"z"} else f", fields {' '.join(self.fields)}"
        edges, pairs = (" ".join(f"{u}-{v}" for u, v in links) for links in (self.edges, self.pairs))
        text = f"{self.size} vertices{fields}, edges {edges or 'none'}, pairs {pairs}"
        return f"TensorType({text if len(text) < 250 else text[:250] + '...'})"

    @property
    def size(self) -> int:
        """Number of vertices, and so of slots."""
        return len(self.fields)

    @property
    def is_pure(self) -> bool:
        """Whether it is a cumulant of preactivations only (G, V, V6, ...)."""
        return not self.edges

    @property
    def trees(self) -> list[list[int]]:
        """The vertices of each tree of the forest."""
        return connected_components(self.size, self.edges)

    @property
    def symmetries(self) -> tuple[Permutation, ...]:
        """Generators of the permutations of the slots that leave the tensor unchanged."""
        return canonical_form(_graph(*self)).generators

    @property
    def symmetry_order(self) -> int:
        """Number of permutations of the slots that leave the tensor unchanged."""
        return canonical_form(_graph(*self)).group_size


def _graph(fields: Sequence[str], edges: Iterable[Pair], pairs: Iterable[Pair]) -> ColouredGraph:
    coloured = [(min(e), max(e), TREE) for e in edges] + [(min(p), max(p), PAIR) for p in pairs]
    return ColouredGraph(tuple(fields), tuple(sorted(coloured)))


@lru_cache(maxsize=100_000)
def tensor_type(
    fields: tuple[str, ...], edges: tuple[Pair, ...], pairs: tuple[Pair, ...]
) -> tuple[TensorType, Permutation]:
    """Canonical type of a forest with a pairing, and the canonical vertex of each given vertex."""
    labelling = canonical_form(_graph(fields, edges, pairs)).labelling
    return _renamed(fields, edges, pairs, labelling), labelling


def _renamed(fields: Sequence[str], edges: Iterable[Pair], pairs: Iterable[Pair], labelling: Permutation) -> TensorType:
    new_fields = [""] * len(fields)
    for vertex, field in enumerate(fields):
        new_fields[labelling[vertex]] = field
    return TensorType(tuple(new_fields), _rename(edges, labelling), _rename(pairs, labelling))


def _rename(links: Iterable[Pair], labelling: Permutation) -> tuple[Pair, ...]:
    images = [(labelling[u], labelling[v]) for u, v in links]
    return tuple(sorted([(u, v) if u < v else (v, u) for u, v in images]))


@lru_cache(maxsize=1_000)
def pure_type(pairs: int, fields: tuple[str, ...] | None = None) -> tuple[TensorType, Permutation]:
    """The cumulant of 2*pairs preactivations; ``fields`` names the field of each pair (default all "z")."""
    of_pair = fields if fields is not None else ("z",) * pairs
    links = tuple((2 * i, 2 * i + 1) for i in range(pairs))
    return tensor_type(tuple(field for field in of_pair for _ in range(2)), (), links)


@lru_cache(maxsize=100_000)
def symmetry_elements(kind: TensorType) -> tuple[Permutation, ...]:
    """All slot permutations that leave the tensor unchanged, the identity first."""
    return tuple(group_elements(kind.symmetries, kind.size))


@lru_cache(maxsize=500_000)
def canonical_slots(kind: TensorType, labels: tuple[int, ...]) -> tuple[int, ...]:
    """The standard form of a component: of all slot orders that are equal by symmetry, always the same one.

    Args:
        kind: the tensor type.
        labels: what stands in each slot, in canonical slot order.
    """
    if len(set(labels)) == 1:
        return labels
    if kind.is_pure and len(set(kind.fields)) == 1:  # pairs commute, and so do the two of a pair
        ends = sorted([tuple(sorted((labels[u], labels[v]))) for u, v in kind.pairs])
        ordered = [0] * kind.size
        for (u, v), (a, b) in zip(kind.pairs, ends, strict=True):
            ordered[u], ordered[v] = a, b
        return tuple(ordered)
    return min([tuple([labels[g] for g in element]) for element in symmetry_elements(kind)])


@lru_cache(maxsize=16)
def all_types(pairs: int) -> tuple[TensorType, ...]:
    """Every type with so many pairs of one field: all forests on 2 * pairs vertices with a pairing.

    They are reached from the pure one by adding one edge after the other between different trees.
    """
    found = {pure_type(pairs)[0]}
    waiting = list(found)
    while waiting:
        kind = waiting.pop()
        tree_of = {vertex: number for number, tree in enumerate(kind.trees) for vertex in tree}
        for u, v in combinations(range(kind.size), 2):
            if tree_of[u] != tree_of[v]:
                grown, _ = tensor_type(kind.fields, (*kind.edges, (u, v)), kind.pairs)
                if grown not in found:
                    found.add(grown)
                    waiting.append(grown)
    return tuple(sorted(found, key=lambda kind: (len(kind.edges), kind)))
