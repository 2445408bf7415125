"""HTML for notebooks: tables of rows that classes hand over. The one place where text becomes HTML, all of it escaped.

A cell is a text, a number, a list of these (one a line), or `Html` that was written here. What is long folds and says
how much is hidden. Nothing in the text is taken for a formula by the notebook: every page is marked for MathJax to
leave alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from numbers import Real
from typing import Any

from pertheory.text import plural, xml_text

#: Rows that are seen before the rest folds.
MOST_ROWS = 12
#: Characters of a cell that are seen before the rest folds.
MOST_TEXT = 300
#: Rows that are written at all; nobody reads more, and browsers choke.
MOST_WRITTEN = 1000
_LEFT = ' style="text-align:left;vertical-align:top"'
_RIGHT = ' style="text-align:right;vertical-align:top"'


class Html(str):
    """Text that is HTML already; only this module makes it."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """A text that is shown as it is.

    Example:
        >>> escaped("<b> & 'c'")
        '&lt;b&gt; &amp; &#39;c&#39;'
    """
    return Html(xml_text(text))


def cell(value: Any) -> Html:
    """The inside of a cell."""
    if isinstance(value, Html):
        return value
    if isinstance(value, list | tuple):
        return Html("<br>".join(cell(own) for own in value))
    if _is_number(value):
        return escaped(str(value) if isinstance(value, int) else f"{float(value):.7g}")
    text = str(value)
    if len(text) <= MOST_TEXT:
        return escaped(text)
    return folded(f"{text[:MOST_TEXT]}... ({plural(len(text) - MOST_TEXT, 'more character')})", escaped(text))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def folded(summary: str, body: Html) -> Html:
    """What opens when its summary is clicked."""
    return Html(f"<details><summary>{escaped(summary)}</summary>{body}</details>")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], what: str = "row", most: int = MOST_ROWS) -> Html:
    """Rows under a head; those beyond the first few fold.

    Args:
        head: titles of the columns.
        rows: cells in the order of the head.
        what: a row is called, for "31 more tensors".
        most: how many are seen.
    """
    source = iter(rows)
    first = list(islice(source, most))
    rest = list(islice(source, MOST_WRITTEN))
    left_out = sum(1 for _ in source)
    parts = [_table(head, first)]
    if rest:
        hidden = plural(len(rest) + left_out, f"more {what}")
        note = f"; the last {left_out} are not written here" if left_out else ""
        parts.append(folded(hidden + note, _table(head, rest)))
    return Html("".join(parts))


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Html:
    titles = "".join(f"<th{_LEFT}>{escaped(title)}</th>" for title in head)
    lines = [f"<thead><tr>{titles}</tr></thead>"] if head else []
    lines.append("<tbody>")
    for row in rows:
        cells = (f"<td{_RIGHT if _is_number(own) else _LEFT}>{cell(own)}</td>" for own in row)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    lines.append("</tbody>")
    return Html("<table>" + "".join(lines) + "</table>")


def facts(rows: Iterable[tuple[str, Any]]) -> Html:
    """A table of two columns: what, and its value. Values that are empty are left out."""
    kept = ((Html(f"<b>{escaped(name)}</b>"), value) for name, value in rows if value not in ("", [], ()))
    return _table((), kept)


def picture(svg: str) -> Html:
    """An SVG element that `pertheory.draw.svg` wrote, folded."""
    return folded("picture", Html(svg))


def formula(latex: str) -> Html:
    """LaTeX that a writer of ours wrote, to be set by the notebook."""
    return Html(f"<div>$$\n{xml_text(latex)}\n$$</div>")


def page(title: str, *parts: Html) -> str:
    """What an object shows of itself: one line, then tables."""
    return f'<div class="mathjax_ignore tex2jax_ignore"><p>{escaped(title)}</p>{"".join(parts)}</div>'
