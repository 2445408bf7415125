"""Formulas from sympy expressions: translated node by node into our own grammar, nothing is executed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from fractions import Fraction
from functools import reduce
from typing import Any

from pertheory.errors import InputError
from pertheory.functions.formula import FUNCTIONS, MAX_HEIGHT, Binary, Call, Name, Negate, Node, Number, show
from pertheory.rulebook.names import is_name
from pertheory.text import line, listed

#: What sympy calls functions of the grammar otherwise.
_RENAMED = {"Abs": "abs", "Max": "max", "Min": "min"}


def is_symbolic(value: object) -> bool:
    """Whether a value is a sympy expression; sympy is not loaded to find out."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Basic)


def formula_text(expression: Any, parameters: Collection[str] = ()) -> str:
    """A sympy expression as a formula of x.

    Args:
        expression: with one free symbol, or with the symbol x, besides the parameters.
        parameters: names of further symbols, to which values are given.

    Raises:
        InputError: several free symbols without x, or something that the grammar does not have.
    """
    try:
        return _formula_text(expression, parameters)
    except RecursionError:  # of sympy's own functions
        raise InputError("expression: nested too deeply") from None


def _formula_text(expression: Any, parameters: Collection[str]) -> str:
    symbols = sorted(str(symbol) for symbol in expression.free_symbols)
    free = [symbol for symbol in symbols if symbol not in parameters]
    variable = "x" if "x" in free else free[0] if len(free) == 1 else ""
    others = [symbol for symbol in free if symbol != variable]
    if others:
        raise InputError(
            f"expression {_shown(expression)} has the symbols {listed(symbols)}; an activation is a function of one, "
            "or of x and of parameters to which values are given, such as beta=2"
        )
    return show(_Translator(expression, variable).node(expression, 0))


def _shown(expression: Any) -> str:
    try:
        text = line(str(expression))
    except RecursionError:
        return "(nested too deeply)"
    return text if len(text) <= 60 else text[:60] + "..."


class _Translator:
    """Walks an expression."""

    def __init__(self, whole: Any, variable: str) -> None:
        import sympy

        self.sympy = sympy
        self.whole = whole
        self.variable = variable

    def refuse(self, what: str) -> InputError:
        known = ", ".join(sorted(FUNCTIONS))
        return InputError(
            f"expression {_shown(self.whole)}: {what} is not part of a formula; there are {known}, "
            "pi, numbers and + - * / ^; pieces go into a rule file"
        )

    def node(self, part: Any, depth: int) -> Node:
        """A part of the expression as a formula."""
        sympy = self.sympy
        if depth > MAX_HEIGHT:
            raise InputError(f"expression: nested more than {MAX_HEIGHT} deep")

        def inner(own: Any) -> Node:
            return self.node(own, depth + 1)

        if isinstance(part, sympy.Symbol):
            if str(part) != self.variable and not is_name(str(part)):
                raise self.refuse(f"the symbol {_shown(part)}")
            return Name("x" if str(part) == self.variable else str(part))
        if part is sympy.pi:
            return Name("pi")
        if part is sympy.E:
            return Call("exp", (Number(Fraction(1)),))
        if isinstance(part, sympy.Rational) and part.is_finite:
            return _number(Fraction(int(part.p), int(part.q)))
        if isinstance(part, sympy.Float) and part.is_finite:
            return _number(Fraction(str(part)))
        if isinstance(part, sympy.Add):
            return self.sum(part.as_ordered_terms(), inner)
        if isinstance(part, sympy.Mul):
            return self.product(part.as_ordered_factors(), inner)
        if isinstance(part, sympy.Pow):
            return self.power(part.base, part.exp, inner)
        name = type(part).__name__
        function = _RENAMED.get(name, name)
        known = getattr(sympy, name, None) is type(part)  # and not somebody's own of that name
        if function not in FUNCTIONS or not known:
            raise self.refuse(_shown(part) if name in str(part) else f"{name} ({_shown(part)})")
        if FUNCTIONS[function] == 1:
            return Call(function, (inner(part.args[0]),))
        arguments = [inner(own) for own in sorted(part.args, key=str)]  # which have no order of their own
        return reduce(lambda a, b: Call(function, (a, b)), arguments)

    def sum(self, terms: list[Any], inner: Callable[[Any], Node]) -> Node:
        """A sum, with terms that begin with a minus subtracted."""
        total = inner(terms[0])
        for term in terms[1:]:
            minus = term.could_extract_minus_sign()
            total = Binary("-" if minus else "+", total, inner(-term if minus else term))
        return total

    def product(self, factors: list[Any], inner: Callable[[Any], Node]) -> Node:
        """A product, with factors of negative powers below the line."""
        sympy = self.sympy
        sign = factors[0] is sympy.S.NegativeOne
        above: list[Node] = []
        below: list[Node] = []
        for factor in factors[1:] if sign else factors:
            if isinstance(factor, sympy.Pow) and factor.exp.is_Rational and factor.exp < 0:
                below.append(inner(factor.base**-factor.exp))
            else:
                above.append(inner(factor))
        result = reduce(lambda a, b: Binary("*", a, b), above) if above else Number(Fraction(1))
        result = reduce(lambda a, b: Binary("/", a, b), below, result)
        return Negate(result) if sign else result

    def power(self, base: Any, exponent: Any, inner: Callable[[Any], Node]) -> Node:
        """A power; where the variable stands in the exponent, as the grammar has it."""
        if self.variable in {str(symbol) for symbol in exponent.free_symbols}:
            if base is self.sympy.E:
                return Call("exp", (inner(exponent),))
            return Call("exp", (Binary("*", inner(exponent), Call("log", (inner(base),))),))
        if exponent is self.sympy.S.Half:
            return Call("sqrt", (inner(base),))
        return Binary("^", inner(base), inner(exponent))


def _number(value: Fraction) -> Node:
    return Negate(Number(-value)) if value < 0 else Number(value)
