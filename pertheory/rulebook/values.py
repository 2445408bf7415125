"""Numbers that people hand in, as text and from Python: what C would read, and whole numbers of any kind."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection
from typing import Any

from pertheory.errors import InputError
from pertheory.rulebook.names import shown

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,4000}")


def read_number(text: str) -> float:
    """A number as C reads it, blanks around it left out: no digits of other scripts, no ``1_000``.

    Raises:
        ValueError: the text is none.

    Example:
        >>> read_number(" -1.5e3")
        -1500.0
    """
    plain = text.strip(" \t")
    if _NUMBER.fullmatch(plain) is None:
        raise ValueError(f"{shown(text)} is not a number")
    return float(plain)


def read_whole(text: str) -> int:
    """A whole number, likewise.

    Raises:
        ValueError: the text is none.
    """
    plain = text.strip(" \t")
    if _WHOLE.fullmatch(plain) is None:
        raise ValueError(f"{shown(text)} is not a whole number")
    return int(plain)


def one_of(known: Collection[str], value: Any, what: str) -> str:
    """A word out of a few.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{what} must be one of {', '.join(known)}, not {shown(value)}")
    return value


def whole(value: Any, what: str, least: int = 0, most: int | None = None) -> int:
    """A whole number of Python, of NumPy or of anything else that counts.

    Args:
        value: what was given.
        what: its name, for the message.
        least: the smallest that is right.
        most: the largest, if there is one.

    Raises:
        InputError: something else.

    Example:
        >>> whole(3, "order")
        3
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except Exception:  # whatever somebody's own type does
        number = None
    if number is None or number < least or (most is not None and number > most):
        upper = "" if most is None else f" to {most}"
        raise InputError(f"{what} must be a whole number from {least}{upper}, not {shown(value)}")
    return number
