"""Observables in Python: ``z(1) * z(2) * H(3, 4)``. Labels are single digits or letters, each once."""

from __future__ import annotations

from pertheory.rulebook.observable import Observable, build, build_tree

Label = int | str


def z(a: Label) -> Observable:
    """A preactivation."""
    return build("z", (a,))


def H(a: Label, b: Label) -> Observable:
    """The neural tangent kernel of a and b (the book's stochastic NTK, chapter 8)."""
    return build("H", (a, b))


def dH(a: Label, b: Label, c: Label) -> Observable:
    """The differential dNTK: second derivative at a, contracted with first derivatives at b and c (chapter 11)."""
    return build("dH", (a, b, c))


def ddH_I(a: Label, b: Label, c: Label, d: Label) -> Observable:
    """The first kind of ddNTK: third derivative at a, first derivatives at b, c, d (chapter infinity)."""
    return build("ddH_I", (a, b, c, d))


def ddH_II(a: Label, b: Label, c: Label, d: Label) -> Observable:
    """The second kind of ddNTK: edges a-b, a-c, b-d (chapter infinity)."""
    return build("ddH_II", (a, b, c, d))


def tree(*edges: tuple[Label, Label]) -> Observable:
    """Any tree of contracted derivatives, from its edges: ``tree((1, 2), (2, 3))``."""
    return build_tree(edges)
