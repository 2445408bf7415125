"""C that is the same for all theories, in pieces: each theory has those that it calls, so that no compiler warns.

A line of four slashes begins a piece. Behind them stands the name under which others call it and, behind a colon, the
pieces that it calls itself; a piece called ``always`` is what every theory calls.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

#: The files, in the order in which their pieces are written.
_FILES = ("arrays.c", "copies.c", "calls.c")


class Piece(NamedTuple):
    """A piece of C: the name that brings it in, the names of the pieces that it calls, its text."""

    name: str
    calls: tuple[str, ...]
    text: str


@cache
def pieces() -> tuple[Piece, ...]:
    """All pieces, each before those that call it."""
    found = []
    for file in _FILES:
        text = (files("pertheory.emit.c.support") / file).read_text(encoding="utf-8")
        for piece in text.removeprefix("//// ").split("\n//// "):
            head, _, body = piece.partition("\n")
            name, _, calls = head.partition(":")
            found.append(Piece(name, tuple(calls.split()), body.rstrip("\n") + "\n"))
    return tuple(found)


class Support:
    """Hands out the names of pieces and remembers them: ``use.pt_least`` is "pt_least", and its piece is written."""

    def __init__(self) -> None:
        self._called = {"always"}

    def __getattr__(self, name: str) -> str:
        if not any(piece.name == name for piece in pieces()):
            raise AttributeError(f"no piece of support code is called {name!r}")
        self._called.add(name)
        return name

    def text(self) -> str:
        """All pieces that were called so far, and those that they call."""
        called, written = set(self._called), []
        for piece in reversed(pieces()):
            if piece.name in called:
                called.update(piece.calls)
                written.append(piece.text)
        return "\n".join(reversed(written))
