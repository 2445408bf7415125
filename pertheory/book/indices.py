"""Which labels are summed, and that the sides of a statement agree on the others.

A digit names a sample of the statement. A letter with a number is a dummy: in the product in which it stands twice it
is summed over all samples of the statement (over which K has its inverse). Every summand of a sum has the same open
dummies, and at the outside none is open.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from pertheory.book import syntax
from pertheory.book.syntax import ONE_INPUT, Node, Statement
from pertheory.book.visit import children, own_labels
from pertheory.errors import InputError


def samples(node: Node) -> frozenset[str]:
    """The digits that occur anywhere in a node."""
    return frozenset(label for label in own_labels(node) if label.isdigit()).union(
        *(samples(child) for child in children(node))
    )


def open_dummies(node: Node) -> frozenset[str]:
    """The dummies that a node leaves open, each standing in it once.

    Raises:
        InputError: a dummy stands more than twice in a product, twice where nothing sums it, in some summands of a sum
            only, or in a power.
    """
    return _dummies(node)[0]


@lru_cache(maxsize=20_000)
def _dummies(node: Node) -> tuple[frozenset[str], frozenset[str]]:
    """The open dummies and those that are summed inside."""
    if isinstance(node, syntax.Sum):
        return _balanced(node)
    own = Counter(label for label in own_labels(node) if not is_sample(label))
    inside: set[str] = set()
    for child in children(node):
        opened, closed = _dummies(child)
        for label in sorted(closed & inside | closed & set(own) | opened & inside):
            raise InputError(f"index {label} is summed twice in one product; give one of the sums another letter")
        own.update(opened)
        inside |= closed
    for label, count in sorted(own.items()):
        if count > 2:
            raise InputError(f"index {label} stands {count} times in one product; a summed index stands twice")
        if count == 2 and not isinstance(node, syntax.Product):
            raise InputError(f"index {label} stands twice in one factor; a sum runs over an index of two factors")
    if isinstance(node, syntax.Power) and (own or inside):
        raise InputError(f"index {sorted(inside | set(own))[0]} stands in a power; write the product out")
    return (
        frozenset(label for label, count in own.items() if count == 1),
        frozenset(inside | {label for label, count in own.items() if count == 2}),
    )


def _balanced(node: syntax.Sum) -> tuple[frozenset[str], frozenset[str]]:
    """A sum, whose summands have the same open dummies."""
    found = [_dummies(term) for term in node.terms]
    for opened, _ in found[1:]:
        if opened != found[0][0]:
            label = sorted(opened ^ found[0][0])[0]
            raise InputError(f"unbalanced sum: index {label} stands in some summands only")
    return found[0][0], frozenset().union(*(closed for _, closed in found))


def contracted(node: syntax.Product) -> tuple[str, ...]:
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
