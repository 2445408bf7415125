"""What plots have in common: a figure that writes itself as SVG, its colours, and texts that are no formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pertheory.rulebook.names import line
from pertheory.rulebook.tensors import any_tensor
from pertheory.text import shortened, xml_text

#: The colour of texts and axes; SVG takes the reader's in its place.
INK = "#1f2328"
#: Colours of curves, each seen on white and on black.
CURVES = ("#3d85c6", "#d1711f", "#2b9a66", "#a463c9", "#d6485c", "#85807a")
MARKERS = "osD^vP"
_STYLE: Any = {
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "hatch.color": INK,
    "legend.frameon": False,
    "lines.markersize": 4,
    # the same text for the same figure on every machine; letters stay letters
    "svg.hashsalt": "pertheory",
    "svg.fonttype": "none",
}
_ROOT = "<style>svg:root{color:#1f2328}@media(prefers-color-scheme:dark){svg:root{color:#e6edf3}}</style>"


class Plot(Figure):
    """A figure of matplotlib that shows itself in a notebook as SVG; make one with `flow` and its like.

    Attributes:
        about: what it shows, in words.
    """

    about: str = ""

    def to_svg(self, inline: bool = False) -> str:
        """An SVG document, transparent, light or dark as the reader has it; the same figure gives the same text.

        Args:
            inline: an element that stands in a page and takes its colour.
        """
        out = StringIO()
        with rc_context(_STYLE):
            self.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        text = out.getvalue()
        opening, _, rest = text[text.index("<svg") :].partition(">")
        head = f'{opening} role="img">\n<title>{xml_text(line(self.about))}</title>\n{"" if inline else _ROOT}'
        # names of parts, which nothing refers to, would stand twice on a page with two plots
        rest = re.sub(r'(?s:\s*<metadata>.*?</metadata>)| id="[A-Za-z0-9.]+_\d+"', "", rest)
        return head + rest.replace(INK, "currentColor")

    def _repr_svg_(self) -> str:
        return self.to_svg()


@contextmanager
def new_plot(
    about: str, width: float = 6.4, height: float = 4.0, columns: int = 1, rows: int = 1
) -> Iterator[tuple[Plot, list[Axes]]]:
    """A plot with its axes, to be filled; lengths are in inches."""
    with rc_context(_STYLE):
        plot = Plot(figsize=(width, height), layout="constrained")
        plot.about = about
        yield plot, list(plot.subplots(rows, columns, squeeze=False).flat)
        plot.draw_without_rendering()
        plot.set_layout_engine("none")  # every drawing would move things once more


def plain(text: object) -> str:
    """Text of a user, which is no formula, as matplotlib takes it."""
    return shortened(line(str(text)), 80).replace("$", r"\$")


def in_words(name: Any) -> str:
    """A tensor by its name."""
    tensor, order = any_tensor(name)
    own = tensor.leading if tensor.leading and not order else tensor.name
    return own + (f"{{{order}}}" if order else "")


def symbol(name: Any) -> str:
    """A tensor as a formula of matplotlib: its letter, or the text of its observable."""
    tensor, order = any_tensor(name)
    mark = f"^{{\\{{{order}\\}}}}" if order else ""
    letter = re.fullmatch(r"([A-Za-z]+)([0-9]*)", {"H": "Theta"}.get(tensor.name, tensor.name))
    if letter is None:
        return plain(tensor.name) + (f" {{{order}}}" if order else "")
    own = {"Theta": r"\Theta", "G": "K" if not order else "G"}.get(letter[1], letter[1])
    own = own if len(own) == 1 or own[0] == "\\" else rf"\mathrm{{{own}}}"
    return f"${own}{f'_{{{letter[2]}}}' if letter[2] else ''}{mark}$"
