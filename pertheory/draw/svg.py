"""Scenes as SVG: nothing but ASCII, no identifiers, transparent, in the colour of the text around it.

A picture that is a document of its own (a file, an image in a notebook) follows the reader's choice of light or dark;
one that stands inside a page takes the page's colour.
"""

from __future__ import annotations

from pertheory.draw.scene import INDEX, LOWERED, RAISED, Blob, Dot, Item, Line, Point, Run, Scene, Text
from pertheory.text import line, xml_text

_ROOT = "<style>svg:root{color:#1f2328}@media(prefers-color-scheme:dark){svg:root{color:#e6edf3}}</style>"
_FAMILY = "'STIX Two Text','Times New Roman',Times,'DejaVu Serif',serif"
_CODE = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_BLUE, _ORANGE = "#3d85c6", "#d1711f"  # both are seen on white and on black

_STROKES = {
    "line": 'stroke-width="1.3"',
    "pair": 'stroke-width="1.2" stroke-dasharray="4 3"',
    "edge": f'stroke="{_ORANGE}" stroke-width="2.2"',
    "leg": f'stroke="{_BLUE}" stroke-width="1.3"',
    "arrow": 'stroke-linecap="butt" stroke-width="1" stroke-opacity=".55"',
}
_FILLS = {
    "neuron": 'rx="12" fill="currentColor" fill-opacity=".07" stroke="currentColor" stroke-width="1.3"',
    "pinned": 'rx="12" fill="currentColor" fill-opacity=".07" stroke="currentColor" stroke-width="3"',
    "site": 'rx="8" fill="currentColor" fill-opacity=".05" stroke="currentColor" stroke-opacity=".6"',
    "tensor": f'rx="8" fill="{_BLUE}" fill-opacity=".14" stroke="{_BLUE}" stroke-width="1.3"',
    "node": f'rx="8" fill="{_BLUE}" fill-opacity=".14" stroke="{_BLUE}"',
    "asked": f'rx="8" fill="{_BLUE}" fill-opacity=".3" stroke="{_BLUE}" stroke-width="2"',
    "group": 'rx="10" fill="none" stroke="currentColor" stroke-opacity=".35"',
}
_RINGS = {"vertex": 'stroke="currentColor" stroke-width="1.3"', "slot": f'stroke="{_BLUE}" stroke-width="1.1"'}
_STYLES = {"r": "", "i": ' font-style="italic"', "sub": "", "sup": "", "code": f' font-family="{_CODE}"'}


def write_svg(scene: Scene, inline: bool = False) -> str:
    """A scene as an SVG document, or as an element that stands in a page."""
    wide, high = _number(scene.width), _number(scene.height)
    title = xml_text(line(scene.title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        f'role="img" font-family="{_FAMILY}" fill="none" stroke-linecap="round">\n<title>{title}</title>\n'
        + ("" if inline else f"{_ROOT}\n")
        + "".join(f"{_item(item)}\n" for item in scene.items)
        + "</svg>"
    )


def _item(item: Item) -> str:
    if isinstance(item, Line):
        return _line(item)
    if isinstance(item, Blob):
        place = " ".join(
            f'{name}="{_number(value)}"'
            for name, value in (("x", item.x), ("y", item.y), ("width", item.width), ("height", item.height))
        )
        return f"<rect {place} {_FILLS[item.kind]}/>"
    if isinstance(item, Dot):
        centre = f'cx="{_number(item.x)}" cy="{_number(item.y)}" r="{_number(item.radius)}"'
        return f"<circle {centre} {_RINGS[item.kind]}/>"
    return _text(item)


def _line(item: Line) -> str:
    start, *rest = (_point(point) for point in item.points)
    path = f"M{start}{'C' if item.curved else 'L'}{' '.join(rest)}"
    stroke = _STROKES[item.kind]
    own = "" if "stroke=" in stroke else 'stroke="currentColor" '
    text = f'<path d="{path}" {own}{stroke}/>'
    if item.tip:
        (left, right), colour = arrow(item), stroke.partition('stroke="')[2].partition('"')[0] or "currentColor"
        corners = " ".join(_point(point) for point in (item.points[-1], left, right))
        text += f'<polygon points="{corners}" fill="{colour}"/>'
    return text


def arrow(item: Line, length: float = 6.0, half: float = 3.0) -> tuple[Point, Point]:
    """The two rear corners of the arrow in which a line ends."""
    (x, y), (from_x, from_y) = item.points[-1], item.points[-2]
    size = ((x - from_x) ** 2 + (y - from_y) ** 2) ** 0.5 or 1.0
    dx, dy = (x - from_x) / size, (y - from_y) / size
    back = (x - length * dx, y - length * dy)
    return (back[0] - half * dy, back[1] + half * dx), (back[0] + half * dy, back[1] - half * dx)


def _text(item: Text) -> str:
    place = f'x="{_number(item.x)}" y="{_number(item.y)}" font-size="{_number(item.size)}"'
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    parts = []
    shift = 0.0
    for run in item.runs:
        wanted = {"sub": LOWERED, "sup": RAISED}.get(run.style, 0.0) * item.size
        parts.append(_run(run, wanted - shift, item.size))
        shift = wanted
    return f'<text {place}{anchor} fill="currentColor">{"".join(parts)}</text>'


def _run(run: Run, dy: float, size: float) -> str:
    attributes = _STYLES[run.style]
    if dy:
        attributes += f' dy="{_number(dy)}"'
    if run.style in ("sub", "sup"):
        attributes += f' font-size="{_number(INDEX * size)}"'
    text = xml_text(run.text)
    return f"<tspan{attributes}>{text}</tspan>" if attributes else text


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    """A length with two decimals at most; the same text for the same picture on every machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
