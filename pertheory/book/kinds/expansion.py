"""Averages and susceptibilities of a class of activations, as expansions or in closed form, away from criticality.

Settings:

* "small K": s(0) = 0, power series in K with a remainder as in ``+ O(K^3)``; sigma_k are the derivatives of s at 0, and
  a_1, a_2, b_1 are read off what the engine derives: K' = C_b + C_W sigma_1^2 (K + a_1 K^2 + a_2 K^3 + ..) and the
  coefficient of Theta in Theta', C_W sigma_1^2 (1 + b_1 K + ..);
* "two slopes": s(z) = a_plus z or a_minus z; everything is a rational function.

``d/dX[Y']`` is the coefficient of X in the engine's recursion of Y, ``d/dK[..]`` the derivative with respect to K.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pertheory.algebra.terms import Lines
from pertheory.book.chapters import Equation
from pertheory.book.classes import PiecewiseLinear, Series, SmallKernel, rational, rational_functions
from pertheory.book.memory import remembered
from pertheory.book.one_input import KERNEL, Element, OneInput
from pertheory.book.scalar import SWALLOWED, Setting, compare_in, evaluate, read_one
from pertheory.book.syntax import Component, Node
from pertheory.book.verdict import SYMBOLIC, Verdict, kind
from pertheory.errors import InputError, RuleError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.work import Node as Unit

#: the power of K that is kept, and the highest that a remainder may leave open: a derivative costs one
ORDER, HIGHEST = 5, 4
DERIVATIVES = 15


class OffCritical(Setting):
    """What both settings share: the engine's recursions with every coupling free."""

    names: dict[str, Element]
    step: OneInput

    def component(self, node: Component) -> Element:
        """K, and K one layer up; other tensors only below d/dX."""
        tensor, fixed = find_tensor(node.name)
        if tensor.kind != KERNEL or (fixed if fixed is not None else node.order):
            raise InputError(
                f"{node.name} has no value in {self.title}; its coefficients are written d/dX[{node.name}']"
            )
        return self.step.kernel_above if node.up else self.step.kernel(-1, "z")

    def slope(self, variable: str, of: Node) -> Element:
        """A coefficient of the engine's recursion, or a derivative with respect to K."""
        tensor, fixed = find_tensor(variable)
        if tensor.kind == KERNEL:
            return self.in_kernel(evaluate(of, self))
        if not isinstance(of, Component) or not of.up:
            raise InputError(f"d/d{variable} takes a tensor of the layer above, as in d/d{variable}[{variable}']")
        above, order = find_tensor(of.name)
        unit = Unit(self.step.last, above.kind, order if order is not None else of.order)
        key = (Unit(self.step.last, tensor.kind, fixed or 0),)
        return self.step.polynomial(unit).get(key, self.number(Fraction(0)))

    def in_kernel(self, value: Element) -> Element:
        """The derivative of an element with respect to K."""
        raise NotImplementedError


class TwoSlopes(OffCritical):
    """Piecewise linear activations."""

    title = "the class of two slopes"

    def __init__(self, rule: Network) -> None:
        given = [name for name, _ in rule.hyperparameters]
        self.of, self.names = rational_functions(["a_plus", "a_minus", "K", *given])
        self.functions = PiecewiseLinear(self.of, self.names["a_plus"], self.names["a_minus"])
        self.step = OneInput(rule, self.functions, self.names, self.names["K"])

    def number(self, value: Fraction) -> Element:
        """A constant."""
        return self.of(rational(value))

    def symbol(self, name: str) -> Element:
        """A symbol of the field."""
        return self.names[name] if name in self.names else super().symbol(name)

    def average(self, lines: Lines) -> Element:
        """By half-line moments."""
        return self.functions.average(self.names["K"], 0, lines)

    def in_kernel(self, value: Element) -> Element:
        """The derivative of a rational function."""
        return value.diff(self.names["K"])


class SmallK(OffCritical):
    """Smooth activations with s(0) = 0, as series in K."""

    title = "the expansion in small K"

    def __init__(self, rule: Network) -> None:
        given = [name for name, _ in rule.hyperparameters]
        sigma = [f"sigma_{order}" for order in range(1, DERIVATIVES + 1)]
        self.of, self.names = rational_functions([*sigma, *given])
        self.functions = SmallKernel(self.of, [self.names[name] for name in sigma], ORDER)
        couplings = {name: self.functions.constant(self.names[name]) for name in given}
        self.step = OneInput(rule, self.functions, couplings, self.functions.kernel)
        kernel = self.step.kernel_above.coefficients
        ntk = self.step.node("Theta")
        own = self.step.polynomial(ntk)[(ntk,)].coefficients
        self.names |= {"a_1": kernel[2] / kernel[1], "a_2": kernel[3] / kernel[1], "b_1": own[1] / own[0]}

    def number(self, value: Fraction) -> Series:
        """A constant."""
        return self.functions.number(value)

    def symbol(self, name: str) -> Series:
        """A constant symbol."""
        return self.functions.constant(self.names[name]) if name in self.names else super().symbol(name)

    def average(self, lines: Lines) -> Series:
        """As a series."""
        return self.functions.average(self.functions.kernel, 0, lines)

    def in_kernel(self, value: Series) -> Series:
        """The derivative of a series; its last coefficient is not known and set to zero."""
        lower = [coefficient * order for order, coefficient in enumerate(value.coefficients)][1:]
        return Series([*lower, self.of(0)])

    def difference(self, left: Series, right: Series, remainder: Node | None) -> Any:
        """Left minus right below the remainder; without one both have to be constants."""
        if remainder is None:
            if any(left.coefficients[1:]) or any(right.coefficients[1:]):
                raise InputError("a series in K needs a remainder such as O(K^3)")
            return left - right
        power = evaluate(remainder, self).lowest
        if power is None or power > HIGHEST:
            raise InputError(f"a remainder is O(K^m) with m up to {HIGHEST}")
        if any(right.coefficients[power:]) or not any(right.coefficients):
            raise InputError(SWALLOWED)
        return Series([*(left - right).coefficients[:power], *[self.of(0)] * (ORDER + 1 - power)])


SETTINGS: dict[str, type[SmallK] | type[TwoSlopes]] = {"small K": SmallK, "two slopes": TwoSlopes}


@remembered(maxsize=8)
def setting_of(name: str, rule: Network) -> OffCritical:
    """The setting of a name for a rule, made once."""
    return SETTINGS[name](rule)


@kind("expansion", setting=True)
def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides in the algebra of the class."""
    statement = read_one(equation, form)
    if equation.setting not in SETTINGS:
        raise RuleError(f"{equation.place}: equation {equation.number}: setting must be one of {', '.join(SETTINGS)}")
    return compare_in(setting_of(equation.setting, equation.rule), statement, SYMBOLIC)
