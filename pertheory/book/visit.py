"""One walk over the syntax tree, on which everything rests that reads a statement.

`children`, `walk`        the nodes below a node
`own_labels`              the labels that stand in a node itself
`rebuilt`, `relabelled`   the same node over other parts, or with other labels
`Interpreter`             what nodes mean; sums, products and powers by its algebra

What a node is made of is read off its fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from fractions import Fraction
from functools import reduce
from typing import Any, Generic, TypeVar, cast, get_args

from pertheory.book import syntax
from pertheory.book.syntax import Node
from pertheory.errors import InputError

Value = TypeVar("Value")


#: for each kind of node the fields that hold nodes, and those that hold labels
PARTS: Mapping[type, tuple[str, ...]] = {
    kind: tuple(own.name for own in fields(kind) if own.type in ("Node", "tuple[Node, ...]")) for kind in get_args(Node)
}
LABELS: Mapping[type, tuple[str, ...]] = {
    kind: tuple(own.name for own in fields(kind) if own.name in ("label", "labels", "neuron")) for kind in PARTS
}


def _held(node: Node, names: tuple[str, ...]) -> tuple[Any, ...]:
    """What stands in some fields, one after the other; an empty label is none."""
    found: tuple[Any, ...] = ()
    for name in names:
        part = getattr(node, name)
        found += part if isinstance(part, tuple) else (part,) if part else ()
    return found


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node."""
    return _held(node, PARTS[type(node)])


def walk(*nodes: Node) -> Iterator[Node]:
    """Some nodes and all below them."""
    for node in nodes:
        yield node
        yield from walk(*children(node))


def own_labels(node: Node) -> tuple[str, ...]:
    """The labels that stand in a node itself."""
    return _held(node, LABELS[type(node)])


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with each node right below it changed."""
    return _changed(node, PARTS[type(node)], change)


def relabelled(node: Node, new: Callable[[str], str]) -> Node:
    """The node with every label in it, and below it, changed."""
    fresh = _changed(node, LABELS[type(node)], lambda label: new(label) if label else label)
    return rebuilt(fresh, lambda part: relabelled(part, new))


def _changed(node: Node, names: tuple[str, ...], change: Callable[[Any], Any]) -> Node:
    found: dict[str, Any] = {}
    for name in names:
        part = getattr(node, name)
        found[name] = tuple(map(change, part)) if isinstance(part, tuple) else change(part)
    return replace(cast(Any, node), **found) if found else node


class Interpreter(ABC, Generic[Value]):
    """What the nodes of a statement mean; a subclass says it of those that it knows, all else is refused.

    Every method gets the node and, where there is one, the place at which it is taken: whatever was handed to
    `interpret` behind the node (the number of each label, say). Sums, products and whole powers come from `number`,
    `plus`, `times` and `inverse`.
    """

    title = "this kind of statement"
    lacks = "value"

    def interpret(self, node: Node, *place: Any) -> Value:
        """The meaning of a node.

        Raises:
            InputError: it has none here.
        """
        return self.meaning(node, *place)

    def meaning(self, node: Node, *place: Any) -> Value:
        """As `interpret`; what a subclass does not know itself it hands on to the class above."""
        match node:
            case syntax.Number(value):
                return self.number(value)
            case syntax.Sum(terms):
                return reduce(self.plus, [self.interpret(term, *place) for term in terms], self.number(Fraction(0)))
            case syntax.Product(factors):
                return reduce(self.times, [self.interpret(f, *place) for f in factors], self.number(Fraction(1)))
            case syntax.Power(of, exponent):
                base = self.interpret(of, *place)
                if exponent < 0:
                    base = self.inverse(base)
                return reduce(self.times, [base] * abs(exponent), self.number(Fraction(1)))
        return self.refuse(node)

    def refuse(self, node: Node) -> Value:
        """Say that a node has no meaning here."""
        raise InputError(f"{shown(node)} has no {self.lacks} in {self.title}")

    @abstractmethod
    def number(self, value: Fraction) -> Value:
        """A rational number."""

    def plus(self, a: Value, b: Value) -> Value:
        """The sum."""
        return a + b  # type: ignore[operator,no-any-return]

    def times(self, a: Value, b: Value) -> Value:
        """The product."""
        return a * b  # type: ignore[operator,no-any-return]

    def inverse(self, value: Value) -> Value:
        """One over a value."""
        if not value:
            raise ZeroDivisionError("division by zero")
        return value**-1  # type: ignore[operator,no-any-return]


def shown(node: Node) -> str:
    """A word for a node, for messages."""
    match node:
        case syntax.Symbol(name) | syntax.Component(name) | syntax.Mark(name) | syntax.Call(name) | syntax.Apply(name):
            return name
        case syntax.Line():
            return "s"
        case syntax.Zed():
            return "z"
        case syntax.Derivative(label):
            return f"d_{label}"
        case syntax.Slope(variable):
            return f"d/d{variable}"
        case syntax.Average():
            return "an average <...>"
        case syntax.Expectation():
            return "E[...]"
        case syntax.Raise():
            return "an exponent that is an expression"
    return type(node).__name__.lower()
