"""Decompositions: ``E[z(1) z(2) H(3,4)] = 1/n_prev [delta(1,2) delta(3,4) D(1,2,3,4) + ...]``.

E is the joint cumulant of the trees of an observable, delta(1,2) says that two of its vertices are on the same neuron.
On the right there has to stand every pairing for which the engine finds a recursion, with its tensor and its power of
the width below.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from pertheory.algebra.terms import Component
from pertheory.book import engine
from pertheory.book.canonical import Mono, Poly, add, powers
from pertheory.book.chapters import Equation
from pertheory.book.compare import verdict
from pertheory.book.expand import Expander
from pertheory.book.kinds.metric import OneLayerUp
from pertheory.book.neurons import Fields, assignments
from pertheory.book.parse import parse_expression
from pertheory.book.sums import Above, Sums
from pertheory.book.syntax import Component as Written
from pertheory.book.syntax import Node
from pertheory.book.verdict import BOTH, SYMBOLIC, Verdict
from pertheory.book.visit import rebuilt
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.graphs.partitions import pairings
from pertheory.graphs.tensor import canonical_slots
from pertheory.rulebook.observable import SHAPES, Observable, parse_observable

_FORM = re.compile(r"\s*E\[(?P<observable>[^\]=]*)\]\s*=(?P<right>.*)", re.DOTALL)


def decide(equation: Equation, form: str) -> Verdict:
    """Compare with all pairings of the observable."""
    match = _FORM.fullmatch(form)
    where = f"{equation.place}: equation {equation.number}"
    if match is None:
        raise RuleError(f"{where}: a definition is of the form E[z(1) z(2) H(3,4)] = ...")
    try:
        observable, pairs = parse_observable(match.group("observable").strip())
        right = parse_expression(match.group("right"), equation.words)
    except InputError as error:
        raise RuleError(f"{where}: {error}") from None
    if pairs is not None:
        raise RuleError(f"{where}: the observable stands without pairs; the deltas on the right name them")
    samples = {label: number for number, label in enumerate(observable.labels)}
    expander = Expander(equation.rule, samples, False, frozenset({"delta"}))
    found = expander.side(right)
    strangers = set(expander.numbers) - set(samples)
    if strangers:
        raise RuleError(f"{where}: free index {sorted(strangers)[0]} stands on one side only")
    difference = add(decomposition(equation, observable), found, -1)
    try:
        residual, method = one_layer_up(equation, match.group("observable"), observable, right), BOTH
    except UnsupportedError:
        residual, method = 0.0, SYMBOLIC
    return verdict(difference, residual, method, list(samples))


def one_layer_up(equation: Equation, text: str, observable: Observable, right: Node) -> float:
    """The second route: the joint cumulant one layer up by plain sums over neurons, for all ways to share neurons.

    On the right the engine's recursions stand for the tensors.

    Returns:
        The largest relative difference.
    """
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
    point = Fields(len(names) // 2, len(names), equation.number)
    lifted = _lifted(right)
    sums: Sums | None = None
    worst = 0.0
    for neurons in assignments("", names):
        evaluator = OneLayerUp(equation, place, point, "n_prev", neurons)
        sums = evaluator.above = sums or evaluator.above
        found = sums.cumulant(trees, {place[label]: neuron for label, neuron in neurons.items()})
        stated = evaluator.side(lifted)
        for order, (a, b) in enumerate(zip(found, stated, strict=True)):
            if a != b and order < len(names) // 2:  # of two vertices the leading order is stated
                worst = max(worst, float(abs(a - b) / max(abs(a), abs(b))))
    return worst


def _lifted(node: Node) -> Node:
    """A node with every tensor one layer up."""
    if isinstance(node, Written) and not node.layer and not node.raised:
        return replace(node, up=True)
    return rebuilt(node, _lifted)


def decomposition(equation: Equation, observable: Observable) -> Poly:
    """The joint cumulant of an observable as a sum over pairings of its vertices into neurons."""
    total: Poly = {}
    count = len(observable.labels)
    for chosen in pairings(range(count)):
        tensor, vertex_of = observable.tensor([(observable.labels[u], observable.labels[v]) for u, v in chosen])
        if not engine.terms_of(equation.rule, tensor, 0):
            continue
        labels = [0] * count
        for place, vertex in enumerate(vertex_of):
            labels[vertex] = place
        mono = Mono(
            scalars=powers((("n_prev", 1 - count // 2),)),
            tensors=(Component(tensor, 0, canonical_slots(tensor, tuple(labels))),),
            marks=tuple(sorted(("delta", pair) for pair in chosen)),
        )
        add(total, {mono: Fraction(1)})
    return total
