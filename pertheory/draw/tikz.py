"""Scenes as TikZ: a ``tikzpicture`` to be pasted, or a document that compiles; needs the package tikz alone."""

from __future__ import annotations

from pertheory.draw.scene import Blob, Dot, Item, Line, Point, Run, Scene, Text
from pertheory.text import latex_text, line

_POINTS = 0.75  # of a pixel
_PAGE = 480.0  # points in a line
_PREAMBLE = r"""\documentclass{article}
\usepackage[margin=2cm]{geometry}
\usepackage{amsmath}
\usepackage{tikz}
\pagestyle{empty}
\setlength{\parindent}{0pt}
\begin{document}
"""
_COLOURS = r"\definecolor{ptblue}{HTML}{3D85C6}\definecolor{ptorange}{HTML}{D1711F}"
_DRAWN = {
    "line": "line width=1pt",
    "pair": "line width=.9pt, dash pattern=on 3pt off 2pt",
    "edge": "ptorange, line width=1.6pt",
    "leg": "ptblue, line width=1pt",
    "arrow": "black!60, line width=.75pt",
}
_FILLED = {
    "neuron": "rounded corners=7pt, draw, line width=1pt, fill=black!7",
    "pinned": "rounded corners=7pt, draw, line width=2.2pt, fill=black!7",
    "site": "rounded corners=5pt, draw=black!60, fill=black!12",
    "tensor": "rounded corners=5pt, draw=ptblue, line width=1pt, fill=ptblue!14",
    "node": "rounded corners=5pt, draw=ptblue, fill=ptblue!14",
    "asked": "rounded corners=5pt, draw=ptblue, line width=1.5pt, fill=ptblue!30",
    "group": "rounded corners=6pt, draw=black!35",
}
_RINGS = {"vertex": "line width=1pt", "slot": "ptblue, line width=.8pt"}
_MATH = {
    "α": r"\alpha ",
    "β": r"\beta ",
    "γ": r"\gamma ",
    "δ": r"\delta ",
    "η": r"\eta ",
    "λ": r"\lambda ",
    "Λ": r"\Lambda ",
    "Θ": r"\Theta ",
    "σ": r"\sigma ",
    "∂": r"\partial ",
    "−": "-",
    "′": "'",
}
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def write_tikz(scene: Scene) -> str:
    """A scene as a ``tikzpicture``, smaller if it would not fit on a page."""
    size = min(1.0, _PAGE / (_POINTS * scene.width))
    small = f", scale={size:.3f}, transform shape" if size < 1 else ""
    style = f"x=1pt, y=-1pt, line cap=round, every node/.style={{inner sep=0pt, outer sep=0pt}}{small}"
    return "\n".join(
        (
            f"% {_ascii(line(scene.title))}",
            rf"\begin{{tikzpicture}}[{style}]",
            _COLOURS,
            *(_item(item) for item in scene.items),
            r"\end{tikzpicture}",
        )
    )


def write_document(body: str) -> str:
    """A LaTeX document that holds pictures."""
    return f"{_PREAMBLE}{body}\n\\end{{document}}"


def _item(item: Item) -> str:
    if isinstance(item, Line):
        style = _DRAWN[item.kind] + (", -latex" if item.tip else "")
        start, *rest = (_point(point) for point in item.points)
        path = (
            f" .. controls {rest[0]} and {rest[1]} .. {rest[2]}" if item.curved else "".join(f" -- {p}" for p in rest)
        )
        return rf"\draw[{style}] {start}{path};"
    if isinstance(item, Blob):
        corner = _point((item.x + item.width, item.y + item.height))
        return rf"\path[{_FILLED[item.kind]}] {_point((item.x, item.y))} rectangle {corner};"
    if isinstance(item, Dot):
        return rf"\draw[{_RINGS[item.kind]}] {_point((item.x, item.y))} circle[radius={_number(item.radius)}];"
    size = _number(item.size)
    font = rf"\fontsize{{{size}pt}}{{{_number(1.2 * item.size)}pt}}\selectfont"
    return rf"\node[anchor={_ANCHORS[item.anchor]}, font={{{font}}}] at {_point((item.x, item.y))} {{{_text(item)}}};"


def _text(item: Text) -> str:
    """Words as words; as soon as something in a text is raised, lowered or slanted it is a formula."""
    if all(run.style == "r" and not set(run.text) & set(_MATH) for run in item.runs):
        return "".join(_words(run.text) for run in item.runs)
    if all(run.style == "code" for run in item.runs):
        return rf"\texttt{{{''.join(_words(run.text) for run in item.runs)}}}"
    return "$" + "".join(_run(run) for run in item.runs) + "$"


def _run(run: Run) -> str:
    if run.style in ("sub", "sup"):
        return f"{'_' if run.style == 'sub' else '^'}{{{_upright(run.text)}}}"
    if run.style == "i" or set(run.text) <= set(_MATH):
        return "".join(_MATH.get(c, _ascii(latex_text(c))) for c in run.text)
    return _upright(run.text)


def _upright(text: str) -> str:
    if set(text) <= set(_MATH):
        return "".join(_MATH[c] for c in text)
    return rf"\text{{{_words(text)}}}"


def _words(text: str) -> str:
    """Words with the blanks at their ends."""
    inside = latex_text(text).replace("<", r"\textless{}").replace(">", r"\textgreater{}").replace("|", r"\textbar{}")
    inside = inside.replace("'", "'{}")  # two are no quotation mark
    blank = "~" if text[:1] == " " else "", "~" if text[-1:] == " " and text.strip() else ""
    return blank[0] + "".join(f"${_MATH[c].strip()}$" if c in _MATH else _ascii(c) for c in inside) + blank[1]


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() else "?" for c in text)


def _point(point: Point) -> str:
    return f"({_number(point[0])},{_number(point[1])})"


def _number(value: float) -> str:
    text = f"{_POINTS * value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
