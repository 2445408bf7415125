"""Taylor arithmetic on formulas: derivatives without numerical differentiation.

A formula is evaluated as a power series about a point. Numbers are those of a library: mpmath, at the precision that is
in force, or sympy, exactly.
Independent of `pertheory.functions.derivatives`, which it is a witness for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import mpmath

from pertheory.algebra.series import TaylorSeries
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.formula import Name, Node, Number, depends_on_x, evaluated


def jet(node: Node, x: Any, order: int, parameters: Mapping[str, Any], library: Any = mpmath) -> TaylorSeries:
    """A formula as a power series about x, up to an order.

    Args:
        node: the formula.
        x: a number of the library.
        order: the highest power.
        parameters: the values of its names.
        library: the module whose numbers and functions are used, `mpmath` or `sympy`.

    Raises:
        UnsupportedError: the formula has a function without Taylor arithmetic here.
    """

    def given(part: Node) -> TaylorSeries | None:
        if not depends_on_x(part):
            return TaylorSeries.constant(_exact(part, parameters, library), order)
        return _series([x + _number(0, library), _number(1, library)], order) if isinstance(part, Name) else None

    def applied(function: str, arguments: list[TaylorSeries]) -> TaylorSeries:
        return _applied(function, arguments, library)

    found: TaylorSeries = evaluated(node, given, applied, lambda a, exponent: _power(a, exponent.coefficients[0]))
    return found


def derivatives(function: Activation, part: int, x: Any, order: int) -> list[Any]:
    """A piece of an activation and its derivatives at a point, up to an order."""
    series = jet(function.pieces[part].node, x, order, dict(function.parameters))
    return [c * math.factorial(i) for i, c in enumerate(series.coefficients)]


def _series(head: list[Any], order: int) -> TaylorSeries:
    return TaylorSeries([*head, *[head[0] * 0] * order][: order + 1])


def _exact(node: Node, parameters: Mapping[str, Any], library: Any) -> Any:
    """A constant."""

    def given(part: Node) -> Any:
        match part:
            case Number(value):
                return _number(value, library)
            case Name(name):
                return +library.pi if name == "pi" else _number(parameters[name], library)

    def applied(function: str, values: list[Any]) -> Any:
        known: dict[str, Callable[..., Any]] = {"max": max, "min": min, "abs": abs}
        return known[function](*values) if function in known else getattr(library, function)(*values)

    return evaluated(node, given, applied)


def _number(value: Any, library: Any) -> Any:
    exact, whole = Fraction(value), mpmath.mpf if library is mpmath else library.Integer
    return whole(exact.numerator) / exact.denominator


def _power(a: TaylorSeries, exponent: Any) -> TaylorSeries:
    if exponent == int(exponent):
        return a ** int(exponent)
    own, found = a.coefficients, [a.coefficients[0] ** exponent]  # f = a^e solves a f' = e a' f
    for n in range(1, len(own)):
        total = sum((exponent * i - (n - i)) * own[i] * found[n - i] for i in range(1, n + 1))
        found.append(total / (n * own[0]))
    return TaylorSeries(found)


def _applied(function: str, arguments: list[TaylorSeries], library: Any) -> TaylorSeries:
    """f(u), from f(u)' = f'(u) u' with f' written in f and in series that are known."""
    (u, *others) = arguments
    if others or function == "abs":
        raise UnsupportedError("a formula with kinks has no Taylor series")
    head = u.coefficients[0]
    if function == "sqrt":
        return _power(u, _number(Fraction(1, 2), library))
    if function == "exp":
        return _integrated(u, library.exp(head), lambda own: own)
    if function in ("tanh", "tan"):
        sign = -1 if function == "tanh" else 1
        return _integrated(u, getattr(library, function)(head), lambda own: own * own * sign + 1)
    if function == "erf":
        slope = _applied("exp", [-(u * u)], library) * (2 / library.sqrt(library.pi))
        return _integrated(u, library.erf(head), lambda _: slope)
    if function == "log":
        inverse = u.inverse()
        return _integrated(u, library.log(head), lambda _: inverse)
    if function in ("sinh", "cosh", "sin", "cos"):
        even = {"sinh": "cosh", "cosh": "sinh", "sin": "cos", "cos": "sin"}[function]
        sign = 1 if function[-1] == "h" else -1  # both solve f'' = sign f
        start = getattr(library, even)(head) * (sign if function == "cos" else 1)
        return _integrated(u, getattr(library, function)(head), lambda own: _integrated(u, start, lambda _: own * sign))
    raise UnsupportedError(f"{function} has no Taylor arithmetic here")


def _integrated(u: TaylorSeries, head: Any, derivative: Callable[[TaylorSeries], TaylorSeries]) -> TaylorSeries:
    """The series f(u) that begins with head and has f'(u) = derivative(f(u)), one coefficient after the other."""
    slope, own = u.derivative().coefficients, [head]
    for n in range(u.order):
        outer = derivative(_series(own, u.order)).coefficients
        total = sum(outer[i] * slope[n - i] for i in range(n + 1)) / (n + 1)
        own.append(total.expand() if hasattr(total, "expand") else total)  # or sums of sympy's swell
    return TaylorSeries(own)
