"""Tensors in a universality class at criticality, as sympy expressions in the layer l."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import mpmath
import sympy

from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.solve.averages import MoreOrders
from pertheory.solve.channels import rates
from pertheory.solve.critical import ZERO, CriticalPoint, zero_point
from pertheory.solve.derivatives import derivatives_at_zero
from pertheory.solve.growth import DepthPower, Growth
from pertheory.solve.numbers import DIGITS
from pertheory.solve.universality import ClassInDepth, Slopes, half_stable, scale_invariant
from pertheory.solve.vanishing import DERIVATIVES, NAMES, VanishingKernel
from pertheory.symbols.objects import ALONE, ELL, Factor, average
from pertheory.worker import Node

#: the layer, counted from 1
DEPTH = sympy.Symbol("l")
#: the last layer
LAST = sympy.Symbol("L")
EXPONENTS = ("p_0", "p_parallel", "p_perp")
SCALE_INVARIANT, DECAYING, HALF_STABLE = "scale-invariant", "K*=0", "half-stable"
#: digits of averages at a critical point, and how many powers of K more than usual are kept where they are needed
SHOWN, MOST = 15, 8

Numbers = Mapping[str, sympy.Expr]


class Solution(NamedTuple):
    """A tensor with depth.

    Attributes:
        leading: the largest power of l.
        series: as far as it was asked for; all of it where the kernel stands still.
        power: the exponent of the largest power of l.
        left_out: the exponent of the first power that the series leaves out, None where it is all of the tensor.
    """

    leading: sympy.Expr
    series: sympy.Expr
    power: sympy.Expr
    left_out: sympy.Expr | None


class InClass(Protocol):
    """A universality class, solved for a rule.

    Attributes:
        name: of the class.
        couplings: what criticality fixes.
        coefficients: numbers of the class, or what its symbols stand for.
    """

    name: str
    couplings: dict[str, sympy.Expr]
    coefficients: dict[str, sympy.Expr]

    @property
    def exponents(self) -> dict[str, sympy.Expr]:
        """p_0, p_parallel, p_perp: with which powers of 1/l K and differences of two inputs fall."""

    def solution(self, node: Node, terms: int = 0) -> Solution:
        """A tensor, with so many powers of l below the largest one where the solution does not end."""

    def rate(self, name: str) -> sympy.Expr:
        """A learning rate with which every layer adds equally to Theta, and all together what does not depend on L."""

    def at_last(self, value: sympy.Expr, edges: int) -> sympy.Expr:
        """A power of l at the last layer L with such learning rates."""


class StandingStill:
    """The scale-invariant class, and half-stable points: polynomials in l.

    Args:
        rule: the network.
        name: of the class.
        slopes: of a scale-invariant activation; symbols if left out.
        point: the numbers of a half-stable point; symbols if left out.
    """

    def __init__(self, rule: Network, name: str, slopes: Slopes = None, point: CriticalPoint | None = None) -> None:
        self.rule, self.name, self.slopes, self.point = rule, name, slopes, point
        solved = self._solved(Node(len(rule.sublayers) - 1, find_tensor("V")[0].kind, 0))
        if point is not None:
            with mpmath.workdps(DIGITS):
                numbers = self._numbers(solved)
                for key, value in solved.given.items():
                    numbers[key] = solved.field.at(value, numbers, point.averages.number)
            held = {**point.couplings, "K": point.kernel}
            self.couplings = {key: _float(value) for key, value in held.items() if key not in rates(rule)}
            self.coefficients = {key: _float(numbers[key]) for key in solved.given}
        else:
            averages = self._averages(solved)
            fixed = {key: expression(solved.symbols[key], averages) for key, _ in rule.hyperparameters}
            self.couplings = {key: value for key, value in fixed.items() if value != sympy.Symbol(key)}
            self.coefficients = {key: expression(value, averages) for key, value in solved.given.items()}

    def solution(self, node: Node, terms: int = 0) -> Solution:
        """A polynomial."""
        solved = self._solved(node)
        values = self._averages(solved)
        found = {k: sympy.expand(expression(own, values)) for k, own in solved.tensors.solution(node).items()}
        power = max((power for power, value in found.items() if value != 0), default=0)
        series = sympy.expand(sympy.Add(*(value * DEPTH**power for power, value in found.items())))
        return Solution(found.get(power, sympy.S.Zero) * DEPTH**power, series, sympy.Integer(power), None)

    @property
    def exponents(self) -> dict[str, sympy.Expr]:
        """Nothing falls: the susceptibilities are one at every layer."""
        return dict.fromkeys(EXPONENTS, sympy.S.Zero)

    def rate(self, name: str) -> sympy.Expr:
        """The same at all layers."""
        return sympy.Symbol(rates(self.rule)[name]) / LAST

    def at_last(self, value: sympy.Expr, edges: int) -> sympy.Expr:
        """Every edge brings a learning rate."""
        tilde = {sympy.Symbol(name): sympy.Symbol(to) for name, to in rates(self.rule).items()}
        return value.subs({**tilde, DEPTH: LAST}) / LAST**edges

    def _solved(self, node: Node) -> ClassInDepth:
        if self.name == SCALE_INVARIANT:
            return scale_invariant(self.rule, self.slopes)
        return half_stable(self.rule, (node,))

    def _numbers(self, solved: ClassInDepth) -> dict[str, Any]:
        """The averages of a solution at the point, and hyperparameters."""
        assert self.point is not None, "symbols have no numbers"
        kernel, of = self.point.kernel, self.point.averages
        numbers = {name: of.average(kernel, 0, lines) for name, lines in solved.labels.items()}
        return {**numbers, **self.point.couplings, "K": kernel}

    def _averages(self, solved: ClassInDepth) -> Numbers:
        """What the symbols of a solution are."""
        if self.point is None:
            return {name: average(ELL, "z", [Factor(ALONE, 0, own)]) for name, own in solved.labels.items()}
        with mpmath.workdps(DIGITS):
            numbers = {name: _float(value) for name, value in self._numbers(solved).items() if name in solved.labels}
        return numbers | self.couplings | self.coefficients


class Decaying:
    """Smooth activations with s(0) = 0, where K decays as 1/l: powers of l and of its logarithm.

    Args:
        rule: the network.
        function: the activation; derivatives at 0 are symbols if left out.
        odd: whether the even ones of these vanish.
    """

    name = DECAYING

    def __init__(self, rule: Network, function: Activation | None = None, odd: bool = False) -> None:
        self.rule, self.function, self.odd = rule, function, odd
        first, plain = self.solved(2), self.solved(3, named=False)
        own = {name: sympy.expand(self.shown(first, first.symbols[name])) for name, _ in rule.hyperparameters}
        self.couplings = {name: value for name, value in own.items() if value != sympy.Symbol(name)}
        values = self._derivatives(3)
        self.coefficients = {name: sympy.factor(expression(plain.symbols[name], values)) for name in NAMES}
        self.p = self.shown(first, first.symbols["p"])

    @classmethod
    def of(cls, rule: Network, function: Activation) -> Decaying | None:
        """The class of an activation; None where K* = 0 is not stable.

        Numbers come first: exact derivatives of what is not in this class may take long.
        """
        if zero_point(rule, function).coefficients["a_1"] > ZERO:
            return None
        found = cls(rule, function)
        usual = {name: sympy.Rational(Fraction(value)) for name, value in rule.hyperparameters}
        # where the sign depends on what stays free, that at the values of the rule counts
        slope = expression(found.solved(2).symbols["a_1"], {**usual, **found._derivatives(2)})
        return found if slope.is_negative else None

    @property
    def exponents(self) -> dict[str, sympy.Expr]:
        """From K, and from the slopes of the susceptibilities in 1/l."""
        first = self.solved(2)
        step, tensors = first.step, first.tensors
        fall = [
            self.shown(first, tensors.rate(step.linear(node)[0], node)) for node in map(step.node, ("G{1}", "Theta"))
        ]
        return dict(zip(EXPONENTS, (-self.solution(step.node("K")).power, *fall), strict=True))

    def rate(self, name: str) -> sympy.Expr:
        """As a power of l, and of L so that Theta does not grow."""
        found = self.solved(2).tensors.rates[name]
        grows = found.edges * (1 - self.p) - sympy.Rational(found.lead.power)
        return sympy.Symbol(rates(self.rule)[name]) * DEPTH**grows * LAST ** (self.p - 1)

    def at_last(self, value: sympy.Expr, edges: int) -> sympy.Expr:
        """Every edge brings l^(1-p)."""
        return sympy.powsimp(sympy.expand_power_base(value.subs(DEPTH, LAST)) / LAST ** (edges * (1 - self.p)))

    def _derivatives(self, order: int) -> Numbers:
        """The derivatives at 0 that a solution with so many powers of K may need."""
        if self.function is None:
            return {}
        values = derivatives_at_zero(self.function, DERIVATIVES + 2 * order)
        return {f"sigma_{power}": value for power, value in enumerate(values) if power}

    def solved(self, order: int, named: bool = True) -> VanishingKernel:
        """The class with so many powers of K; derivatives that are rational, or multiples of the first, are put in."""
        known, ratios, values = [], [], self._derivatives(order)
        for name, value in values.items():
            ratio = value if value.is_Rational else sympy.expand(value / values["sigma_1"])
            if ratio.is_Rational and (value.is_Rational or name != "sigma_1"):
                known.append((name, Fraction(int(ratio.p), int(ratio.q))))
                ratios += [] if value.is_Rational else [name]
        return _vanishing(self.rule, self.odd, order, tuple(known), tuple(ratios), named and self.function is None)

    def solution(self, node: Node, terms: int = 0) -> Solution:
        """The leading power and those below it."""
        for order in range(2 + terms, 2 + terms + MOST):
            try:
                own = self.solved(order)
                found = own.tensors.series(node, terms)
            except MoreOrders:
                continue
            parts = [self._term(own, found, *key) for key in sorted(found.terms)]
            power, known = (found.edges * (1 - self.p) - sympy.Rational(at.power) for at in (found.lead, found.known))
            if not parts:
                return Solution(sympy.S.Zero, sympy.S.Zero, sympy.S.Zero, None)
            return Solution(parts[0], sympy.Add(*parts), power, known)
        raise UnsupportedError(f"{node.key} of {self.rule.name} cannot be solved with {order} powers of the kernel")

    def _term(
        self, own: VanishingKernel, found: Growth, power: Fraction, minus_logs: int, constants: tuple[str, ...]
    ) -> sympy.Expr:
        value = self.shown(own, found.terms[DepthPower(power, minus_logs, constants)])
        grows = DEPTH ** (found.edges * (1 - self.p) - sympy.Rational(power)) * sympy.log(DEPTH) ** -minus_logs
        return value * grows * sympy.Mul(*map(sympy.Symbol, constants))

    def shown(self, own: VanishingKernel, value: Any) -> sympy.Expr:
        """An element with numbers for derivatives, or in a_1, a_2 and p."""
        found = expression(value, self._derivatives(own.order))
        if self.function is not None:
            return sympy.factor(found)
        if not self.odd:  # even derivatives are multiples of sigma_2, whose square stands for a_1
            second, square = sympy.Symbol("sigma_2"), sympy.Symbol("a_1") / expression(own.symbols["a_1"])
            even = {sympy.Symbol(name): sympy.Symbol(name) / second for name in own.sigma[3::2]}
            found = found.xreplace({second: second * sympy.sqrt(sympy.cancel(square)), **even})
        return sympy.factor(found)


@remembered(maxsize=32)
def _vanishing(
    rule: Network, odd: bool, order: int, known: tuple[Any, ...], ratios: tuple[str, ...], named: bool
) -> VanishingKernel:
    return VanishingKernel(rule, odd, order, known, ratios, named)


def expression(element: Any, numbers: Numbers | None = None) -> sympy.Expr:
    """A rational function as sympy writes it, some of its symbols known."""
    if isinstance(element, int | Fraction):
        return sympy.Rational(element)
    symbols = [(numbers or {}).get(str(symbol), symbol) for symbol in element.numer.ring.symbols]
    return element.numer.as_expr(*symbols) / element.denom.as_expr(*symbols)


def _float(value: Any) -> sympy.Expr:
    return sympy.Float(str(value), SHOWN)
