"""Averages at one and two inputs in closed form, at all inputs and pairs at once.

The forms are derived from the formulas of the functions (`averages/exact.py`) and are straight-line code in the
variances a and b, the covariance k and the determinant a b - k^2, which is formed here with the digits that the
subtraction would lose. Every instruction is carried out together with a bound of what rounding did to it, so that the
result tells where digits were lost: of what is left of nearly opposite inputs, or where averages vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.plan import ExactCode, Instruction
from pertheory.averages.quadrature import Array

#: Values and bounds of their rounding errors, both one a pair.
Bounded: TypeAlias = tuple[Array, Array]

#: What an operation may lose, relative to its result.
ROUNDING = 2.0**-52
#: Pairs that are worked out together: all that is computed on the way stays in the cache.
BLOCK = 4096
#: A closed form is taken where rounding costs no more than this fraction of the value.
LOST = 1e-11


def evaluate(code: ExactCode, first: Array, shared: Array, second: Array) -> list[Bounded]:
    """Evaluate closed forms at pairs of inputs; both inputs of a pair are the same one for averages at one input.

    Args:
        code: the forms.
        first: variances of the first inputs.
        shared: covariances.
        second: variances of the second inputs.

    Returns:
        For each average its values and bounds of what rounding did to them; NaN where a form does not apply, such as
        at a kink without variance.
    """
    results = [(np.empty_like(first), np.empty_like(first)) for _ in code.results]
    for start in range(0, len(first), BLOCK):
        part = slice(start, start + BLOCK)
        for (values, errors), found in zip(results, _block(code, first[part], shared[part], second[part]), strict=True):
            values[part], errors[part] = found
    return results


def _block(code: ExactCode, first: Array, shared: Array, second: Array) -> list[Bounded]:
    left = determinant(first, shared, second)
    none = np.zeros_like(first)
    given = {
        "a": (first, none),
        "b": (second, none),
        "k": (shared, none),
        "gap": (left, 2 * ROUNDING * (left + 2 * ROUNDING * first * second)),
    }
    done: list[Bounded] = []
    with np.errstate(all="ignore"):
        for instruction in code.instructions:
            operands = [done[n] for n in instruction.operands]
            done.append(given.get(instruction.operation) or _carried_out(instruction, operands))
    return [done[n] for n in code.results]


def is_accurate(found: Bounded) -> NDArray[np.bool_]:
    """Where the values have the digits that they should have."""
    value, error = found
    good: NDArray[np.bool_] = np.isfinite(value) & (error <= LOST * np.abs(value))
    return good


def determinant(first: Array, shared: Array, second: Array) -> Array:
    """a b - k^2, with the digits that the subtraction would lose."""
    product, rest = _exact_product(first, second)
    square, square_rest = _exact_product(shared, shared)
    return np.asarray(np.maximum((product - square) + (rest - square_rest), 0.0))


def _exact_product(a: Array, b: Array) -> tuple[Array, Array]:
    """A product and what rounding took from it.

    Equation:
        Dekker, Numer. Math. 18 (1971) 224.
    """
    product = a * b
    a_high, b_high = (x * 134217729.0 - (x * 134217729.0 - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, rest


def _carried_out(instruction: Instruction, operands: list[Bounded]) -> Bounded:
    """An instruction and its rounding error; that of constants and of multiples by powers of two counts as well."""
    operation, _, number = instruction
    if operation == "constant":
        return np.float64(number), np.float64(ROUNDING * abs(number))  # type: ignore[return-value]
    if operation == "scale":
        ((x, e),) = operands
        value = number * x
        return value, abs(number) * e + ROUNDING * np.abs(value)
    value, error = _OPERATIONS[operation](*operands)
    return value, error + ROUNDING * np.abs(value)


def _add(one: Bounded, two: Bounded) -> Bounded:
    return one[0] + two[0], one[1] + two[1]


def _multiply(one: Bounded, two: Bounded) -> Bounded:
    (x, e), (y, f) = one, two
    return x * y, np.abs(x) * f + np.abs(y) * e


def _reciprocal(one: Bounded) -> Bounded:
    value = 1 / one[0]
    return value, one[1] * value**2


def _root(one: Bounded) -> Bounded:
    value = np.sqrt(one[0])
    return value, np.where(value > 0, one[1] / (2 * value), np.sqrt(one[1]))


def _exponential(one: Bounded) -> Bounded:
    value = np.exp(one[0])
    return value, value * one[1]


def _drop(one: Bounded) -> Bounded:
    return -np.expm1(-one[0]), np.exp(-one[0]) * one[1]


def _copied_sign(one: Bounded, two: Bounded) -> Bounded:
    return np.copysign(one[0], two[0]), one[1]


def _angle(one: Bounded, two: Bounded) -> Bounded:
    (y, f), (x, e) = one, two
    size = np.maximum(np.hypot(x, y), 1e-300)
    return np.arctan2(y, x), (np.abs(x) / size * f + np.abs(y) / size * e) / size


_OPERATIONS: Mapping[str, Callable[..., Bounded]] = {
    "add": _add,
    "multiply": _multiply,
    "reciprocal": _reciprocal,
    "sqrt": _root,
    "exp": _exponential,
    "abs": lambda one: (np.abs(one[0]), one[1]),
    "drop": _drop,
    "copysign": _copied_sign,
    "angle": _angle,
}
