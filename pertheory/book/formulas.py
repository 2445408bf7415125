"""Statements as formulas of the room that trains: sums of products of named objects at labels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pertheory.book import syntax
from pertheory.book.syntax import Node
from pertheory.book.visit import Interpreter, shown
from pertheory.errors import InputError
from pertheory.rulebook.observable import build
from pertheory.training.descent import size_of, step
from pertheory.training.formula import Contraction, Formula, Object

#: what the notation calls the sums over all steps of products of U^t
TIME_SUMS = ("X_II", "X_III")


def formula_of(node: Node) -> Formula:
    """A side of a statement multiplied out.

    Raises:
        InputError: something else than a number is divided by, or a node is no object.
    """
    return _Formulas().interpret(node)


class _Formulas(Interpreter[Formula]):
    def number(self, value: Fraction) -> Formula:
        return (Contraction(value, ()),)

    def times(self, a: Formula, b: Formula) -> Formula:
        return tuple(Contraction(x.coefficient * y.coefficient, x.factors + y.factors) for x in a for y in b)

    def inverse(self, value: Formula) -> Formula:
        if len(value) == 1 and not value[0].factors:
            return self.number(1 / value[0].coefficient)
        raise InputError("only numbers may stand behind a division sign here")

    def meaning(self, node: Node, *place: Any) -> Formula:
        match node:
            case syntax.Number() | syntax.Product():
                return super().meaning(node)
            case syntax.Sum(terms):
                return tuple(term for part in terms for term in self.interpret(part))
            case syntax.Power(base, exponent):
                if exponent > 0 and not isinstance(base, syntax.Symbol):
                    raise InputError("only symbols may stand in a power here")
                return super().meaning(node)
            case syntax.Symbol(name):
                return self.object(Object(name))
            case syntax.Zed(label, ""):
                return self.object(Object("z", (label,)))
            case syntax.Call(name, labels):
                return self.object(Object("X" if name in TIME_SUMS else name, labels))
            case syntax.Mark(name, labels, False):
                return self.object(Object(name, labels))
            case syntax.Component(name, order, False, 0, labels, raised):
                return self.object(Object(name + (f"{{{order}}}" if order else ""), labels, raised))
        raise InputError(f"{shown(node)} has no meaning in this kind of statement")

    def object(self, item: Object) -> Formula:
        return (Contraction(Fraction(1), (item,)),)


def written_step(shape: str) -> str:
    """A step of gradient descent in the notation: ``z(1) -> z(1) - eta H(1,a) r(a) + ..``."""
    tree = build(shape, "123"[: size_of(shape)])
    parts = []
    for coefficient, leaves, name, at in step(tree):
        errors = "".join(f" r({leaf})" for leaf in leaves)
        eta = "" if not leaves else "eta " if len(leaves) == 1 else f"eta^{len(leaves)} "
        number = "" if abs(coefficient) == 1 else f"{abs(coefficient)} "
        parts.append(("- " if coefficient < 0 else "+ ") + number + eta + str(build(name, at)) + errors)
    return f"{tree} -> " + " ".join(parts).removeprefix("+ ")
