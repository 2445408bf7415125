"""Taylor arithmetic on formulas, in high precision: derivatives without numerical differentiation.

A formula is evaluated as a power series about a point, coefficient by coefficient. Everything is mpmath numbers, at the
precision that is in force. Independent of `pertheory.functions.derivatives`, which it is a witness for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import mpmath

from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.formula import ARITHMETIC, Binary, Call, Name, Negate, Node, Number, constant, depends_on_x

#: Taylor coefficients, the value first.
Jet = list[Any]


def jet(node: Node, x: Any, order: int, parameters: Mapping[str, Any]) -> Jet:
    """The Taylor coefficients of a formula at x, up to an order.

    Raises:
        UnsupportedError: the formula has a function without Taylor arithmetic here.
    """
    if not depends_on_x(node):
        return [_exact(node, parameters), *[mpmath.mpf(0)] * order]
    match node:
        case Name():
            return [mpmath.mpf(x), *[mpmath.mpf(int(i == 1)) for i in range(1, order + 1)]]
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


def derivatives(function: Activation, part: int, x: Any, order: int) -> list[Any]:
    """A piece of an activation and its derivatives at a point, up to an order."""
    series = jet(function.pieces[part].node, x, order, dict(function.parameters))
    return [c * math.factorial(i) for i, c in enumerate(series)]


def _exact(node: Node, parameters: Mapping[str, Any]) -> Any:
    """A constant in high precision."""
    match node:
        case Number(value):
            return _number(value)
        case Name("pi"):
            return +mpmath.pi
        case Name(name):
            return _number(Fraction(parameters[name]))
        case Negate(operand):
            return -_exact(operand, parameters)
        case Call("max" | "min" as function, arguments):
            return {"max": max, "min": min}[function](_exact(argument, parameters) for argument in arguments)
        case Call("abs", (argument,)):
            return abs(_exact(argument, parameters))
        case Call(function, (argument,)):
            return getattr(mpmath, function)(_exact(argument, parameters))
        case Binary(sign, left, right):
            a, b = _exact(left, parameters), _exact(right, parameters)
            return ARITHMETIC[sign](a, b)
    raise UnsupportedError("this constant is not known in high precision")


def _number(value: Any) -> Any:
    exact = Fraction(value)
    return mpmath.mpf(exact.numerator) / exact.denominator


def _times(a: Jet, b: Jet) -> Jet:
    return [mpmath.fsum(a[i] * b[n - i] for i in range(n + 1)) for n in range(len(a))]


def _divided(a: Jet, b: Jet) -> Jet:
    found: Jet = []
    for n in range(len(a)):
        found.append((a[n] - mpmath.fsum(b[i] * found[n - i] for i in range(1, n + 1))) / b[0])
    return found


def _power(a: Jet, exponent: Any) -> Jet:
    if exponent == int(exponent):
        found = [mpmath.mpf(1), *[mpmath.mpf(0)] * (len(a) - 1)]
        for _ in range(abs(int(exponent))):
            found = _times(found, a)
        return found if exponent >= 0 else _divided([mpmath.mpf(1), *[mpmath.mpf(0)] * (len(a) - 1)], found)
    # f = a^e solves a f' = e a' f
    power = _number(exponent)
    found = [a[0] ** power]
    for n in range(1, len(a)):
        total = mpmath.fsum((power * i - (n - i)) * a[i] * found[n - i] for i in range(1, n + 1))
        found.append(total / (n * a[0]))
    return found


def _applied(function: str, u: Jet) -> Jet:
    """f(u), from f(u)' = f'(u) u' with f' written in f and in jets that are known."""
    head = u[0]
    slope = [(i + 1) * c for i, c in enumerate(u[1:])]
    if function == "sqrt":
        return _power(u, Fraction(1, 2))
    if function == "exp":
        return _integrated(mpmath.exp(head), slope, lambda own: own)
    if function in ("tanh", "tan"):
        sign = -1 if function == "tanh" else 1
        start = getattr(mpmath, function)(head)
        return _integrated(start, slope, lambda own: [int(i == 0) + sign * c for i, c in enumerate(_times(own, own))])
    if function == "erf":
        inner = _applied("exp", [-c for c in _times(u, u)])
        factor = 2 / mpmath.sqrt(mpmath.pi)
        return _integrated(mpmath.erf(head), slope, lambda own: [factor * c for c in inner[: len(own)]])
    if function == "log":
        quotient = _divided([*slope, mpmath.mpf(0)], u)
        return [mpmath.log(head), *(quotient[i] / (i + 1) for i in range(len(slope)))]
    if function in ("sin", "cos", "sinh", "cosh"):
        sign = -1 if function in ("sin", "cos") else 1
        odd, even = ("sin", "cos") if sign < 0 else ("sinh", "cosh")
        first, second = [getattr(mpmath, odd)(head)], [getattr(mpmath, even)(head)]
        for n in range(len(slope)):
            up = mpmath.fsum(second[i] * slope[n - i] for i in range(n + 1)) / (n + 1)
            down = sign * mpmath.fsum(first[i] * slope[n - i] for i in range(n + 1)) / (n + 1)
            first.append(up)
            second.append(down)
        return first if function == odd else second
    raise UnsupportedError(f"{function} has no Taylor arithmetic here")


def _integrated(head: Any, slope: Jet, derivative: Callable[[Jet], Jet]) -> Jet:
    """The jet that begins with head and has the derivative ``derivative(itself) * slope``."""
    own = [head]
    for n in range(len(slope)):
        outer = derivative(own)
        own.append(mpmath.fsum(outer[i] * slope[n - i] for i in range(n + 1)) / (n + 1))
    return own
