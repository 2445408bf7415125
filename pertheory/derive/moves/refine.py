"""Move 2, refine: the chain rule of higher order (Faa di Bruno) on every vertex that stands at a site.

A vertex with remaining edges S is d^S s(z_j): for each partition of S into blocks, the site gets a line
s^(number of blocks), and each block becomes a vertex of the layer below, on the neuron of the site and with the
sample of the vertex it came from. The refined vertices and edges are the forest of the layer below.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from pertheory.algebra.terms import Line
from pertheory.derive.moves.pair import Join
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import Pair, TensorType
from pertheory.rulebook.network import IDENTITY

Blocks = tuple[tuple[int, ...], ...]


class Sites(NamedTuple):
    """What stands at the sites after moves 1 and 2. Vertices are those of the tensor that is derived.

    Attributes:
        joins: one per pair.
        lines: per vertex the (function, derivative order) it puts at its site, or None if its pair has no site.
        blocks: per vertex the blocks of its remaining edges; an edge is named by the vertex at its other end.
    """

    joins: tuple[Join, ...]
    lines: tuple[Line | None, ...]
    blocks: tuple[Blocks, ...]


class Lower(NamedTuple):
    """The forest of the layer below.

    Attributes:
        owners: for each lower vertex the vertex above that it came from.
        edges: between lower vertices.
    """

    owners: tuple[int, ...]
    edges: tuple[Pair, ...]


class Ground(NamedTuple):
    """The sites and what stands on them, by number of the site.

    Attributes:
        pairs: the pair of each site, as index into the pairs of the tensor.
        fields: the field below on which it acts.
        pinned: whether it is the outside neuron, which is passed on, or a sum over neurons.
        of_lower: the site of each lower vertex.
    """

    pairs: tuple[int, ...]
    fields: tuple[str, ...]
    pinned: tuple[bool, ...]
    of_lower: tuple[int, ...]


def refine(kind: TensorType, chosen: tuple[Join, ...]) -> Iterator[Sites]:
    """All ways in which the remaining edges of each vertex act together."""
    remaining: list[list[int]] = [[] for _ in range(kind.size)]
    used = {ends for ends, join in zip(kind.pairs, chosen, strict=True) if join.step}
    for u, v in kind.edges:
        if (u, v) not in used:
            remaining[u].append(v)
            remaining[v].append(u)
    function: list[str | None] = [None] * kind.size
    for (u, v), join in zip(kind.pairs, chosen, strict=True):
        if join.site:
            function[u], function[v] = join.functions
    choices: list[list[tuple[Line | None, Blocks]]] = []
    for vertex in range(kind.size):
        name = function[vertex]
        if name is None:
            choices.append([(None, ())])
            continue
        partitions = set_partitions(sorted(remaining[vertex]))
        choices.append([((name, len(blocks)), blocks) for blocks in partitions if name != IDENTITY or len(blocks) <= 1])
    for choice in product(*choices):
        yield Sites(chosen, tuple(line for line, _ in choice), tuple(blocks for _, blocks in choice))


def lower_forest(sites: Sites) -> Lower:
    """The vertices and edges of the layer below that the blocks stand for."""
    owners: list[int] = []
    number: dict[tuple[int, int], int] = {}  # (vertex, other end of an edge) -> lower vertex
    for vertex, blocks in enumerate(sites.blocks):
        for block in blocks:
            for other in block:
                number[vertex, other] = len(owners)
            owners.append(vertex)
    edges = sorted((number[u, v], number[v, u]) for u, v in number if u < v)
    return Lower(tuple(owners), tuple(edges))


def ground(kind: TensorType, sites: Sites, lower: Lower) -> Ground:
    """Number the sites, in the order of the pairs that have one."""
    pairs = tuple(index for index, join in enumerate(sites.joins) if join.site)
    site_of_vertex = {vertex: number for number, index in enumerate(pairs) for vertex in kind.pairs[index]}
    return Ground(
        pairs,
        tuple(sites.joins[index].of for index in pairs),
        tuple(sites.joins[index].site == "pinned" for index in pairs),
        tuple(site_of_vertex[owner] for owner in lower.owners),
    )
