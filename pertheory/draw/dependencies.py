"""A theory as a picture: which T{k} reads which of the layer below.

Each T{k} is a box with its name and, small, everything that its recursion reads. Arrows lead from what is read to what
reads it; those that follow from others are left out, and so is that a T{k} reads itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pertheory.draw.arrange import spread
from pertheory.draw.forest import name_runs
from pertheory.draw.scene import LARGE, SMALL, Blob, Item, Line, Scene, Text, scene, text_width
from pertheory.draw.words import Runs, plain

#: Height of a box without what it reads, of a line of that, between rows and boxes; how long such a line may be.
HIGH, LINE, APART, BESIDE, LONGEST = 27.0, 14.0, 46.0, 16.0, 170.0
_SWEEPS = 12
Place = tuple[int, str]  # a row, and what stands there: a T{k}, or an arrow that passes (its ends)


class Node(NamedTuple):
    """A T{k}.

    Attributes:
        name: of the tensor, as it is shown.
        order: k.
        asked: whether it was asked for, or is needed by what was.
        reads: the keys of the nodes that it reads.
    """

    name: str
    order: int
    asked: bool
    reads: tuple[str, ...]


def theory_scene(title: str, nodes: Mapping[str, Node]) -> Scene:
    """A theory as a picture; the order of the nodes does not matter."""
    keys = sorted(nodes)
    below = _acyclic(keys, nodes)
    rank = _ranks(keys, below)
    reduced = {key: _direct(key, below) for key in keys}
    rows, links = _rows(keys, rank, reduced)
    _untangle(rows, links)
    wide = {(row, name): _width(nodes, name) for row, names in enumerate(rows) for name in names}
    at = _columns(rows, links, wide)
    high = {key: HIGH + LINE * len(_reads(nodes, key)) for key in keys}
    tops = [0.0]
    for names in rows:
        tops.append(tops[-1] + max(high.get(name, 0.0) for name in names) + APART)
    items: list[Item] = []
    for upper, lower in sorted(links):
        start, end = at[upper], at[lower]
        foot = tops[upper[0] + 1] - APART  # of the row, whatever stands in it
        head = tops[lower[0]] - (1.0 if lower[1] in nodes else 0.0)
        half = (foot + head) / 2
        points = ((start, foot), (start, half), (end, half), (end, head))
        items.append(Line("arrow", points, curved=True, tip=lower[1] in nodes))
        if upper[1] in nodes and (own := tops[upper[0]] + high[upper[1]]) < foot:
            items.append(Line("arrow", ((start, own), (start, foot))))
        if lower[1] not in nodes:
            items.append(Line("arrow", ((end, head), (end, tops[lower[0] + 1] - APART))))
    for (row, name), x in sorted(at.items()):
        if name in nodes:
            node = nodes[name]
            kind = "asked" if node.asked else "node"
            items.append(Blob(kind, x - wide[row, name] / 2, tops[row], wide[row, name], high[name]))
            items.append(Text(x, tops[row] + 18.0, name_runs(node.name, node.order, ""), LARGE))
            for number, runs in enumerate(_reads(nodes, name)):
                items.append(Text(x, tops[row] + 33.0 + LINE * number, runs, SMALL))
    return scene(title, items)


def _reads(nodes: Mapping[str, Node], key: str) -> list[Runs]:
    """Everything that it reads, small, on as many lines as that takes."""
    lines = [plain("reads" if nodes[key].reads else "reads nothing")]
    for other in sorted(nodes[key].reads, key=lambda k: (len(nodes[k].reads), k)):
        name = name_runs(nodes[other].name, nodes[other].order, "")
        longer = (*lines[-1], *plain(" "), *name)
        if text_width(longer, SMALL) > LONGEST:
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def _width(nodes: Mapping[str, Node], key: str) -> float:
    if key not in nodes:
        return 4.0
    name = name_runs(nodes[key].name, nodes[key].order, "")
    return max(text_width(name, LARGE), *(text_width(runs, SMALL) for runs in _reads(nodes, key)), 40.0) + 14.0


def _acyclic(keys: Sequence[str], nodes: Mapping[str, Node]) -> dict[str, set[str]]:
    """What each reads, without itself and, should there be a circle, without what closes it."""
    below: dict[str, set[str]] = {key: set() for key in keys}
    for key in keys:
        for other in sorted(set(nodes[key].reads) - {key}):
            if key not in _reached(other, below):
                below[key].add(other)
    return below


def _reached(key: str, below: Mapping[str, set[str]]) -> set[str]:
    """It and all that can be reached from it downwards."""
    found = {key}
    waiting = [key]
    while waiting:
        new = below[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _ranks(keys: Sequence[str], below: Mapping[str, set[str]]) -> dict[str, int]:
    """The length of the longest way down from each."""
    rank: dict[str, int] = {}
    while len(rank) < len(keys):
        for key in keys:
            if key not in rank and below[key] <= set(rank):
                rank[key] = 1 + max((rank[other] for other in below[key]), default=-1)
    return rank


def _direct(key: str, below: Mapping[str, set[str]]) -> list[str]:
    """What it reads that nothing else it reads leads to."""
    passed = {far for other in below[key] for far in _reached(other, below) - {other}}
    return sorted(below[key] - passed)


def _rows(
    keys: Sequence[str], rank: Mapping[str, int], reduced: Mapping[str, Sequence[str]]
) -> tuple[list[list[str]], list[tuple[Place, Place]]]:
    """The rows, with a place in each for every arrow that passes it, and the pieces of the arrows, downwards."""
    rows: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for key in keys:
        rows[rank[key]].append(key)
    links = []
    for key in keys:
        for other in reduced[key]:
            before: Place = (rank[other], other)
            for row in range(rank[other] + 1, rank[key]):
                passing: Place = (row, f"{other} > {key}")
                rows[row].append(passing[1])
                links.append((before, passing))
                before = passing
            links.append((before, (rank[key], key)))
    return rows, links


def _untangle(rows: list[list[str]], links: Sequence[tuple[Place, Place]]) -> None:
    """Put each row in the order in which fewer arrows cross: by where the row before, or after, has what it reads."""
    best = (_crossings(rows, links), [list(row) for row in rows])
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in range(len(rows)) if down else reversed(range(len(rows))):
            near: dict[str, list[int]] = {name: [] for name in rows[row]}
            for upper, lower in links:
                if down and lower[0] == row:
                    near[lower[1]].append(rows[row - 1].index(upper[1]))
                elif not down and upper[0] == row:
                    near[upper[1]].append(rows[row + 1].index(lower[1]))
            own = {name: number for number, name in enumerate(rows[row])}
            rows[row].sort(key=lambda n: (sum(near[n]) / len(near[n]) if near[n] else own[n], n))
        found = (_crossings(rows, links), [list(row) for row in rows])
        best = min(best, found)
    rows[:] = best[1]


def _crossings(rows: Sequence[Sequence[str]], links: Sequence[tuple[Place, Place]]) -> int:
    ends = [(upper[0], rows[upper[0]].index(upper[1]), rows[lower[0]].index(lower[1])) for upper, lower in links]
    return sum(
        row == other and (a - c) * (b - d) < 0
        for number, (row, a, b) in enumerate(ends)
        for other, c, d in ends[:number]
    )


def _columns(
    rows: Sequence[Sequence[str]], links: Sequence[tuple[Place, Place]], wide: Mapping[Place, float]
) -> dict[Place, float]:
    """x of every place: near the middle of what it is joined to."""
    at: dict[Place, float] = {}
    for row, names in enumerate(rows):
        widths = [wide[row, name] for name in names]
        at.update(zip([(row, name) for name in names], spread([0.0] * len(names), widths, BESIDE), strict=True))
    for _ in range(_SWEEPS):
        for row, names in enumerate(rows):
            wanted = [_middle((row, name), links, at) for name in names]
            found = spread(wanted, [wide[row, name] for name in names], BESIDE)
            at.update(zip([(row, name) for name in names], found, strict=True))
    return at


def _middle(place: Place, links: Sequence[tuple[Place, Place]], at: Mapping[Place, float]) -> float:
    near = [*_joined(place, links)]
    return sum(at[other] for other in near) / len(near) if near else at[place]


def _joined(place: Place, links: Sequence[tuple[Place, Place]]) -> Iterator[Place]:
    for upper, lower in links:
        if place == upper:
            yield lower
        elif place == lower:
            yield upper
