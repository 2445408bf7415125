"""Networks at small kernels, exactly: from the Taylor series of an activation on either side of zero.

Where the sides differ beyond a slope, averages are series in the root of K, as of ELU or softsign; where they agree the
odd powers vanish. A kink elsewhere changes averages by exp(-1/K), which no power of K sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy

from pertheory.algebra.series import TaylorSeries
from pertheory.algebra.terms import Lines
from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.formula import KINKED, Name, Node, Number, evaluated
from pertheory.solve.averages import functions_of, hermite

#: a number below this is zero, in so many digits
ZERO, DIGITS = sympy.Float("1e-25"), 40

Sides = tuple[Sequence[sympy.Expr], Sequence[sympy.Expr]]


def vanishes(value: sympy.Expr) -> bool:
    """Whether an exact value is zero: by simplification if symbols are free, else by its digits."""
    if value.free_symbols:
        return bool(sympy.simplify(value) == 0)
    return bool(abs(value.evalf(DIGITS)) < ZERO)


def expression(formula: Node, values: Mapping[str, sympy.Expr]) -> sympy.Expr:
    """A formula without kinks as sympy writes it; ``x`` and every parameter have a value."""

    def given(part: Node) -> sympy.Expr | None:
        if isinstance(part, Number):
            return sympy.Rational(part.value)
        if isinstance(part, Name):
            return sympy.pi if part.name == "pi" else values[part.name]
        return None

    found: sympy.Expr = evaluated(formula, given, lambda name, arguments: getattr(sympy, name)(*arguments))
    return found


def one_sided(function: Activation, order: int, symbols: Mapping[str, sympy.Expr] | None = None) -> Sides:
    """The derivatives at 0, the value first, from above and from below.

    Args:
        function: the activation.
        order: of the highest derivative.
        symbols: what stands in the place of parameters.
    """
    values = {name: sympy.Rational(Fraction(value)) for name, value in function.parameters} | dict(symbols or {})
    above = sum(kink <= 0 for kink in function.kinks)
    below = sum(kink < 0 for kink in function.kinks)
    found = {part: _derivatives(function.pieces[part].node, order, values) for part in {above, below}}
    return found[above], found[below]


def _derivatives(formula: Node, order: int, values: Mapping[str, sympy.Expr]) -> list[sympy.Expr]:
    """By power series, which do not swell as derivatives do."""
    y = sympy.Symbol("y")

    def given(part: Node) -> TaylorSeries | None:
        if isinstance(part, Number):
            return TaylorSeries.constant(sympy.Rational(part.value), order)
        if not isinstance(part, Name):
            return None
        if part.name == "x":
            return TaylorSeries([sympy.S.Zero, sympy.S.One, *[sympy.S.Zero] * (order - 1)])
        return TaylorSeries.constant(sympy.pi if part.name == "pi" else values[part.name], order)

    def composed(outer: sympy.Expr, inner: TaylorSeries) -> TaylorSeries:
        head = inner.coefficients[0]
        step, raised = inner - head, TaylorSeries.constant(sympy.S.One, order)
        total = TaylorSeries.constant(_at(outer, y, head), order)
        for power in range(1, order + 1):
            outer, raised = sympy.diff(outer, y), raised * step
            total = total + raised * (_at(outer, y, head) / sympy.factorial(power))
        return TaylorSeries([sympy.expand(value) for value in total.coefficients])

    def applied(name: str, arguments: list[TaylorSeries]) -> TaylorSeries:
        if name in KINKED:  # of numbers: those of x have made pieces
            of = {"abs": sympy.Abs, "max": sympy.Max, "min": sympy.Min}[name]
            return TaylorSeries.constant(of(*(own.coefficients[0] for own in arguments)), order)
        return composed(getattr(sympy, name)(y), arguments[0])

    def power(base: TaylorSeries, exponent: TaylorSeries) -> TaylorSeries:
        return composed(y ** exponent.coefficients[0], base)

    series: TaylorSeries = evaluated(formula, given, applied, power)
    return [sympy.expand(value * sympy.factorial(power)) for power, value in enumerate(series.coefficients)]


def _at(value: sympy.Expr, y: sympy.Symbol, head: sympy.Expr) -> sympy.Expr:
    """A function at a point; exponentials show what is rational, as of tanh(log(2))."""
    found = value.subs(y, head)
    return found.rewrite(sympy.exp) if head and found.has(sympy.Function) else found


class NearZero:
    """Averages as power series in the root of K, over exact numbers and symbols.

    Args:
        sides: the derivatives at 0 from above and from below, by function.
        order: the highest power of the root that elements keep; where a kernel inside of a layer is not proportional
            to K, the last powers are not exact.
    """

    def __init__(self, sides: Mapping[str, Sides], order: int) -> None:
        self.sides, self.order = dict(sides), order

    def number(self, value: Any) -> TaylorSeries:
        """A rational number as an element."""
        return self.constant(sympy.Rational(Fraction(value)))

    def constant(self, value: sympy.Expr) -> TaylorSeries:
        """An element that does not depend on K."""
        return TaylorSeries.constant(value, self.order)

    @property
    def kernel(self) -> TaylorSeries:
        """K itself, the square of the root."""
        return TaylorSeries([sympy.S(int(power == 2)) for power in range(self.order + 1)])

    def average(self, kernel: TaylorSeries, legs: int, lines: Lines) -> TaylorSeries:
        """``<d^m F> = <F He_m(t)> K^(-m/2)`` with z = t root(K), by moments on either side.

        Raises:
            DivergentAverageError: a derivative is a delta function at 0, or the average diverges as K tends to 0.
        """
        zeds, functions = functions_of(lines)
        sides = [self._product(side, zeds, functions, legs) for side in (0, 1)]
        width, total = self._root(kernel), self.number(0)
        for power, (above, below) in enumerate(zip(*sides, strict=True)):
            value = (above + (-1) ** (power + legs) * below) * _moment(power, legs)
            if power < legs and not vanishes(value):
                raise DivergentAverageError("an average of a function with a kink at 0 diverges as K tends to 0")
            if power >= legs and value != 0:
                total = total + width ** (power - legs) * sympy.expand(value)
        return total

    def _product(self, side: int, zeds: int, functions: Lines, legs: int) -> list[sympy.Expr]:
        """The Taylor coefficients of a product on one side."""
        highest = self.order + legs
        total = TaylorSeries([sympy.S(int(power == zeds)) for power in range(highest + 1)])
        for name, order in functions:
            known, other = self.sides[name][side], self.sides[name][1 - side]
            if any(not vanishes(known[j] - other[j]) for j in range(order)):
                raise DivergentAverageError(f"the derivative of order {order} of {name} is a delta function at 0")
            own = [known[order + j] / sympy.factorial(j) for j in range(len(known) - order)]
            total = total * TaylorSeries([*own, *[sympy.S.Zero] * (highest + 1)][: highest + 1])
        return list(total.coefficients)

    def _root(self, kernel: TaylorSeries) -> TaylorSeries:
        own = kernel.coefficients
        if own[0] or own[1] or not own[2]:
            raise UnsupportedError("a kernel inside of the layer does not vanish with K")
        rest = TaylorSeries([*own[2:], sympy.S.Zero, sympy.S.Zero]) / own[2]
        inside = (rest.logarithm() / 2).exponential().coefficients
        found: TaylorSeries = TaylorSeries([sympy.S.Zero, *inside[:-1]]) * sympy.sqrt(own[2])
        return found


def _moment(power: int, legs: int) -> sympy.Expr:
    """The integral of t^power He_legs(t) over t > 0 under the standard Gaussian."""

    def half(q: int) -> sympy.Expr:
        return sympy.sqrt(2) ** q * sympy.gamma(sympy.Rational(q + 1, 2)) / (2 * sympy.sqrt(sympy.pi))

    return sympy.Add(*(c * half(power + exponent) for exponent, c in enumerate(hermite(legs)) if c))
