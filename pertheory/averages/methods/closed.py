"""Averages at one and two inputs in closed form, at all inputs and pairs at once.

The forms are derived from the formulas of the functions (`averages/exact.py`) and are straight-line code in the
variances a and b, the covariance k and the determinant a b - k^2, which is formed here with the digits that the
subtraction would lose. Every instruction is carried out together with a bound of what rounding did to it, so that the
result tells where digits were lost: of what is left of nearly opposite inputs, or where averages vanish.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import uses
from pertheory.averages.closed_forms import closed_codes
from pertheory.averages.estimate import Remembered, Wanted, Whole
from pertheory.averages.plan import ExactCode
from pertheory.averages.quadrature import Array
from pertheory.averages.request import Request

#: What an instruction gives (arrays over the pairs, or numbers of one pair), a bound of its relative error that is the
#: same for all pairs, what the error may be besides (None for nothing), and whether the result is never negative.
Bounded: TypeAlias = tuple[Any, float, Any, bool]
Places: TypeAlias = NDArray[np.int64]

#: What an operation may lose, relative to its result; and what a determinant may lose that is too small for doubles.
ROUNDING, UNDERFLOW = 2.0**-52, 2.0**-1070
#: What is divided by is no smaller: below, squares underflow.
LEAST = 1e-290
#: A determinant is a plain difference where it is no smaller than one in so many of the product.
PLAIN = 8.0
#: Splits a double into two halves.
SPLITTER = 2.0**27 + 1
#: Pairs that are worked out together: all that is computed on the way stays in the cache. A few go one by one.
BLOCK, FEW = 4096, 8
#: The fraction of a value that rounding may cost.
LOST = 1e-11


class Closed:
    """What has a closed form.

    Args:
        wanted: functions and errors to aim at.
        bound: a closed form is taken where rounding costs no more than this fraction of the value.
    """

    def __init__(self, wanted: Wanted, bound: float) -> None:
        self._bound, self._pieced = bound, wanted.pieced
        self._forms = Remembered(lambda requests: closed_codes(tuple(requests.values()), wanted.frozen))

    def average(self, covariance: Array, requests: Mapping[int, Request], distinct: bool) -> dict[int, Whole]:
        """Average what has one or two factors and closed forms."""
        forms, numbers, size = self._forms(requests), list(requests), len(covariance)
        result: dict[int, Whole] = {}
        if not forms:
            return result
        own = covariance.diagonal()
        for rank, form in forms.items():
            first, second, flat, back = _pairs_of(size, rank, distinct)
            ends = own[first], own[second]
            if len(first) <= FEW and (few := _few(form.code, self._bound, ends[0], covariance.take(flat), ends[1])):
                table, largest = few
                for number, one, other in form.places:
                    made = len(first) * (1 + (one != other))
                    values = _spread(table, one, other, back)
                    result[numbers[number]] = Whole(values, max(largest[one], largest[other]), None, None, made)
                continue
            table = np.empty((2, len(form.code.results), len(first) + 1))
            table[:, :, -1] = np.nan  # not wanted
            values, errors = evaluate(form.code, ends[0], covariance.take(flat), ends[1], table[:, :, :-1])
            relative = relative_errors(values, errors)
            good = relative <= self._bound
            if not own.all():  # it may be at a kink
                for number, *rows in form.places:
                    if uses(requests[numbers[number]], self._pieced):
                        good[rows] &= (ends[0] > 0) & (ends[1] > 0)
            weak = bounds = None
            counts = np.full(len(good), len(first))
            if not good.all():
                relative[~good], counts = 0.0, good.sum(axis=1)
                weak = np.pad(~good, ((0, 0), (0, 1)))
                bounds = np.where(np.isfinite(table[0]), table[1], np.inf)
            worst = relative.max(axis=1, initial=0.0)
            for number, one, other in form.places:
                result[numbers[number]] = Whole(
                    _spread(table[0], one, other, back),
                    float(max(worst[one], worst[other])),
                    None if weak is None else _spread(weak, one, other, back),
                    None if bounds is None else _spread(bounds, one, other, back),
                    int(counts[one] + counts[other] * (one != other)),
                )
        return result


def _few(code: ExactCode, bound: float, first: Array, shared: Array, second: Array) -> tuple[Array, list[float]] | None:
    """Closed forms at a few pairs, pair by pair, where rounding costs little everywhere.

    Returns:
        Values by average and pair, with one more that is not wanted, and the largest relative errors; None where digits
        are lost, or a variance is zero: a function may have its kink there.
    """
    pairs = list(zip(first.tolist(), shared.tolist(), second.tolist(), strict=True))
    try:
        found = [_carry_out(code, NUMBERS, *pair) for pair in pairs if pair[0] > 0 and pair[2] > 0]
    except (ArithmeticError, ValueError):  # arrays have infinity and NaN where numbers have errors
        return None
    rows = list(zip(*found, strict=True)) if len(found) == len(pairs) else []
    errors = [[error / abs(value) if value else math.inf if error else 0.0 for value, error in row] for row in rows]
    if not rows or not all(error <= bound for row in errors for error in row):
        return None
    return np.array([[*(value for value, _ in row), math.nan] for row in rows]), [max(row) for row in errors]


@lru_cache(maxsize=4)
def _pairs_of(size: int, rank: int, distinct: bool) -> tuple[Places, Places, Places, Places]:
    """The inputs of each pair, its place, and by entry the number of its pair: one that there is not if unwanted."""
    equal = np.arange(0 if rank == 2 and distinct else size)
    first, second = (np.append(equal, own) for own in np.triu_indices(size if rank == 2 else 0, 1))
    back = np.full((size,) * rank, len(first))
    for entries in ((first,),) if rank == 1 else ((first, second), (second, first)):
        back[entries] = np.arange(len(first))
    return first, second, first * size + second, back


def _spread(table: NDArray[Any], one: int, turned: int, back: Places) -> NDArray[Any]:
    """The entries of an array of one or two axes from a row over pairs, and from another one below the diagonal."""
    found: NDArray[Any] = table[one].take(back)
    return found if one == turned else np.where(np.tri(len(back), k=-1, dtype=bool), table[turned].take(back), found)


def evaluate(code: ExactCode, first: Array, shared: Array, second: Array, out: Array | None = None) -> Array:
    """Evaluate closed forms at pairs of inputs; both inputs of a pair are the same one for averages at one input.

    Args:
        code: the forms.
        first: variances of the first inputs.
        shared: covariances.
        second: variances of the second inputs.
        out: where the result goes, if it has a place.

    Returns:
        Values and bounds of what rounding did to them, shape (2, averages, pairs); NaN where a form does not apply,
        such as at a kink without variance.
    """
    found = np.empty((2, len(code.results), len(first))) if out is None else out
    with np.errstate(all="ignore"):
        equal = int(np.logical_and.accumulate(shared == first).sum())  # equal inputs come first, and lose digits
        rest = len(first) - equal
        count = max(1, round(rest / BLOCK))
        edges = sorted({0, *(equal + rest * n // count for n in range(count + 1))})
        for part in (slice(*ends) for ends in pairwise(edges)):
            for n, bounded in enumerate(_carry_out(code, np, first[part], shared[part], second[part])):
                found[0, n, part], found[1, n, part] = bounded
    return found


def _carry_out(code: ExactCode, m: Any, first: Any, shared: Any, second: Any) -> list[tuple[Any, Any]]:
    """All instructions, each with what rounding does: values of the results, and bounds of their errors.

    Args:
        code: the instructions.
        m: numpy, or the functions that are used of it for numbers.
        first: variances of the first inputs, or of one.
        shared: covariances.
        second: variances of the second inputs.
    """
    product = first * second
    left, relative, lost = product - shared * shared, PLAIN * ROUNDING, None
    if not m.all(left >= m.maximum(product / PLAIN, LEAST)):  # digits are lost
        left, relative = m.maximum(_difference(first, second, shared), 0.0), 2 * ROUNDING
        lost = 4 * ROUNDING**2 * product + UNDERFLOW
    given: dict[str, Bounded] = {
        "a": (first, 0.0, None, True),
        "b": (second, 0.0, None, True),
        "k": (shared, 0.0, None, False),
        "gap": (left, relative, lost, True),
    }
    done: list[Bounded] = []
    for operation, operands, number in code.instructions:
        if operation in given:
            done.append(given[operation])
        elif operation == "constant":
            done.append((number, ROUNDING, None, number >= 0))
        elif operation == "scale":
            x, c, e, positive = done[operands[0]]
            error = None if e is None else abs(number) * e
            done.append((number * x, c + ROUNDING, error, positive and number > 0))
        else:
            x, c, e, positive = _OPERATIONS[operation](m, *[done[n] for n in operands])
            done.append((x, c + ROUNDING, e, positive))
    return [(done[n][0], _all(done[n])) for n in code.results]


def relative_errors(values: Array, errors: Array) -> Array:
    """Errors relative to the values; NaN where there is no value."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = errors / np.abs(values)
    if np.isnan(found.max(initial=0.0)):
        found[(values == 0) & (errors == 0)] = 0.0
    return found


def determinant(first: Array, shared: Array, second: Array) -> Array:
    """a b - k^2, with the digits that the subtraction would lose."""
    return np.asarray(np.maximum(_difference(first, second, shared), 0.0))


def _difference(a: Any, b: Any, k: Any) -> Any:
    """a b - k^2."""
    (product, rest), (square, square_rest) = _exact_product(a, b), _exact_product(k, k)
    return (product - square) + (rest - square_rest)


def _exact_product(a: Any, b: Any) -> tuple[Any, Any]:
    """A product and what rounding took from it.

    Equation:
        Dekker, Numer. Math. 18 (1971) 224.
    """
    product = a * b
    x, y = a * SPLITTER, b * SPLITTER
    a_high, b_high = x - (x - a), y - (y - b)
    a_low, b_low = a - a_high, b - b_high
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, rest


def _all(one: Bounded) -> Any:
    """The whole error."""
    value, relative, error, positive = one
    size = relative * (value if positive else abs(value))
    return size if error is None else size + error


def _both(one: Any, two: Any) -> Any:
    return two if one is None else one if two is None else one + two


def _add(m: Any, one: Bounded, two: Bounded) -> Bounded:
    (x, c, e, p), (y, d, f, q) = one, two
    if p and q:
        return x + y, max(c, d), _both(e, f), True
    return x + y, 0.0, _all(one) + _all(two), False


def _multiply(m: Any, one: Bounded, two: Bounded) -> Bounded:
    (x, c, e, p), (y, d, f, q) = one, two
    error = _both(None if f is None else (x if p else abs(x)) * f, None if e is None else (y if q else abs(y)) * e)
    return x * y, c + d, error, p and q


def _reciprocal(m: Any, one: Bounded) -> Bounded:
    x, c, e, positive = one
    value = 1 / x
    return value, c, None if e is None else value * value * e, positive


def _root(m: Any, one: Bounded) -> Bounded:
    x, c, e, _ = one
    value = m.sqrt(x)
    return value, c / 2, None if e is None else m.minimum(m.sqrt(e), e / m.maximum(2 * value, LEAST)), True


def _exponential(m: Any, one: Bounded) -> Bounded:
    value = m.exp(one[0])
    return value, 0.0, value * _all(one), True


def _drop(m: Any, one: Bounded) -> Bounded:
    return -m.expm1(-one[0]), 0.0, m.exp(-one[0]) * _all(one), one[3]


def _angle(m: Any, one: Bounded, two: Bounded) -> Bounded:
    (y, d, f, _), (x, c, e, positive) = one, two
    if not positive:
        c, d, e, f = 0.0, 0.0, _all(two), _all(one)
    # up to a right angle, it is at least the product of its sine and its cosine: relative errors are no more than added
    error = None
    if e is not None or f is not None:
        lost = _both(None if e is None else abs(y) * e, None if f is None else abs(x) * f)
        error = lost / m.maximum(x * x + y * y - LEAST, 0.0)  # infinite where squares underflow
    # for arrays a quotient and its arc tangent are four times faster
    value = np.arctan(y / x) if positive and m is np else m.arctan2(y, x)
    return value, c + d + ROUNDING, error, False


_OPERATIONS: Mapping[str, Callable[..., Bounded]] = {
    "add": _add,
    "multiply": _multiply,
    "reciprocal": _reciprocal,
    "sqrt": _root,
    "exp": _exponential,
    "abs": lambda m, one: (abs(one[0]), *one[1:3], True),
    "drop": _drop,
    "copysign": lambda m, one, two: (m.copysign(one[0], two[0]), *one[1:3], False),
    "angle": _angle,
}
#: What is used of numpy, for numbers.
NUMBERS = SimpleNamespace(
    **{name: getattr(math, name) for name in ("sqrt", "exp", "expm1", "copysign", "hypot")},
    **{"arctan2": math.atan2, "maximum": max, "minimum": min, "all": bool},
)
