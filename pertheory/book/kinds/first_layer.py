"""The first layer: ``G[1](1,2) = C_b + C_W xx(1,2)`` with xx the inner product of two inputs over n_0."""

from __future__ import annotations

from pertheory.book import engine
from pertheory.book.canonical import add
from pertheory.book.chapters import Equation
from pertheory.book.compare import verdict
from pertheory.book.expand import Expander
from pertheory.book.indices import check_indices
from pertheory.book.syntax import Component
from pertheory.book.verdict import SYMBOLIC, Verdict, kind
from pertheory.errors import RuleError


@kind("first layer")
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
    difference = add(engine.first_layer_poly(equation.rule, left, labels), expander.side(rest[0]), -1)
    return verdict(difference, 0.0, SYMBOLIC, list(samples))
