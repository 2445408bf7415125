"""Statements as tokens, and errors that point at a place in the text."""

from __future__ import annotations

import re
from typing import NamedTuple

from pertheory.errors import InputError

_TOKEN = re.compile(
    r"(?P<slope>d/d(?P<variable>[A-Za-z]\w*))"
    r"|(?P<line>s(?P<primes>'*)(?:\^\((?P<order>\d{1,2})\))?(?:_(?P<at>[0-9]|[a-z]\d{0,2}))?(?![\w']))"
    r"|(?P<zed>z(?:_(?P<where>[0-9]|[a-z]\d{0,2}))?(?!\w))"
    r"|(?P<derivative>d_(?:(?P<along>[0-9]|[a-z]\d{0,2})(?!\w)|(?=\()))"
    r"|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<sign>[-+*/^()<>{}\[\],;='])",
    re.ASCII,
)
_KINDS = ("slope", "line", "zed", "derivative", "name", "number", "sign")
LABEL = re.compile(r"[0-9]|[a-z]\d{0,2}", re.ASCII)


class Token(NamedTuple):
    """A token: what it is, its text, where it begins, and the match with its parts."""

    kind: str
    text: str
    at: int
    match: re.Match[str]


def split(text: str) -> list[Token]:
    """The tokens of a text.

    Raises:
        InputError: a character is not part of the notation; names the place.
    """
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise located(text, at, f"character {text[at]!r} is not part of the notation")
        kind = next(name for name in _KINDS if match.group(name) is not None)
        found.append(Token(kind, match.group(), at, match))
        at = match.end()
    return found


def located(text: str, at: int, message: str) -> InputError:
    """An error with line, column and the line itself, a mark in front of the place."""
    line = text.count("\n", 0, at) + 1
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    row = text[start : end if end >= 0 else len(text)]
    column = at - start
    shown = f"{row[:column]}>>>{row[column:]}".strip()
    return InputError(f"line {line}, column {column + 1}: {message}: {shown}")
