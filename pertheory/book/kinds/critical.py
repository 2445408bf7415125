"""Critical points of activations as numbers: ``C_W = 1.98800468``.

The susceptibilities are the coefficients of G{1} and Theta in the engine's own recursions on one input. At C_W = 1 they
are equal at K*; then C_W makes them one, and C_b makes K* a fixed point. First route: high precision (`precise`);
second: the double-precision averages that `pertheory run` uses, which also search for the roots. A number is right if
it is the value rounded to the digits that are stated.

Settings, after the name or formula of an activation: "swish, half-stable" (the fixed point K > 0 with C_b >= 0), "tanh,
K*=0" (from the derivatives at 0; ``decay`` is the limit of 1/(K^r l), r = 1, or 2 where a_1 = 0), "sigmoid, search"
(``points`` counts the fixed points K > 0 with C_W > 0 and C_b >= 0 in the range that was searched).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.gaussian import GaussianAverages
from pertheory.book.chapters import Equation
from pertheory.book.classes import Series
from pertheory.book.kinds.expansion import SmallK
from pertheory.book.kinds.expansion import setting_of as expansion
from pertheory.book.large_depth import kernel_decay
from pertheory.book.memory import remembered
from pertheory.book.one_input import Element, OneInput
from pertheory.book.precise import DIGITS, Precise
from pertheory.book.scalar import Setting, evaluate, read_one
from pertheory.book.syntax import Component
from pertheory.book.verdict import BOTH, MISMATCH, NUMERIC, VERIFIED, Verdict, kind
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.rulebook.activation import Activation, activation
from pertheory.rulebook.network import network

#: the range of K in which roots are searched, and how many points of it are looked at
LOWEST, HIGHEST, LOOKS = 1e-3, 1e3, 31
#: agreement of the two routes, and of whole numbers with what they are claimed to be
ROUTES, WHOLE = 1e-7, 1e-15
#: what a root in high precision may leave of the difference of the susceptibilities
SHARP = 1e-15


class Doubles:
    """Averages in double precision, by the same code as `pertheory run`.

    Args:
        function: the activation.
        kernels: at these an average is evaluated together when one of them is asked for, which shares its grids.
    """

    def __init__(self, function: Activation, kernels: Sequence[float] = ()) -> None:
        self.averages = GaussianAverages({"s": function})
        self.kernels = tuple(kernels)
        self.known: dict[tuple[float, int, Lines], float] = {}

    def number(self, value: Any) -> float:
        """A rational number."""
        return float(value)

    def average(self, kernel: float, legs: int, lines: Lines) -> float:
        """The average."""
        if (kernel, legs, lines) not in self.known:
            together = self.kernels if kernel in self.kernels else (kernel,)
            (found,) = self.averages.alone(np.array(together), [((legs, lines),)])
            self.known |= {(k, legs, lines): float(value) for k, value in zip(together, found, strict=True)}
        return self.known[kernel, legs, lines]


def susceptibilities(functions: Any, kernel: Any) -> tuple[Any, Any, Any]:
    """g, chi_parallel and chi_perpendicular at C_b = 0, C_W = 1, from the engine's recursions."""
    couplings = {name: functions.number(int(name != "C_b")) for name in ("C_b", "C_W", "lambda_b", "lambda_W")}
    step = OneInput(network("mlp"), functions, couplings, kernel)
    metric, ntk = step.node("G{1}"), step.node("Theta")
    return step.kernel_above, step.coefficient(metric, metric), step.coefficient(ntk, ntk)


def critical_kernels(function: Activation) -> list[tuple[float, float]]:
    """Intervals of K in which the susceptibilities of equal C_W cross, where C_W > 0 and C_b >= 0 are possible."""
    looks = [float(k) for k in np.geomspace(LOWEST, HIGHEST, LOOKS)]
    functions = Doubles(function, looks)
    values = [susceptibilities(functions, k) for k in looks]
    found = []
    for (low, (_, par, perp)), (high, (g, next_par, next_perp)) in zip(
        zip(looks, values, strict=True), zip(looks[1:], values[1:], strict=True), strict=False
    ):
        crosses = (par - perp) * (next_par - next_perp) < 0
        if crosses and next_perp > 0 and high - g / next_perp > 0:
            found.append((low, high))
    return found


class AtPoint(Setting):
    """The numbers of one critical point."""

    title = "the critical point"

    def __init__(self, functions: Any, kernel: Any) -> None:
        self.functions, self.kernel = functions, kernel
        g, _, perp = susceptibilities(functions, kernel)
        self.values = {"C_W": 1 / perp, "C_b": kernel - g / perp}

    def number(self, value: Fraction) -> Element:
        """As it is."""
        return self.functions.number(value)

    def symbol(self, name: str) -> Element:
        """C_W and C_b."""
        return self.values[name] if name in self.values else super().symbol(name)

    def component(self, node: Component) -> Element:
        """K at the fixed point."""
        return self.kernel if node.name == "K" and not node.up else super().component(node)

    def average(self, lines: Lines) -> Element:
        """By quadrature."""
        return self.functions.average(self.kernel, 0, lines)


@remembered(maxsize=16)
def half_stable(name: str) -> tuple[AtPoint, AtPoint]:
    """The half-stable point of an activation, by both routes.

    Raises:
        UnsupportedError: there is none in the range that was searched, or more than one.
    """
    from scipy.optimize import brentq  # half a second to import, and only these points need it

    function = activation(name)
    intervals = critical_kernels(function)
    if len(intervals) != 1:
        raise UnsupportedError(f"{len(intervals)} critical points with K > 0 were found for {name}")
    doubles = Doubles(function)
    near = float(brentq(lambda kernel: gap(doubles, kernel), *intervals[0], xtol=1e-12))
    with mpmath.workdps(DIGITS):
        precise = Precise(function)
        # the root in doubles is off by 1e-12 or so; one secant step over 1e-6 leaves 1e-18
        start, beside = mpmath.mpf(near), mpmath.mpf(near) * (1 + mpmath.mpf(10) ** -6)
        at_start = gap(precise, start)
        kernel = start - at_start * (beside - start) / (gap(precise, beside) - at_start)
        if abs(gap(precise, kernel)) > SHARP:
            raise UnsupportedError(f"the critical point of {name} could not be found to high precision")
        return AtPoint(precise, kernel), AtPoint(doubles, near)


def gap(functions: Any, kernel: Any) -> Any:
    """chi_parallel less chi_perpendicular at equal C_W."""
    _, par, perp = susceptibilities(functions, kernel)
    return par - perp


class AtZero(Setting):
    """The K* = 0 point: derivatives of s at 0, and what the engine makes of them at small K."""

    title = "the critical point K* = 0"

    def __init__(self, function: Activation) -> None:
        general = expansion("small K", network("mlp"))
        assert isinstance(general, SmallK)
        derivatives = Precise(function).derivatives_at(0, 9)
        if abs(derivatives[0]) > WHOLE or abs(derivatives[1]) < WHOLE:
            raise UnsupportedError(f"{function.name} has s(0) != 0 or s'(0) = 0, so K* = 0 is not a critical point")
        point = {f"sigma_{order}": value for order, value in enumerate(derivatives) if order}
        self.values = dict(point)
        for name in ("a_1", "a_2", "b_1"):
            self.values[name] = value_at(general.names[name], point)
        self.values |= {"C_W": 1 / derivatives[1] ** 2, "C_b": mpmath.mpf(0)}
        series = [mpmath.mpf(0), mpmath.mpf(1), self.values["a_1"], self.values["a_2"]]
        self.values["decay"] = kernel_decay(Series([c if abs(c) > WHOLE else c * 0 for c in series])).scale

    def number(self, value: Fraction) -> Element:
        """As it is."""
        return mpmath.mpf(value.numerator) / value.denominator

    def symbol(self, name: str) -> Element:
        """Derivatives, expansion coefficients and couplings."""
        return self.values[name] if name in self.values else super().symbol(name)


def value_at(value: Any, point: dict[str, Any]) -> Any:
    """A rational function at a point in high precision; symbols that do not occur need no value."""
    names = [str(symbol) for symbol in value.field.symbols]

    def polynomial(terms: Any) -> Any:
        total = mpmath.mpf(0)
        for exponents, coefficient in terms:
            exact = Fraction(str(coefficient))
            term = mpmath.mpf(exact.numerator) / exact.denominator
            for name, power in zip(names, exponents, strict=True):
                if power:
                    term *= point[name] ** power
            total += term
        return total

    return polynomial(value.numer.terms()) / polynomial(value.denom.terms())


class Searched(Setting):
    """How many critical points were found."""

    title = "the search for critical points"

    def __init__(self, function: Activation) -> None:
        self.points = len(critical_kernels(function))
        if function.is_smooth:
            head, slope = Precise(function).derivatives_at(0, 1)
            self.points += int(abs(head) < WHOLE < abs(slope))

    def number(self, value: Fraction) -> Element:
        """As it is."""
        return mpmath.mpf(value.numerator) / value.denominator

    def symbol(self, name: str) -> Element:
        """The number of points."""
        return mpmath.mpf(self.points) if name == "points" else super().symbol(name)


@remembered(maxsize=32)
def _single(name: str, what: str) -> Setting:
    with mpmath.workdps(DIGITS):
        return AtZero(activation(name)) if what == "K*=0" else Searched(activation(name))


@kind("critical", setting=True)
def decide(equation: Equation, form: str) -> Verdict:
    """Compare a number with the digits that are stated."""
    statement = read_one(equation, form)
    name, _, what = equation.setting.rpartition(", ")
    where = f"{equation.place}: equation {equation.number}"
    if what not in ("half-stable", "K*=0", "search") or not name:
        raise RuleError(f"{where}: setting must be an activation and half-stable, K*=0 or search: 'swish, half-stable'")
    settings: tuple[Setting, ...] = half_stable(name) if what == "half-stable" else (_single(name, what),)
    decimals = [len(digits) for digits in re.findall(r"\d\.(\d+)", form)]
    with mpmath.workdps(DIGITS):
        tolerance = mpmath.mpf(10) ** -max(decimals) / 2 if decimals else mpmath.mpf(WHOLE)
        gaps = []
        for setting in settings:
            first, *others = [evaluate(side, setting) for side in statement.sides]
            gaps.append(max(abs(first - other) for other in others))
        if len(settings) > 1 and abs(gaps[0] - gaps[1]) > ROUTES:
            raise InputError("the two routes to this average disagree")
        method = BOTH if len(settings) > 1 else NUMERIC
        if gaps[0] <= tolerance:
            return Verdict(VERIFIED, method)
        left = mpmath.nstr(evaluate(statement.sides[0], settings[0]), 12)
        return Verdict(MISMATCH, method, float(gaps[0]), f"the left side is {left}", (f"{left} on the left",))
