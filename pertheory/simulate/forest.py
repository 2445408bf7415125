"""How a tensor is estimated: which outputs are looked at, what is integrated exactly, what is a random draw.

Two vertices lie on one output neuron exactly if they are a pair, so that the joint cumulant of the trees is n^-(p-1)
times the coefficient of that pairing and of no other. Trees that hang together through pairs are a *group*; the tensor
is n^(p-1) times the joint cumulant of its groups, since a preactivation by itself is as often positive as negative.

Over the last weights, linear in each vertex, averages are linear algebra:

* two vertices without edges: their covariance given the layer below, the *metric*;
* one without edges: the weights of its partner become the covariance of these weights with it (a *dual* head);
* both with edges: a quadratic form, of which one draw with random signs is taken (head 0, 1, ..).

A tree is evaluated as the product of two halves joined by an edge; a half is a vertex with the halves below it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pertheory.graphs.canonical import connected_components
from pertheory.rulebook.tensors import Tensor


class Half(NamedTuple):
    """A vertex without one of its edges, as a direction in the space of parameters.

    Its array has an axis for the input of the vertex, one for the input of its partner if the head is dual, and then
    those of the halves below.

    Attributes:
        field: of the vertex.
        head: the number of the draw; -1, -2, .. for dual heads, which differ where the layer passes neurons on.
        below: the halves at the other edges, each with whether it lies on the same output neuron.
    """

    field: str
    head: int
    below: tuple[tuple[Half, bool], ...]

    @property
    def axes(self) -> int:
        """How many inputs it depends on."""
        return 1 + (self.head < 0) + sum(half.axes for half, _ in self.below)


class Metric(NamedTuple):
    """Two preactivations of one neuron, averaged over the last weights; slots of the tensor."""

    field: str
    slots: tuple[int, ...]


class Tree(NamedTuple):
    """Two halves joined by an edge, whether they lie on one neuron, and the slot of each axis."""

    first: Half
    second: Half
    same: bool
    slots: tuple[int, ...]


class Group(NamedTuple):
    """Trees that hang together through pairs: a metric, or the product of trees with edges."""

    metric: Metric | None
    trees: tuple[Tree, ...]

    @property
    def slots(self) -> tuple[int, ...]:
        """The slot of each axis."""
        return self.metric.slots if self.metric else tuple(slot for tree in self.trees for slot in tree.slots)


class Plan(NamedTuple):
    """How a tensor is estimated.

    Attributes:
        groups: those whose joint cumulant it is.
        heads: how many draws of output weights it needs.
        duals: how many neurons dual heads need, where the layer passes neurons on.
        pairs: how many pairs of slots it has.
    """

    groups: tuple[Group, ...]
    heads: int
    duals: int
    pairs: int

    @property
    def metrics(self) -> int:
        """How many groups are metrics."""
        return sum(group.metric is not None for group in self.groups)

    @property
    def slots(self) -> tuple[int, ...]:
        """The slot of each axis of all groups."""
        return tuple(slot for group in self.groups for slot in group.slots)


@lru_cache(maxsize=1000)
def plan(tensor: Tensor, passes: bool) -> Plan:
    """The plan of a tensor, where the last sublayer passes neurons on or does not."""
    return _Planner(tensor, passes).plan()


class _Planner:
    def __init__(self, tensor: Tensor, passes: bool) -> None:
        self.size = tensor.kind.size
        self.fields = tuple(tensor.kind.fields[vertex] for vertex in tensor.slots)
        self.edges, pairs = tensor.slot_edges(), tensor.slot_pairs()
        self.neighbours = {v: [a + b - v for a, b in self.edges if v in (a, b)] for v in range(self.size)}
        self.partner = {v: a + b - v for a, b in pairs for v in (a, b)}
        drawn = [pair for pair in pairs if all(self.neighbours[v] for v in pair)]
        mixed = [pair for pair in pairs if sum(bool(self.neighbours[v]) for v in pair) == 1]
        self.heads = {v: number for number, pair in enumerate(drawn) for v in pair}
        self.heads |= {v: -1 - number * passes for number, pair in enumerate(mixed) for v in pair}
        self.groups = connected_components(self.size, [*self.edges, *pairs])
        self.count = (len(drawn), len(mixed) * passes, len(pairs))

    def plan(self) -> Plan:
        return Plan(tuple(self.group(vertices) for vertices in self.groups), *self.count)

    def group(self, vertices: list[int]) -> Group:
        if not any(self.neighbours[v] for v in vertices):
            return Group(Metric(self.fields[vertices[0]], tuple(vertices)), ())
        trees = connected_components(self.size, self.edges)
        return Group(None, tuple(self.tree(own) for own in trees if len(own) > 1 and own[0] in vertices))

    def tree(self, vertices: list[int]) -> Tree:
        """The tree, cut where its halves are cheapest."""
        edges = [edge for edge in self.edges if edge[0] in vertices]
        u, v = min(edges, key=lambda edge: (self.effort(*edge) + self.effort(*edge[::-1]), edge))
        (first, left), (second, right) = self.half(u, v), self.half(v, u)
        return Tree(first, second, self.partner[u] == v, (*left, *right))

    def effort(self, vertex: int, above: int) -> int:
        """Of a half, about: its derivatives, forward and backward, for two inputs in every slot."""
        below = [other for other in self.neighbours[vertex] if other != above]
        own: int = 2 ** (2 * len(below) + self.half(vertex, above)[0].axes)
        return own + sum(self.effort(other, vertex) for other in below)

    def half(self, vertex: int, above: int) -> tuple[Half, tuple[int, ...]]:
        slots = [vertex]
        if self.heads[vertex] < 0:
            slots.append(self.partner[vertex])
        below = []
        for other in self.neighbours[vertex]:
            if other != above:
                own, more = self.half(other, vertex)
                below.append((own, self.partner[vertex] == other))
                slots += more
        return Half(self.fields[vertex], self.heads[vertex], tuple(below)), tuple(slots)
