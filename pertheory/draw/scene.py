"""What pictures are made of, and how large it is. Lengths are in pixels, y points down.

A picture is arranged once, as a `Scene`; the writers only translate. What things look like (colours, dashes) is the
business of the writers, which know the kinds below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

Point = tuple[float, float]

#: Kinds of lines: a function from a neuron to a vertex, two vertices on one neuron, contracted derivatives, what joins
#: a slot of a tensor to what it acts on, what reads what.
LINES = ("line", "pair", "edge", "leg", "arrow")
#: Kinds of blobs: a neuron, one that is passed on, a product in a joint cumulant, a tensor, a T{k} of a theory, one
#: that was asked for, vertices that hang together.
BLOBS = ("neuron", "pinned", "site", "tensor", "node", "asked", "group")
#: Kinds of dots: a vertex of the tensor, a slot of a tensor of the layer below.
DOTS = ("vertex", "slot")

SMALL, MEDIUM, LARGE = 11.0, 12.0, 15.0


class Line(NamedTuple):
    """A stroke.

    Attributes:
        kind: one of `LINES`.
        points: two or more; of a curve four, the middle ones its handles (a cubic Bezier curve).
        curved: whether it is a curve.
        tip: whether it ends in an arrow.
    """

    kind: str
    points: tuple[Point, ...]
    curved: bool = False
    tip: bool = False


class Blob(NamedTuple):
    """A rectangle with round corners: its kind, its corner of least x and y, and its size."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Dot(NamedTuple):
    """A circle: its kind, centre and radius."""

    kind: str
    x: float
    y: float
    radius: float


class Run(NamedTuple):
    """A piece of a text.

    Attributes:
        text: what it says.
        style: "r" upright, "i" italic, "sub", "sup" small and lower or higher, "code" of equal width.
    """

    text: str
    style: str = "r"


class Text(NamedTuple):
    """Words or a formula on one line.

    Attributes:
        x: where it starts, is centred or ends, by the anchor.
        y: its base line.
        runs: its pieces.
        size: of the letters.
        anchor: "start", "middle" or "end".
    """

    x: float
    y: float
    runs: tuple[Run, ...]
    size: float = MEDIUM
    anchor: str = "middle"


Item = Line | Blob | Dot | Text


class Scene(NamedTuple):
    """A picture: what it shows, in words, its size, and what is in it, the lowest first."""

    title: str
    width: float
    height: float
    items: tuple[Item, ...]


#: Advance of a character in parts of the size: the widest face that a browser may take for "serif" (DejaVu Serif).
_ADVANCE = {
    c: width
    for width, characters in (
        (0.27, "'′"),
        (0.32, " ,.ijl·"),
        (0.4, "-/:;\\|f()[]⟨⟩!IJt"),
        (0.54, '"r*_`s∂z?'),
        (0.6, "cvxyeaoβγ"),
        (0.69, "$0123456789bdghnpqukλ{}LYPTFSZασ"),
        (0.77, "ACVBEKRXηδΛ"),
        (0.89, "DGOQΘ#+<=>U^~−×wHN&"),
    )
    for c in characters
}
_WIDEST, _CODE = 1.03, 0.61
#: Small letters of a text, in parts of its size, and how far they are moved.
INDEX, LOWERED, RAISED = 0.72, 0.22, -0.36


@lru_cache(maxsize=20_000)
def text_width(runs: tuple[Run, ...], size: float) -> float:
    """How wide a text is at most."""
    return sum(run_width(run, size) for run in runs)


def run_width(run: Run, size: float) -> float:
    """How wide a piece of a text is at most."""
    if run.style == "code":
        return _CODE * size * len(run.text)
    scale = INDEX if run.style in ("sub", "sup") else 1.0
    return scale * size * sum(_ADVANCE.get(c, _WIDEST) for c in run.text)


@lru_cache(maxsize=20_000)
def _depth_and_height(runs: tuple[Run, ...]) -> tuple[float, float]:
    """How far a text reaches below and above its base line, in parts of its size."""
    low = LOWERED + 0.08 if any(run.style == "sub" for run in runs) else 0.0
    deep = any(c in "gjpqy()[]{},;/|ηβγ" for run in runs for c in run.text)
    high = 0.08 if any(run.style == "sup" for run in runs) else 0.0
    return max(low, 0.22 * deep), 0.76 + high


def text_box(text: Text) -> tuple[float, float, float, float]:
    """The least and the largest x and y that a text covers, as (x, y, x, y)."""
    width = text_width(text.runs, text.size)
    left = text.x - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    depth, height = _depth_and_height(text.runs)
    return left, text.y - height * text.size, left + width, text.y + depth * text.size


def item_box(item: Item) -> tuple[float, float, float, float]:
    """The least and the largest x and y that an item covers; of a curve that its handles do."""
    if isinstance(item, Text):
        return text_box(item)
    if isinstance(item, Blob):
        return item.x, item.y, item.x + item.width, item.y + item.height
    if isinstance(item, Dot):
        return item.x - item.radius, item.y - item.radius, item.x + item.radius, item.y + item.radius
    xs, ys = zip(*item.points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def moved(items: Iterable[Item], dx: float, dy: float) -> tuple[Item, ...]:
    """The same items elsewhere."""
    found: list[Item] = []
    for item in items:
        if isinstance(item, Line):
            found.append(item._replace(points=tuple((x + dx, y + dy) for x, y in item.points)))
        else:
            found.append(item._replace(x=item.x + dx, y=item.y + dy))
    return tuple(found)


def scene(title: str, items: Sequence[Item], margin: float = 8.0) -> Scene:
    """A picture of its items, moved so that they stand inside it with a margin."""
    boxes = [item_box(item) for item in items]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    inside = moved(items, margin - left, margin - top)
    return Scene(title, right - left + 2 * margin, bottom - top + 2 * margin, inside)
