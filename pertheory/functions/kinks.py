"""Formulas with ``abs``, ``max`` and ``min`` cut into pieces on which they are smooth; poles refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pertheory.errors import InputError
from pertheory.functions.formula import (
    KINKED,
    Binary,
    Call,
    Name,
    Negate,
    Node,
    Number,
    Scalar,
    children,
    constant,
    depends_on_x,
    evaluated,
    show,
)

MAX_PIECES = 32
#: Where formulas are examined for poles; beyond it only growth can go wrong.
REACH = 25.0


def linear(node: Node, parameters: Mapping[str, Scalar]) -> tuple[Scalar, Scalar] | None:
    """Return ``(c0, c1)`` of a formula ``c0 + c1 x``, or None where it is not linear in x."""
    if not depends_on_x(node):
        return constant(node, parameters), 0
    match node:
        case Name():
            return 0, 1
        case Negate(operand):
            inner = linear(operand, parameters)
            return None if inner is None else (-inner[0], -inner[1])
        case Binary(operator, left, right) if operator in "+-*/":
            a, b = linear(left, parameters), linear(right, parameters)
            if a is None or b is None:
                return None
            if operator == "+":
                return a[0] + b[0], a[1] + b[1]
            if operator == "-":
                return a[0] - b[0], a[1] - b[1]
            if operator == "*" and (a[1] == 0 or b[1] == 0):
                return a[0] * b[0], a[0] * b[1] + a[1] * b[0]
            if operator == "/" and b[1] == 0 and b[0] != 0:
                return a[0] / b[0], a[1] / b[0]
    return None


def _innermost(node: Node) -> Call | None:
    """Return a kinked call of x that has no kinked call of x inside it."""
    for child in children(node):
        found = _innermost(child)
        if found is not None:
            return found
    if isinstance(node, Call) and node.function in KINKED and depends_on_x(node):
        return node
    return None


def _replace(node: Node, old: Node, new: Node) -> Node:
    if not depends_on_x(node):
        return node
    if node == old:
        return new
    match node:
        case Negate(operand):
            return Negate(_replace(operand, old, new))
        case Binary(operator, left, right):
            return Binary(operator, _replace(left, old, new), _replace(right, old, new))
        case Call(function, arguments):
            return Call(function, tuple(_replace(argument, old, new) for argument in arguments))
        case _:
            return node


def _cut(call: Call, parameters: Mapping[str, Scalar]) -> tuple[float, bool]:
    """Return where a kinked call changes its branch, and whether the first argument holds above; else infinities.

    Raises:
        InputError: the arguments are not linear in x, or the place is beyond the floating-point numbers.
    """
    first = call.arguments[0]
    second = call.arguments[1] if len(call.arguments) > 1 else Negate(first)
    try:
        line = linear(Binary("-", first, second), parameters)
        if line is None:
            raise InputError(
                f"formula: {show(call)[:60]} has kinks at places that are not known; "
                f"{call.function} is allowed of arguments linear in x only"
            )
        # abs(u) = max(u, -u): the first branch holds where the difference has the sign of the function
        sign = -1 if call.function == "min" else 1
        intercept, slope = sign * line[0], sign * line[1]
        if not slope and math.isfinite(intercept):
            return -math.inf, intercept >= 0
        cut = float(-intercept / slope)
    except ArithmeticError:
        cut = math.nan
    if not math.isfinite(cut):
        raise InputError(f"formula: {show(call)[:60]} has a kink beyond the range of floating-point numbers (1e308)")
    return cut, slope > 0


def split(
    node: Node, parameters: Mapping[str, Scalar], lower: float = -math.inf, upper: float = math.inf
) -> list[tuple[float, float, Node]]:
    """Cut a formula at its kinks.

    Args:
        node: the formula.
        parameters: a value for every parameter.
        lower: left end of the interval on which the formula is used.
        upper: right end.

    Returns:
        ``(lower, upper, formula)`` from left to right, the formulas without abs, max and min of x.

    Raises:
        InputError: a kinked function of something that is not linear in x, or too many pieces.

    Example:
        >>> from pertheory.functions.parsing import parse
        >>> [(a, b, show(part)) for a, b, part in split(parse("max(0, x)"), {})]
        [(-inf, 0.0, '0'), (0.0, inf, 'x')]
    """
    pieces: list[tuple[float, float, Node]] = []
    pending = [(lower, upper, node)]
    while pending:
        low, high, part = pending.pop()
        call = _innermost(part)
        if call is None:
            pieces.append((low, high, part))
            continue
        if len(pending) + len(pieces) >= MAX_PIECES:
            raise InputError(f"formula {show(node)[:40]}: more than {MAX_PIECES} kinks")
        first = call.arguments[0]
        second = call.arguments[1] if len(call.arguments) > 1 else Negate(first)
        cut, rising = _cut(call, parameters)
        below, above = (second, first) if rising else (first, second)
        if cut < high:
            pending.append((max(low, cut), high, _replace(part, call, above)))
        if cut > low:
            pending.append((low, min(cut, high), _replace(part, call, below)))
    return sorted(pieces, key=lambda piece: piece[0])


def sample(node: Node, x: NDArray[np.float64], parameters: Mapping[str, Scalar]) -> NDArray[np.float64]:
    """Evaluate a smooth formula at many points, plainly; overflow gives infinities and no warning."""
    from scipy.special import erf

    def given(part: Node) -> NDArray[np.float64] | None:
        if isinstance(part, Number | Name):
            return x if depends_on_x(part) else np.full_like(x, float(constant(part, parameters)))
        return None

    def applied(function: str, values: list[Any]) -> Any:
        special = {"erf": erf, "max": np.maximum, "min": np.minimum}
        return (special[function] if function in special else getattr(np, function))(*values)

    with np.errstate(all="ignore"):
        result: NDArray[np.float64] = evaluated(node, given, applied)
    return result


def _guards(node: Node, parameters: Mapping[str, Scalar]) -> Iterator[tuple[Node, bool, Node]]:
    """Yield ``(expression, must be positive, culprit)``: what may not vanish where the formula is used."""
    for child in children(node):
        yield from _guards(child, parameters)
    if not depends_on_x(node):
        return
    match node:
        case Binary("/", _, right) if depends_on_x(right):
            yield right, False, node
        case Binary("^", left, right):
            exponent = constant(right, parameters)
            if exponent != int(exponent):
                yield left, True, node
            elif exponent < 0:
                yield left, False, node
        case Call("sqrt" | "log", (argument,)):
            yield argument, True, node
        case Call("tan", (argument,)):
            yield Call("cos", (argument,)), False, node


def refuse_poles(node: Node, parameters: Mapping[str, Scalar], lower: float, upper: float) -> None:
    """Refuse a formula that has a pole or leaves the real numbers between `lower` and `upper`.

    A Gaussian reaches everywhere, so an activation must be finite for every x. The check samples the
    denominators and the arguments of sqrt, log and tan on a fine grid, and is for mistakes, not a proof.

    Raises:
        InputError: the part of the formula and a place where it is not defined.
    """
    low, high = max(lower, -REACH), min(upper, REACH)
    if not low < high:
        return
    grid = np.linspace(low, high, 4001)
    for guard, positive, culprit in _guards(node, parameters):
        values = sample(guard, grid, parameters)
        bad = ~(values > 0) if positive or values[len(values) // 2] > 0 else ~(values < 0)
        if bad.any():
            place = grid[np.argmax(bad)]
            raise InputError(f"formula: {show(culprit)[:60]} is not defined or not smooth near x = {place:.4g}")
