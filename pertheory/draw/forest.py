"""A tensor: the vertices of its forest in a row, contracted derivatives solid, vertices on one neuron dashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING

from pertheory.draw.scene import LARGE, MEDIUM, SMALL, Dot, Item, Line, Run, Scene, Text, scene
from pertheory.draw.words import Runs, plain, symbol, wrapped
from pertheory.graphs.tensor import Pair, TensorType

if TYPE_CHECKING:
    from pertheory.rulebook.tensors import Tensor

RADIUS, PITCH = 10.0, 46.0
#: Trees with so many vertices are put into the order that has the shortest edges; larger ones are walked depth first.
_SMALL_TREE = 6


def tensor_scene(tensor: Tensor) -> Scene:
    """A tensor by itself: its forest and pairing with the labels of its slots, its name and what it is."""
    label = dict(zip(tensor.slots, tensor.labels, strict=True))
    order = row(tensor.kind, label)
    at: dict[int, float] = {}
    x = 0.0
    tree_of = {v: number for number, tree in enumerate(tensor.kind.trees) for v in tree}
    for before, v in zip((None, *order), order, strict=False):
        x += 0.0 if before is None else PITCH if tree_of[before] == tree_of[v] else PITCH + 8
        at[v] = x
    items: list[Item] = list(links(tensor.kind, order, at, 0.0, RADIUS, edges_above=True))
    for v in order:
        field = tensor.kind.fields[v]
        items.append(Dot("vertex", at[v], 0.0, RADIUS))
        items.append(Text(at[v], 4.5, (Run(label[v]),)))
        if field != "z":
            items.append(Text(at[v] + RADIUS + 1, 13.0, (Run(field, "i"),), SMALL, "start"))
    foot = max([y for item in items if isinstance(item, Line) for _, y in item.points], default=0.0)
    slots = Run(f"({', '.join(tensor.labels)})")
    own = " " not in tensor.name
    runs = (*symbol(tensor.name), slots) if own else plain(tensor.observable)
    items.append(Text(x / 2, foot + 26, runs, LARGE if own else MEDIUM))
    if tensor.title:
        for number, words in enumerate(wrapped(tensor.title, MEDIUM, max(x, 260.0))):
            items.append(Text(x / 2, foot + 46 + 15 * number, plain(words)))
    return scene(f"{tensor.name}: {tensor.observable}", items, margin=10.0)


def row(kind: TensorType, label: Mapping[int, str]) -> tuple[int, ...]:
    """The vertices in the order in which they stand: tree after tree, the ends of edges side by side if they can be."""
    trees = sorted(kind.trees, key=lambda tree: min(label[v] for v in tree))
    return tuple(v for tree in trees for v in _in_line(tree, [e for e in kind.edges if e[0] in tree], label))


def _in_line(tree: Sequence[int], edges: Sequence[Pair], label: Mapping[int, str]) -> tuple[int, ...]:
    ordered = sorted(tree, key=lambda v: label[v])
    if len(ordered) <= _SMALL_TREE:

        def length(order: tuple[int, ...]) -> int:
            return sum(abs(order.index(u) - order.index(v)) for u, v in edges)

        return min(permutations(ordered), key=lambda order: (length(order), [label[v] for v in order]))
    found: list[int] = []
    waiting = [next(v for v in ordered if sum(v in e for e in edges) == 1)]
    while waiting:
        v = waiting.pop()
        found.append(v)
        near = {w for e in edges if v in e for w in e} - set(found)
        waiting += sorted(near, key=lambda w: label[w], reverse=True)
    return tuple(found)


def links(
    kind: TensorType,
    order: Sequence[int],
    at: Mapping[int, float],
    y: float,
    radius: float,
    edges_above: bool = False,
) -> Iterator[Line]:
    """Edges and pairs between vertices in a row: edges of neighbours straight, all others as arcs below (or above)."""
    place = {v: number for number, v in enumerate(order)}
    for u, v in sorted(kind.edges, key=lambda e: sorted((place[e[0]], place[e[1]]))):
        left, right = sorted((u, v), key=lambda w: place[w])
        span = place[right] - place[left]
        if span == 1:
            yield Line("edge", ((at[left] + radius, y), (at[right] - radius, y)))
        else:
            yield arc("edge", at[left], at[right], y, radius, 7.0 + 5.0 * span, up=edges_above)
    for u, v in sorted(kind.pairs, key=lambda e: sorted((place[e[0]], place[e[1]]))):
        left, right = sorted((u, v), key=lambda w: place[w])
        yield arc("pair", at[left], at[right], y, radius, 11.0 + 6.0 * (place[right] - place[left]))


def arc(kind: str, left: float, right: float, y: float, radius: float, depth: float, up: bool = False) -> Line:
    """An arc between two circles in a row, from their lower (or upper) rims."""
    sign = -1.0 if up else 1.0
    dx, dy = 0.5 * radius, 0.866 * radius
    if kind == "edge" and not up:  # leaves further out than a pair between the same two
        dx, dy = 0.87 * radius, 0.5 * radius
    start, end = (left + dx, y + sign * dy), (right - dx, y + sign * dy)
    reach = min(0.25 * (right - left), 14.0)
    low = y + sign * (radius + depth)
    return Line(kind, (start, (start[0] + reach, low), (end[0] - reach, low), end), curved=True)


def name_runs(name: str, order: int, field: str) -> Runs:
    """The name of a tensor in a picture, with the k of a T{k} that is not leading and its field if it is not z."""
    mark = (Run(f"{{{order}}}", "sup"),) if order else ()
    low = (Run(field, "sub"),) if field else ()
    return (*symbol(name), *mark, *low)
