"""Move 6, collect: one representative for all diagrams that the symmetry of the tensor makes equal.

The moves are carried out on representatives only: after moves 1 and 2 just one choice of each orbit goes on, with the
part of the symmetry that leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from pertheory.derive.moves.pair import Join
from pertheory.derive.moves.refine import Sites
from pertheory.graphs.canonical import Permutation
from pertheory.graphs.tensor import TensorType

T = TypeVar("T")


def orbits(
    items: Iterable[T], group: Sequence[Permutation], key: Callable[[T, Permutation], Hashable]
) -> list[tuple[T, tuple[Permutation, ...], tuple[Permutation, ...]]]:
    """One item of each orbit, its stabilizer, and one group element for each member of the orbit.

    Args:
        items: all items; each at most once.
        group: all elements, the identity first.
        key: ``key(item, g)`` names the image of the item under ``g``: equal exactly for equal images.
    """
    seen: set[Hashable] = set()
    found = []
    for item in items:
        own = key(item, group[0])
        if own in seen:
            continue
        members: dict[Hashable, Permutation] = {}
        stabilizer = []
        for element in group:
            name = key(item, element)
            members.setdefault(name, element)
            if name == own:
                stabilizer.append(element)
        seen.update(members)
        found.append((item, tuple(stabilizer), tuple(members.values())))
    return found


def joins_key(kind: TensorType, chosen: Sequence[Join], image: Permutation) -> Hashable:
    """Names the image of a choice of one join for each pair."""
    labels: list[Hashable] = [None] * kind.size
    for ends, join in zip(kind.pairs, chosen, strict=True):
        for vertex, function in zip(ends, join.functions, strict=True):
            labels[image[vertex]] = (join.name, function)
    return tuple(labels)


def sites_key(sites: Sites, image: Permutation) -> Hashable:
    """Names the image of a choice of moves 1 and 2."""
    labels: list[Hashable] = [None] * len(image)
    for vertex, (line, blocks) in enumerate(zip(sites.lines, sites.blocks, strict=True)):
        labels[image[vertex]] = (
            line,
            tuple(sorted([tuple(sorted([image[o] for o in block])) for block in blocks])),
        )
    return tuple(labels)


def effective(kind: TensorType, sites: Sites, group: Sequence[Permutation]) -> tuple[Permutation, ...]:
    """The group with elements left out that act alike on every diagram with these sites.

    Two vertices of a pair with equal lines and no edges left can be exchanged without any effect.
    """
    free = {
        v
        for u, w in kind.pairs
        for v in (u, w)
        if sites.lines[u] == sites.lines[w] and not sites.blocks[u] and not sites.blocks[w]
    }
    known: dict[Hashable, Permutation] = {}
    for element in group:
        rest = tuple([element[v] for v in range(kind.size) if v not in free])
        pairs = tuple([min(element[u], element[w]) for u, w in kind.pairs if u in free])
        known.setdefault((rest, pairs), element)
    return tuple(known.values())


def compose(outer: Sequence[Permutation], inner: Sequence[Permutation]) -> tuple[Permutation, ...]:
    """All products: first the inner, then the outer element."""
    return tuple([tuple([g[i] for i in h]) for g in outer for h in inner])
