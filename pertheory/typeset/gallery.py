"""A recursion as a gallery: every diagram as a picture with its formula below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pertheory.derive.diagram import Diagram
from pertheory.draw.diagram import diagram_scene
from pertheory.draw.drawn import Drawn
from pertheory.draw.page import write_page
from pertheory.draw.scene import Scene
from pertheory.draw.sheet import sheet, under, words_scene
from pertheory.draw.svg import write_svg
from pertheory.draw.tikz import write_tikz
from pertheory.text import latex_text, xml_text
from pertheory.typeset.write import APPROXIMATION, LatexStyle, TextStyle, diagram_text

if TYPE_CHECKING:
    from pertheory.recursion import Recursion

_CELL = "margin:0;max-width:100%;overflow-x:auto"
_CODE = "display:block;max-width:26em;margin:.3em auto 0;font-size:.8em;text-align:center;white-space:normal"


@dataclass(frozen=True)
class Gallery(Drawn):
    """The diagrams of a recursion as pictures, in the order of its formula. Shows itself in a notebook.

    Attributes:
        recursion: what is drawn.
    """

    recursion: Recursion

    @property
    def title(self) -> str:
        """What is shown, in words."""
        tensor = self.recursion.tensor
        orders = ", ".join(f"{{{k}}}" for k in self.recursion.orders)
        networks = ", ".join(rule.name for rule in self.recursion.networks)
        return f"{tensor.name} {orders}, network {networks}: {tensor.observable}"

    @property
    def remark(self) -> str:
        """That the rule is not sound, if it is not."""
        return "" if self.recursion.is_exact else APPROXIMATION

    def pictures(self) -> Iterator[tuple[Diagram, Scene]]:
        """Each diagram with its picture."""
        for diagram in self.recursion.diagrams:
            yield diagram, diagram_scene(diagram.shape(self.recursion.tensor))

    def scene(self) -> Scene:
        """One picture, the formulas as plain text."""
        style = TextStyle()
        cells = [
            under(picture, diagram_text(self.recursion, diagram, style).removeprefix("+ "), "code")
            for diagram, picture in self.pictures()
        ]
        if not cells:  # the tensor vanishes
            return words_scene(self.title, self.recursion.to_text())
        whole = sheet(self.title, cells)
        return under(whole, self.remark) if self.remark else whole

    def to_html(self) -> str:
        """A page of HTML: an SVG element a diagram, in rows that wrap as the window asks for."""
        return write_page(self.title, self.figures(latex=False))

    def to_tikz(self) -> str:
        """For each diagram a ``tikzpicture`` and its formula in LaTeX, for a document with tikz and amsmath."""
        found = [latex_text(self.remark)] if self.remark else []
        for diagram, picture in self.pictures():
            formula = diagram_text(self.recursion, diagram, LatexStyle()).removeprefix("+ ")
            found.append(f"{write_tikz(picture)}\n\n\\smallskip\n$\\displaystyle {formula}$")
        if not self.recursion.diagrams:
            found.append(f"${self.recursion.to_latex()}$")
        return "\n\n\\bigskip\n".join(found)

    def _repr_html_(self) -> str:
        return self.figures(latex=True)

    def figures(self, latex: bool = True) -> str:
        """Pictures with formulas: in LaTeX where the page that they stand in sets it, as notebooks do, else as text."""
        figures = []
        for diagram, picture in self.pictures():
            words = diagram_text(self.recursion, diagram, TextStyle()).removeprefix("+ ")
            formula = xml_text(diagram_text(self.recursion, diagram, LatexStyle()).removeprefix("+ "))
            caption = f"${formula}$"
            if not latex:
                source = f"<details><summary>LaTeX</summary><code>{formula}</code></details>"
                caption = f'<code style="{_CODE}">{xml_text(words)}</code>\n<div style="{_CODE}">{source}</div>'
            drawn = write_svg(picture, inline=True)
            figures.append(
                f'<figure style="{_CELL}"><div style="text-align:center">{drawn}</div>\n'
                f'<figcaption style="text-align:center">{caption}</figcaption></figure>'
            )
        remark = f"<p>{xml_text(self.remark)}</p>\n" if self.remark else ""
        inside = "\n".join(figures) or f"<code>{xml_text(self.recursion.to_text())}</code>"
        return f'{remark}<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">\n{inside}\n</div>'
