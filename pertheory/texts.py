r"""What is done with text for people before it stands in a target, so that nothing in it is obeyed there.

All begin with `visible` or `line`, since characters that cannot be seen (controls, escape sequences of terminals,
overrides of the direction of writing) have no place in any target. Targets that are programs have theirs in
`pertheory.emit.quoting`.
"""

from __future__ import annotations


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
