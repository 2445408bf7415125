"""Two inputs of equal size at a finite angle, scale-invariant: ``cos_psi' = cos_psi + rho (sin_psi - psi cos_psi)``.

A formula for ``cos_psi'`` is put into the conditions that the engine's kernel recursion makes of it, exactly.
Statements
on ``psi'`` for small psi, and on psi at large depth, are compared with the power series that the conditions give.
Second route for ``cos_psi'``: the emitted code for a leaky ReLU on two inputs.
"""

from __future__ import annotations

import math
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from pertheory.algebra.series import TaylorSeries
from pertheory.book import syntax
from pertheory.book.equation import Equation
from pertheory.book.scalar import Setting, below_remainder
from pertheory.book.syntax import Node, Statement
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, VERIFIED, Verdict
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.solve.angle import ORDER, AngleMap
from pertheory.solve.channels import outer
from pertheory.solve.large_depth import kernel_decay
from pertheory.theory import theory

SLOPE, ANGLE, TOLERANCE = Fraction(3, 10), 1.1, 1e-9


class AtAngle(Setting):
    """Functions of the angle, as rational functions of c, S, psi and the slopes."""

    title = "two inputs at an angle"

    def __init__(self, of: AngleMap) -> None:
        self.make, self.values = of.field.number, of.symbols


class SmallAngle(Setting):
    """The same as power series in psi."""

    title = "small angles"

    def __init__(self, of: AngleMap) -> None:
        number = of.field.number
        self.make = lambda value: TaylorSeries.constant(number(value), ORDER)
        self.values = {name: TaylorSeries.constant(of.symbols[name], ORDER) for name in ("a_plus", "a_minus", "pi")}
        self.values["psi"] = TaylorSeries([number(int(k == 1)) for k in range(ORDER + 1)])
        self.values["psi'"] = of.small_angles

    def difference(self, left: TaylorSeries, right: TaylorSeries, remainder: Node | None) -> Any:
        """Left minus right below the remainder O(psi^m)."""
        power = self.interpret(remainder) if remainder is not None else None
        return below_remainder(left, right, power, ORDER, "psi")


class AtOneAngle(Setting):
    """The names as numbers."""

    title = "a run at one angle"
    make = float
    values = MappingProxyType(
        {"cos_psi": math.cos(ANGLE), "sin_psi": math.sin(ANGLE), "psi": ANGLE, "pi": math.pi}
        | {"a_plus": 1.0, "a_minus": float(SLOPE)}
    )


#: the conditions of a rule, made once
angle_map = remembered(maxsize=4)(AngleMap)


def verdict(equation: Equation, statement: Statement) -> Verdict:
    """Decide a formula for c', a series for psi', or the decay of psi."""
    left, *rest = statement.sides
    of = angle_map(equation.rule)
    setting = AtAngle(of)
    if left == syntax.Symbol("psi'"):
        return SmallAngle(of).verdict(statement)
    if len(rest) == 1 and left == syntax.Symbol("psi"):
        gap = setting.interpret(rest[0]) - 1 / (kernel_decay(of.small_angles).scale * of.symbols["l"])
        return (
            Verdict(MISMATCH, SYMBOLIC, 1.0, "the decay differs", (str(gap),)) if gap else Verdict(VERIFIED, SYMBOLIC)
        )
    if len(rest) != 1 or left != syntax.Symbol("cos_psi'"):
        raise equation.wrong("the left side must be cos_psi', psi' or psi")
    found = of.mistakes(setting.interpret(rest[0]))
    residual = abs(float(AtOneAngle().interpret(rest[0])) - cosine_of_run(equation.rule))
    if bool(found) != (residual > TOLERANCE):
        return Verdict(MISMATCH, BOTH, residual, "the conditions and the emitted code disagree", tuple(found))
    return Verdict(MISMATCH, BOTH, residual, found[0], tuple(found)) if found else Verdict(VERIFIED, BOTH)


@remembered(maxsize=4)
def cosine_of_run(rule: Network) -> float:
    """c' from the emitted code for a leaky ReLU and two inputs at an angle."""
    variance = 2 / (1 + float(SLOPE) ** 2)
    scale = math.sqrt(2 / variance)
    inputs = [[scale, 0.0], [scale * math.cos(ANGLE), scale * math.sin(ANGLE)]]
    couplings: dict[str, Any] = {outer(rule).bias: 0.0, outer(rule).weight: variance}
    state = theory(rule, ["G"], 0).compile()(inputs, "leaky_relu", 2, parameters={"slope": float(SLOPE)}, **couplings)
    kernel = state[2]["G"]
    return float(kernel[0, 1] / kernel[0, 0])
