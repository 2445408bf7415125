"""Identities: sides that are equal as functionals of the activation, such as the forms of a susceptibility.

Where a side holds a tensor of the layer above, as in ``d/dK[K']``, the engine's recursion stands for it.
"""

from __future__ import annotations

from pertheory.book.chapters import Equation
from pertheory.book.compare import compare
from pertheory.book.verdict import Verdict, kind


@kind("identity")
def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides, term by term and at a random point."""
    return compare(equation, equation.read(form))
