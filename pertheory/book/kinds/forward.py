"""Stochastic forward equations, before any average.

As in ``H'(1,2) = delta(1,2) [lambda_b + lambda_W/n s_1 s_2] + W(1) W(2) s'_1 s'_2 H(1,2)``.

Sample a carries a neuron of its own in each layer; W(a) is the weight between the two, and delta(a,b) makes both equal,
in the layer above and, where functions stand beside it, in the layer below; neurons below are summed.

``z'(1) = b(1) + W(1) s_1`` is the equation of the network, read off the joins of one preactivation.

The engine's moves 1 and 2 act on a tree with a spare preactivation paired to every vertex that passes on through a
weight: joining the two brings that weight, while two vertices of the tree can be joined only by a step that uses up the
edge between them. What the two moves find is the forward equation.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import product

from pertheory.book.canonical import Mono, Poly, add, powers
from pertheory.book.chapters import Equation
from pertheory.book.compare import verdict
from pertheory.book.engine import tensor_named
from pertheory.book.expand import Expander
from pertheory.book.explicit import WIDTH, Explicit
from pertheory.book.indices import check_indices
from pertheory.book.syntax import Component, Mark, Node
from pertheory.book.verdict import BOTH, SYMBOLIC, Verdict
from pertheory.derive.pair import pair
from pertheory.derive.refine import Sites, lower_forest, refine
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.graphs.canonical import connected_components
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import Pair, tensor_type
from pertheory.rulebook.network import IDENTITY, Network
from pertheory.rulebook.observable import SHAPES

TREES = frozenset(SHAPES) - {"z", "H"}
#: marks that a forward equation may hold besides trees
MARKS = frozenset({"delta", "W", "b"})
#: the network that explicit parameters are about
PERCEPTRON = "mlp"
#: a tree: its shape and the numbers of its vertices
Above = tuple[str, tuple[int, ...]]
#: the preactivation itself, z'(1) = b(1) + W(1) s_1
PREACTIVATION = "z"
#: the stochastic metric: two preactivations above on one neuron, before any average of what is below
METRIC = "hatG"


def decide(equation: Equation, form: str) -> Verdict:
    """Compare with what moves 1 and 2 make of the tree."""
    statement = equation.read(form)
    left, *rest = statement.sides
    shape = left.name if isinstance(left, Component | Mark) and left.up else ""
    if shape not in TREES | {"H", METRIC, PREACTIVATION} or len(rest) != 1:
        raise RuleError(
            f"{equation.place}: equation {equation.number}: the left side must be z', H', dH', ddH_I', ddH_II' or hatG'"
        )
    names = check_indices(statement)
    samples = {label: number for number, label in enumerate(names)}
    expander = Expander(equation.rule, samples, False, MARKS | TREES)
    right = as_trees(expander.opened(rest[0]))
    labels = tuple(samples[label] for label in _labels(left))
    difference = add(forward(equation.rule, shape, labels), right, -1)
    if equation.rule.name != PERCEPTRON:
        return verdict(difference, 0.0, SYMBOLIC, list(samples))
    return verdict(difference, explicit_residual(equation, shape, labels, right), BOTH, list(samples))


def explicit_residual(equation: Equation, shape: str, labels: tuple[int, ...], right: Poly) -> float:
    """The second route: both sides in a network with explicit parameters, for all ways to share neurons above.

    Returns:
        The largest relative difference.
    """
    place = {label: number for number, label in enumerate(labels)}
    draw = random.Random(equation.number)
    symbols = {name: Fraction(draw.randint(10, 99), 7) for name in sorted(equation.words.symbols)}
    worst = 0.0
    network = explicit_network(len(labels), tuple(symbols.items()), equation.number)
    for partition in set_partitions(range(len(labels))):
        neuron = {labels[i]: number for number, block in enumerate(partition) for i in block}
        above = [(neuron[label], place[label]) for label in labels]
        if shape == METRIC:
            if neuron[labels[0]] != neuron[labels[1]]:
                continue
            left = network.covariance(3, above[0], above[1])
            right = {mono._replace(marks=(*mono.marks, ("delta", labels))): c for mono, c in right.items()}
        else:
            left = explicit_tree(network, 3, shape, tuple(above))
        stated = sum((c * explicit_value(network, mono, neuron, place) for mono, c in right.items()), Fraction(0))
        if left != stated:
            worst = max(worst, float(abs(left - stated) / max(abs(left), abs(stated))))
    return worst


def explicit_value(network: Explicit, mono: Mono, neuron: Mapping[int, int], place: Mapping[int, int]) -> Fraction:
    """One term of a forward equation in a network of three layers, summed over the neurons of the second."""
    value = Fraction(1)
    for name, exponent in mono.scalars:
        value *= (Fraction(WIDTH) if name == "n" else network.symbols[name]) ** exponent
    site = {label: label for label in place}
    for name, labels in mono.marks:
        if name == "delta":
            a, b = labels
            if neuron[a] != neuron[b]:
                return Fraction(0)
            site = {label: site[a] if at == site[b] else at for label, at in site.items()}
        elif name == "b":
            value *= network.values[network.biases[3, neuron[labels[0]]]]
    weights = [labels[0] for name, labels in mono.marks if name == "W"]
    trees = [shaped(labels) for name, labels in mono.marks if name == "tree"]
    used = {*weights, *(label for label, _ in mono.lines), *(v for _, vertices in trees for v in vertices)}
    sites = sorted({site[label] for label in used})
    total = Fraction(0)
    for choice in product(range(WIDTH), repeat=len(sites)):
        below = dict(zip(sites, choice, strict=True))
        term = value
        for label in weights:
            term *= network.weight(3, neuron[label], below[site[label]])
        for label, order in mono.lines:
            term *= network.line(2, order, below[site[label]], place[label])
        for shape, vertices in trees:
            term *= explicit_tree(network, 2, shape, tuple((below[site[v]], place[v]) for v in vertices))
        total += term
    return total


@lru_cache(maxsize=4)
def explicit_network(size: int, symbols: tuple[tuple[str, Fraction], ...], seed: str) -> Explicit:
    """A network of three layers with so many inputs and neurons above; it knows nothing of the engine."""
    return Explicit(3, size, size, dict(symbols), seed)


def explicit_tree(network: Explicit, layer: int, shape: str, places: tuple[tuple[int, int], ...]) -> Fraction:
    """A tree of a layer, kept."""
    key = (layer, shape, places)
    if key not in network.trees:
        network.trees[key] = network.tree(layer, shape, places)
    return network.trees[key]


def _labels(node: Node) -> tuple[str, ...]:
    assert isinstance(node, Component | Mark)
    return node.labels


def as_trees(poly: Poly) -> Poly:
    """Every H and every differential as a tree with the samples at its edges."""
    kernel = tensor_named("H").kind
    total: Poly = {}
    for mono, coefficient in poly.items():
        for labels in [labels for name, labels in mono.marks if name in TREES] + [part.slots for part in mono.tensors]:
            if len(set(labels)) < len(labels):
                raise InputError("a tree of derivatives has different samples at its vertices")
        marks = [mark for mark in mono.marks if mark[0] not in TREES]
        marks += [_tree([(labels[u], labels[v]) for u, v in SHAPES[n][1]]) for n, labels in mono.marks if n in TREES]
        marks += [_tree([(part.slots[0], part.slots[1])]) for part in mono.tensors if part.kind == kernel]
        others = tuple(part for part in mono.tensors if part.kind != kernel)
        add(total, {mono._replace(tensors=others, marks=tuple(sorted(marks))): coefficient})
    return total


def _tree(edges: list[Pair]) -> tuple[str, tuple[int, ...]]:
    ordered = sorted((min(edge), max(edge)) for edge in edges)
    return "tree", tuple(label for edge in ordered for label in edge)


def forward(rule: Network, shape: str, labels: tuple[int, ...]) -> Poly:
    """The forward equation of a tree, or the stochastic metric, from moves 1 and 2 of the engine."""
    if shape == METRIC:
        return stochastic_metric(rule, labels)
    if shape == PREACTIVATION:
        return preactivation(rule, labels[0])
    _, edges = SHAPES[shape]
    size = len(labels)
    total: Poly = {}
    for steps in matchings(edges):
        stepped = {vertex for edge in steps for vertex in edge}
        passing = [vertex for vertex in range(size) if vertex not in stepped]
        spare = {vertex: size + number for number, vertex in enumerate(passing)}
        kind_, name_of = tensor_type(("z",) * (size + len(passing)), edges, (*steps, *spare.items()))
        vertex_at = {name: vertex for vertex, name in enumerate(name_of)}
        for chosen in pair(rule, 0, kind_):
            ends = [(vertex_at[u], vertex_at[v]) for u, v in kind_.pairs]
            if any(
                join.step != (max(e) < size) or (not join.step and not join.site)
                for join, e in zip(chosen, ends, strict=True)
            ):
                continue
            for sites in refine(kind_, chosen):
                add(total, {_term(sites, ends, vertex_at, labels, size): Fraction(1)})
    return total


def preactivation(rule: Network, label: int) -> Poly:
    """The forward equation itself: what joins a preactivation to a spare one, of which one half is written out."""
    kind_, _ = tensor_type(("z", "z"), (), ((0, 1),))
    if len(rule.sublayers) != 1:
        raise UnsupportedError("the forward equation of z is written out for rules of one sublayer")
    total: Poly = {}
    for (join,) in pair(rule, 0, kind_):
        if not join.site:
            term = Mono(marks=(("b", (label,)),))
        else:
            function = join.functions[0]
            term = Mono(zeds=(label,)) if function == IDENTITY else Mono(lines=((label, 0),))
            if join.site == "sum":
                term = term._replace(marks=(("W", (label,)),))
            else:  # both ends bring the factor with which the neuron is passed on
                term = term._replace(scalars=tuple((name, power // 2) for name, power in join.factor.powers))
        add(total, {term: Fraction(1)})
    return total


def stochastic_metric(rule: Network, labels: tuple[int, ...]) -> Poly:
    """What moves 1 and 2 make of two preactivations on one neuron; a sum over neurons below is understood."""
    kind_, name_of = tensor_type(("z", "z"), (), ((0, 1),))
    vertex_at = {name: vertex for vertex, name in enumerate(name_of)}
    total: Poly = {}
    for chosen in pair(rule, 0, kind_):
        for sites in refine(kind_, chosen):
            (join,) = sites.joins
            lines = [(labels[vertex_at[name]], line[1]) for name, line in enumerate(sites.lines) if line is not None]
            scalars = powers(join.factor.powers, (("n", -1),) if join.site == "sum" else ())
            add(total, {Mono(scalars=scalars, lines=tuple(sorted(lines))): Fraction(1)})
    return total


def _term(sites: Sites, ends: list[Pair], vertex_at: dict[int, int], labels: tuple[int, ...], size: int) -> Mono:
    scalars, marks = [], []
    for join, (u, v) in zip(sites.joins, ends, strict=True):
        if join.step:
            scalars.append(powers(join.factor.powers, (("n", -1),) if join.site else ()))
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
    return Mono(scalars=powers(*scalars), marks=tuple(sorted(marks)), lines=tuple(sorted(lines)))


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
    pairs = [(edges[i], edges[i + 1]) for i in range(0, len(edges), 2)]
    around: dict[int, list[int]] = {}
    for u, v in pairs:
        around.setdefault(u, []).append(v)
        around.setdefault(v, []).append(u)
    centre = max(sorted(around), key=lambda v: len(around[v]))
    if len(pairs) == 1:
        return "H", pairs[0]
    if len(around[centre]) == len(pairs):
        return ("dH" if len(pairs) == 2 else "ddH_I"), (centre, *sorted(around[centre]))
    if len(pairs) == 3:
        other = next(v for v in around[centre] if len(around[v]) == 2)
        (leaf,) = (v for v in around[centre] if v != other)
        (far,) = (v for v in around[other] if v != centre)
        return "ddH_II", (centre, other, leaf, far)
    raise UnsupportedError("sums over neurons know trees of up to four vertices")
