"""Two inputs of equal size at a finite angle, for activations of two slopes at criticality.

K = K_d [[1, c], [c, 1]] with c = cos(psi); at criticality K_d stands still and the engine's kernel recursion of two
inputs maps psi to psi'. By Price's theorem the derivative of its average with respect to K_12 derives both functions,
so that f = cos(psi') as a function of c has

    d2f/dc2 = C_W K_d <s'' s''> = C_W (a_plus - a_minus)^2 / (2 pi sin(psi)),
    f = 1 and df/dc = chi_perp = 1 where the inputs coincide,

the first being two deltas at 0 and the Gaussian density there. This fixes f.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property

from pertheory.algebra.series import TaylorSeries
from pertheory.errors import UnsupportedError
from pertheory.rulebook.network import Network
from pertheory.solve.averages import Element, TwoSlopes
from pertheory.solve.channels import outer
from pertheory.solve.coincident import kernel_terms, pair_of
from pertheory.solve.fields import RationalFunctions

#: the power of psi that is kept
ORDER = 4


class AngleMap:
    """How a layer maps the cosine of the angle, as conditions on a function of it.

    Args:
        rule: a network whose kernel is C_b + C_W <s s>.

    Attributes:
        field: of cos_psi, sin_psi, psi, the slopes, pi and l.
        symbols: its symbols.
        at_coincidence, first_slope: the value and the slope where the inputs coincide.
        curvature: the second derivative times sin(psi).
    """

    def __init__(self, rule: Network) -> None:
        self.field = RationalFunctions(["cos_psi", "sin_psi", "psi", "a_plus", "a_minus", "pi", "l"])
        self.symbols = self.field.symbols
        pair = self.symbols["a_plus"], self.symbols["a_minus"]
        averages = TwoSlopes(self.field.number, {"s": pair})
        one, own = self.field.number(1), outer(rule)
        variance = 1 / averages.average(one, 0, (("s", 0), ("s", 0)))
        coefficient = self.field.number(0)
        for term, value in kernel_terms(rule).items():
            if dict(term.couplings) == {own.bias: 1} and not term.averages:
                continue
            pairs = [pair_of(item) for item in term.averages]
            if dict(term.couplings) != {own.weight: 1} or [[s for s, _, _ in pair] for pair in pairs] != [[0, 1]]:
                raise UnsupportedError("the kernel recursion is not C_b + C_W <s_1 s_2>")
            coefficient = coefficient + self.field.number(value) * variance
        self.at_coincidence = coefficient * averages.average(one, 0, (("s", 0), ("s", 0)))
        self.first_slope = coefficient * averages.average(one, 0, (("s", 1), ("s", 1)))
        self.curvature = coefficient * (pair[0] - pair[1]) ** 2 / (2 * self.symbols["pi"])

    def derivative(self, value: Element) -> Element:
        """d/dc, with dS/dc = -c/S and dpsi/dc = -1/S."""
        c, s, psi = (self.symbols[name] for name in ("cos_psi", "sin_psi", "psi"))
        return value.diff(c) - value.diff(s) * c / s - value.diff(psi) / s

    def coincident(self, value: Element) -> Element | None:
        """The value where the inputs coincide: cos(psi) = 1, sin(psi) = psi = 0; None if there is none."""
        zero = self.field.number(0)
        point = {**self.symbols, "cos_psi": self.field.number(1), "sin_psi": zero, "psi": zero}
        try:
            return self.field.at(value, point, self.field.number)
        except ZeroDivisionError:
            return None

    def without_squares(self, value: Element) -> Element:
        """S^2 = 1 - c^2 put into a numerator; zero exactly if the function vanishes."""
        square, total = 1 - self.symbols["cos_psi"] ** 2, self.field.number(0)
        for power, part in self.field.powers(value, "sin_psi").items():
            total = total + part * self.symbols["sin_psi"] ** (power % 2) * square ** (power // 2)
        return total

    def mistakes(self, formula: Element) -> list[str]:
        """Which of the three conditions a formula for cos(psi') does not meet."""
        first = self.derivative(formula)
        found = []
        gap = self.without_squares(self.derivative(first) - self.curvature / self.symbols["sin_psi"])
        if gap:
            found.append(f"the second derivative differs: {gap}")
        for name, value, right in (("value", formula, self.at_coincidence), ("slope", first, self.first_slope)):
            if self.coincident(value) != right:
                found.append(f"the {name} where the inputs coincide is not {right}")
        return found

    @cached_property
    def small_angles(self) -> TaylorSeries:
        """psi' as a power series in psi.

        Raises:
            UnsupportedError: the inputs are not at criticality.
        """
        zero, one = self.field.number(0), self.field.number(1)
        # q = df/dc has dq/dpsi = -S d2f/dc2, and df/dpsi = -sin(psi) q
        slope = TaylorSeries([self.first_slope, -self.curvature, *[zero] * (ORDER + 1)])
        sine = [self.field.number(_sine(k)) for k in range(ORDER + 3)]
        fall = (slope * TaylorSeries(sine)).coefficients
        # 1 - cos(psi') as a series in psi gives psi'^2, and psi' = psi (1 + ..), term by term
        deficit = [zero, *(value / (k + 1) for k, value in enumerate(fall))][: ORDER + 3]
        if deficit[0] or deficit[1] or deficit[2] != one / 2:
            raise UnsupportedError("the inputs are not at criticality")
        found = [zero, one, *[zero] * (ORDER - 1)]
        for order in range(2, ORDER + 1):
            # a term x psi^order in psi' adds x psi^(order + 1)
            own = self._one_minus_cosine(TaylorSeries([*found, zero, zero]))
            found[order] = deficit[order + 1] - own.coefficients[order + 1]
        return TaylorSeries(found)

    @staticmethod
    def _one_minus_cosine(angle: TaylorSeries) -> TaylorSeries:
        total, term = angle * 0, angle**0
        for k in range(1, ORDER + 3):
            term = term * angle / k
            if k % 2 == 0:
                total = total - term * (-1) ** (k // 2)
        return total


def _sine(power: int) -> Fraction:
    return Fraction((-1) ** (power // 2), math.factorial(power)) if power % 2 else Fraction(0)
