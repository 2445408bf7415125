"""Which labels are summed, and that the sides of a statement agree on the others.

A digit names a sample of the statement. A letter with a number is a dummy: in the product in which it stands twice it
is summed over all samples of the statement (over which K has its inverse). Every summand of a sum has the same open
dummies, and at the outside none is open.
"""

from __future__ import annotations

from collections import Counter

from pertheory.book.syntax import (
    ONE_INPUT,
    Apply,
    Average,
    Call,
    Component,
    Derivative,
    Line,
    Mark,
    Node,
    Power,
    Product,
    Raise,
    Slope,
    Statement,
    Sum,
    Zed,
)
from pertheory.errors import InputError


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node."""
    match node:
        case Sum(terms):
            return terms
        case Product(factors):
            return factors
        case Average(pieces):
            return pieces
        case Derivative(_, of) | Slope(_, of):
            return (of,)
        case Power(base, _):
            return (base,)
        case Raise(base, exponent):
            return (base, exponent)
        case Apply(_, of):
            return (of,)
    return ()


def own_labels(node: Node) -> tuple[str, ...]:
    """The labels that stand in a node itself."""
    match node:
        case Line(_, label) | Zed(label) | Derivative(label, _):
            return (label,)
        case Component(labels=labels) | Mark(labels=labels) | Call(labels=labels):
            return labels
    return ()


def samples(node: Node) -> frozenset[str]:
    """The digits that occur anywhere in a node."""
    return frozenset(label for label in own_labels(node) if label.isdigit()).union(
        *(samples(child) for child in children(node))
    )


def open_dummies(node: Node) -> Counter[str]:
    """The dummies that a node leaves open, each once.

    Raises:
        InputError: a dummy stands three times, is open in some summands only, or stands in a power.
    """
    if isinstance(node, Sum):
        first, *others = (open_dummies(term) for term in node.terms)
        for other in others:
            if other != first:
                label = sorted((first - other) + (other - first))[0]
                raise InputError(f"unbalanced sum: index {label} stands in some summands only")
        return first
    total = Counter(label for label in own_labels(node) if not is_sample(label))
    for child in children(node):
        total.update(open_dummies(child))
    for label, count in total.items():
        if count > 2:
            raise InputError(f"index {label} stands {count} times in one product; a summed index stands twice")
    if isinstance(node, Power) and total:
        raise InputError(f"index {sorted(total)[0]} stands in a power; write the product out")
    return Counter(label for label, count in total.items() if count == 1)


def contracted(node: Product) -> tuple[str, ...]:
    """The dummies that are summed at a product, sorted."""
    total: Counter[str] = Counter()
    for factor in node.factors:
        total.update(open_dummies(factor))
    return tuple(sorted(label for label, count in total.items() if count == 2))


def is_sample(label: str) -> bool:
    """Whether a label names a sample (or the single input), and is no dummy."""
    return label.isdigit() or label == ONE_INPUT


def check_indices(statement: Statement) -> tuple[str, ...]:
    """The samples of a statement, sorted.

    Raises:
        InputError: a free index, an unbalanced sum, or a sample that stands on one side only.
    """
    for side in statement.sides:
        left_open = open_dummies(side)
        if left_open:
            raise InputError(f"free index {sorted(left_open)[0]}: a letter is summed and stands twice in its product")
    of_side = [samples(side) for side in statement.sides]
    everywhere = frozenset().union(*of_side)
    for number, own in enumerate(of_side, 1):
        missing = sorted(everywhere - own)
        if missing and statement.one is False and not _is_constant(statement.sides[number - 1]):
            raise InputError(f"free index {missing[0]} stands on one side only; side {number} lacks it")
    return tuple(sorted(everywhere))


def _is_constant(side: Node) -> bool:
    """A side without any labels, such as 0 or C_b, may equal a component."""
    return not samples(side)
