"""Two inputs of equal size at a finite angle, scale-invariant: ``cos_psi' = cos_psi + rho (sin_psi - psi cos_psi)``.

K = K_d [[1, c], [c, 1]] with c = cos(psi); at criticality K_d stands still and the engine's kernel recursion of two
inputs maps psi to psi'. By Price's theorem the derivative of its average with respect to K_12 derives both functions,
so that f = cos(psi') as a function of c has

    d2f/dc2 = C_W K_d <s'' s''> = C_W (a_plus - a_minus)^2 / (2 pi sin(psi)),
    f = 1 and df/dc = chi_perp = 1 where the inputs coincide,

the first being two deltas at 0 and the Gaussian density there. This fixes f. A formula for ``cos_psi'`` is put into
these three conditions, exactly. Statements on ``psi'`` for small psi, and on psi at large depth, are compared with the
power series that the conditions give. Second route for ``cos_psi'``: the emitted code for a leaky ReLU on two inputs.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from pertheory.book import engine
from pertheory.book.chapters import Equation
from pertheory.book.classes import PiecewiseLinear, Series, rational, rational_functions
from pertheory.book.large_depth import kernel_decay
from pertheory.book.memory import remembered
from pertheory.book.one_input import KERNEL, Element
from pertheory.book.scalar import SWALLOWED, Setting, compare_in, evaluate, read_one
from pertheory.book.syntax import Node, Statement, Symbol
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, VERIFIED, Verdict, kind
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.rulebook.network import network
from pertheory.theory import theory

#: the power of psi that is kept
ORDER = 4
SLOPE, ANGLE, TOLERANCE = Fraction(3, 10), 1.1, 1e-9


class AtAngle(Setting):
    """Functions of the angle, as rational functions of c, S, psi and the slopes."""

    title = "two inputs at an angle"

    def __init__(self) -> None:
        self.of, self.names = rational_functions(["cos_psi", "sin_psi", "psi", "a_plus", "a_minus", "pi", "l"])
        functions = PiecewiseLinear(self.of, self.names["a_plus"], self.names["a_minus"])
        one = self.of(1)
        self.variance = 1 / functions.average(one, 0, (("s", 0), ("s", 0)))
        # the engine's kernel of two inputs: which derivatives of s stand in it, with C_b = 0
        self.coefficient = self.of(0)
        for term, value in engine.terms_of(network("mlp"), KERNEL, 0).items():
            if dict(term.couplings) == {"C_b": 1} and not term.averages:
                continue
            lines = [engine.lines_of(item, (0, 1)) for item in term.averages]
            if dict(term.couplings) != {"C_W": 1} or lines != [(((0, 0), (1, 0)), ())]:
                raise UnsupportedError("the kernel recursion is not C_b + C_W <s_1 s_2>")
            self.coefficient = self.coefficient + self.of(rational(value)) * self.variance
        self.at_coincidence = self.coefficient * functions.average(one, 0, (("s", 0), ("s", 0)))
        self.first_slope = self.coefficient * functions.average(one, 0, (("s", 1), ("s", 1)))
        jump = self.names["a_plus"] - self.names["a_minus"]
        #: d2f/dc2 times sin(psi)
        self.curvature = self.coefficient * jump**2 / (2 * self.names["pi"])

    def number(self, value: Fraction) -> Element:
        """A constant."""
        return self.of(rational(value))

    def symbol(self, name: str) -> Element:
        """The angle, pi and the slopes."""
        return self.names[name] if name in self.names else super().symbol(name)

    def derivative(self, value: Element) -> Element:
        """d/dc, with dS/dc = -c/S and dpsi/dc = -1/S."""
        c, s, psi = (self.names[name] for name in ("cos_psi", "sin_psi", "psi"))
        return value.diff(c) - value.diff(s) * c / s - value.diff(psi) / s

    def coincident(self, value: Element) -> Element | None:
        """The value where the inputs coincide: cos(psi) = 1, sin(psi) = psi = 0; None if there is none."""
        point = [self.of(1), self.of(0), self.of(0), *(self.names[name] for name in ("a_plus", "a_minus", "pi", "l"))]
        below = _put_in(value.denom, point, self.of)
        return _put_in(value.numer, point, self.of) / below if below else None

    def without_squares(self, value: Element) -> Element:
        """S^2 = 1 - c^2 put into a numerator; zero exactly if the function vanishes."""
        gens = list(self.of.gens)
        place = gens.index(self.names["sin_psi"])
        total = self.of(0)
        for powers, coefficient in value.numer.terms():
            rest = tuple(power % 2 if i == place else power for i, power in enumerate(powers))
            term = self.of(value.numer.ring.from_dict({rest: coefficient}))
            for _ in range(powers[place] // 2):
                term = term * (1 - self.names["cos_psi"] ** 2)
            total = total + term
        return total

    def mistakes(self, formula: Element) -> list[str]:
        """Which of the three conditions a formula for c' does not meet."""
        first = self.derivative(formula)
        found = []
        gap = self.without_squares(self.derivative(first) - self.curvature / self.names["sin_psi"])
        if gap:
            found.append(f"the second derivative differs: {gap}")
        for name, value, right in (("value", formula, self.at_coincidence), ("slope", first, self.first_slope)):
            if self.coincident(value) != right:
                found.append(f"the {name} where the inputs coincide is not {right}")
        return found


def _put_in(polynomial: Any, point: list[Element], of: Any) -> Element:
    total = of(0)
    for powers, coefficient in polynomial.terms():
        term = of(polynomial.ring.from_dict({(0,) * len(powers): coefficient}))
        for value, power in zip(point, powers, strict=True):
            if power:
                term = term * value**power
        total = total + term
    return total


class SmallAngle(AtAngle):
    """The same as power series in psi."""

    title = "small angles"

    def __init__(self) -> None:
        super().__init__()
        zero = self.of(0)
        # q = df/dc has dq/dpsi = -S d2f/dc2, and df/dpsi = -sin(psi) q
        slope = Series([self.first_slope, -self.curvature, *[zero] * (ORDER + 1)])
        sine = [zero] * (ORDER + 3)
        for k in range(1, ORDER + 3, 2):
            sine[k] = self.of(rational(Fraction((-1) ** (k // 2), math.factorial(k))))
        fall = (slope * Series(sine)).coefficients
        above = [zero, *(value * rational(Fraction(1, k + 1)) for k, value in enumerate(fall))]
        # 1 - c' = sum above; with 1 - cos(psi') this gives psi'^2, and psi' = psi (1 + ..)
        deficit = above[: ORDER + 3]
        self.mapped = self._angle(deficit)

    def _angle(self, deficit: list[Element]) -> Series:
        """psi' from 1 - cos(psi') as a series in psi, term by term."""
        zero = self.of(0)
        found = [zero] * (ORDER + 1)
        if deficit[0] or deficit[1] or deficit[2] != self.of(rational(Fraction(1, 2))):
            raise UnsupportedError("the inputs are not at criticality")
        found[1] = self.of(1)
        for order in range(2, ORDER + 1):
            square = self._one_minus_cosine(Series([*found, zero, zero]))
            # a term x psi^order in psi' adds x psi^(order + 1)
            found[order] = deficit[order + 1] - square.coefficients[order + 1]
        return Series(found)

    def _one_minus_cosine(self, angle: Series) -> Series:
        total: Series = angle * self.of(0)
        term = angle * self.of(0) + self.of(1)
        for k in range(1, ORDER + 3):
            term = term * angle * rational(Fraction(1, k))
            if k % 2 == 0:
                total = total - term * rational(Fraction((-1) ** (k // 2)))
        return total

    def number(self, value: Fraction) -> Series:
        """A constant."""
        return Series([self.of(rational(value)), *[self.of(0)] * ORDER])

    def symbol(self, name: str) -> Element:
        """psi, psi' and the slopes."""
        if name == "psi":
            return Series([self.of(int(k == 1)) for k in range(ORDER + 1)])
        if name == "psi'":
            return self.mapped
        if name in ("cos_psi", "sin_psi", "l"):
            return Setting.symbol(self, name)
        return Series([AtAngle.symbol(self, name), *[self.of(0)] * ORDER])

    def difference(self, left: Series, right: Series, remainder: Node | None) -> Any:
        """Left minus right below the remainder O(psi^m)."""
        power = evaluate(remainder, self).lowest if remainder is not None else None
        if power is None:
            raise InputError(f"a series in psi needs a remainder O(psi^m) with m up to {ORDER}")
        if any(right.coefficients[power:]) or not any(right.coefficients):
            raise InputError(SWALLOWED)
        return Series([*(left - right).coefficients[:power], *[self.of(0)] * (ORDER + 1 - power)])


@remembered(maxsize=1)
def at_angle() -> AtAngle:
    """The setting of exact functions of the angle."""
    return AtAngle()


@remembered(maxsize=1)
def small_angle() -> SmallAngle:
    """The setting of small angles."""
    return SmallAngle()


@kind("angle")
def decide(equation: Equation, form: str) -> Verdict:
    """Decide a formula for c', a series for psi', or the decay of psi."""
    statement = read_one(equation, form)
    left, *rest = statement.sides
    if left == Symbol("psi'"):
        return compare_in(small_angle(), statement, SYMBOLIC)
    if len(rest) == 1 and left == Symbol("psi"):
        decay = kernel_decay(small_angle().mapped)
        setting = at_angle()
        gap = evaluate(rest[0], setting) - 1 / (decay.scale * setting.names["l"])
        return (
            Verdict(MISMATCH, SYMBOLIC, 1.0, "the decay differs", (str(gap),)) if gap else Verdict(VERIFIED, SYMBOLIC)
        )
    if len(rest) != 1 or left != Symbol("cos_psi'"):
        raise RuleError(f"{equation.place}: equation {equation.number}: the left side must be cos_psi', psi' or psi")
    found = at_angle().mistakes(evaluate(rest[0], at_angle()))
    residual = run_residual(statement)
    if bool(found) != (residual > TOLERANCE):
        return Verdict(MISMATCH, BOTH, residual, "the conditions and the emitted code disagree", tuple(found))
    return Verdict(MISMATCH, BOTH, residual, found[0], tuple(found)) if found else Verdict(VERIFIED, BOTH)


class AtOneAngle(Setting):
    """The names as numbers."""

    title = "a run at one angle"

    def number(self, value: Fraction) -> float:
        """As it is."""
        return float(value)

    def symbol(self, name: str) -> float:
        """The value at the angle of the run."""
        values = {"cos_psi": math.cos(ANGLE), "sin_psi": math.sin(ANGLE), "psi": ANGLE, "pi": math.pi}
        values |= {"a_plus": 1.0, "a_minus": float(SLOPE)}
        return values[name] if name in values else float(super().symbol(name))


@remembered(maxsize=1)
def cosine_of_run() -> float:
    """c' from the emitted code for a leaky ReLU and two inputs at an angle."""
    variance = 2 / (1 + float(SLOPE) ** 2)
    scale = math.sqrt(2 / variance)
    inputs = [[scale, 0.0], [scale * math.cos(ANGLE), scale * math.sin(ANGLE)]]
    model = theory("mlp", ["G"], 0).compile()
    state = model(inputs, "leaky_relu", 2, parameters={"slope": float(SLOPE)}, C_b=0.0, C_W=variance)
    kernel = state[2]["G"]
    return float(kernel[0, 1] / kernel[0, 0])


def run_residual(statement: Statement) -> float:
    """How far the formula is from the run."""
    return abs(float(evaluate(statement.sides[1], AtOneAngle())) - cosine_of_run())
