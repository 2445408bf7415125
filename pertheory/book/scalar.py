"""Statements about a single input as elements of an algebra: solutions, expansions, moments.

A `Setting` says what the names of a statement mean: a class of activations, a limit, or plain numbers. Whatever a
setting does not know is refused and never ignored. `Setting.verdict` compares the sides, by a second route as well
where the setting has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

from pertheory.algebra.polynomial import add_sums, multiply_sums
from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.equation import Equation
from pertheory.book.syntax import Node, Statement
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, UNCHECKED, VERIFIED, Verdict, unchecked
from pertheory.book.visit import Interpreter, shown, walk
from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.partitions import joint_cumulant
from pertheory.rulebook.network import IDENTITY
from pertheory.rulebook.tensors import Tensor, find_tensor

Element = Any
#: products of functions inside an average, each with its coefficient
InAverage = dict[Lines, Element]


class Setting(Interpreter[Element]):
    """What the names of a statement mean; a setting overrides what it knows.

    Attributes:
        title: for messages.
        functions_of_z: names that are functions of z, and so stand inside averages, besides s.
        make: makes an element of a rational number.
        values: the scalars that are known, by name.
        tolerance: what the residual of the second route may be.
    """

    title = "this setting"
    functions_of_z: frozenset[str] = frozenset()
    tolerance = 0.0
    make: Callable[[Any], Element]
    values: Mapping[str, Element] = {}

    def number(self, value: Fraction) -> Element:
        """A rational number."""
        return self.make(value)

    def symbol(self, name: str) -> Element:
        """A scalar."""
        if name in self.values:
            return self.values[name]
        raise InputError(f"{name} has no value in {self.title}")

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """A tensor, all samples alike: T{order}, of this layer or the one above."""
        raise InputError(f"{node.name} has no value in {self.title}")

    def average(self, lines: Lines) -> Element:
        """The average of a product of z's and derivatives of s."""
        raise InputError(f"averages have no value in {self.title}")

    def derived(self, lines: Lines, label: str) -> Lines:
        """What stands in an average, with d_1 or d_2 in front."""
        raise InputError(f"d_{label} has no value in {self.title}")

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right, falsy if they are equal up to a remainder O(...)."""
        if remainder is not None:
            raise InputError(f"O(...) has no meaning in {self.title}")
        return left - right

    def residual(self, statement: Statement) -> float | None:
        """By how much the sides differ by the second route; None if there is none."""
        return None

    def verdict(self, statement: Statement) -> Verdict:
        """What a statement is in this setting, by both routes if there are two."""
        found = self.compared(statement)
        residual = self.residual(statement) if found.status != UNCHECKED else None
        if residual is None:
            return found
        if (residual > self.tolerance) != (found.status == MISMATCH):
            note = f"the algebra and the numbers disagree (residual {residual:.2g})"
            return Verdict(MISMATCH, BOTH, residual, note, found.difference)
        return Verdict(found.status, BOTH, residual if found.status == MISMATCH else 0.0, found.note, found.difference)

    def compared(self, statement: Statement) -> Verdict:
        """All sides of a statement in this setting."""
        sides = [remainder_of(side) for side in statement.sides]
        remainders = [remainder for _, remainder in sides if remainder is not None]
        if len(remainders) > 1:
            raise InputError("at most one side may have a remainder O(...)")
        remainder = remainders[0] if remainders else None
        try:
            first, *others = [self.interpret(side) for side, _ in sides]
            for other in others:
                difference = self.difference(first, other, remainder)
                if difference:
                    return Verdict(MISMATCH, SYMBOLIC, 1.0, f"the sides differ in {self.title}", (str(difference),))
        except (ArithmeticError, UnsupportedError) as error:
            return unchecked(str(error) or "the two sides cannot be computed")
        return Verdict(VERIFIED, SYMBOLIC)

    def meaning(self, node: Node, *place: Any) -> Element:
        """By `symbol`, `component` and `average`; powers as the elements have them."""
        match node:
            case syntax.Symbol(name):
                return self.symbol(name)
            case syntax.Component(name):
                tensor, fixed = find_tensor(name)
                return self.component(tensor, fixed if fixed is not None else node.order, node)
            case syntax.Average(pieces):
                return self.joint_cumulant(pieces)
            case syntax.Power(base, exponent):
                value = self.interpret(base)
                if exponent < 0 and not value:
                    raise ZeroDivisionError("division by zero")
                return value**exponent if exponent else self.number(Fraction(1))
            case syntax.Line() | syntax.Zed() | syntax.Mark() | syntax.Derivative():
                raise InputError(f"{shown(node)} has no value outside an average")
        return super().meaning(node, *place)

    def joint_cumulant(self, inside_of: tuple[Node, ...]) -> Element:
        """An average, or the joint cumulant of several pieces."""
        inside = Inside(self)
        pieces = [inside.interpret(piece) for piece in inside_of]

        def mean(block: tuple[int, ...]) -> Element:
            product = reduce(inside.times, [pieces[number] for number in block], inside.number(Fraction(1)))
            values = [value * self.average(lines) if lines else value for lines, value in product.items()]
            return sum(values, self.number(Fraction(0)))

        return joint_cumulant(len(pieces), mean, lambda value: self.number(Fraction(value)))


class Inside(Interpreter[InAverage]):
    """What stands inside an average of a setting, multiplied out."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def number(self, value: Fraction) -> InAverage:
        """A number."""
        return {(): self.setting.number(value)}

    def _one(self, name: str, order: int) -> InAverage:
        return {((name, order),): self.setting.number(Fraction(1))}

    def plus(self, a: InAverage, b: InAverage) -> InAverage:
        """The sum."""
        return add_sums(a, b)

    def times(self, a: InAverage, b: InAverage) -> InAverage:
        """The product."""
        return multiply_sums(a, b, lambda left, right: tuple(sorted(left + right)))

    def inverse(self, value: InAverage) -> InAverage:
        """One over a number."""
        if set(value) - {()}:
            raise InputError("a function of z stands behind a division sign")
        return {(): self.setting.inverse(value.get((), self.setting.number(Fraction(0))))}

    def meaning(self, node: Node, *place: Any) -> InAverage:
        """Functions of z; all else is what the setting makes of it."""
        match node:
            case syntax.Number() | syntax.Sum() | syntax.Product() | syntax.Power():
                return super().meaning(node)
            case syntax.Line(order):
                return self._one("s", order)
            case syntax.Zed():
                return self._one(IDENTITY, 0)
            case syntax.Symbol(name) if name in self.setting.functions_of_z:
                return self._one(name, 0)
            case syntax.Derivative(label, of):
                return {self.setting.derived(lines, label): value for lines, value in self.interpret(of).items()}
            case syntax.Average():
                raise InputError("an average stands inside an average")
        return {(): self.setting.interpret(node)}


SWALLOWED = "the remainder O(...) is not smaller than all the terms that are stated"


def remainder_of(node: Node) -> tuple[Node, Node | None]:
    """A side without its remainder, and what stands in the O(...) of the sum."""
    terms = node.terms if isinstance(node, syntax.Sum) else (node,)
    kept = [term for term in terms if not (isinstance(term, syntax.Apply) and term.function == "O")]
    found = [term.of for term in terms if isinstance(term, syntax.Apply) and term.function == "O"]
    if len(found) > 1:
        raise InputError("two remainders O(...) in one side")
    if not found:
        return node, None
    if any(isinstance(part, syntax.Number) and part.value != 1 for part in walk(found[0])):
        raise InputError("a remainder has no coefficient: O(K^3)")
    return syntax.Sum(tuple(kept)), found[0]


def below_remainder(left: Any, right: Any, remainder: Any, highest: int, variable: str) -> Any:
    """The difference of two power series below a remainder.

    Args:
        left, right: the sides.
        remainder: what stands in the O(...), as a series, or None.
        highest: the largest power that a remainder may be.
        variable: of the series, for messages.
    """
    power = remainder.lowest if remainder is not None else None
    if power is None or power > highest:
        raise InputError(f"a series in {variable} needs a remainder such as O({variable}^m), m up to {highest}")
    if any(right.coefficients[power:]) or not any(right.coefficients):
        raise InputError(SWALLOWED)
    return (left - right).below(power)


def read_one(equation: Equation, form: str) -> Statement:
    """A form of an equation that has to be about a single input."""
    statement = equation.read(form)
    if not statement.one:
        raise equation.wrong(f'{equation.kind} needs inputs = "one"')
    return statement


def chosen(equation: Equation, known: Iterable[str]) -> str:
    """The setting of an equation.

    Raises:
        RuleError: it is none of those that its kind knows.
    """
    names = list(known)
    if equation.setting not in names:
        shown_names = "; ".join(name for name in names if name)
        raise equation.wrong(f"setting must be one of {shown_names}")
    return equation.setting
