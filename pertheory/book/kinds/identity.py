"""Identities: sides that are equal as functionals of the activation, such as the forms of a susceptibility.

A tensor of the layer above must occur, as in ``d/dK[K']``; the engine's recursion stands for it, so that an identity is
never decided without what the engine derives.
"""

from __future__ import annotations

from pertheory.book.chapters import Equation
from pertheory.book.compare import compare
from pertheory.book.syntax import Component
from pertheory.book.verdict import Verdict
from pertheory.book.visit import walk
from pertheory.errors import RuleError


def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides, term by term and at a random point."""
    statement = equation.read(form)
    nodes = [node for side in statement.sides for node in walk(side)]
    if not any(isinstance(node, Component) and (node.up or node.layer == 2) for node in nodes):
        raise RuleError(
            f"{equation.place}: equation {equation.number}: an identity needs a tensor of the layer above, such as K', "
            "so that it goes through the engine"
        )
    return compare(equation, statement)
