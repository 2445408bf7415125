"""Canonical form and automorphism group of small coloured graphs.

Everything that pertheory calls "the same" (tensor types, slots of a tensor, diagrams) is the same because the
certificates computed here are equal; there is no second path that decides equality.

Contract: ``canonical_form(g).certificate == canonical_form(h).certificate`` if and only if ``g`` and ``h`` are
isomorphic as graphs with coloured vertices and coloured edges.

Method: connected components are treated apart (equal components only add exchanges); in a component, colours are
refined by the colours of the neighbours until they are stable; where several vertices still share a colour, one of
them is singled out, in all ways that the automorphisms found so far do not already make equal, and the smallest
certificate wins (McKay and Piperno, J. Symb. Comput. 60 (2014) 94).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

Permutation = tuple[int, ...]
Edge = tuple[int, int, Any]


@dataclass(frozen=True, slots=False)
class ColouredGraph:
    """An undirected graph with coloured vertices and coloured edges.

    Attributes:
        colours: one colour per vertex; colours of one graph must be mutually comparable (``<``).
        edges: triples ``(u, v, colour)``, at most one per pair of vertices and colour, no loops.
    """

    colours: tuple[Any, ...]
    edges: tuple[Edge, ...]

    def relabelled(self, permutation: Sequence[int]) -> ColouredGraph:
        """The same graph with vertex ``v`` renamed ``permutation[v]``."""
        colours: list[Any] = [None] * len(self.colours)
        for vertex, colour in enumerate(self.colours):
            colours[permutation[vertex]] = colour
        edges = tuple((permutation[u], permutation[v], colour) for u, v, colour in self.edges)
        return ColouredGraph(tuple(colours), edges)

    @cached_property
    def neighbours(self) -> list[list[tuple[Any, int]]]:
        """Per vertex the list of (edge colour, other end)."""
        table: list[list[tuple[Any, int]]] = [[] for _ in self.colours]
        for u, v, colour in self.edges:
            table[u].append((colour, v))
            table[v].append((colour, u))
        return table


@dataclass(frozen=True)
class CanonicalForm:
    """What `canonical_form` finds.

    Attributes:
        certificate: hashable; equal exactly for isomorphic graphs.
        labelling: ``labelling[v]`` is the place of vertex ``v`` in the canonical numbering.
        generators: automorphisms that generate the whole group; ``g[v]`` is the image of ``v``.
        group_size: the number of automorphisms.
    """

    certificate: Any  # hashable, and comparable with other certificates of the same kind of graph
    labelling: Permutation
    generators: tuple[Permutation, ...]
    group_size: int


def canonical_form(graph: ColouredGraph) -> CanonicalForm:
    """Canonical form of a coloured graph; see the module docstring for the contract.

    Example:
        >>> path = ColouredGraph((0, 0, 0), ((0, 1, "e"), (1, 2, "e")))
        >>> canonical_form(path).group_size
        2
    """
    pieces = []
    for vertices in connected_components(len(graph.colours), ((u, v) for u, v, _ in graph.edges)):
        position = {vertex: index for index, vertex in enumerate(vertices)}
        piece = ColouredGraph(
            tuple(graph.colours[v] for v in vertices),
            tuple(sorted((position[u], position[v], c) for u, v, c in graph.edges if u in position)),
        )
        pieces.append((_canonical_component(piece), vertices))
    pieces.sort(key=lambda item: item[0].certificate)

    labelling = [0] * len(graph.colours)
    identity = tuple(range(len(graph.colours)))
    generators: list[Permutation] = []
    size = 1
    offset = 0
    repeats = 1
    previous: tuple[CanonicalForm, Sequence[int]] | None = None
    for form, vertices in pieces:
        for local, vertex in enumerate(vertices):
            labelling[vertex] = offset + form.labelling[local]
        offset += len(vertices)
        size *= form.group_size
        for generator in form.generators:
            image = list(identity)
            for local, vertex in enumerate(vertices):
                image[vertex] = vertices[generator[local]]
            generators.append(tuple(image))
        if previous is not None and previous[0].certificate == form.certificate:
            repeats += 1
            size *= repeats
            generators.append(_exchange(identity, previous, (form, vertices)))
        else:
            repeats = 1
        previous = (form, vertices)
    certificate = tuple(form.certificate for form, _ in pieces)
    return CanonicalForm(certificate, tuple(labelling), tuple(generators), size)


def _exchange(
    identity: Permutation,
    first: tuple[CanonicalForm, Sequence[int]],
    second: tuple[CanonicalForm, Sequence[int]],
) -> Permutation:
    """The automorphism that exchanges two isomorphic components."""
    image = list(identity)
    at_place = {first[0].labelling[local]: vertex for local, vertex in enumerate(first[1])}
    for local, vertex in enumerate(second[1]):
        partner = at_place[second[0].labelling[local]]
        image[vertex], image[partner] = partner, vertex
    return tuple(image)


def connected_components(size: int, edges: Any) -> list[list[int]]:
    """Vertices of each connected component, each list ascending, in order of the smallest vertex."""
    parent = list(range(size))
    for u, v in edges:
        while parent[u] != u:
            u = parent[u]
        while parent[v] != v:
            v = parent[v]
        if u != v:
            parent[max(u, v)] = min(u, v)
    groups: dict[int, list[int]] = {}
    for vertex in range(size):
        root = vertex
        while parent[root] != root:
            root = parent[root]
        parent[vertex] = root
        groups.setdefault(root, []).append(vertex)
    return list(groups.values())


def group_elements(generators: Sequence[Permutation], degree: int) -> list[Permutation]:
    """All elements of the permutation group, the identity first."""
    identity = tuple(range(degree))
    seen = {identity}
    elements = [identity]
    for element in elements:
        for generator in generators:
            product = tuple([generator[i] for i in element])
            if product not in seen:
                seen.add(product)
                elements.append(product)
    return elements


def _refine(graph: ColouredGraph, cells: list[int]) -> list[int]:
    """Stable colouring reached from ``cells``: a cell is numbered by how many vertices lie in smaller cells.

    The numbering uses only sorted colour values, so isomorphic inputs give isomorphic outputs.
    """
    neighbours = graph.neighbours
    size = len(cells)
    count = len(set(cells))
    while count < size:
        keys = [(cells[v], sorted([(colour, cells[w]) for colour, w in neighbours[v]])) for v in range(size)]
        order = sorted(range(size), key=keys.__getitem__)
        refined = [0] * size
        start = 0
        new_count = 1
        for place in range(1, size):
            if keys[order[place]] != keys[order[place - 1]]:
                start = place
                new_count += 1
            refined[order[place]] = start
        if new_count == count:
            break
        cells, count = refined, new_count
    return cells


@lru_cache(maxsize=200_000)
def _canonical_component(graph: ColouredGraph) -> CanonicalForm:
    size = len(graph.colours)
    order = sorted(range(size), key=lambda v: graph.colours[v])
    cells = [0] * size
    for place in range(1, size):
        same = graph.colours[order[place]] == graph.colours[order[place - 1]]
        cells[order[place]] = cells[order[place - 1]] if same else place
    search = _Search(graph)
    group_size = search.visit(_refine(graph, cells), leftmost=True)
    assert search.best is not None
    colours, edges = search.best
    return CanonicalForm((colours, edges), search.best_leaf, tuple(search.generators), group_size)


class _Search:
    """Depth-first search through the ways of singling out vertices, pruned by the automorphisms found."""

    def __init__(self, graph: ColouredGraph) -> None:
        self.graph = graph
        self.best: Any = None
        self.best_leaf: Permutation = ()
        self.first: Any = None
        self.first_leaf: Permutation = ()
        self.generators: list[Permutation] = []

    def visit(self, cells: list[int], leftmost: bool, fixed: tuple[int, ...] = ()) -> int:
        """Search below one colouring; on the leftmost path return the order of the group that fixes ``fixed``."""
        members: dict[int, list[int]] = {}
        for vertex, cell in enumerate(cells):
            members.setdefault(cell, []).append(vertex)
        open_cells = [cell for cell, vertices in members.items() if len(vertices) > 1]
        if not open_cells:
            self.leaf(tuple(cells))
            return 1
        target = members[min(open_cells)]
        group_size = 1
        tried: list[int] = []
        for vertex in target:
            if tried and self.equivalent(vertex, tried, fixed):
                continue
            child = list(cells)
            for other in target:
                if other != vertex:
                    child[other] += 1  # the vertex singled out keeps the smallest number of the cell
            below = self.visit(_refine(self.graph, child), leftmost and not tried, (*fixed, vertex))
            if leftmost and not tried:
                group_size = below
            tried.append(vertex)
        if leftmost:
            orbit = self.orbit(target[0], fixed)
            group_size *= len(orbit)
        return group_size

    def leaf(self, labelling: Permutation) -> None:
        """A colouring with one vertex a cell is a numbering: compare the graph it gives with the best and first."""
        graph = self.graph
        colours: list[Any] = [None] * len(labelling)
        for vertex, place in enumerate(labelling):
            colours[place] = graph.colours[vertex]
        edges = []
        for u, v, colour in graph.edges:
            a, b = labelling[u], labelling[v]
            edges.append((a, b, colour) if a < b else (b, a, colour))
        image = (tuple(colours), tuple(sorted(edges)))
        if self.first is None:
            self.first, self.first_leaf = image, labelling
            self.best, self.best_leaf = image, labelling
            return
        if image == self.first:
            self.add_automorphism(labelling, self.first_leaf)
        elif image == self.best:
            self.add_automorphism(labelling, self.best_leaf)
        if image < self.best:
            self.best, self.best_leaf = image, labelling

    def add_automorphism(self, labelling: Permutation, reference: Permutation) -> None:
        back = [0] * len(reference)
        for vertex, place in enumerate(reference):
            back[place] = vertex
        self.generators.append(tuple([back[place] for place in labelling]))

    def orbit(self, vertex: int, fixed: tuple[int, ...]) -> set[int]:
        """Orbit of a vertex under the automorphisms found so far that fix ``fixed`` pointwise."""
        usable = [g for g in self.generators if all(g[v] == v for v in fixed)]
        usable += [_inverse(g) for g in usable]
        reached = {vertex}
        queue = [vertex]
        for current in queue:
            for generator in usable:
                image = generator[current]
                if image not in reached:
                    reached.add(image)
                    queue.append(image)
        return reached

    def equivalent(self, vertex: int, tried: list[int], fixed: tuple[int, ...]) -> bool:
        return not self.orbit(vertex, fixed).isdisjoint(tried)


def _inverse(permutation: Permutation) -> Permutation:
    back = [0] * len(permutation)
    for source, image in enumerate(permutation):
        back[image] = source
    return tuple(back)
