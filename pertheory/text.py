r"""Text for people: nothing in it that cannot be seen, on one line where it has to be, and not longer than people read.

Characters that cannot be seen (controls, escape sequences of terminals, overrides of the direction of writing) have no
place in any target: all writers begin with `visible` or `line`. Those of LaTeX, and of XML and HTML, stand here; those
of programs in `pertheory.emit.quoting`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


def visible(text: str) -> str:
    r"""Text with every character that cannot be seen as an escape; spaces and ends of lines stay.

    Example:
        >>> visible("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def line(text: str) -> str:
    """Visible text on one line."""
    return visible(" ".join(text.split()))


def shown(value: object, most: int = 60) -> str:
    """A value as an error message quotes it: on one line, and not longer than people read."""
    if isinstance(value, str):
        text = repr(value[: most + 1])
    elif isinstance(value, list | tuple | dict):
        text = repr(value) if len(value) <= most else f"{type(value).__name__} of {len(value)} entries"
    else:
        text = repr(value)
    return line(text if len(text) <= most + 2 else text[:most] + "...")


def shortened(text: str, most: int = 60) -> str:
    """Text on one line, without its end where it is long."""
    text = line(text)
    return text if len(text) <= most else text[: most - 3] + "..."


def listed(names: Iterable[str], most: int = 120) -> str:
    """Names as far as so many characters reach, and how many are left out.

    Example:
        >>> listed(["G", "V", "H"]), listed(["G", "V", "H"], 4), listed([])
        ('G, V, H', 'G and 2 more', 'none')
    """
    own = list(names)
    count = sum(end <= most for end in accumulate(len(name) + 2 for name in own))
    rest = f" and {len(own) - count} more" if count < len(own) else ""
    return f"{', '.join(own[:count]) or ('' if own else 'none')}{rest}".strip()


def plural(number: int, noun: str) -> str:
    """A number with what is counted.

    Example:
        >>> plural(1, "diagram"), plural(12, "diagram")
        ('1 diagram', '12 diagrams')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


_SPECIAL = {c: "\\" + c for c in "#$%&_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
_SPECIAL |= {"^": r"\textasciicircum{}"}


def latex_text(text: str) -> str:
    r"""Text in LaTeX, where nothing in it is a command.

    Example:
        >>> print(latex_text("a_b \\input{x} 50%"))
        a\_b \textbackslash{}input\{x\} 50\%
    """
    return "".join(_SPECIAL.get(c, c) for c in line(text))


_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


def xml_text(text: str) -> str:
    r"""Text between tags or inside quotes of XML and of HTML, in ASCII, where nothing in it is markup.

    Example:
        >>> print(xml_text('<b> & "\u0398"'))
        &lt;b&gt; &amp; &quot;&#920;&quot;
    """
    return "".join(_MARKUP.get(c, c) if c.isascii() else f"&#{ord(c)};" for c in visible(text))
