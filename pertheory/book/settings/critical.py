"""Critical points of activations as numbers: ``C_W = 1.98800468``.

First route: high precision; second: the double-precision averages that `pertheory run` uses, which also search for the
roots. A number is right if it is the value rounded to the digits that are stated.

Settings, after the name or formula of an activation: "swish, half-stable" (the fixed point K > 0 with C_b >= 0), "tanh,
K*=0" (from the derivatives at 0; ``decay`` is the limit of 1/(K^r l), r = 1, or 2 where a_1 = 0), "sigmoid, search"
(``points`` counts the fixed points K > 0 with C_W > 0 and C_b >= 0 in the range that was searched).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import mpmath

from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.equation import Equation
from pertheory.book.scalar import Element, Setting
from pertheory.book.syntax import Statement
from pertheory.book.verdict import BOTH, MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.errors import InputError, UnsupportedError
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor
from pertheory.solve.channels import outer
from pertheory.solve.critical import CriticalPoint, critical_points, is_zero_critical, search, zero_point
from pertheory.solve.numbers import DIGITS

#: agreement of the two routes, and of whole numbers with what they are claimed to be
ROUTES, WHOLE = 1e-7, 1e-15
HALF_STABLE, AT_ZERO, SEARCH = "half-stable", "K*=0", "search"


class InManyDigits(Setting):
    """Scalars that are numbers in high precision."""

    title = "the critical point"

    def __init__(self, values: dict[str, Any], make: Callable[[Any], Any] = mpmath.mpmathify) -> None:
        self.values, self.make = values, make


class AtPoint(InManyDigits):
    """The numbers of one critical point with K > 0.

    Args:
        point: the point.
        critical: the names of the two variances that make it critical.
    """

    def __init__(self, point: CriticalPoint, critical: tuple[str, ...]) -> None:
        self.critical = {name: point.couplings[name] for name in critical}
        super().__init__(self.critical, point.averages.number)
        self.averages, self.kernel = point.averages, point.kernel

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """K at the fixed point."""
        return self.kernel if node.name == "K" and not node.up else super().component(tensor, order, node)

    def average(self, lines: Lines) -> Element:
        """By quadrature."""
        return self.averages.average(self.kernel, 0, lines)


@remembered(maxsize=16)
def half_stable_point(rule: Network, name: str) -> tuple[AtPoint, AtPoint]:
    """The half-stable point of an activation, by both routes.

    Raises:
        UnsupportedError: there is none in the range that was searched, or more than one.
    """
    found = critical_points(rule, name)
    if len(found) != 1:
        raise UnsupportedError(f"{len(found)} critical points with K > 0 were found for {name}")
    own = outer(rule)
    ((precise, double),) = found
    return AtPoint(precise, (own.bias, own.weight)), AtPoint(double, (own.bias, own.weight))


@remembered(maxsize=32)
def numbers_of(rule: Network, name: str, what: str) -> InManyDigits:
    """The numbers of K* = 0, or how many critical points there are."""
    with mpmath.workdps(DIGITS):
        if what == AT_ZERO:
            point = zero_point(rule, name)
            sigma = {f"sigma_{order}": value for order, value in enumerate(point.derivatives) if order}
            own = {key: point.couplings[key] for key in (outer(rule).bias, outer(rule).weight)}
            return InManyDigits({**sigma, **point.coefficients, **own, "decay": point.decay.scale})
        count = len(search(rule, name)) + is_zero_critical(rule, name)
        return InManyDigits({"points": mpmath.mpf(count)})


def verdict(equation: Equation, statement: Statement, form: str) -> Verdict:
    """Compare a number with the digits that are stated."""
    name, _, what = equation.setting.rpartition(", ")
    if what not in (HALF_STABLE, AT_ZERO, SEARCH) or not name:
        known = f"{HALF_STABLE}, {AT_ZERO} or {SEARCH}"
        raise equation.wrong(f"setting must be an activation and {known}: 'swish, {HALF_STABLE}'")
    rule = equation.rule
    settings = half_stable_point(rule, name) if what == HALF_STABLE else (numbers_of(rule, name, what),)
    decimals = [len(digits) for digits in re.findall(r"\d\.(\d+)", form)]
    with mpmath.workdps(DIGITS):
        tolerance = mpmath.mpf(10) ** -max(decimals) / 2 if decimals else mpmath.mpf(WHOLE)
        gaps = []
        for setting in settings:
            first, *others = [setting.interpret(side) for side in statement.sides]
            gaps.append(max(abs(first - other) for other in others))
        if len(settings) > 1 and abs(gaps[0] - gaps[1]) > ROUTES:
            raise InputError("the two routes to this average disagree")
        method = BOTH if len(settings) > 1 else NUMERIC
        if gaps[0] <= tolerance:
            return Verdict(VERIFIED, method)
        left = mpmath.nstr(settings[0].interpret(statement.sides[0]), 12)
        return Verdict(MISMATCH, method, float(gaps[0]), f"the left side is {left}", (f"{left} on the left",))
