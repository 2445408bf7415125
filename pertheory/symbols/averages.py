"""Averages as people write them, as numbers or in closed form: ``pt.average("s s''", K, "tanh")``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import accumulate
from itertools import product as cartesian
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.gaussian import GaussianAverages
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation, activation
from pertheory.graphs.partitions import cumulant_partitions
from pertheory.rulebook.names import shown

#: the most derivatives of a function, and in front of a product
MOST_DERIVATIVES = 12
#: the most products of a cumulant, and lines of all of them
MOST_PRODUCTS, MOST_LINES = 4, 16
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9]*)('*|\^\(([0-9]{1,2})\))(?:_([0-9]{1,2}))?")
_FRONT = re.compile(r"d(?:\^([0-9]{1,2}))?\s*\(([^()]*(?:\^\([0-9]+\)[^()]*)*)\)")


class Product(NamedTuple):
    """What stands between semicolons.

    Attributes:
        legs: derivatives in front.
        lines: functions with orders, and the label of each ("" if it has none).
    """

    legs: int
    lines: tuple[tuple[Line, str], ...]


def average(
    text: str, K: Any, activation: str | Path | Activation | Mapping[str, Any] = "tanh", **parameters: Any
) -> Any:
    """A Gaussian average of products of derivatives of an activation.

    Args:
        text: ``s`` is the activation, ``s'`` its derivative (``s^(4)`` the fourth), ``z`` the variable itself; factors
            are separated by blanks. ``s_1 s''_2`` stands at inputs 1 and 2; without numbers everything stands at one
            input. ``d^2 (s s)`` is a derivative of a product. Several products, separated by semicolons, are their
            joint cumulant, as in what `derive` writes: ``"s_1 s_2 ; s_3 s_4"``.
        K: the covariance. A number for one input, else a matrix whose rows are the inputs, counted from 1. Numbers give
            numbers; with sympy expressions in it, or sympy's own numbers, the result is a closed form.
        activation: a name, a formula, a file or an `Activation`; a mapping where the text has several functions.
        parameters: of the activation.

    Returns:
        A float or a sympy expression. For a text without numbers and a matrix: at every input, one axis a product.

    Raises:
        InputError: a text that is none, or a matrix that does not fit it.
        UnsupportedError: no closed form is known.
        DivergentAverageError: a closed form that is infinite; as a number it is NaN with a warning.

    Example:
        >>> round(average("s' s'", 1.0, "tanh"), 12)
        0.464402902448
        >>> import sympy
        >>> average("s s", sympy.Symbol("K", positive=True), "relu")
        K/2
    """
    products = _parse(text)
    functions = _functions(products, activation, parameters)
    matrix, size, alone = _covariance(K)
    labels = sorted({int(label) for own in products for _, label in own.lines if label})
    if labels and any(not label for own in products for _, label in own.lines):
        raise InputError(f"average {shown(text)}: number all factors, or none")
    if labels and not 1 <= labels[0] <= labels[-1] <= size:
        wrong = labels[0] if labels[0] < 1 else labels[-1]
        raise InputError(f"average {shown(text)} has input {wrong}; K has {size}, which are counted from 1")
    axes = [_axes(own) for own in products]
    if isinstance(matrix, np.ndarray):
        used = [label - 1 for label in labels] if labels else list(range(size))
        whole = _numbers(axes, functions, matrix[np.ix_(used, used)])
        place = [labels.index(axis.input) for own in axes for axis in own] if labels else [0] * len(axes)
        return float(whole[tuple(place)]) if labels or alone else whole
    if labels or alone:
        return _closed([[axis._replace(input=max(axis.input, 1)) for axis in own] for own in axes], functions, matrix)
    places = cartesian(range(1, size + 1), repeat=len(axes))
    ways = ([[own[0]._replace(input=at)] for own, at in zip(axes, place, strict=True)] for place in places)
    found = [_closed(way, functions, matrix) for way in ways]
    return _array(found, (size,) * len(axes))


class Axis(NamedTuple):
    """A factor of a request.

    Attributes:
        legs: derivatives in front.
        lines: functions with orders.
        input: counted from 1; 0 if it is any.
    """

    legs: int
    lines: Lines
    input: int


def _axes(own: Product) -> list[Axis]:
    """A product as factors, one for each input in it."""
    at: dict[int, list[Line]] = {}
    for line, label in own.lines:
        at.setdefault(int(label or 0), []).append(line)
    return [Axis(own.legs, tuple(sorted(lines)), where) for where, lines in sorted(at.items())]


def _numbers(axes: Sequence[Sequence[Axis]], functions: Mapping[str, Activation], matrix: Any) -> Any:
    """The joint cumulant over all choices of inputs, an axis for each factor."""
    evaluate = GaussianAverages(functions)
    firsts = list(accumulate((len(own) for own in axes), initial=0))
    total: Any = 0.0
    for sign, partition in cumulant_partitions(len(axes)):
        term: Any = float(sign)
        for part in partition:
            request = tuple((axis.legs, axis.lines) for n in part for axis in axes[n])
            kept = {firsts[n] + k for n in part for k in range(len(axes[n]))}
            (values,) = evaluate(matrix, [request])
            shape = [len(matrix) if axis in kept else 1 for axis in range(firsts[-1])]
            term = term * values.reshape(shape)
        total = total + term
    if evaluate.divergences:
        reasons = "; ".join(sorted({own.reason for own in evaluate.divergences}))
        warnings.warn(f"NaN, because averages have no finite value: {reasons}", stacklevel=3)
    elif not np.isfinite(total).all():
        warnings.warn("infinite: it, or the activation close to its largest values, overflows doubles", stacklevel=3)
    return total


def _closed(axes: Sequence[Sequence[Axis]], functions: Mapping[str, Activation], matrix: Any) -> Any:
    """The joint cumulant in closed form, every factor at its input."""
    from pertheory.symbols.closed import average_of

    total: Any = 0
    for sign, partition in cumulant_partitions(len(axes)):
        term: Any = sign
        for part in partition:
            inside = [axis for n in part for axis in axes[n]]
            inputs = sorted({axis.input for axis in inside})
            rows = [label - 1 for label in inputs]
            pattern = tuple(inputs.index(axis.input) for axis in inside)
            request = tuple((axis.legs, axis.lines) for axis in inside)
            term = term * average_of(request, functions, matrix.extract(rows, rows), pattern)
        total = total + term
    return total


def _array(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    from sympy import ImmutableDenseNDimArray

    return ImmutableDenseNDimArray(values, shape)


def _parse(text: str) -> tuple[Product, ...]:
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"an average is a text such as \"s s''\", not {shown(text)}")
    bare = text.strip().removeprefix("<").removesuffix(">")
    products = tuple(_product(part.strip(), text) for part in bare.split(";"))
    if len(products) > MOST_PRODUCTS or sum(len(own.lines) for own in products) > MOST_LINES:
        raise InputError(f"average {shown(text)}: at most {MOST_PRODUCTS} products of {MOST_LINES} factors in all")
    return products


def _product(part: str, text: str) -> Product:
    front = _FRONT.fullmatch(part)
    legs = int(front.group(1) or 1) if front else 0
    lines = []
    for word in (front.group(2) if front else part).split():
        found = _LINE.fullmatch(word)
        if found is None:
            raise InputError(f"average {shown(text)}: {shown(word)} is no factor such as s, s'', s^(4), z or s'_2")
        name, mark, power, label = found.groups()
        order = int(power) if power else len(mark)
        lines.append(((IDENTITY if name == "z" else name, order), label or ""))
        if order > MOST_DERIVATIVES or legs > MOST_DERIVATIVES:
            raise InputError(f"average {shown(text)}: at most {MOST_DERIVATIVES} derivatives")
    if not lines:
        raise InputError(f"average {shown(text)}: a product without factors; separate products by single semicolons")
    if legs and len({label for _, label in lines}) > 1:
        raise InputError(f"average {shown(text)}: a derivative in front needs all factors at one input")
    return Product(legs, tuple(lines))


def _functions(products: Sequence[Product], given: Any, parameters: Mapping[str, Any]) -> dict[str, Activation]:
    names = sorted({line[0] for own in products for line, _ in own.lines} - {IDENTITY})
    table = given if isinstance(given, Mapping) else dict.fromkeys(names, given)
    for name in names:
        if name not in table:
            raise InputError(f"no activation is given for {name!r}; give {{'{name}': 'tanh', ..}}")
    if names not in ([], ["s"]) and not isinstance(given, Mapping):
        raise InputError(f"functions {', '.join(names)}: s is the activation; for others give a mapping by name")
    return {n: v if isinstance(v := table[n], Activation) else activation(v, **parameters) for n in names}


def _covariance(given: Any) -> tuple[Any, int, bool]:
    """The matrix, of doubles or of sympy; how many inputs it has; whether a number was given."""
    rows = given.tolist() if hasattr(given, "tolist") else given
    alone = not isinstance(rows, list | tuple)
    rows = [[rows]] if alone else [row if isinstance(row, list | tuple) else [row] for row in rows]
    if not rows or any(len(row) != len(rows) for row in rows):
        raise InputError(f"K must be a number or a square matrix, not {shown(given)}")
    if any(type(entry).__module__.startswith(("sympy.", "symengine.")) for row in rows for entry in row):
        import sympy

        try:
            matrix = sympy.Matrix([[sympy.sympify(entry, strict=True) for entry in row] for row in rows])
        except (sympy.SympifyError, TypeError):
            raise InputError(f"K must hold numbers or sympy expressions, not {shown(given)}") from None
        if matrix != matrix.T:
            raise InputError(f"K must be symmetric, not {shown(given)}")
        if any(entry.is_real is False or entry.is_finite is False or entry is sympy.nan for entry in matrix):
            raise InputError(f"K must be real and finite, not {shown(given)}")
        if any(matrix[i, i].is_zero for i in range(len(rows))):
            raise UnsupportedError("closed forms need inputs with a variance; give numbers where one has none")
        if matrix.is_positive_semidefinite is False:
            raise InputError(f"K is no covariance: it must be positive semidefinite, not {shown(given)}")
        return matrix, len(rows), alone
    try:
        if any(isinstance(entry, str) for row in rows for entry in row):
            raise TypeError
        matrix = np.array(rows, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"K must hold numbers or sympy expressions, not {shown(given)}") from None
    if not np.isfinite(matrix).all():
        raise InputError(f"K must be real and finite, not {shown(given)}")
    return matrix, len(rows), alone
