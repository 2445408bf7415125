"""Gaussian averages on one input in high precision, for smooth activations given by formulas.

Derivatives come from Taylor arithmetic on the formula (no numerical differentiation), averages from the trapezoidal
rule, which converges exponentially for analytic functions. Everything is mpmath numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

from pertheory.algebra.terms import Lines
from pertheory.book.classes import functions_of, reduced
from pertheory.errors import UnsupportedError
from pertheory.rulebook.activation import Activation
from pertheory.rulebook.formula import ARITHMETIC, Binary, Call, Name, Negate, Node, Number, constant, depends_on_x

DIGITS = 25
#: the trapezoidal rule in units of the standard deviation, and the highest derivative that is tabulated
STEP, REACH, HIGHEST = Fraction(1, 10), 10, 5

Jet = list[Any]


def jet(node: Node, x: Any, order: int, parameters: dict[str, Any]) -> Jet:
    """The Taylor coefficients of a formula at x, up to an order.

    Raises:
        UnsupportedError: the formula has a function without Taylor arithmetic here.
    """
    if not depends_on_x(node):
        return [_exact(node, parameters), *[mpmath.mpf(0)] * order]
    match node:
        case Name():
            return [mpmath.mpf(x), *[mpmath.mpf(int(i == 0)) for i in range(order)]]
        case Negate(operand):
            return [-c for c in jet(operand, x, order, parameters)]
        case Binary("^", base, exponent):
            return _power(jet(base, x, order, parameters), constant(exponent, parameters))
        case Binary(sign, left, right):
            a, b = jet(left, x, order, parameters), jet(right, x, order, parameters)
            if sign == "*":
                return _times(a, b)
            if sign == "/":
                return _divided(a, b)
            return [u + v if sign == "+" else u - v for u, v in zip(a, b, strict=True)]
        case Call(function, (argument,)):
            return _applied(function, jet(argument, x, order, parameters))
    raise UnsupportedError("a formula with kinks has no Taylor series")


def _exact(node: Node, parameters: dict[str, Any]) -> Any:
    """A constant in high precision."""
    match node:
        case Number(value):
            return mpmath.mpf(value.numerator) / value.denominator
        case Name("pi"):
            return +mpmath.pi
        case Name(name):
            value = Fraction(parameters[name])
            return mpmath.mpf(value.numerator) / value.denominator
        case Negate(operand):
            return -_exact(operand, parameters)
        case Call(function, (argument,)):
            return getattr(mpmath, function)(_exact(argument, parameters))
        case Binary(sign, left, right):
            a, b = _exact(left, parameters), _exact(right, parameters)
            return ARITHMETIC[sign](a, b)
    raise UnsupportedError("this constant is not known in high precision")


def _times(a: Jet, b: Jet) -> Jet:
    return [sum(a[i] * b[n - i] for i in range(n + 1)) for n in range(len(a))]


def _divided(a: Jet, b: Jet) -> Jet:
    found: Jet = []
    for n in range(len(a)):
        found.append((a[n] - sum(b[i] * found[n - i] for i in range(1, n + 1))) / b[0])
    return found


def _power(a: Jet, exponent: Any) -> Jet:
    if exponent != int(exponent) or exponent < 0:
        raise UnsupportedError("only whole powers have Taylor arithmetic here")
    found = [mpmath.mpf(1), *[mpmath.mpf(0)] * (len(a) - 1)]
    for _ in range(int(exponent)):
        found = _times(found, a)
    return found


def _applied(function: str, u: Jet) -> Jet:
    """f(u), from f(u)' = f'(u) u' with f' written in f and in jets that are known."""
    head = u[0]
    slope = [(i + 1) * c for i, c in enumerate(u[1:])]
    if function == "exp":
        return _integrated(mpmath.exp(head), slope, lambda own: own)
    if function == "tanh":
        return _integrated(
            mpmath.tanh(head), slope, lambda own: [int(i == 0) - c for i, c in enumerate(_times(own, own))]
        )
    if function == "erf":
        inner = _applied("exp", [-c for c in _times(u, u)])
        return _integrated(
            mpmath.erf(head), slope, lambda own: [2 / mpmath.sqrt(mpmath.pi) * c for c in inner[: len(own)]]
        )
    if function == "log":
        quotient = _divided([*slope, mpmath.mpf(0)], u)
        return [mpmath.log(head), *(quotient[i] / (i + 1) for i in range(len(slope)))]
    if function in ("sin", "cos"):
        turn = 0 if function == "sin" else 1
        sine, cosine = [mpmath.sin(head)], [mpmath.cos(head)]
        for n in range(len(slope)):
            up = sum(cosine[i] * slope[n - i] for i in range(n + 1)) / (n + 1)
            down = -sum(sine[i] * slope[n - i] for i in range(n + 1)) / (n + 1)
            sine.append(up)
            cosine.append(down)
        return (sine, cosine)[turn]
    raise UnsupportedError(f"{function} has no Taylor arithmetic here")


def _integrated(head: Any, slope: Jet, derivative: Callable[[Jet], Jet]) -> Jet:
    """The jet that begins with head and has the derivative ``derivative(itself) * slope``."""
    own = [head]
    for n in range(len(slope)):
        outer = derivative(own)
        own.append(sum(outer[i] * slope[n - i] for i in range(n + 1)) / (n + 1))
    return own


class Precise:
    """Averages of one smooth activation as numbers.

    Args:
        function: the activation; one piece.
    """

    def __init__(self, function: Activation) -> None:
        if not function.is_smooth:
            raise UnsupportedError(f"{function.name} has kinks; averages in high precision are for smooth activations")
        self.node, self.parameters = function.pieces[0].node, dict(function.parameters)

    def number(self, value: Any) -> Any:
        """A rational number in high precision."""
        exact = Fraction(value)
        return mpmath.mpf(exact.numerator) / exact.denominator

    def derivatives_at(self, x: Any, order: int) -> list[Any]:
        """s and its derivatives at a point."""
        return [c * math.factorial(i) for i, c in enumerate(jet(self.node, x, order, self.parameters))]

    @lru_cache(maxsize=8)  # noqa: B019 - a few kernels a search
    def table(self, kernel: Any, highest: int) -> list[tuple[Any, list[Any]]]:
        """Weights and derivatives of s, up to a highest one, at the points of the rule."""
        width = mpmath.sqrt(kernel)
        count = int(REACH / STEP)
        points = [self.number(STEP * i) for i in range(-count, count + 1)]
        scale = self.number(STEP) / mpmath.sqrt(2 * mpmath.pi)
        return [(scale * mpmath.exp(-t * t / 2), self.derivatives_at(width * t, highest)) for t in points]

    def average(self, kernel: Any, legs: int, lines: Lines) -> Any:
        """The average, derivatives carried out by Leibniz's rule and z's by Stein's lemma."""
        zeds, orders = functions_of(lines)
        total = mpmath.mpf(0)
        for count, power, key in reduced(zeds, legs, orders):
            total += count * kernel**power * self._product(kernel, key)
        return total

    def _product(self, kernel: Any, orders: tuple[int, ...]) -> Any:
        total = mpmath.mpf(0)
        for weight, values in self.table(kernel, 2 if max(orders, default=0) <= 2 else HIGHEST):
            term = weight
            for order in orders:
                term *= values[order]
            total += term
        return total
