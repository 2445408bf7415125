"""Statements about a single input, solved, expanded or taken to a limit: in a class of activations, exactly.

The sides become elements of the algebra of a setting (`pertheory.book.settings`), and are compared there; by a second
route as well where the setting has one. What is solved comes from `pertheory.solve`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pertheory.book.equation import Equation
from pertheory.book.scalar import Setting, chosen, read_one
from pertheory.book.settings import (
    angle,
    between_inputs,
    coincident,
    critical,
    expansion,
    in_depth,
    infinite,
    large_depth,
    moments,
)
from pertheory.book.verdict import Verdict
from pertheory.memo import remembered
from pertheory.rulebook.network import Network


class _Made(NamedTuple):
    """How the setting of a kind is made: the names that it knows, and from the rule and one of them."""

    names: tuple[str, ...]
    make: Callable[[Network, str], Setting]


#: kinds whose statements are compared in one setting
IN_ONE_SETTING: Mapping[str, _Made] = {
    "solution": _Made(in_depth.SETTINGS, in_depth.InDepth),
    "asymptotics": _Made(large_depth.SETTINGS, large_depth.AtLargeDepth),
    "expansion": _Made(tuple(expansion.SETTINGS), lambda rule, name: expansion.SETTINGS[name](rule)),
    "coincident": _Made(("",), lambda rule, _: coincident.TwoNearInputs(rule)),
    "interpolation": _Made(
        between_inputs.SETTINGS, lambda _, name: between_inputs.BetweenTwoInputs(name == between_inputs.EVEN)
    ),
}
KINDS = (*IN_ONE_SETTING, "moment", "angle", "critical", "divergent")
WITHOUT_SETTING = ("coincident", "angle")


@remembered(maxsize=64)
def setting_of(kind: str, rule: Network, name: str) -> Setting:
    """A setting, solved once."""
    return IN_ONE_SETTING[kind].make(rule, name)


def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides where the kind of the equation says."""
    statement = read_one(equation, form)
    match equation.kind:
        case "moment":
            return moments.verdict(equation, statement)
        case "angle":
            return angle.verdict(equation, statement)
        case "critical":
            return critical.verdict(equation, statement, form)
        case "divergent":
            return infinite.verdict(equation, statement)
    name = chosen(equation, IN_ONE_SETTING[equation.kind].names)
    return setting_of(equation.kind, equation.rule, name).verdict(statement)
