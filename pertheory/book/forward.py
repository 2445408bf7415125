"""Stochastic forward equations, before any average, from moves 1 and 2 of the engine.

As in ``H'(1,2) = delta(1,2) [lambda_b + lambda_W/n s_1 s_2] + W(1) W(2) s'_1 s'_2 H(1,2)``. Sample a carries a neuron
of its own in each layer; W(a) is the weight between the two, and delta(a,b) makes both equal, in the layer above and,
where functions stand beside it, in the layer below; neurons below are summed.

The moves act on a tree with a spare preactivation paired to every vertex that passes on through a weight: joining the
two brings that weight, while two vertices of the tree can be joined only by a step that uses up the edge between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from pertheory.algebra.monomial import Powers, multiply_powers
from pertheory.algebra.polynomial import collected
from pertheory.book.canonical import Mono, Poly
from pertheory.book.engine import tensor_named
from pertheory.derive.moves.pair import Join, joins, pair
from pertheory.derive.moves.refine import Sites, lower_forest, refine
from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.canonical import connected_components
from pertheory.graphs.tensor import Pair, tensor_type
from pertheory.rulebook.network import IDENTITY, Network
from pertheory.rulebook.observable import SHAPES, build_tree

#: trees that are no tensors by themselves
TREES = frozenset(SHAPES) - {"z", "H"}
#: a tree: its shape and the numbers of its vertices
Above = tuple[str, tuple[int, ...]]
#: the preactivation itself, z'(1) = b(1) + W(1) s_1
PREACTIVATION = "z"
#: the stochastic metric: two preactivations above on one neuron, before any average of what is below
METRIC = "hatG"


def as_trees(poly: Poly) -> Poly:
    """Every H and every differential as a tree with the samples at its edges."""
    kernel = tensor_named("H").kind

    def of_trees(mono: Mono) -> Mono:
        for labels in [labels for name, labels in mono.marks if name in TREES] + [part.slots for part in mono.tensors]:
            if len(set(labels)) < len(labels):
                raise InputError("a tree of derivatives has different samples at its vertices")
        marks = [mark for mark in mono.marks if mark[0] not in TREES]
        marks += [_tree([(labels[u], labels[v]) for u, v in SHAPES[n][1]]) for n, labels in mono.marks if n in TREES]
        marks += [_tree([(part.slots[0], part.slots[1])]) for part in mono.tensors if part.kind == kernel]
        others = tuple(part for part in mono.tensors if part.kind != kernel)
        return mono._replace(tensors=others, marks=tuple(sorted(marks)))

    return collected((of_trees(mono), coefficient) for mono, coefficient in poly.items())


def _tree(edges: list[Pair]) -> tuple[str, tuple[int, ...]]:
    ordered = sorted((min(edge), max(edge)) for edge in edges)
    return "tree", tuple(label for edge in ordered for label in edge)


def fresh_parameters(rule: Network) -> tuple[Join, Join]:
    """How a weight and how a bias joins two preactivations.

    Raises:
        UnsupportedError: the network is not one layer of weights and biases.
    """
    found = [join for join in joins(rule, 0, "z") if not join.step] if len(rule.sublayers) == 1 else []
    weights, biases = [j for j in found if j.site == "sum"], [j for j in found if not j.site]
    if len(found) != 2 or len(weights) != 1 or len(biases) != 1:
        raise UnsupportedError("only rules of one layer of weights and biases are written out in weights")
    return weights[0], biases[0]


def forward(rule: Network, shape: str, labels: tuple[int, ...]) -> Poly:
    """The forward equation of a tree, of the preactivation itself, or the stochastic metric.

    Args:
        rule: the network.
        shape: the name of a tree of derivatives, `PREACTIVATION` or `METRIC`.
        labels: the samples of its vertices.
    """
    make = {METRIC: _stochastic_metric, PREACTIVATION: _preactivation}.get(shape)
    terms = make(rule, labels) if make else _of_tree(rule, SHAPES[shape][1], labels)
    return collected((term, Fraction(1)) for term in terms)


def _of_tree(rule: Network, edges: tuple[Pair, ...], labels: tuple[int, ...]) -> Iterator[Mono]:
    size = len(labels)
    for steps in matchings(edges):
        stepped = {vertex for edge in steps for vertex in edge}
        passing = [vertex for vertex in range(size) if vertex not in stepped]
        spare = {vertex: size + number for number, vertex in enumerate(passing)}
        kind, name_of = tensor_type(("z",) * (size + len(passing)), edges, (*steps, *spare.items()))
        vertex_at = {name: vertex for vertex, name in enumerate(name_of)}
        for chosen in pair(rule, 0, kind):
            ends = [(vertex_at[u], vertex_at[v]) for u, v in kind.pairs]
            if any(
                join.step != (max(e) < size) or (not join.step and not join.site)
                for join, e in zip(chosen, ends, strict=True)
            ):
                continue
            for sites in refine(kind, chosen):
                yield _term(sites, ends, vertex_at, labels, size)


def _preactivation(rule: Network, labels: tuple[int, ...]) -> Iterator[Mono]:
    """The forward equation itself: what joins a preactivation to a spare one, of which one half is written out."""
    kind, _ = tensor_type(("z", "z"), (), ((0, 1),))
    if len(rule.sublayers) != 1:
        raise UnsupportedError("the forward equation of z is written out for rules of one sublayer")
    for (join,) in pair(rule, 0, kind):
        if not join.site:
            yield Mono(marks=(("b", labels),))
            continue
        term = Mono(zeds=labels) if join.functions[0] == IDENTITY else Mono(lines=((labels[0], 0),))
        if join.site == "sum":
            yield term._replace(marks=(("W", labels),))
        else:  # both ends bring the factor with which the neuron is passed on
            yield term._replace(scalars=tuple((name, power // 2) for name, power in join.factor.powers))


def _stochastic_metric(rule: Network, labels: tuple[int, ...]) -> Iterator[Mono]:
    """What moves 1 and 2 make of two preactivations on one neuron; a sum over neurons below is understood."""
    kind, name_of = tensor_type(("z", "z"), (), ((0, 1),))
    vertex_at = {name: vertex for vertex, name in enumerate(name_of)}
    for chosen in pair(rule, 0, kind):
        for sites in refine(kind, chosen):
            (join,) = sites.joins
            lines = [(labels[vertex_at[name]], line[1]) for name, line in enumerate(sites.lines) if line is not None]
            scalars = multiply_powers((join.factor.powers, (("n", -1),) if join.site == "sum" else ()))
            yield Mono(scalars=scalars, lines=tuple(sorted(lines)))


def _term(sites: Sites, ends: list[Pair], vertex_at: dict[int, int], labels: tuple[int, ...], size: int) -> Mono:
    scalars: list[Powers] = []
    marks = []
    for join, (u, v) in zip(sites.joins, ends, strict=True):
        if join.step:
            scalars += [join.factor.powers, (("n", -1),) if join.site else ()]
            marks.append(("delta", tuple(sorted((labels[u], labels[v])))))
        else:
            marks.append(("W", (labels[min(u, v)],)))
    lines = [
        (labels[vertex_at[name]], line[1])
        for name, line in enumerate(sites.lines)
        if line is not None and vertex_at[name] < size
    ]
    lower = lower_forest(sites)
    owner = [labels[vertex_at[name]] for name in lower.owners]
    for tree in connected_components(len(owner), lower.edges):
        marks.append(_tree([(owner[u], owner[v]) for u, v in lower.edges if u in tree]))
    return Mono(scalars=multiply_powers(scalars), marks=tuple(sorted(marks)), lines=tuple(sorted(lines)))


def matchings(edges: tuple[Pair, ...]) -> Iterator[tuple[Pair, ...]]:
    """All sets of edges of which no two share a vertex."""
    if not edges:
        yield ()
        return
    head, rest = edges[0], edges[1:]
    yield from matchings(rest)
    for others in matchings(tuple(edge for edge in rest if not set(edge) & set(head))):
        yield (head, *others)


def shaped(edges: tuple[int, ...]) -> Above:
    """The shape of a tree that is given by its edges, one after the other, and its vertices in the shape's order."""
    tree = build_tree([*zip(edges[::2], edges[1::2], strict=True)])
    name, _, labels = str(tree).partition("(")
    if name not in SHAPES:
        raise UnsupportedError("sums over neurons know trees of up to four vertices")
    return name, tuple(map(int, re.findall(r"\d", labels)))
