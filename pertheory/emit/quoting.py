r"""Text for people inside emitted files: for each place where it may stand the one function that makes it harmless.

What becomes part of code itself (symbols, names of networks, keys of tensors) does not pass here: it is a name, and the
printers ask `pertheory.rulebook.names.checked` again.
"""

from __future__ import annotations

import re

from pertheory.rulebook.names import line, visible

_PAIR = re.compile(r"\?(?=\?)")


def python_docstring(text: str, raw: bool = False) -> str:
    r"""Text on one line inside triple quotes.

    A raw docstring keeps its lines and its backslashes: formulas in LaTeX stand there.

    Example:
        >>> print(python_docstring(3 * '"' + " import os"))
        ''' import os
    """
    plain = visible(text) if raw else line(text).replace("\\", " ")
    return plain.replace('"""', "'''").strip()


def python_string(text: str) -> str:
    r"""A string literal in double quotes.

    Example:
        >>> print(python_string('x"; import os\n'))
        "x\"; import os\n"
    """
    return '"' + "".join("\\" + c if c in '"\\' else c if c.isprintable() else _escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def c_comment(text: str) -> str:
    """Text on one line that cannot end a comment, nor be taken for a trigraph or the start of another comment.

    Example:
        >>> c_comment("a */ b ???/")
        'a * / b ? ? ?/'
    """
    return _PAIR.sub("? ", line(text).replace("*/", "* /").replace("/*", "/ *")).strip()


def c_string(text: str) -> str:
    r"""A string literal; what is not ASCII is a question mark, which is no part of a trigraph.

    Example:
        >>> print(c_string('a"\\ ???/'))
        "a\"\\ ?""?""?/"
    """
    safe = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return '"' + _PAIR.sub('?""', safe.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def markdown(text: str) -> str:
    """Text that stands in a paragraph, a table or a code span and is neither markup nor HTML.

    Example:
        >>> markdown("a|b <script> `c`")
        "a/b &lt;script&gt; 'c'"
    """
    plain = line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.translate({ord("|"): "/", ord("`"): "'", ord("["): "(", ord("]"): ")", ord("\\"): "/"})


def pkg_config(text: str) -> str:
    """A value in a .pc file, where ``$`` starts a variable and ``#`` a comment.

    Example:
        >>> pkg_config("a ${prefix} # b")
        'a (prefix) / b'
    """
    return line(text).replace("$", "").translate({ord("#"): "/", ord("\\"): "/", ord("{"): "(", ord("}"): ")"})


def fortran(text: str) -> str:
    """What stands in a Fortran string in double quotes."""
    return line(text).replace('"', '""')
