"""Symmetries: ``V(1,2,3,4) = V(2,1,3,4) = V(3,4,1,2)``, all that a tensor or a tree has.

The sides have to generate exactly the group under which the engine takes components to be equal: the automorphisms of
the forest with its pairing, or of a tree. As a second route the engine's recursion is evaluated at a random point for
every order of the labels: those orders have to give the same number that are in the group, and no others (for a tree,
which has no recursion, only the first route is there).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

from pertheory.book import engine
from pertheory.book.chapters import Equation
from pertheory.book.exact import Evaluator, Point
from pertheory.book.indices import check_indices
from pertheory.book.neurons import refuse
from pertheory.book.syntax import Component, Mark, Node
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, VERIFIED, Verdict
from pertheory.graphs.canonical import Permutation, group_elements
from pertheory.graphs.tensor import symmetry_elements
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import SHAPES


def decide(equation: Equation, form: str) -> Verdict:
    """Compare the group that the sides generate with that of the engine."""
    statement = equation.read(form)
    check_indices(statement)
    first = statement.sides[0]
    name = _name(first)
    if not name or any(_name(side) != name for side in statement.sides):
        raise refuse(equation, "a symmetry is one tensor or tree with its labels in several orders")
    labels = first.labels  # type: ignore[union-attr]
    if len(set(labels)) != len(labels):
        raise refuse(equation, "the labels of a symmetry must differ")
    size = len(labels)
    orders = [tuple(labels.index(label) for label in side.labels) for side in statement.sides]  # type: ignore[union-attr]
    stated = frozenset(group_elements(tuple(orders[1:]), size))
    known = group_of(name, size)
    if stated != known:
        return _mismatch(name, labels, stated, known)
    if not isinstance(first, Component):
        return Verdict(VERIFIED, SYMBOLIC, note=_order(known))
    found = equal_values(equation.rule, first)
    if found != known:
        return _mismatch(name, labels, known, found)
    return Verdict(VERIFIED, BOTH, note=_order(known))


def _name(node: Node) -> str:
    """The name of a tensor of this layer or of a tree."""
    if isinstance(node, Component) and not (node.up or node.layer or node.raised or node.order):
        return node.name
    return node.name if isinstance(node, Mark) and node.name in SHAPES and not node.up else ""


def group_of(name: str, size: int) -> frozenset[Permutation]:
    """All orders of the slots that the engine takes to be equal."""
    if name in SHAPES and name != "H":
        edges = {frozenset(edge) for edge in SHAPES[name][1]}
        return frozenset(
            order
            for order in permutations(range(size))
            if {frozenset(order[u] for u in edge) for edge in edges} == edges
        )
    tensor = engine.tensor_named(name)
    place = {vertex: slot for slot, vertex in enumerate(tensor.slots)}
    return frozenset(tuple(place[g[vertex]] for vertex in tensor.slots) for g in symmetry_elements(tensor.kind))


def equal_values(rule: Network, node: Component) -> frozenset[Permutation]:
    """All orders of the labels that give the engine's recursion the same number at a random point."""
    size = len(node.labels)
    point = Point(size, f"symmetry of {node.name}")
    evaluator = Evaluator(rule, {label: number for number, label in enumerate(node.labels)}, point)
    above = Component(node.name, node.order, True, 0, node.labels, False)
    values: dict[Permutation, Fraction] = {
        order: evaluator.component(above, order).value for order in permutations(range(size))
    }
    same = values[tuple(range(size))]
    return frozenset(order for order, value in values.items() if value == same)


def _order(group: frozenset[Permutation]) -> str:
    return f"group of order {len(group)}"


def _mismatch(
    name: str, labels: tuple[str, ...], stated: frozenset[Permutation], known: frozenset[Permutation]
) -> Verdict:
    """Which orders make the difference."""

    def written(order: Permutation) -> str:
        return f"{name}({','.join(labels[i] for i in order)})"

    rows = [f"stated equal, but is not: {written(order)}" for order in sorted(stated - known)]
    rows += [f"equal, but not stated: {written(order)}" for order in sorted(known - stated)]
    note = f"the stated group has order {len(stated)}, the engine's {len(known)}"
    return Verdict(MISMATCH, SYMBOLIC, 1.0, note, tuple(rows[:12]))
