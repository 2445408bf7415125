"""Evaluates a program of kernels as it stands, with NumPy: what the module that is emitted for it computes.

No text is executed. The sums are prepared once, operation for operation in the order in which
`pertheory.emit.numpy.printer` writes them, so that both give the same numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pertheory.algebra.monomial import Powers
from pertheory.kernels.language import Initial, Kernel, Level, Operand, Product, Program, Sum, axes_of
from pertheory.numeric.states import Array

Scalars: TypeAlias = Mapping[str, float]
Averages: TypeAlias = Callable[[Array, list[Any]], Sequence[Array]]


class Term(NamedTuple):
    """A product, ready to be evaluated.

    Attributes:
        negative: whether it is taken off.
        number: the size of its coefficient; None for 1.
        couplings: powers of hyperparameters.
        width_power: of n / n_prev.
        factors: names of arrays, or a sum in brackets.
        subscripts: for einsum; empty where every array has one axis, over the inputs.
        ones: axes of the result that no factor has.
    """

    negative: bool
    number: float | None
    couplings: Powers
    width_power: int
    factors: tuple[str | Bracket, ...]
    subscripts: str
    ones: int


class Bracket(NamedTuple):
    """A sum of products with so many axes."""

    rank: int
    terms: tuple[Term, ...]


class Evaluator:
    """A program that can be run.

    Attributes:
        program: what is evaluated.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        one = program.inputs == "one"
        self._temporaries = [
            [(t.name, _bracket(t.products, range(t.rank), one)) for t in level.temporaries] for level in program.levels
        ]
        self._kernels = [
            [
                [(case.pattern, _bracket(case.products, _axes(kernel, case.pattern), one)) for case in kernel.cases]
                for kernel in level.kernels
            ]
            for level in program.levels
        ]
        self._defaults = dict(program.hyperparameters)

    def first_layer(self, gram: Array, given: Mapping[str, Any]) -> dict[str, Array]:
        """The state of layer 1 from x.x / n_0 (its diagonal where every slot carries the same input)."""
        p = {**self._defaults, **given}
        return {item.key: _initial(item, gram, p) for item in self.program.initial}

    def step(self, state: Mapping[str, Array], given: Mapping[str, Any], averages: Averages) -> dict[str, Array]:
        """One layer up.

        Args:
            state: of the layer below.
            given: hyperparameters of the new layer; "n" and "n_prev" are the widths of the layer of the state and of
                the one below it (equal ones by default).
            averages: returns the arrays of Gaussian averages for a covariance and requests.
        """
        p = {**self._defaults, **given}
        widths = np.resize(np.atleast_1d(np.asarray(p.get("n", 1.0), dtype=float)), len(self.program.levels))
        ratios = widths / np.concatenate([[float(p.get("n_prev", widths[-1]))], widths[:-1]])
        for number, level in enumerate(self.program.levels):
            state = self._climb(number, level, dict(state), {**p, "ratio": ratios[number]}, averages)
        return dict(state)

    def _climb(
        self, number: int, level: Level, state: dict[str, Array], p: Scalars, averages: Averages
    ) -> dict[str, Array]:
        inputs = len(next(iter(state.values())))
        arrays = {t.name: state[t.key] for kernel in level.kernels for t in kernel.below}
        for field, key in level.covariances:
            wanted = [average for average in level.averages if average.field == field]
            found = averages(state[key], [average.request for average in wanted])
            arrays.update(zip((average.name for average in wanted), found, strict=True))
        for name, bracket in self._temporaries[number]:
            arrays[name] = _sum(bracket, arrays, p, inputs)
        return {
            kernel.key: _result(kernel, cases, arrays, p, inputs)
            for kernel, cases in zip(level.kernels, self._kernels[number], strict=True)
        }


def _axes(kernel: Kernel, pattern: Sequence[int]) -> Sequence[int]:
    return range(kernel.rank) if len(kernel.cases) == 1 else sorted(set(pattern))


def _bracket(products: Iterable[Product], axes: Sequence[int], one: bool) -> Bracket:
    """A sum with the given axes."""
    terms = []
    for product in products:
        factors: list[str | Bracket] = []
        subscripts: list[str] = []
        present: set[int] = set()
        for operand in product.operands:
            own = operand.axes if isinstance(operand, Operand) else axes_of(operand.products)
            factors.append(_bracket(operand.products, own, one) if isinstance(operand, Sum) else operand.array)
            subscripts.append(_letters(own))
            present.update(own)
        missing = [axis for axis in axes if axis not in present]
        text = ",".join([*subscripts, *map(_letter, missing)]) + "->" + _letters(axes) if factors and not one else ""
        size = abs(product.coefficient)
        number = None if size == 1 else size.numerator if size.denominator == 1 else size.numerator / size.denominator
        terms.append(
            Term(
                product.coefficient < 0,
                number,
                product.couplings,
                product.width_power,
                tuple(factors),
                text,
                len(missing),
            )
        )
    return Bracket(len(axes), tuple(terms))


def _letter(axis: int) -> str:
    return chr(ord("a") + axis)


def _letters(axes: Iterable[int]) -> str:
    return "".join(map(_letter, axes))


def _result(
    kernel: Kernel,
    cases: Sequence[tuple[tuple[int, ...], Bracket]],
    arrays: Mapping[str, Array],
    p: Scalars,
    inputs: int,
) -> Array:
    if len(cases) == 1:
        return _sum(cases[0][1], arrays, p, inputs)
    result = np.empty((inputs,) * kernel.rank)
    for pattern, bracket in cases:
        kept = "".join(sorted(set(_letters(pattern))))
        np.einsum(f"{_letters(pattern)}->{kept}", result)[...] = _sum(bracket, arrays, p, inputs)
    return result


def _sum(bracket: Bracket, arrays: Mapping[str, Array], p: Scalars, inputs: int) -> Array:
    total = np.zeros((inputs,) * bracket.rank)
    for term in bracket.terms:
        factors = [arrays[f] if isinstance(f, str) else _sum(f, arrays, p, inputs) for f in term.factors]
        scale = _scale(term.number, term.couplings, p)
        if term.width_power:
            ratio = p["ratio"] ** term.width_power if term.width_power != 1 else p["ratio"]
            scale = ratio if scale is None else scale * ratio
        if term.subscripts:
            factors = [np.einsum(term.subscripts, *factors, *[np.ones(inputs)] * term.ones)]
        value: Any = scale if scale is not None else None if factors else 1.0
        for factor in factors:
            value = factor if value is None else value * factor
        if term.negative:
            total -= value
        else:
            total += value
    return total


def _scale(number: float | None, couplings: Powers, p: Scalars) -> Any:
    """Number times hyperparameters, from left to right; None for 1."""
    value: Any = number
    for symbol, power in couplings:
        own = p[symbol] if power == 1 else p[symbol] ** power
        value = own if value is None else value * own
    return value


def _initial(item: Initial, gram: Array, p: Scalars) -> Array:
    """A tensor of the first layer."""
    if not item.constant and not item.gram:
        return np.zeros((len(gram),) * item.rank)
    parts: list[Any] = []
    for coefficient, powers in item.constant:
        scale = _scale(None if coefficient == 1 else float(coefficient), powers, p)
        parts.append(1.0 if scale is None else scale)
    for coefficient, powers in item.gram:
        scale = _scale(None if coefficient == 1 else float(coefficient), powers, p)
        parts.append(gram if scale is None else scale * gram)
    value = parts[0]
    for part in parts[1:]:
        value = value + part
    return np.asarray(value if item.gram else value + 0.0 * gram)
