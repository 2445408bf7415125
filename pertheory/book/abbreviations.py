"""Abbreviations of a chapter file, and writing them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from pertheory.book.parse import Words, parse_expression
from pertheory.book.syntax import (
    Apply,
    Average,
    Call,
    Component,
    Derivative,
    Expectation,
    Line,
    Mark,
    Node,
    Power,
    Product,
    Raise,
    Slope,
    Sum,
    Zed,
)
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
        match node:
            case Call(name, labels):
                return self.written(name, labels)
            case Sum(terms):
                return Sum(tuple(self(term) for term in terms))
            case Product(factors):
                return Product(tuple(self(factor) for factor in factors))
            case Average(pieces):
                return Average(tuple(self(piece) for piece in pieces))
            case Expectation(pieces, first):
                return Expectation(tuple(self(piece) for piece in pieces), first)
            case Power(base, exponent):
                return Power(self(base), exponent)
            case Raise(base, exponent):
                return Raise(self(base), self(exponent))
            case Apply(function, of):
                return Apply(function, self(of))
            case Derivative(label, of, neuron):
                return Derivative(label, self(of), neuron)
            case Slope(variable, of):
                return Slope(variable, self(of))
        return node

    def written(self, name: str, labels: tuple[str, ...]) -> Node:
        """What an abbreviation stands for at some samples."""
        if name not in self.definitions:
            return Call(name, labels)  # an object of the kind
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

    def walk(node: Node) -> Node:
        match node:
            case Line(order, label, neuron):
                return Line(order, new(label), new(neuron) if neuron else "")
            case Zed(label, neuron):
                return Zed(new(label), new(neuron) if neuron else "")
            case Component(name, order, up, layer, labels, raised):
                return Component(name, order, up, layer, tuple(new(x) for x in labels), raised)
            case Mark(name, labels, up):
                return Mark(name, tuple(new(x) for x in labels), up)
            case Call(name, labels):
                return Call(name, tuple(new(x) for x in labels))
            case Sum(terms):
                return Sum(tuple(walk(term) for term in terms))
            case Product(factors):
                return Product(tuple(walk(factor) for factor in factors))
            case Average(pieces):
                return Average(tuple(walk(piece) for piece in pieces))
            case Expectation(pieces, first):
                return Expectation(tuple(walk(piece) for piece in pieces), first)
            case Power(base, exponent):
                return Power(walk(base), exponent)
            case Raise(base, exponent):
                return Raise(walk(base), walk(exponent))
            case Apply(function, of):
                return Apply(function, walk(of))
            case Derivative(label, of, neuron):
                return Derivative(new(label), walk(of), new(neuron) if neuron else "")
            case Slope(variable, of):
                return Slope(variable, walk(of))
        return node

    return walk(node)
