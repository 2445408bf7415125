"""Recursions: a tensor one layer up, against what the engine derives.

``V'(1,2,3,4) = ...`` gives T{k} in terms of the layer below; ``D[2](1,2,3,4) = ...`` the second layer, where of the
layer below only what the first layer has is left.
"""

from __future__ import annotations

from pertheory.book.chapters import Equation
from pertheory.book.compare import compare
from pertheory.book.syntax import Component
from pertheory.book.verdict import Verdict
from pertheory.errors import RuleError


def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the engine's recursion, term by term and at a random point."""
    statement = equation.read(form)
    left = statement.sides[0]
    if not isinstance(left, Component) or not (left.up or left.layer == 2) or len(statement.sides) != 2:
        raise RuleError(
            f"{equation.place}: equation {equation.number}: a recursion has one tensor such as V' or V[2] on the left"
        )
    if not statement.one and len(set(left.labels)) != len(left.labels):
        raise RuleError(f"{equation.place}: equation {equation.number}: the labels on the left must differ")
    return compare(equation, statement)
