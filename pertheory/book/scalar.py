"""Statements about a single input as elements of an algebra: solutions, expansions, moments.

A `Setting` says what the names of a statement mean: a class of activations, a limit, or plain numbers. `evaluate` walks
the statement; whatever a setting does not know is refused and never ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pertheory.algebra.terms import Lines
from pertheory.book.chapters import Equation
from pertheory.book.visit import walk
from pertheory.book.syntax import (
    Apply,
    Average,
    Component,
    Derivative,
    Line,
    Mark,
    Node,
    Number,
    Power,
    Product,
    Raise,
    Slope,
    Statement,
    Sum,
    Symbol,
    Zed,
)
from pertheory.book.verdict import MISMATCH, VERIFIED, Verdict, unchecked
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.graphs.partitions import set_partitions
from pertheory.rulebook.network import IDENTITY

Element = Any
#: a product of functions inside an average, with its coefficient
Inside = dict[Lines, Element]


class Setting:
    """What the names of a statement mean; a setting overrides what it knows."""

    title = "this setting"
    #: names that are functions of z, and so stand inside averages, besides s
    functions_of_z: frozenset[str] = frozenset()

    def number(self, value: Fraction) -> Element:
        """A rational number."""
        raise NotImplementedError

    def symbol(self, name: str) -> Element:
        """A scalar."""
        raise InputError(f"{name} has no value in {self.title}")

    def component(self, node: Component) -> Element:
        """A tensor, all samples alike."""
        raise InputError(f"{node.name} has no value in {self.title}")

    def average(self, lines: Lines) -> Element:
        """The average of a product of z's and derivatives of s."""
        raise InputError(f"averages have no value in {self.title}")

    def derived(self, lines: Lines, label: str) -> Lines:
        """What stands in an average, with d_1 or d_2 in front."""
        raise InputError(f"d_{label} has no value in {self.title}")

    def slope(self, variable: str, of: Node) -> Element:
        """The derivative with respect to K or to a tensor."""
        raise InputError(f"d/d{variable} has no value in {self.title}")

    def raised(self, base: Node, exponent: Node) -> Element:
        """A power whose exponent is an expression."""
        raise InputError(f"an exponent that is an expression has no value in {self.title}")

    def apply(self, function: str, of: Node) -> Element:
        """A function of one argument."""
        raise InputError(f"{function} has no value in {self.title}")

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right, falsy if they are equal up to a remainder O(...)."""
        if remainder is not None:
            raise InputError(f"O(...) has no meaning in {self.title}")
        return left - right


def evaluate(node: Node, setting: Setting) -> Element:
    """The value of a node."""
    match node:
        case Number(value):
            return setting.number(value)
        case Symbol(name):
            return setting.symbol(name)
        case Component():
            return setting.component(node)
        case Average(pieces):
            return _cumulant([_inside(piece, setting) for piece in pieces], setting)
        case Sum(terms):
            total = setting.number(Fraction(0))
            for term in terms:
                total = total + evaluate(term, setting)
            return total
        case Product(factors):
            result = setting.number(Fraction(1))
            for factor in factors:
                result = result * evaluate(factor, setting)
            return result
        case Power(base, exponent):
            value = evaluate(base, setting)
            if exponent < 0 and not value:
                raise ZeroDivisionError("division by zero")
            return value**exponent if exponent else setting.number(Fraction(1))
        case Raise(base, exponent_node):
            return setting.raised(base, exponent_node)
        case Apply(function, of):
            return setting.apply(function, of)
        case Slope(variable, of):
            return setting.slope(variable, of)
    raise InputError(f"{_named(node)} has no value outside an average")


def _named(node: Node) -> str:
    match node:
        case Line():
            return "s"
        case Zed():
            return "z"
        case Mark(name):
            return name
        case Derivative(label, _):
            return f"d_{label}"
    return type(node).__name__


def _inside(node: Node, setting: Setting) -> Inside:
    """A product or sum inside an average, multiplied out."""
    match node:
        case Line(order, _):
            return {(("s", order),): setting.number(Fraction(1))}
        case Zed():
            return {((IDENTITY, 0),): setting.number(Fraction(1))}
        case Symbol(name) if name in setting.functions_of_z:
            return {((name, 0),): setting.number(Fraction(1))}
        case Derivative(label, of):
            return {setting.derived(lines, label): value for lines, value in _inside(of, setting).items()}
        case Average():
            raise InputError("an average stands inside an average")
        case Sum(terms):
            total: Inside = {}
            for term in terms:
                for lines, value in _inside(term, setting).items():
                    total[lines] = total[lines] + value if lines in total else value
            return total
        case Product(factors):
            result: Inside = {(): setting.number(Fraction(1))}
            for factor in factors:
                result = _times(result, _inside(factor, setting))
            return result
        case Power(base, exponent) if exponent > 0:
            result = {(): setting.number(Fraction(1))}
            for _ in range(exponent):
                result = _times(result, _inside(base, setting))
            return result
    return {(): evaluate(node, setting)}


def _times(a: Inside, b: Inside) -> Inside:
    total: Inside = {}
    for left, u in a.items():
        for right, v in b.items():
            lines = tuple(sorted(left + right))
            total[lines] = total[lines] + u * v if lines in total else u * v
    return total


def _cumulant(pieces: list[Inside], setting: Setting) -> Element:
    """An average, or the joint cumulant of several pieces."""
    total = setting.number(Fraction(0))
    for partition in set_partitions(range(len(pieces))):
        term = setting.number(Fraction(1))
        for number, block in enumerate(partition):
            inside: Inside = {(): setting.number(Fraction(-number if number else 1))}
            for index in block:
                inside = _times(inside, pieces[index])
            mean = setting.number(Fraction(0))
            for lines, value in inside.items():
                mean = mean + (value * setting.average(lines) if lines else value)
            term = term * mean
        total = total + term
    return total


SWALLOWED = "the remainder O(...) is not smaller than all the terms that are stated"


def remainder_of(node: Node) -> tuple[Node, Node | None]:
    """A side without its remainder, and what stands in the O(...) of the sum."""
    terms = node.terms if isinstance(node, Sum) else (node,)
    kept = [term for term in terms if not (isinstance(term, Apply) and term.function == "O")]
    found = [term.of for term in terms if isinstance(term, Apply) and term.function == "O"]
    if len(found) > 1:
        raise InputError("two remainders O(...) in one side")
    if not found:
        return node, None
    if any(isinstance(part, Number) and part.value != 1 for part in walk(found[0])):
        raise InputError("a remainder has no coefficient: O(K^3)")
    return Sum(tuple(kept)), found[0]


def read_one(equation: Equation, form: str) -> Statement:
    """A form of an equation that has to be about a single input."""
    statement = equation.read(form)
    if not statement.one:
        raise RuleError(f'{equation.place}: equation {equation.number}: {equation.kind} needs inputs = "one"')
    return statement


def compare_in(setting: Setting, statement: Statement, method: str, show: Callable[[Any], str] = str) -> Verdict:
    """Compare all sides of a statement in a setting."""
    sides = [remainder_of(side) for side in statement.sides]
    remainders = [remainder for _, remainder in sides if remainder is not None]
    if len(remainders) > 1:
        raise InputError("at most one side may have a remainder O(...)")
    remainder = remainders[0] if remainders else None
    try:
        first, *others = [evaluate(side, setting) for side, _ in sides]
        for other in others:
            difference = setting.difference(first, other, remainder)
            if difference:
                return Verdict(MISMATCH, method, 1.0, f"the sides differ in {setting.title}", (show(difference),))
    except (ArithmeticError, UnsupportedError) as error:
        return unchecked(str(error) or "the two sides cannot be computed")
    return Verdict(VERIFIED, method)
