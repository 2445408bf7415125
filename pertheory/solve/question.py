"""What criticality is asked for: one activation in one network, with parameters that are numbers or symbols."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import sympy

from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.chosen import choose_functions, only_linear
from pertheory.functions.symbols import is_symbolic
from pertheory.rulebook.network import Network
from pertheory.solve.channels import inner_values, outer
from pertheory.text import shortened

#: stands for a parameter that is a symbol where a number is needed to find kinks
ANY = 1.37


class Asked(NamedTuple):
    """What criticality is solved for.

    Attributes:
        rule: the network.
        function: the activation; parameters that are symbols have some number in it.
        symbols: these, by name.
        given: hyperparameters of the rule that are not solved for, as sympy numbers or symbols.
    """

    rule: Network
    function: Activation
    symbols: dict[str, sympy.Expr]
    given: dict[str, sympy.Expr]

    @property
    def name(self) -> str:
        """The name of the activation, which may be a long formula, on one line."""
        return shortened(self.function.name)

    @property
    def is_symbolic(self) -> bool:
        """Whether anything stays a symbol."""
        values = (*self.symbols.values(), *self.given.values())
        return any(value.free_symbols for value in values)

    @property
    def numbers(self) -> dict[str, float]:
        """The hyperparameters that were given."""
        return {name: float(value) for name, value in self.given.items()}

    def all_given(self) -> dict[str, sympy.Expr]:
        """Every hyperparameter but the two that are solved for: given, of inner parameters at their value, default."""
        own = outer(self.rule)
        values = {**dict(self.rule.hyperparameters), **inner_values(self.rule)}
        return {n: self.given.get(n, exact(value)) for n, value in values.items() if n not in (own.bias, own.weight)}


def exact(value: Any) -> sympy.Expr:
    """A number as a rational one; of a float the decimal that was written."""
    return sympy.Rational(Fraction(str(value)) if isinstance(value, float) else Fraction(value))


def question(rule: Network, given: Any, parameters: Mapping[str, Any]) -> Asked:
    """The question behind what a user gave; see `pertheory.critical`."""
    own, known = outer(rule), dict(rule.hyperparameters)
    for name in (own.bias, own.weight):
        if name in parameters:
            raise InputError(f"{name} is what criticality fixes; leave it out")
    values = {name: _value(name, value) for name, value in parameters.items() if name in known}
    rest = {name: value for name, value in parameters.items() if name not in known}
    symbols = {name: value for name, value in rest.items() if is_symbolic(value) and value.free_symbols}
    numbers = {name: ANY if name in symbols else value for name, value in rest.items()}
    functions = {f.name: f for f in choose_functions(rule, given, numbers).values()} if rule.functions else {}
    if not functions:
        chosen = only_linear(rule, given, numbers)
        functions = {chosen.name: chosen}
    if len(functions) > 1:
        raise UnsupportedError(f"{rule.name} has {len(functions)} functions; criticality is solved for one")
    return Asked(rule, next(iter(functions.values())), symbols, values)


def _value(name: str, value: Any) -> sympy.Expr:
    if is_symbolic(value):
        return value
    try:
        return exact(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise InputError(f"{name} must be a finite number or a symbol, not {str(value)[:40]!r}") from None
