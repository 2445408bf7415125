"""One walk over the syntax tree, on which everything rests that reads a statement.

`children`, `walk`        the nodes below a node
`own_labels`              the labels that stand in a node itself
`rebuilt`, `relabelled`   the same node over other parts, or with other labels
`Interpreter`             what nodes mean: a method a kind of node; sums, products and powers by its algebra

What a node is made of is written once, in the two tables.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any, Generic, TypeAlias, TypeVar, cast

from pertheory.book.syntax import (
    ApplyNode,
    AverageNode,
    CallNode,
    ComponentNode,
    DerivativeNode,
    ExpectationNode,
    LineNode,
    MarkNode,
    Node,
    NumberNode,
    PowerNode,
    ProductNode,
    RaiseNode,
    SlopeNode,
    SumNode,
    SymbolNode,
    ZedNode,
)
from pertheory.errors import InputError

Value = TypeVar("Value")

#: the fields of a node that hold nodes
PARTS: Mapping[type, tuple[str, ...]] = {
    **{SumNode: ("terms",), ProductNode: ("factors",), AverageNode: ("pieces",), ExpectationNode: ("pieces",)},
    **{
        DerivativeNode: ("of",),
        SlopeNode: ("of",),
        ApplyNode: ("of",),
        PowerNode: ("base",),
        RaiseNode: ("base", "exponent"),
    },
}
#: the fields of a node that hold labels
LABELS: Mapping[type, tuple[str, ...]] = {
    **{LineNode: ("label", "neuron"), ZedNode: ("label", "neuron"), DerivativeNode: ("label", "neuron")},
    **{ComponentNode: ("labels",), MarkNode: ("labels",), CallNode: ("labels",)},
}


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node."""
    found: tuple[Node, ...] = ()
    for name in PARTS.get(type(node), ()):
        part = getattr(node, name)
        found += part if isinstance(part, tuple) else (part,)
    return found


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def own_labels(node: Node) -> tuple[str, ...]:
    """The labels that stand in a node itself."""
    found: tuple[str, ...] = ()
    for name in LABELS.get(type(node), ()):
        labels = getattr(node, name)
        found += labels if isinstance(labels, tuple) else (labels,) if labels else ()
    return found


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with each node right below it changed."""
    names = PARTS.get(type(node), ())
    return replace(node, **_changed(node, names, change)) if names else node


def relabelled(node: Node, new: Callable[[str], str]) -> Node:
    """The node with every label in it, and below it, changed."""
    names = LABELS.get(type(node), ())
    fresh = replace(node, **_changed(node, names, lambda label: new(label) if label else label)) if names else node
    return rebuilt(fresh, lambda part: relabelled(part, new))


def _changed(node: Node, names: tuple[str, ...], change: Callable[[Any], Any]) -> dict[str, Any]:
    found = {}
    for name in names:
        part = getattr(node, name)
        found[name] = tuple(map(change, part)) if isinstance(part, tuple) else change(part)
    return found


class Interpreter(ABC, Generic[Value]):
    """What the nodes of a statement mean; a subclass overrides what it knows, all else is refused and never ignored.

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
        return cast(Value, getattr(self, _METHODS[type(node)])(node, *place))

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

    def of_number(self, node: NumberNode, *place: Any) -> Value:
        """A rational number."""
        return self.number(node.value)

    def of_sum(self, node: SumNode, *place: Any) -> Value:
        """A sum."""
        return reduce(self.plus, [self.interpret(term, *place) for term in node.terms], self.number(Fraction(0)))

    def of_product(self, node: ProductNode, *place: Any) -> Value:
        """A product."""
        return reduce(self.times, [self.interpret(factor, *place) for factor in node.factors], self.number(Fraction(1)))

    def of_power(self, node: PowerNode, *place: Any) -> Value:
        """A whole power."""
        base = self.interpret(node.base, *place)
        if node.exponent < 0:
            base = self.inverse(base)
        return reduce(self.times, [base] * abs(node.exponent), self.number(Fraction(1)))

    def refuse(self, node: Node, *place: Any) -> Value:
        """Say that a node has no meaning here."""
        raise InputError(f"{shown(node)} has no {self.lacks} in {self.title}")

    _Method: TypeAlias = Callable[..., Any]  # with the node of its kind, and what stands for the place
    of_symbol: _Method = refuse
    of_line: _Method = refuse
    of_zed: _Method = refuse
    of_component: _Method = refuse
    of_mark: _Method = refuse
    of_call: _Method = refuse
    of_average: _Method = refuse
    of_expectation: _Method = refuse
    of_derivative: _Method = refuse
    of_slope: _Method = refuse
    of_raise: _Method = refuse
    of_apply: _Method = refuse


_KINDS = (
    NumberNode,
    SymbolNode,
    LineNode,
    ZedNode,
    ComponentNode,
    MarkNode,
    CallNode,
    AverageNode,
    ExpectationNode,
    DerivativeNode,
    SlopeNode,
    PowerNode,
    RaiseNode,
)
_METHODS: Mapping[type, str] = {
    kind: f"of_{kind.__name__.removesuffix('Node').lower()}" for kind in (*_KINDS, ApplyNode, ProductNode, SumNode)
}


def shown(node: Node) -> str:
    """A word for a node, for messages."""
    match node:
        case SymbolNode(name) | ComponentNode(name) | MarkNode(name) | CallNode(name):
            return name
        case LineNode():
            return "s"
        case ZedNode():
            return "z"
        case DerivativeNode(label):
            return f"d_{label}"
        case SlopeNode(variable):
            return f"d/d{variable}"
        case ApplyNode(function):
            return function
        case AverageNode():
            return "an average <...>"
        case ExpectationNode():
            return "E[...]"
        case RaiseNode():
            return "an exponent that is an expression"
    return type(node).__name__.removesuffix("Node").lower()
