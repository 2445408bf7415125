"""The canonical form against networkx's search for isomorphisms, which shares no code with it."""

import random

import networkx as nx
import pytest
from networkx.algorithms.isomorphism import GraphMatcher, categorical_edge_match, categorical_node_match

from pertheory.graphs.canonical import (
    ColouredGraph,
    canonical_form,
    connected_components,
    group_elements,
)

SAME_VERTEX = categorical_node_match("colour", None)
SAME_EDGE = categorical_edge_match("colour", None)


def as_networkx(graph: ColouredGraph) -> nx.Graph:
    """The same graph for networkx; the colours of all edges between two vertices become one set."""
    result = nx.Graph()
    for vertex, colour in enumerate(graph.colours):
        result.add_node(vertex, colour=colour)
    between: dict[tuple[int, int], set] = {}
    for u, v, colour in graph.edges:
        between.setdefault((min(u, v), max(u, v)), set()).add(colour)
    for (u, v), colours in between.items():
        result.add_edge(u, v, colour=frozenset(colours))
    return result


def isomorphic(first: ColouredGraph, second: ColouredGraph) -> bool:
    return GraphMatcher(as_networkx(first), as_networkx(second), SAME_VERTEX, SAME_EDGE).is_isomorphic()


def automorphisms(graph: ColouredGraph) -> set[tuple[int, ...]]:
    own = as_networkx(graph)
    matcher = GraphMatcher(own, own, SAME_VERTEX, SAME_EDGE)
    return {tuple(m[v] for v in range(len(graph.colours))) for m in matcher.isomorphisms_iter()}


def shuffled(graph: ColouredGraph, draw: random.Random) -> ColouredGraph:
    """A copy with renamed vertices, edges in another order and some of them turned round."""
    names = list(range(len(graph.colours)))
    draw.shuffle(names)
    renamed = graph.relabelled(names)
    edges = [(v, u, c) if draw.random() < 0.5 else (u, v, c) for u, v, c in renamed.edges]
    draw.shuffle(edges)
    return ColouredGraph(renamed.colours, tuple(edges))


def random_graph(draw: random.Random, size: int, colours: int, edge_colours: str, density: float):
    edges = []
    for u in range(size):
        for v in range(u + 1, size):
            edges += [(u, v, c) for c in edge_colours if draw.random() < density]
    return ColouredGraph(tuple(draw.randrange(colours) for _ in range(size)), tuple(edges))


def disjoint(*parts: ColouredGraph) -> ColouredGraph:
    colours: tuple = ()
    edges: tuple = ()
    for part in parts:
        shift = len(colours)
        edges += tuple((u + shift, v + shift, c) for u, v, c in part.edges)
        colours += part.colours
    return ColouredGraph(colours, edges)


def with_one_change(graph: ColouredGraph, draw: random.Random) -> ColouredGraph:
    """Exchange the ends of two edges: degrees and colours stay, so it is hard to tell from the original."""
    edges = list(graph.edges)
    if len(edges) < 2:
        return graph
    i, j = draw.sample(range(len(edges)), 2)
    (a, b, c), (d, e, f) = edges[i], edges[j]
    present = {(min(u, v), max(u, v), k) for u, v, k in edges}
    new = {(min(a, e), max(a, e), c), (min(d, b), max(d, b), f)}
    if a == e or d == b or c != f or len(new) < 2 or new & present:
        return graph
    edges[i], edges[j] = sorted(new)
    return ColouredGraph(graph.colours, tuple(edges))


def from_networkx(graph: nx.Graph, colour: int = 0) -> ColouredGraph:
    number = {vertex: index for index, vertex in enumerate(graph)}
    return ColouredGraph((colour,) * len(number), tuple((number[u], number[v], "e") for u, v in graph.edges))


def test_certificates_of_random_relabellings_are_equal_and_the_labelling_maps_onto_one_graph():
    draw = random.Random(1)
    for _ in range(2500):
        graph = random_graph(
            draw, draw.randint(1, 9), draw.randint(1, 3), draw.choice(["a", "ab"]), draw.random() * 0.7
        )
        other = shuffled(graph, draw)
        form, other_form = canonical_form(graph), canonical_form(other)
        assert form.certificate == other_form.certificate
        assert form.group_size == other_form.group_size
        images = []
        for one, labelling in ((graph, form.labelling), (other, other_form.labelling)):
            moved = one.relabelled(labelling)
            images.append((moved.colours, sorted((min(u, v), max(u, v), c) for u, v, c in moved.edges)))
        assert images[0] == images[1]


def test_certificates_are_equal_exactly_for_isomorphic_graphs():
    draw = random.Random(2)
    equal = 0
    for _ in range(1500):
        size, colours = draw.randint(2, 7), draw.randint(1, 2)
        kinds = draw.choice(["a", "ab"])
        density = draw.random() * 0.7
        first = random_graph(draw, size, colours, kinds, density)
        second = shuffled(
            with_one_change(first, draw) if draw.random() < 0.5 else random_graph(draw, size, colours, kinds, density),
            draw,
        )
        same = isomorphic(first, second)
        equal += same
        assert (canonical_form(first).certificate == canonical_form(second).certificate) == same
    assert 100 < equal < 1400, "both cases must occur for this to be a test"


def test_all_small_graphs_fall_into_the_known_number_of_classes():
    # Graphs on n unlabelled vertices: 1, 2, 4, 11, 34 (Harary, Graphical Enumeration; OEIS A000088).
    for size, expected in ((1, 1), (2, 2), (3, 4), (4, 11), (5, 34)):
        possible = [(u, v, "e") for u in range(size) for v in range(u + 1, size)]
        certificates = {
            canonical_form(
                ColouredGraph((0,) * size, tuple(e for i, e in enumerate(possible) if mask >> i & 1))
            ).certificate
            for mask in range(1 << len(possible))
        }
        assert len(certificates) == expected


def test_the_orbits_of_labelled_graphs_have_the_size_that_the_group_order_says():
    # Lagrange: n!/|Aut| labelled graphs in each class; over all classes they make up all 2^(n(n-1)/2).
    size = 5
    possible = [(u, v, "e") for u in range(size) for v in range(u + 1, size)]
    counted: dict = {}
    for mask in range(1 << len(possible)):
        form = canonical_form(ColouredGraph((0,) * size, tuple(e for i, e in enumerate(possible) if mask >> i & 1)))
        counted.setdefault((form.certificate, form.group_size), []).append(mask)
    for (_, group_size), masks in counted.items():
        assert len(masks) * group_size == 120
    assert sum(map(len, counted.values())) == 1024


def test_the_group_is_that_of_networkx_and_its_generators_are_automorphisms():
    draw = random.Random(3)
    for _ in range(700):
        size = draw.randint(1, 7)
        graph = random_graph(draw, size, draw.randint(1, 2), draw.choice(["a", "ab"]), draw.random() * 0.6)
        form = canonical_form(graph)
        expected = automorphisms(graph)
        assert form.group_size == len(expected)
        assert set(form.generators) <= expected
        elements = group_elements(form.generators, size)
        assert set(elements) == expected
        assert len(elements) == len(expected)
        assert elements[0] == tuple(range(size))


def test_repeated_components_exchange_and_other_components_do_not():
    draw = random.Random(4)
    for _ in range(250):
        part = random_graph(draw, draw.randint(1, 3), 2, "ab", 0.5)
        other = random_graph(draw, draw.randint(1, 3), 2, "ab", 0.5)
        graph = disjoint(part, shuffled(part, draw), other)
        mixed = shuffled(disjoint(other, part, part), draw)
        form = canonical_form(graph)
        expected = automorphisms(graph)
        assert form.certificate == canonical_form(mixed).certificate
        assert form.group_size == len(expected)
        assert set(group_elements(form.generators, len(graph.colours))) == expected


TRIANGLES = from_networkx(nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)))
HEXAGON = from_networkx(nx.cycle_graph(6))
ROOK = from_networkx(nx.line_graph(nx.complete_bipartite_graph(4, 4)))
SHRIKHANDE = from_networkx(
    nx.Graph(
        ((i, j), ((i + a) % 4, (j + b) % 4)) for i in range(4) for j in range(4) for a, b in ((1, 0), (0, 1), (1, 1))
    )
)
PETERSEN = from_networkx(nx.petersen_graph())
PRISM_5 = from_networkx(nx.circular_ladder_graph(5))
MOEBIUS_5 = from_networkx(nx.circulant_graph(10, [1, 5]))
CUBE = from_networkx(nx.hypercube_graph(3))
WAGNER = from_networkx(nx.circulant_graph(8, [1, 4]))


@pytest.mark.parametrize(
    ("family", "orders"),
    [
        # Automorphism groups: (S3 wr S2), D6; S4 wr S2, 192 (Shrikhande 1959); S5, D5 x Z2, D10; S4 x Z2, D8.
        ((TRIANGLES, HEXAGON), (72, 12)),
        ((ROOK, SHRIKHANDE), (1152, 192)),
        ((PETERSEN, PRISM_5, MOEBIUS_5), (120, 20, 20)),
        ((CUBE, WAGNER), (48, 16)),
    ],
    ids=["2-regular", "strongly-regular-16", "cubic-10", "cubic-8"],
)
def test_regular_graphs_that_colour_refinement_merges_are_told_apart(family, orders):
    draw = random.Random(5)
    assert len({canonical_form(graph).certificate for graph in family}) == len(family)
    for graph, order in zip(family, orders, strict=True):
        form = canonical_form(graph)
        assert form.group_size == order
        assert len(group_elements(form.generators, len(graph.colours))) == order
        edges = {(min(u, v), max(u, v), c) for u, v, c in graph.edges}
        for g in form.generators:
            assert {(min(g[u], g[v]), max(g[u], g[v]), c) for u, v, c in graph.edges} == edges
        for _ in range(5):
            assert canonical_form(shuffled(graph, draw)).certificate == form.certificate


def test_random_regular_graphs_are_told_apart_as_networkx_tells_them_apart():
    # 3-regular on 8 vertices: refinement alone sees one class, there are 5 connected and 1 disconnected one.
    draw = random.Random(6)
    classes: dict = {}
    for seed in range(120):
        graph = shuffled(from_networkx(nx.random_regular_graph(3, 8, seed=seed)), draw)
        certificate = canonical_form(graph).certificate
        for known, representative in classes.items():
            assert (known == certificate) == isomorphic(graph, representative)
        classes.setdefault(certificate, graph)
    assert len(classes) >= 5


def test_edge_colours_alone_make_graphs_different():
    # Alternating colours round a square against equal colours side by side.
    alternating = ColouredGraph((0,) * 4, ((0, 1, "a"), (1, 2, "b"), (2, 3, "a"), (3, 0, "b")))
    beside = ColouredGraph((0,) * 4, ((0, 1, "a"), (1, 2, "a"), (2, 3, "b"), (3, 0, "b")))
    assert canonical_form(alternating).certificate != canonical_form(beside).certificate
    assert canonical_form(alternating).group_size == 4
    assert canonical_form(beside).group_size == 2


def test_two_edges_between_the_same_vertices_are_not_one():
    double = ColouredGraph((0, 0), ((0, 1, "p"), (0, 1, "t")))
    single = ColouredGraph((0, 0), ((0, 1, "p"),))
    assert canonical_form(double).certificate != canonical_form(single).certificate
    assert canonical_form(double).group_size == 2


def test_the_empty_graph_and_isolated_vertices():
    assert canonical_form(ColouredGraph((), ())).group_size == 1
    assert canonical_form(ColouredGraph((0,) * 6, ())).group_size == 720
    assert canonical_form(ColouredGraph((0, 0, 1, 1, 1), ())).group_size == 2 * 6


def test_components_are_those_of_networkx():
    draw = random.Random(7)
    for _ in range(300):
        size = draw.randint(1, 12)
        edges = [(draw.randrange(size), draw.randrange(size)) for _ in range(draw.randint(0, size))]
        graph = nx.Graph()
        graph.add_nodes_from(range(size))
        graph.add_edges_from(edges)
        expected = sorted(sorted(component) for component in nx.connected_components(graph))
        assert connected_components(size, edges) == expected
