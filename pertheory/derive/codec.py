"""Diagrams as JSON text and back, for the store on disk and for other processes.

Contract: ``decode(encode(diagrams)) == diagrams``, and the text is the same in every process. What is decoded has the
types that the annotations of `Diagram` and its parts promise, whatever the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from pertheory.derive.diagram import Diagram
from pertheory.derive.layer import diagrams
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

_FRACTION = re.compile(r"-?[0-9]{1,4000}(/[1-9][0-9]{0,3999})?")


def derive_encoded(rule: Network, sublayer: int, kind: TensorType, order: int) -> str:
    """The diagrams of T{order} as text: the unit of work that is sent to other processes."""
    return encode(diagrams(rule, sublayer, kind, order))


def encode(found: Sequence[Diagram]) -> str:
    """Diagrams as JSON text: named tuples as lists of their fields, fractions as strings."""
    return json.dumps(list(found), separators=(",", ":"), default=str)


def decode(text: str) -> tuple[Diagram, ...]:
    """Diagrams from what `encode` wrote.

    Raises:
        ValueError: the text is something else.
    """
    try:
        found: tuple[Diagram, ...] = _reader(tuple[Diagram, ...])(json.loads(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found


@lru_cache(maxsize=1_000)
def _reader(kind: Any) -> Callable[[Any], Any]:
    """A function that makes a value of a type from what JSON has for it, and raises ValueError for anything else."""
    if kind is Fraction:
        return _fraction
    if kind in (int, str, bool, type(None)):
        return _plain(kind)
    arguments = get_args(kind)
    if get_origin(kind) is UnionType:  # T | None
        (some,) = (_reader(one) for one in arguments if one is not type(None))
        return lambda value: None if value is None else some(value)
    if get_origin(kind) is tuple and arguments[-1] is Ellipsis:
        item = _reader(arguments[0])
        return lambda value: tuple(map(item, _items(value)))
    if get_origin(kind) is tuple:
        return _parts(tuple, arguments)
    return _parts(kind._make, tuple(get_type_hints(kind).values()))


def _plain(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r:.40} is not of type {kind.__name__}")
        return value

    return read


def _fraction(value: Any) -> Fraction:
    if type(value) is not str or not _FRACTION.fullmatch(value):
        raise ValueError(f"{value!r:.40} is not a fraction")
    return Fraction(value)


def _parts(make: Callable[[Any], Any], kinds: Sequence[Any]) -> Callable[[Any], Any]:
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any) -> Any:
        items = _items(value)
        if len(items) != len(readers):
            raise ValueError(f"{len(items)} items where {len(readers)} belong")
        return make([own(item) for own, item in zip(readers, items, strict=True)])

    return read


def _items(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"{value!r:.40} is not a list")
    return value
