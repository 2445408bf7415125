"""Formulas of one variable as small trees: values in any arithmetic, text, symbols."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

from pertheory.errors import InputError

#: Number of arguments of each function of the grammar.
FUNCTIONS: Mapping[str, int] = {
    "abs": 1,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "sin": 1,
    "cos": 1,
    "tan": 1,
    "sinh": 1,
    "cosh": 1,
    "tanh": 1,
    "erf": 1,
    "max": 2,
    "min": 2,
}
#: Functions with a kink; a formula that has one is split into pieces.
KINKED = frozenset({"abs", "max", "min"})
ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}
MAX_HEIGHT = 150
MAX_EXPONENT = 64

Scalar: TypeAlias = Fraction | float


class _Known:
    """What a node remembers, since it cannot change."""

    @cached_property
    def names(self) -> frozenset[str]:
        if isinstance(self, Name):
            return frozenset({self.name})
        return frozenset().union(*(child.names for child in children(self)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Number(_Known):
    """A rational constant; decimals are kept exactly."""

    value: Fraction


@dataclass(frozen=True)
class Name(_Known):
    """The variable ``x``, the constant ``pi`` or a parameter."""

    name: str


@dataclass(frozen=True)
class Negate(_Known):
    """Minus the operand."""

    operand: Node


@dataclass(frozen=True)
class Binary(_Known):
    """One of ``+ - * / ^`` applied to two operands."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call(_Known):
    """A function of `FUNCTIONS` applied to its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Number | Name | Negate | Binary | Call


def children(node: Node) -> tuple[Node, ...]:
    """Return the operands of a node."""
    match node:
        case Negate(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case _:
            return ()


def evaluated(
    node: Node,
    given: Callable[[Node], Any],
    applied: Callable[[str, list[Any]], Any],
    power: Callable[[Any, Any], Any] = operator.pow,
) -> Any:
    """The value of a formula in any arithmetic.

    Args:
        node: the formula.
        given: the value of a node, None where it follows from its operands.
        applied: the value of a function of values.
        power: of two values.
    """
    value = given(node)
    if value is not None:
        return value
    operands = [evaluated(child, given, applied, power) for child in children(node)]
    match node:
        case Negate():
            return -operands[0]
        case Call(function):
            return applied(function, operands)
        case Binary(sign):
            return (power if sign == "^" else ARITHMETIC[sign])(*operands)
    raise AssertionError(node)


def names(node: Node) -> frozenset[str]:
    """Return the names that appear in a formula: ``x``, ``pi`` and parameters."""
    return node.names


def depends_on_x(node: Node) -> bool:
    """Say whether the variable appears."""
    return "x" in node.names


def check_exponent(value: Scalar) -> None:
    """Refuse exponents that would make arithmetic or differentiation explode.

    Raises:
        InputError: the absolute value is above `MAX_EXPONENT`, or is not a number.
    """
    if not -MAX_EXPONENT <= value <= MAX_EXPONENT:
        raise InputError(f"exponents must lie between -{MAX_EXPONENT} and {MAX_EXPONENT}")


def _apply(function: str, values: list[Scalar]) -> Scalar:
    if function == "abs":
        return values[0] if values[0] >= 0 else -values[0]
    if function in ("max", "min"):
        return sorted(values)[function == "max"]
    if function == "sqrt":
        value = Fraction(values[0])
        numerator, denominator = math.isqrt(abs(value.numerator)), math.isqrt(value.denominator)
        if value >= 0 and numerator**2 == value.numerator and denominator**2 == value.denominator:
            return Fraction(numerator, denominator)
    result: float = getattr(math, function)(float(values[0]))
    return result


def constant(node: Node, parameters: Mapping[str, Scalar]) -> Scalar:
    """Evaluate a formula without x, exactly as long as it stays rational and short.

    Raises:
        InputError: the value does not exist (a division by zero, a logarithm of a negative number, overflow).
    """
    try:
        match node:
            case Number(value):
                return value
            case Name(name):
                return math.pi if name == "pi" else parameters[name]
            case Negate(operand):
                return -constant(operand, parameters)
            case Call(function, arguments):
                return _apply(function, [constant(argument, parameters) for argument in arguments])
            case Binary(sign, left, right):
                a, b = constant(left, parameters), constant(right, parameters)
                if sign == "^":
                    check_exponent(b)
                    b = int(b) if b == int(b) else float(b)
                result: Any = ARITHMETIC[sign](a, b)
                if isinstance(result, Fraction) and max(abs(result.numerator), result.denominator) >> 300:
                    result = float(result)
                if isinstance(result, complex) or not math.isfinite(result):
                    raise InputError(f"formula: {show(node)[:40]} is not a finite real number")
                return result if isinstance(result, (Fraction, float)) else Fraction(result)
    except (ArithmeticError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"formula: {show(node)[:40]} is not a finite real number ({error})") from None
    raise AssertionError(node)


def show(node: Node) -> str:
    """Write a formula as text that `parse` reads back to an equal function."""
    return _show(node)[0]


def _scientific(value: Fraction) -> str:
    """Write a decimal number with a power of ten; empty where it is no decimal number."""
    places = max(value.denominator.bit_length(), 1)  # a denominator 2^a 5^b has at most this many decimals
    scaled = value * 10**places
    if scaled.denominator != 1:
        return ""
    digits = str(scaled.numerator)
    short = digits.rstrip("0") or "0"
    return f"{short}e{len(digits) - len(short) - places}"


def _show(node: Node) -> tuple[str, int]:
    """Return text and binding strength: 1 sum, 2 product, 3 sign, 4 power, 5 atom."""

    def wrapped(child: Node, least: int) -> str:
        text, strength = _show(child)
        return text if strength >= least else f"({text})"

    match node:
        case Number(value):
            if len(str(value)) > 20 and (text := _scientific(value)):
                return text, 5 if value >= 0 else 1
            if value.denominator == 1 and value >= 0:
                return str(value), 5
            return str(value), 2 if value >= 0 else 1
        case Name(name):
            return name, 5
        case Negate(operand):
            return f"-{wrapped(operand, 3)}", 1
        case Call(function, arguments):
            return f"{function}({', '.join(show(argument) for argument in arguments)})", 5
        case Binary("^", left, right):
            return f"{wrapped(left, 5)}^{wrapped(right, 5)}", 4
        case Binary(sign, left, right):
            strength = 1 if sign in "+-" else 2
            gap = " " if strength == 1 else ""
            return f"{wrapped(left, strength)}{gap}{sign}{gap}{wrapped(right, strength + 1)}", strength
    raise AssertionError(node)


def to_symengine(node: Node, parameters: Mapping[str, Scalar] | None = None) -> Any:
    """Convert a formula to a symengine expression in the symbol ``x``.

    Args:
        node: the formula.
        parameters: values to put in; parameters without a value stay symbols.

    Returns:
        A symengine expression; rational numbers and ``pi`` stay exact.
    """
    import symengine

    values = parameters or {}

    def number(value: Scalar) -> Any:
        if isinstance(value, Fraction):
            return symengine.Rational(value.numerator, value.denominator)
        return symengine.RealDouble(value)

    def given(part: Node) -> Any:
        match part:
            case Number(value):
                return number(value)
            case Name("pi"):
                return symengine.pi
            case Name(name):
                return number(values[name]) if name in values else symengine.Symbol(name)

    def applied(function: str, arguments: list[Any]) -> Any:
        return getattr(symengine, function.capitalize() if function in KINKED else function)(*arguments)

    return evaluated(node, given, applied)
