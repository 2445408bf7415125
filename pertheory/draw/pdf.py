"""Scenes as PDF, through matplotlib (the extra "plot"): letters are outlines, so no font is needed to read it."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from io import BytesIO
from typing import Any

from pertheory.draw.scene import INDEX, LOWERED, RAISED, Blob, Dot, Item, Line, Scene, Text
from pertheory.draw.svg import arrow
from pertheory.errors import MissingPackageError
from pertheory.text import line

_INCH = 96.0  # pixels
_BLUE, _ORANGE, _BLACK = "#3d85c6", "#d1711f", "black"
#: Colour, width and dashes of lines; round corner, fill, its opacity, rim, its opacity and width of blobs.
_STROKES: dict[str, tuple[str, float, Any]] = {
    "line": (_BLACK, 1.3, "-"),
    "pair": (_BLACK, 1.2, (0, (3.3, 2.5))),
    "edge": (_ORANGE, 2.2, "-"),
    "leg": (_BLUE, 1.3, "-"),
    "arrow": ("#808080", 1.0, "-"),
}
_FILLS: dict[str, tuple[float, str, float, str, float, float]] = {
    "neuron": (12, _BLACK, 0.07, _BLACK, 1, 1.3),
    "pinned": (12, _BLACK, 0.07, _BLACK, 1, 3.0),
    "site": (8, _BLACK, 0.05, _BLACK, 0.6, 1.0),
    "tensor": (8, _BLUE, 0.14, _BLUE, 1, 1.3),
    "node": (8, _BLUE, 0.14, _BLUE, 1, 1.0),
    "asked": (8, _BLUE, 0.3, _BLUE, 1, 2.0),
    "group": (10, "none", 0.0, _BLACK, 0.35, 1.0),
}
_RINGS = {"vertex": (_BLACK, 1.3), "slot": (_BLUE, 1.1)}
_FAMILIES = {"code": ("DejaVu Sans Mono", "normal"), "i": ("STIXGeneral", "italic")}


def write_pdf(scene: Scene) -> bytes:
    """A scene as a PDF document of its size; the same scene gives the same bytes.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        figures = import_module("matplotlib.figure")
    except ImportError:
        raise MissingPackageError(
            "pdf needs matplotlib, which is not installed: pip install matplotlib, or pip install 'pertheory[plot]'"
        ) from None
    figure = figures.Figure(figsize=(scene.width / _INCH, scene.height / _INCH))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.axis("off")
    for item in scene.items:
        for patch in _patches(item):
            axes.add_patch(patch)
    out = BytesIO()
    about = {"Title": line(scene.title), "Creator": "pertheory", "Producer": None, "CreationDate": None}
    figure.savefig(out, format="pdf", transparent=True, metadata=about)
    return out.getvalue()


def _patches(item: Item) -> list[Any]:
    shapes = import_module("matplotlib.patches")
    if isinstance(item, Text):
        return _letters(item)
    if isinstance(item, Dot):
        colour, width = _RINGS[item.kind]
        return [shapes.Circle((item.x, item.y), item.radius, fill=False, edgecolor=colour, linewidth=_points(width))]
    if isinstance(item, Blob):
        return _box(item)
    return _stroke(item)


def _points(pixels: float) -> float:
    return pixels * 72.0 / _INCH


def _box(item: Blob) -> list[Any]:
    shapes, colours = import_module("matplotlib.patches"), import_module("matplotlib.colors")
    corner, fill, opacity, rim, rim_opacity, width = _FILLS[item.kind]
    return [
        shapes.FancyBboxPatch(
            (item.x, item.y),
            item.width,
            item.height,
            boxstyle=shapes.BoxStyle.Round(pad=0, rounding_size=corner),
            facecolor=colours.to_rgba(fill, opacity),
            edgecolor=colours.to_rgba(rim, rim_opacity),
            linewidth=_points(width),
        )
    ]


def _stroke(item: Line) -> list[Any]:
    shapes, paths = import_module("matplotlib.patches"), import_module("matplotlib.path")
    colour, width, dashes = _STROKES[item.kind]
    path = paths.Path
    codes = [path.MOVETO, *[path.CURVE4 if item.curved else path.LINETO] * (len(item.points) - 1)]
    style = {"fill": False, "edgecolor": colour, "linewidth": _points(width), "linestyle": dashes, "capstyle": "round"}
    found = [shapes.PathPatch(path(item.points, codes), **style)]
    if item.tip:
        found.append(shapes.Polygon((item.points[-1], *arrow(item)), facecolor=colour, linewidth=0))
    return found


def _letters(item: Text) -> list[Any]:
    """The outlines of a text, piece after piece, each as wide as its font says."""
    shapes, paths = import_module("matplotlib.patches"), import_module("matplotlib.path")
    x = 0.0
    pieces = []
    for run in item.runs:
        size = item.size * (INDEX if run.style in ("sub", "sup") else 1.0)
        y = item.y + item.size * {"sub": LOWERED, "sup": RAISED}.get(run.style, 0.0)
        points, codes, wide = _outline(run.text, run.style)
        pieces.append(([(x + size * dx, y - size * dy) for dx, dy in points], codes))
        x += size * wide
    left = item.x - {"start": 0.0, "middle": x / 2, "end": x}[item.anchor]
    outlines = [paths.Path([(left + x, y) for x, y in points], codes) for points, codes in pieces if codes]
    return [shapes.PathPatch(outline, facecolor=_BLACK, linewidth=0) for outline in outlines]


@lru_cache(maxsize=5000)
def _outline(text: str, style: str) -> tuple[list[tuple[float, float]], list[int], float]:
    """A piece of size 1: the points of its outline, their codes, and its width."""
    letters, fonts = import_module("matplotlib.textpath").text_to_path, import_module("matplotlib.font_manager")
    family, slant = _FAMILIES.get(style, ("STIXGeneral", "normal"))
    size = letters.FONT_SCALE
    font = fonts.FontProperties(family=family, style=slant, size=size)
    points, codes = letters.get_text_path(font, text)
    wide, _, _ = letters.get_text_width_height_descent(text, font, ismath=False)
    return [(x / size, y / size) for x, y in points], list(codes), wide / size
