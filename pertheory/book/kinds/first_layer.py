"""The first layer: ``G[1](1,2) = C_b + C_W xx(1,2)`` with xx the inner product of two inputs over n_0."""

from __future__ import annotations

import random
from fractions import Fraction

from pertheory.book import engine
from pertheory.book.canonical import Poly, add
from pertheory.book.chapters import Equation
from pertheory.book.compare import verdict
from pertheory.book.expand import Expander
from pertheory.book.explicit import INPUTS, Explicit
from pertheory.book.indices import check_indices
from pertheory.book.kinds.forward import PERCEPTRON
from pertheory.book.syntax import Component
from pertheory.book.verdict import BOTH, SYMBOLIC, Verdict
from pertheory.errors import RuleError

#: tensors that have a value in an explicit first layer
EXPLICIT = frozenset({"G", "H", "V"})


def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the engine's diagrams for functions that do not fluctuate."""
    statement = equation.read(form)
    left, *rest = statement.sides
    if not isinstance(left, Component) or left.layer != 1 or len(rest) != 1:
        raise RuleError(
            f"{equation.place}: equation {equation.number}: the left side must be a tensor such as G[1](1,2)"
        )
    names = check_indices(statement)
    samples = {label: number for number, label in enumerate(names)}
    expander = Expander(equation.rule, samples, statement.one, frozenset({engine.INPUT_PRODUCT}))
    labels = tuple(samples[label] for label in left.labels)
    right = expander.side(rest[0])
    difference = add(engine.first_layer_poly(equation.rule, left, labels), right, -1)
    if equation.rule.name != PERCEPTRON or left.order or left.name not in EXPLICIT:
        return verdict(difference, 0.0, SYMBOLIC, list(samples))
    return verdict(difference, explicit_residual(equation, left, labels, right), BOTH, list(samples))


def explicit_residual(equation: Equation, left: Component, labels: tuple[int, ...], right: Poly) -> float:
    """The second route: both sides in a first layer with explicit parameters and inputs; the relative difference."""
    draw = random.Random(equation.number)
    symbols = {name: Fraction(draw.randint(10, 99), 7) for name in sorted(equation.words.symbols)}
    network = Explicit(1, len(labels), 2, symbols, equation.number)
    if left.name == "H":
        found = network.tree(1, "H", [(0, label) for label in labels])
    elif left.name == "G":
        found = network.covariance(1, *((0, label) for label in labels))
    else:
        found = network.fourth_cumulant([(0, labels[0]), (0, labels[1]), (1, labels[2]), (1, labels[3])])
    stated = Fraction(0)
    for mono, coefficient in right.items():
        value = coefficient
        for name, exponent in mono.scalars:
            value *= symbols[name] ** exponent
        for _, (a, b) in mono.marks:
            value *= (
                sum((x * y for x, y in zip(network.inputs[a], network.inputs[b], strict=True)), Fraction(0)) / INPUTS
            )
        stated += value
    return float(abs(found - stated) / max(abs(found), abs(stated))) if found != stated else 0.0
