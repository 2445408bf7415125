"""What is derived: statements whose other side the engine derives, term by term; a second route uses numbers.

* "recursion": ``V'(1,2,3,4) = ...`` gives T{k} in terms of the layer below; ``D[2](1,2,3,4) = ...`` the second layer,
  where of the layer below only what the first layer has is left.
* "identity": sides that are equal as functionals of the activation, such as the forms of a susceptibility. A tensor of
  the layer above must occur, as in ``d/dK[K']``; the engine's recursion stands for it, so that an identity is never
  decided without what the engine derives.
* "first layer": ``G[1](1,2) = C_b + C_W xx(1,2)`` with xx the inner product of two inputs over n_0.
* "forward": ``H'(1,2) = delta(1,2) [...] + W(1) W(2) s'_1 s'_2 H(1,2)``, stochastic forward equations, before any
  average (`pertheory/book/forward.py`). Second route, here and for the first layer: explicit parameters.
* "definition": ``E[z(1) z(2) H(3,4)] = 1/n_prev [delta(1,2) delta(3,4) D(1,2,3,4) + ...]``. E is the joint cumulant of
  the trees of an observable, delta(1,2) says that two of its vertices are on the same neuron. On the right there has to
  stand every pairing for which the engine finds a recursion, with its tensor and its power of the width below. Second
  route: the joint cumulant one layer up by plain sums over neurons, the engine's recursions standing for the tensors.
* "symmetry": ``V(1,2,3,4) = V(2,1,3,4) = V(3,4,1,2)``, all that a tensor or a tree has. The sides have to generate
  exactly the group under which the engine takes components to be equal. Second route: those orders of the labels, and
  no others, give the engine's recursion the same number at a random point (a tree has no recursion).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

from pertheory.algebra.monomial import multiply_powers
from pertheory.algebra.polynomial import add_into, collected
from pertheory.book import engine, syntax
from pertheory.book.canonical import Mono, Poly
from pertheory.book.compare import compare, relative, verdict
from pertheory.book.cumulants import derived_pairings
from pertheory.book.equation import Equation
from pertheory.book.forward import METRIC, PREACTIVATION, TREES, Above, as_trees, forward
from pertheory.book.indices import check_indices
from pertheory.book.neuron_sums import NeuronSums
from pertheory.book.neurons import assignments
from pertheory.book.over_networks import OneLayerUp
from pertheory.book.parse import parse_expression
from pertheory.book.point import Point
from pertheory.book.route_explicit import OF_FIRST_LAYER, PERCEPTRON, first_layer_residual, forward_residual
from pertheory.book.route_numeric import NumericRoute
from pertheory.book.route_symbolic import SymbolicRoute
from pertheory.book.syntax import Node
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, VERIFIED, Verdict
from pertheory.book.visit import rebuilt, walk
from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.canonical import Permutation, group_elements
from pertheory.graphs.tensor import symmetry_elements
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import SHAPES, Observable, parse_observable, tree_symmetries

_DEFINITION = re.compile(r"\s*E\[(?P<observable>[^\]=]*)\]\s*=(?P<right>.*)", re.DOTALL)
#: marks that a forward equation may hold besides trees
_FORWARD = frozenset({"delta", "W", "b"})
#: differing orders that are shown
_SHOWN = 12


def decide_recursion(equation: Equation, form: str) -> Verdict:
    """Compare with the engine's recursion, term by term and at a random point."""
    statement = equation.read(form)
    left = statement.sides[0]
    if not isinstance(left, syntax.Component) or not (left.up or left.layer == 2) or len(statement.sides) != 2:
        raise equation.wrong("a recursion has one tensor such as V' or V[2] on the left")
    if not statement.one and len(set(left.labels)) != len(left.labels):
        raise equation.wrong("the labels on the left must differ")
    return compare(equation, statement)


def decide_identity(equation: Equation, form: str) -> Verdict:
    """Compare the sides, term by term and at a random point."""
    statement = equation.read(form)
    nodes = list(walk(*statement.sides))
    if not any(isinstance(node, syntax.Component) and (node.up or node.layer == 2) for node in nodes):
        needed = "an identity needs a tensor of the layer above, such as K', so that it goes through the engine"
        raise equation.wrong(needed)
    return compare(equation, statement)


def decide_first_layer(equation: Equation, form: str) -> Verdict:
    """Compare with the engine's diagrams for functions that do not fluctuate."""
    statement = equation.read(form)
    left, *rest = statement.sides
    if not isinstance(left, syntax.Component) or left.layer != 1 or len(rest) != 1:
        raise equation.wrong("the left side must be a tensor such as G[1](1,2)")
    samples = {label: number for number, label in enumerate(check_indices(statement))}
    route = SymbolicRoute(equation.rule, samples, statement.one, frozenset({engine.INPUT_PRODUCT}))
    labels = tuple(samples[label] for label in left.labels)
    right = route.side(rest[0])
    difference = add_into(engine.first_layer_poly(equation.rule, left, labels), right, -1)
    if equation.rule.name != PERCEPTRON or left.order or left.name not in OF_FIRST_LAYER:
        return verdict(difference, 0.0, SYMBOLIC, samples)
    return verdict(difference, first_layer_residual(equation, left, labels, right), BOTH, samples)


def decide_forward(equation: Equation, form: str) -> Verdict:
    """Compare with what moves 1 and 2 make of the tree."""
    statement = equation.read(form)
    left, *rest = statement.sides
    known = TREES | {"H", METRIC, PREACTIVATION}
    if not isinstance(left, syntax.Component | syntax.Mark) or not left.up or left.name not in known or len(rest) != 1:
        raise equation.wrong("the left side must be z', H', dH', ddH_I', ddH_II' or hatG'")
    samples = {label: number for number, label in enumerate(check_indices(statement))}
    route = SymbolicRoute(equation.rule, samples, marks=_FORWARD | TREES)
    right = as_trees(route.opened(rest[0]))
    labels = tuple(samples[label] for label in left.labels)
    difference = add_into(forward(equation.rule, left.name, labels), right, -1)
    if equation.rule.name != PERCEPTRON:
        return verdict(difference, 0.0, SYMBOLIC, samples)
    return verdict(difference, forward_residual(equation, left.name, labels, right), BOTH, samples)


def decide_definition(equation: Equation, form: str) -> Verdict:
    """Compare with all pairings of the observable."""
    match = _DEFINITION.fullmatch(form)
    if match is None:
        raise equation.wrong("a definition is of the form E[z(1) z(2) H(3,4)] = ...")
    try:
        observable, pairs = parse_observable(match.group("observable").strip())
        right = parse_expression(match.group("right"), equation.words)
    except InputError as error:
        raise equation.wrong(error) from None
    if pairs is not None:
        raise equation.wrong("the observable stands without pairs; the deltas on the right name them")
    samples = {label: number for number, label in enumerate(observable.labels)}
    route = SymbolicRoute(equation.rule, samples, marks=frozenset({"delta"}))
    found = route.side(right)
    if strangers := set(route.numbers) - set(samples):
        raise equation.wrong(f"free index {sorted(strangers)[0]} stands on one side only")
    difference = add_into(_decomposition(equation.rule, observable), found, -1)
    try:
        residual, method = _one_layer_up(equation, match.group("observable"), observable, right), BOTH
    except UnsupportedError:
        residual, method = 0.0, SYMBOLIC
    return verdict(difference, residual, method, samples)


def _decomposition(rule: Network, observable: Observable) -> Poly:
    """The joint cumulant of an observable as a sum over pairings of its vertices into neurons."""
    scalars = multiply_powers([(("n_prev", 1 - len(observable.labels) // 2),)])
    return collected(
        (Mono(scalars, (component,), marks=tuple(sorted(("delta", pair) for pair in pairs))), Fraction(1))
        for component, pairs in derived_pairings(rule, observable)
    )


def _one_layer_up(equation: Equation, text: str, observable: Observable, right: Node) -> float:
    """The second route of a definition, for all ways to share neurons: the largest relative difference."""
    names = observable.labels
    if len(names) > 4:
        raise UnsupportedError("sums over neurons go to order 1/n, where joint cumulants of four vertices stand")
    place = {label: number for number, label in enumerate(names)}
    trees: list[list[Above]] = [
        [(shape, tuple(place[label] for label in re.findall(r"\w", labels)))]
        for shape, labels in re.findall(r"(\w+)\(([^()]*)\)", text)
    ]
    if any(shape not in SHAPES for ((shape, _),) in trees):
        raise UnsupportedError("trees without a name")
    point = Point(len(names), equation.number, neurons=len(names) // 2)
    sums = NeuronSums(equation.rule, point, range(len(names)))
    lifted = _lifted(right)
    worst = 0.0
    for neurons in assignments("", names):
        found = sums.cumulant(trees, {place[label]: neuron for label, neuron in neurons.items()})
        stated = OneLayerUp(equation.rule, place, point, sums, "n_prev", neurons).side(lifted)
        orders = [*zip(found, stated, strict=True)][: len(names) // 2]  # of two vertices the leading order is stated
        worst = max(worst, *(relative(a, b) for a, b in orders))
    return worst


def _lifted(node: Node) -> Node:
    """A node with every tensor one layer up."""
    if isinstance(node, syntax.Component) and not node.layer and not node.raised:
        return replace(node, up=True)
    return rebuilt(node, _lifted)


def decide_symmetry(equation: Equation, form: str) -> Verdict:
    """Compare the group that the sides generate with that of the engine."""
    statement = equation.read(form)
    check_indices(statement)
    sides = [
        side for side in statement.sides if isinstance(side, syntax.Component | syntax.Mark) and _is_symmetric(side)
    ]
    first = sides[0] if sides else None
    if first is None or len(sides) < len(statement.sides) or any(side.name != first.name for side in sides):
        raise equation.wrong("a symmetry is one tensor or tree with its labels in several orders")
    labels, size = first.labels, len(first.labels)
    if len(set(labels)) != size:
        raise equation.wrong("the labels of a symmetry must differ")
    orders = [tuple(labels.index(label) for label in side.labels) for side in sides[1:]]
    stated, known = frozenset(group_elements(tuple(orders), size)), group_of(first.name)
    if stated != known:
        return _other_group(first, stated, known)
    note = f"group of order {len(known)}"
    if not isinstance(first, syntax.Component):
        return Verdict(VERIFIED, SYMBOLIC, note=note)
    found = equal_values(equation.rule, first)
    return Verdict(VERIFIED, BOTH, note=note) if found == known else _other_group(first, known, found)


def _is_symmetric(node: syntax.Component | syntax.Mark) -> bool:
    """Whether a node is a tensor of this layer or a tree."""
    if isinstance(node, syntax.Component):
        return not (node.up or node.layer or node.raised or node.order)
    return node.name in SHAPES and not node.up


def group_of(name: str) -> frozenset[Permutation]:
    """All orders of the slots that the engine takes to be equal."""
    if name in SHAPES and name != "H":
        return frozenset(tree_symmetries(name))
    tensor = engine.tensor_named(name)
    place = {vertex: slot for slot, vertex in enumerate(tensor.slots)}
    return frozenset(tuple(place[g[vertex]] for vertex in tensor.slots) for g in symmetry_elements(tensor.kind))


def equal_values(rule: Network, node: syntax.Component) -> frozenset[Permutation]:
    """All orders of the labels that give the engine's recursion the same number at a random point."""
    size = len(node.labels)
    route = NumericRoute(rule, {}, Point(size, f"symmetry of {node.name}"))
    above = replace(node, up=True)
    values = {order: route.component(above, order).value for order in permutations(range(size))}
    same = values[tuple(range(size))]
    return frozenset(order for order, value in values.items() if value == same)


def _other_group(
    first: syntax.Component | syntax.Mark, stated: frozenset[Permutation], known: frozenset[Permutation]
) -> Verdict:
    """Which orders make the difference."""

    def written(orders: Iterable[Permutation], what: str) -> list[str]:
        return [f"{what}: {first.name}({','.join(first.labels[i] for i in order)})" for order in sorted(orders)]

    rows = written(stated - known, "stated equal, but is not") + written(known - stated, "equal, but not stated")
    note = f"the stated group has order {len(stated)}, the engine's {len(known)}"
    return Verdict(MISMATCH, SYMBOLIC, 1.0, note, tuple(rows[:_SHOWN]))
