"""Where everything in a diagram stands.

From above: the vertices of the tensor in the order of their labels, those of one neuron together; the neurons below
them; the tensors of the layer below, in the order in which their legs cross least. A slot has a place of its own at
the upper end of its leg and at the lower, so that only legs can meet, and these between the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import permutations, product
from math import factorial, prod
from typing import NamedTuple

from pertheory.draw.scene import LARGE, MEDIUM, Run, text_width
from pertheory.draw.shape import ON_NEURON, ON_SITE, Inserted, Neuron, Shape
from pertheory.draw.words import Runs, factor, function
from pertheory.graphs.tensor import TensorType

VERTEX, SLOT = 9.0, 8.0  # radii
PITCH = 27.0  # of slots
PADDING, APART, BETWEEN = 8.0, 24.0, 18.0  # inside a neuron that has sites, of neurons, of tensors
PAIRS = 12.0  # of pairs that stand on one site
#: More tensors than this are put in the order of their legs without trying all orders.
_TRIED = 4
_SEATINGS = 200


class Box(NamedTuple):
    """What stands on a part of the row of neurons: its vertices and its least and largest x."""

    vertices: tuple[int, ...]
    left: float
    right: float


class Seated(NamedTuple):
    """A tensor with places.

    Attributes:
        tensor: which.
        slots: from left to right.
        at: x of each slot.
        upper: x of the upper end of each leg, by slot.
    """

    tensor: Inserted
    slots: tuple[int, ...]
    at: Mapping[int, float]
    upper: Mapping[int, float]


class Arrangement(NamedTuple):
    """Places of a diagram, from left to right.

    Attributes:
        vertices: x of each.
        sites: of all neurons.
        neurons: likewise, with their neuron.
        seated: the tensors.
    """

    vertices: Mapping[int, float]
    sites: tuple[Box, ...]
    neurons: tuple[tuple[Box, Neuron], ...]
    seated: tuple[Seated, ...]


def arrange(shape: Shape) -> Arrangement:
    """The arrangement in which the fewest legs cross and the legs are shortest."""
    return min((_arranged(shape, order) for order in _orders(shape)), key=_cost)


def line_runs(shape: Shape, vertex: int) -> Runs:
    """What a vertex puts on its neuron, as a text."""
    name, order = shape.lines[vertex] or ("", 0)
    return function(name, order, shape.labels[vertex])


def coupling_runs(shape: Shape, number: int) -> Runs:
    """What a pair brings, as a text."""
    pair = shape.pairs[number]
    return factor(pair.coefficient, pair.powers)


def _orders(shape: Shape) -> Iterator[tuple[Inserted, ...]]:
    if len(shape.inserted) <= _TRIED:
        yield from dict.fromkeys(permutations(shape.inserted))
        return
    first = [v for joined in shape.pairs for v in joined.ends]
    place = {v: number for number, v in enumerate(first)}
    yield tuple(sorted(shape.inserted, key=lambda i: (sum(place[e % ON_SITE] for e in i.ends) / len(i.ends), i)))


def _cost(arrangement: Arrangement) -> tuple[object, ...]:
    legs = sorted((s.upper[slot], s.at[slot]) for s in arrangement.seated for slot in s.slots)
    crossings = sum(low < before for number, (_, low) in enumerate(legs) for _, before in legs[:number])
    length = sum(abs(high - low) for high, low in legs)
    return crossings, round(length, 3), [s.tensor for s in arrangement.seated]


class _Columns:
    """Vertices, legs and gaps beside each other, in one row."""

    def __init__(self, x: float) -> None:
        self.x = x
        self.vertices: dict[int, float] = {}
        self.ends: dict[int, list[float]] = {}

    def vertex(self, vertex: int, width: float, count: int) -> None:
        """A vertex with the derivatives that its line carries."""
        middle = self.x + width / 2
        self.vertices[vertex] = middle
        self.ends[vertex] = [middle + PITCH * (i - (count - 1) / 2) for i in range(count)]
        self.x += width

    def leg(self, code: int) -> None:
        """A derivative of a product or of a whole average."""
        self.ends.setdefault(code, []).append(self.x + PITCH / 2)
        self.x += PITCH


def _arranged(shape: Shape, order: Sequence[Inserted]) -> Arrangement:
    needs = [Counter(inserted.ends) for inserted in order]
    row = _Columns(0.0)
    sites: list[Box] = []
    neurons: list[tuple[Box, Neuron]] = []
    standing: dict[int, Neuron] = {neuron.first: neuron for neuron in shape.neurons}
    bare = {joined.ends[0]: joined.ends for joined in shape.pairs if shape.lines[joined.ends[0]] is None}
    widths = _widths(shape)
    for number, first in enumerate(sorted([*standing, *bare])):
        row.x += APART if number else 0.0
        if first in bare:
            for v in bare[first]:
                row.vertex(v, widths[v], 0)
            continue
        what = standing[first]
        several = len(what.sites) > 1
        left = row.x
        row.x += PADDING if several else 0.0
        middle = len(what.sites) // 2
        for index, site in enumerate(what.sites):
            if index:
                start = row.x
                row.x += PADDING
                if index == middle:
                    for _ in range(sum(need[ON_NEURON + what.first] for need in needs)):
                        row.leg(ON_NEURON + what.first)
                row.x = max(row.x + PADDING, start + 2 * PADDING)
            start = row.x
            _site(shape, site, row, needs, widths)
            sites.append(Box(site, start, row.x))
        row.x += 14.0 if what.field else 0.0
        row.x += PADDING if several else 0.0
        neurons.append((Box(tuple(v for site in what.sites for v in site), left, row.x), what))
        if not several:
            sites[-1] = Box(sites[-1].vertices, left, row.x)
    return Arrangement(row.vertices, tuple(sites), tuple(neurons), _seat_all(order, row.ends))


def _widths(shape: Shape) -> dict[int, float]:
    """How wide the column of each vertex is: its text, and its share of the coupling of its pair."""
    found = {}
    for number, joined in enumerate(shape.pairs):
        coupling = text_width(coupling_runs(shape, number), MEDIUM) + 6.0
        for v in joined.ends:
            line = shape.lines[v]
            text = text_width(line_runs(shape, v), LARGE) + 12.0
            found[v] = max(text, coupling / 2, 34.0, PITCH * line[1] if line else 0.0)
    return found


def _ordered(shape: Shape, site: Sequence[int]) -> list[int]:
    """The vertices of a site, pairs side by side."""
    return [v for joined in shape.pairs if joined.ends[0] in site for v in joined.ends]


def _site(
    shape: Shape,
    site: tuple[int, ...],
    row: _Columns,
    needs: Sequence[Counter[int]],
    widths: Mapping[int, float],
) -> None:
    ordered = _ordered(shape, site)
    code = ON_SITE + site[0]
    legs = [number for number, need in enumerate(needs) for _ in range(need[code])]
    counts = {v: sum(need[v] for need in needs) for v in ordered}
    if not any(counts.values()):  # legs below the texts
        start = row.x
        texts = sum(widths[v] for v in ordered) + PAIRS * (len(ordered) // 2 - 1)
        wide = max(texts, PITCH * len(legs))
        row.x += (wide - texts) / 2
        for number, v in enumerate(ordered):
            row.x += PAIRS if number and number % 2 == 0 else 0.0
            row.vertex(v, widths[v], 0)
        row.x = start + (wide - PITCH * len(legs)) / 2
        for _ in legs:
            row.leg(code)
        row.x = start + wide
        return
    free = sum(not count for count in counts.values())
    for number, v in enumerate(ordered):  # legs below texts that hold none, the rest where they cross the fewest others
        row.x += PAIRS if number and number % 2 == 0 else 0.0
        below = [place for place, need in enumerate(needs) for _ in range(need[v])]
        while len(legs) > free and below and legs[0] < sum(below) / len(below):
            row.leg(code)
            legs.pop(0)
        row.vertex(v, widths[v], counts[v])
        if not below:
            free -= 1
            if legs:
                row.ends.setdefault(code, []).append(row.vertices[v])
                legs.pop(0)
    for _ in legs:
        row.leg(code)


def _seat_all(order: Sequence[Inserted], ends: Mapping[int, Sequence[float]]) -> tuple[Seated, ...]:
    left = {code: sorted(places) for code, places in ends.items()}
    uppers = []
    for inserted in order:
        taken = sorted((left[code].pop(0), code) for code in sorted(inserted.ends))
        slots = seats(inserted.kind, inserted.ends, tuple(code for _, code in taken))
        uppers.append((slots, {slot: x for slot, (x, _) in zip(slots, taken, strict=True)}))
    middles = [sum(upper.values()) / len(upper) for _, upper in uppers]
    wide = [blob_width(inserted) for inserted in order]
    found = []
    for inserted, (slots, upper), middle in zip(order, uppers, spread(middles, wide, BETWEEN), strict=True):
        first = middle - PITCH * (len(slots) - 1) / 2
        at = {slot: first + PITCH * number for number, slot in enumerate(slots)}
        found.append(Seated(inserted, slots, at, upper))
    return tuple(found)


def blob_width(inserted: Inserted) -> float:
    """How wide the blob of a tensor is: its slots, or its name."""
    name = text_width((Run(inserted.name), Run("{9}", "sup"), Run(inserted.field, "sub")), LARGE)
    return max(PITCH * len(inserted.ends), name) + 6.0


@lru_cache(maxsize=10_000)
def seats(kind: TensorType, ends: tuple[int, ...], sequence: tuple[int, ...]) -> tuple[int, ...]:
    """The slots that take the places of a row: of those with the same end the order with the shortest edges and pairs.

    Args:
        kind: the tensor type.
        ends: of each slot.
        sequence: the end that each place belongs to.
    """
    groups: dict[int, list[int]] = {}
    for u, v in [*kind.pairs]:
        for slot in (u, v):
            groups.setdefault(ends[slot], []).append(slot)
    links = (*kind.edges, *kind.pairs)
    if prod(factorial(len(group)) for group in groups.values()) > _SEATINGS:
        turns = {code: iter(group) for code, group in groups.items()}
        return tuple(next(turns[code]) for code in sequence)
    best: tuple[int, tuple[int, ...]] | None = None
    for choice in product(*(permutations(sorted(group)) for group in groups.values())):
        turns = {code: iter(group) for code, group in zip(groups, choice, strict=True)}
        slots = tuple(next(turns[code]) for code in sequence)
        place = {slot: number for number, slot in enumerate(slots)}
        own = (sum(abs(place[u] - place[v]) for u, v in links), slots)
        best = own if best is None or own < best else best
    assert best is not None
    return best[1]


def spread(wanted: Sequence[float], widths: Sequence[float], gap: float) -> list[float]:
    """The middles nearest to those wanted (least squares) at which blobs of these widths stand apart, in this order."""
    clusters: list[tuple[float, float, int]] = []  # the sum of wishes for the first of it, reach, members
    offsets = []
    reach = 0.0
    for number, wide in enumerate(widths):
        reach += (widths[number - 1] + wide) / 2 + gap if number else 0.0
        offsets.append(reach)
        clusters.append((wanted[number] - reach, 1.0, 1))
        while len(clusters) > 1 and clusters[-2][0] > clusters[-1][0]:
            (a, w, m), (b, u, k) = clusters[-2:]
            clusters[-2:] = [((a * w + b * u) / (w + u), w + u, m + k)]
    starts = [place for place, _, members in clusters for _ in range(members)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]
