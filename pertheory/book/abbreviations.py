"""Abbreviations of a chapter file, and writing them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from pertheory.book import syntax
from pertheory.book.parse import Words, parse_expression
from pertheory.book.syntax import Node
from pertheory.book.visit import rebuilt, relabelled
from pertheory.errors import InputError


@dataclass(frozen=True)
class Definition:
    """An abbreviation: its name, the labels it takes, and what it stands for."""

    name: str
    labels: tuple[str, ...]
    text: str


class Inline:
    """Writes abbreviations out; every use gets dummies of its own.

    Args:
        definitions: the abbreviations.
        words: the names that they may use.
        one: whether the statement is about a single input.
    """

    def __init__(self, definitions: Sequence[Definition], words: Words, one: bool) -> None:
        self.definitions = {item.name: item for item in definitions}
        self.words, self.one = words, one
        self.fresh = count()
        self.busy: list[str] = []

    def __call__(self, node: Node) -> Node:
        """A node with all abbreviations written out."""
        return self.written(node.name, node.labels) if isinstance(node, syntax.Call) else rebuilt(node, self)

    def written(self, name: str, labels: tuple[str, ...]) -> Node:
        """What an abbreviation stands for at some samples."""
        if name not in self.definitions:
            return syntax.Call(name, labels)  # an object of the kind
        if name in self.busy:
            raise InputError(f"the abbreviation {name} is defined by itself")
        definition = self.definitions[name]
        body = parse_expression(definition.text, self.words, self.one)
        self.busy.append(name)
        body = self(body)
        self.busy.pop()
        names = dict(zip(definition.labels, labels, strict=True))
        return body if self.one else relabel(body, names, self.fresh)


def relabel(node: Node, names: Mapping[str, str], fresh: Any) -> Node:
    """A node with labels replaced; dummies that are not among them get names of their own."""
    names = dict(names)

    def new(label: str) -> str:
        if label not in names:
            names[label] = label if label.isdigit() else f"{label}#{next(fresh)}"
        return names[label]

    return relabelled(node, new)
