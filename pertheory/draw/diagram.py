"""A diagram as a picture, whole or as far as a move has brought it.

Above the vertices of the tensor that is derived, in circles with their samples. Two that share a neuron are joined by
a dashed line with the coupling that joins them; an edge that the layer uses up is a solid one. From each vertex a line
goes down to its neuron, a box: the Gaussian average of what is written in it, of several products in boxes of their
own the joint cumulant. Below stand the tensors of the layer below. A slot is a circle: with a sample it is held by the
line of that sample, one for each prime; with a derivative sign it acts on the whole of the box to which its arrow
points. Inside a tensor its own edges are solid and its own pairs dashed.
"""

from __future__ import annotations

from collections.abc import Iterator

from pertheory.draw.arrange import PITCH, SLOT, VERTEX, Arrangement, Seated, arrange, coupling_runs, line_runs
from pertheory.draw.arrange import blob_width as width_of
from pertheory.draw.forest import arc, links, name_runs
from pertheory.draw.scene import (
    LARGE,
    MEDIUM,
    SMALL,
    Blob,
    Dot,
    Item,
    Line,
    Run,
    Scene,
    Text,
    item_box,
    scene,
    text_width,
)
from pertheory.draw.shape import ON_NEURON, ON_SITE, Shape
from pertheory.draw.words import factor, plain, spoken, wrapped
from pertheory.graphs.canonical import connected_components

#: Heights: of the vertices, of the boxes of sites, of the texts in them; a neuron with several is larger by `RIM`.
TOP, SITE_TOP, WRITTEN, SITE_FOOT, RIM = 0.0, 37.0, 56.0, 68.0, 6.0

#: How far a diagram is drawn: the moves that have been made.
MOVES = ("pair", "refine", "coincide", "insert", "connect", "collect")


def diagram_scene(shape: Shape, upto: str = "collect") -> Scene:
    """A diagram as a picture.

    Args:
        shape: the diagram.
        upto: the last of `MOVES` that is shown; all by default.
    """
    return scene(diagram_title(shape), diagram_items(shape, upto))


def diagram_title(shape: Shape) -> str:
    """A diagram in words."""
    front = spoken(factor(shape.coefficient, shape.powers, shape.width_power))
    tensors = ", ".join(t.name + (f"{{{t.order}}}" if t.order else "") for t in shape.inserted)
    return f"diagram of {shape.name}{{{shape.order}}}: {front}, {tensors or 'no tensor'}"


def diagram_items(shape: Shape, upto: str = "collect") -> list[Item]:
    """What the picture consists of."""
    done = MOVES[: MOVES.index(upto) + 1]
    places = arrange(shape)
    items: list[Item] = []
    if "coincide" in done:
        items += _neurons(shape, places)
    elif "refine" in done:
        for joined in shape.pairs:
            if shape.lines[joined.ends[0]] is not None:
                half = [max(text_width(line_runs(shape, v), LARGE) / 2 + 4.0, 16.0) for v in joined.ends]
                left, right = (places.vertices[v] for v in joined.ends)
                items.append(_box("site", left - half[0], right + half[1]))
    if upto == "connect":
        items += _clusters(shape, places)
    items += _above(shape, places, all_edges="refine" not in done)
    if "refine" in done:
        items += _lines(shape, places)
    if "insert" in done:
        items += _inserted(shape, places)
    elif "refine" in done:
        items += _lower(shape, places)
    if "collect" in done:
        items += _caption(shape, items)
    return items


def _above(shape: Shape, places: Arrangement, all_edges: bool) -> Iterator[Item]:
    """The vertices of the tensor, their pairs and couplings."""
    at = places.vertices
    used = {joined.ends for joined in shape.pairs if joined.step}
    order = sorted(at, key=lambda v: at[v])
    for u, v in shape.edges:
        if (u, v) in used or all_edges:
            first, last = sorted((u, v), key=order.index)
            span = order.index(last) - order.index(first)
            yield arc("edge", at[first], at[last], TOP, VERTEX, 1.0 + 6.0 * span)
    for number, joined in enumerate(shape.pairs):
        left, right = (at[v] for v in joined.ends)
        yield Line("pair", ((left + VERTEX, TOP), (right - VERTEX, TOP)))
        yield Text((left + right) / 2, TOP - 14.0, coupling_runs(shape, number), MEDIUM)
    for v in order:
        yield Dot("vertex", at[v], TOP, VERTEX)
        yield Text(at[v], TOP + 4.2, (Run(shape.labels[v]),), MEDIUM)


def _clusters(shape: Shape, places: Arrangement) -> list[Item]:
    """What hangs together by pairs and edges already; nothing if that does not stand side by side."""
    order = sorted(places.vertices, key=lambda v: places.vertices[v])
    links = [*shape.edges, *(joined.ends for joined in shape.pairs)]
    found: list[Item] = []
    for cluster in connected_components(len(order), links):
        spots = sorted(order.index(v) for v in cluster)
        if spots != list(range(spots[0], spots[-1] + 1)):
            return []
        left, right = (places.vertices[order[spots[end]]] for end in (0, -1))
        texts = [text_width(coupling_runs(shape, n), MEDIUM) for n, j in enumerate(shape.pairs) if j.ends[0] in cluster]
        beyond = max(VERTEX + 5.0, (max(texts) + 8.0 - (right - left)) / 2)
        found.append(Blob("group", left - beyond, TOP - 31.0, right - left + 2 * beyond, 54.0))
    return found


def _box(kind: str, left: float, right: float, rim: float = 0.0) -> Blob:
    return Blob(kind, left, SITE_TOP - rim, right - left, SITE_FOOT - SITE_TOP + 2 * rim)


def _neurons(shape: Shape, places: Arrangement) -> Iterator[Item]:
    """Neurons, and in those with several products these."""
    for box, neuron in places.neurons:
        several = len(neuron.sites) > 1
        yield _box("pinned" if neuron.pinned else "neuron", box.left, box.right, RIM if several else 0.0)
        if several:
            own = [site for site in places.sites if site.vertices in neuron.sites]
            for before, site in zip((None, *own), own, strict=False):
                yield _box("site", site.left, site.right)
                if before is not None:
                    yield Text((before.right + site.left) / 2, WRITTEN, plain(";"), LARGE)
        if neuron.field:
            inner = PITCH / 3 if several else 0.0
            yield Text(box.right - 4.0 - inner, SITE_FOOT - 6.0, (Run(neuron.field, "i"),), SMALL, "end")


def _lines(shape: Shape, places: Arrangement) -> Iterator[Item]:
    """The functions on the neurons."""
    for v, x in sorted(places.vertices.items()):
        if shape.lines[v] is not None:
            yield Line("line", ((x, TOP + VERTEX), (x, WRITTEN - 0.9 * LARGE)))
            yield Text(x, WRITTEN, line_runs(shape, v), LARGE)


def _foot(shape: Shape, code: int) -> float:
    """Where a leg leaves the row of neurons."""
    if code >= ON_NEURON or code < ON_SITE:
        first = code % ON_SITE
        own = next(n for n in shape.neurons if any(first in site for site in n.sites))
        return SITE_FOOT + (RIM if len(own.sites) > 1 else 0.0)
    return SITE_FOOT


def _upper(shape: Shape, code: int) -> float:
    """Where a leg ends above: below the text of its line, or at the box on which it acts."""
    return WRITTEN + 0.42 * LARGE if code < ON_SITE else _foot(shape, code)


def _inserted(shape: Shape, places: Arrangement) -> Iterator[Item]:
    """The tensors of the layer below with their legs."""
    reach = max((abs(s.at[v] - s.upper[v]) for s in places.seated for v in s.slots), default=0.0)
    row = SITE_FOOT + RIM + SLOT + 34.0 + min(40.0, 0.25 * reach)
    for seated in places.seated:
        yield from _blob(shape, seated, row)
        for slot in seated.slots:
            code = seated.tensor.ends[slot]
            yield from _leg(seated.upper[slot], _upper(shape, code), seated.at[slot], row - SLOT, code >= ON_SITE)


def _leg(x: float, top: float, low_x: float, low: float, acts: bool) -> Iterator[Line]:
    """A leg, from its slot to where it ends: straight down from a line, then a curve with upright ends."""
    bend = SITE_FOOT + RIM + 4.0
    if abs(x - low_x) < 0.5:
        yield Line("leg", ((low_x, low), (x, top)), tip=acts)
        return
    half = (low - bend) * 0.55
    yield Line("leg", ((low_x, low), (low_x, low - half), (x, bend + half), (x, bend)), curved=True)
    yield Line("leg", ((x, bend), (x, top)), tip=acts)


def _blob(shape: Shape, seated: Seated, row: float) -> Iterator[Item]:
    """A tensor: its slots in a row, its edges and pairs below them, its name."""
    tensor = seated.tensor
    inner: list[Item] = list(links(tensor.kind, seated.slots, seated.at, row, SLOT))
    deepest = max(item_box(item)[3] for item in inner)
    deepest = row + SLOT + 0.78 * (deepest - row - SLOT)  # a curve stays above its handles
    middle = sum(seated.at.values()) / len(seated.at)
    wide = width_of(tensor)
    name = deepest + 17.0
    yield Blob("tensor", middle - wide / 2, row - SLOT - 6.0, wide, name + 8.0 - (row - SLOT - 6.0))
    yield from inner
    for slot in seated.slots:
        code = tensor.ends[slot]
        shown = shape.labels[code] if code < ON_SITE else "∂"
        yield Dot("slot", seated.at[slot], row, SLOT)
        yield Text(seated.at[slot], row + 4.0, (Run(shown),), SMALL)
    yield Text(middle, name, name_runs(tensor.name, tensor.order, tensor.field), LARGE)


def _lower(shape: Shape, places: Arrangement) -> Iterator[Item]:
    """The forest of the layer below before it is grouped into tensors: the ends of the lines and their edges."""
    row = SITE_FOOT + RIM + SLOT + 14.0
    for seated in places.seated:
        held = [slot for slot in seated.slots if seated.tensor.ends[slot] < ON_SITE]
        order = sorted(x for other in places.seated for x in _held(other).values())
        for u, v in seated.tensor.kind.edges:
            left, right = sorted((seated.upper[u], seated.upper[v]))
            span = order.index(right) - order.index(left)
            yield arc("edge", left, right, row, SLOT, 4.0 + 5.0 * span)
        for slot in held:
            x = seated.upper[slot]
            yield Line("line", ((x, row - SLOT), (x, WRITTEN + 0.42 * LARGE)))
            yield Dot("slot", x, row, SLOT)
            yield Text(x, row + 4.0, (Run(shape.labels[seated.tensor.ends[slot]]),), SMALL)


def _held(seated: Seated) -> dict[int, float]:
    return {slot: seated.upper[slot] for slot in seated.slots if seated.tensor.ends[slot] < ON_SITE}


def _caption(shape: Shape, items: list[Item]) -> Iterator[Item]:
    """What stands in front, and the other diagrams of the orbit."""
    boxes = [item_box(item) for item in items]
    left, right, low = min(b[0] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)
    middle = (left + right) / 2
    yield Text(middle, low + 24.0, factor(shape.coefficient, shape.powers, shape.width_power), LARGE)
    if shape.images:
        listed = ", ".join(shape.images[:5]) + (", ..." if len(shape.images) > 5 else "")
        words = f"and with the slots as {listed}"
        if len(shape.images) > 1:
            words = f"and {len(shape.images)} more, {words.removeprefix('and ')}"
        for number, part in enumerate(wrapped(words, SMALL, max(right - left, 150.0))):
            yield Text(middle, low + 42.0 + 14.0 * number, plain(part), SMALL)
