"""Evaluates a program of kernels as it stands, with NumPy: what the module that is emitted for it computes.

No text is executed. The sums are prepared once, operation for operation in the order in which
`pertheory.emit.numpy.printer` writes them, so that both give the same numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pertheory.algebra.monomial import Powers
from pertheory.kernels.language import Initial, Level, Product, Program, Sum, axes_of
from pertheory.run.states import Array

Averages: TypeAlias = Callable[[Array, Sequence[Any]], Sequence[Array]]


#: Subscripts of two arrays with the axes of the result.
ALIKE = "*"


class Scale(NamedTuple):
    """What stands in front of arrays: a number (None for 1), powers of hyperparameters and of n / n_prev."""

    number: float | None
    couplings: Powers
    width_power: int

    def value(self, p: Mapping[str, Any]) -> Any:
        """The product from left to right; None for 1."""
        value: Any = self.number
        powers = (*self.couplings, ("ratio", self.width_power)) if self.width_power else self.couplings
        for symbol, power in powers:
            own = p[symbol] if power == 1 else p[symbol] ** power
            value = own if value is None else value * own
        return value


class Term(NamedTuple):
    """A product, ready to be evaluated.

    Attributes:
        negative: whether it is taken off.
        scale: the number of its scale among those of the level.
        factors: names of arrays, or sums in brackets.
        subscripts: for einsum; empty where every array has one axis, over the inputs, or there is none, and where there
            is one with the axes of the result; `ALIKE` where there are two with these.
        ones: axes of the result that no factor has.
    """

    negative: bool
    scale: int
    factors: tuple[str | Bracket, ...]
    subscripts: str
    ones: int


class Bracket(NamedTuple):
    """A sum of products with so many axes."""

    rank: int
    terms: tuple[Term, ...]


class Prepared(NamedTuple):
    """A level: its averages, its scales, its temporaries, and for each kernel its cases.

    Averages over a covariance are its key, their names and their requests, the same object in every layer. A case is
    the components in which slots with equal letters carry the same input, as subscripts, and their sum.
    """

    averages: tuple[tuple[str, tuple[str, ...], tuple[Any, ...]], ...]
    scales: tuple[Scale, ...]
    temporaries: tuple[tuple[str, Bracket], ...]
    kernels: tuple[tuple[tuple[str, Bracket], ...], ...]


class Evaluator:
    """A program that can be run.

    Attributes:
        program: what is evaluated.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._levels = [_prepare(level, program.inputs == "one") for level in program.levels]
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
        n, count = p.get("n", 1.0), len(self.program.levels)
        widths = [float(width) for width in np.resize(n, count)] if np.ndim(n) else [float(n)] * count
        below = [float(p.get("n_prev", widths[-1])), *widths]
        for level, prepared, x, y in zip(self.program.levels, self._levels, widths, below, strict=False):
            state = _climb(level, prepared, state, {**p, "ratio": np.float64(x) / y}, averages)
        return dict(state)


def _climb(
    level: Level, prepared: Prepared, state: Mapping[str, Array], p: Mapping[str, Any], averages: Averages
) -> dict[str, Array]:
    """One sublayer up."""
    inputs = len(next(iter(state.values())))
    arrays = {t.name: state[t.key] for kernel in level.kernels for t in kernel.below}
    for key, names, requests in prepared.averages:
        arrays.update(zip(names, averages(state[key], requests), strict=True))
    scales = [scale.value(p) for scale in prepared.scales]
    for name, bracket in prepared.temporaries:
        arrays[name] = _sum(bracket, arrays, scales, inputs)
    above = {}
    for kernel, cases in zip(level.kernels, prepared.kernels, strict=True):
        if len(cases) == 1:
            above[kernel.key] = _sum(cases[0][1], arrays, scales, inputs)
            continue
        whole = kernel.starts_whole
        result = _sum(cases[0][1], arrays, scales, inputs) if whole else np.full((inputs,) * kernel.rank, np.nan)
        for subscripts, bracket in cases[whole:]:
            np.einsum(subscripts, result)[...] = _sum(bracket, arrays, scales, inputs)
        above[kernel.key] = result
    return above


def _sum(bracket: Bracket, arrays: Mapping[str, Array], scales: Sequence[Any], inputs: int) -> Array:
    total = np.zeros((inputs,) * bracket.rank)
    for negative, scale, names, subscripts, ones in bracket.terms:
        factors = [arrays[f] if type(f) is str else _sum(f, arrays, scales, inputs) for f in names]  # type: ignore[arg-type]
        if ones:
            factors += [np.ones(inputs)] * ones
        if subscripts:
            factors = [factors[0] * factors[1] if subscripts == ALIKE else np.einsum(subscripts, *factors)]
        value = scales[scale]
        for factor in factors:
            value = factor if value is None else value * factor
        if value is None:
            value = 1.0
        if negative:
            total -= value
        else:
            total += value
    return total


def _prepare(level: Level, one: bool) -> Prepared:
    scales: dict[Scale, int] = {}

    def bracket(products: Iterable[Product], axes: Sequence[int]) -> Bracket:
        return Bracket(len(axes), tuple(term(product, axes) for product in products))

    def term(product: Product, axes: Sequence[int]) -> Term:
        factors: list[str | Bracket] = []
        subscripts: list[str] = []
        for operand in product.operands:
            own = axes_of(operand.products) if isinstance(operand, Sum) else operand.axes
            factors.append(bracket(operand.products, own) if isinstance(operand, Sum) else operand.array)
            subscripts.append(_letters(own))
        there = "".join(subscripts)
        missing = [letter for letter in _letters(axes) if letter not in there]
        text = f"{','.join([*subscripts, *missing])}->{_letters(axes)}" if factors and not one else ""
        if set(subscripts) == {_letters(axes)} and len(subscripts) <= 2:
            text = ALIKE if text and len(subscripts) == 2 else ""
        scale = Scale(_number(abs(product.coefficient)), product.couplings, product.width_power)
        number = scales.setdefault(scale, len(scales))
        return Term(product.coefficient < 0, number, tuple(factors), text, len(missing) if text else 0)

    temporaries = tuple((t.name, bracket(t.products, range(t.rank))) for t in level.temporaries)

    def case(pattern: Sequence[int], products: Iterable[Product], only: bool, rank: int) -> tuple[str, Bracket]:
        kept = range(rank) if only else sorted(set(pattern))
        return f"{_letters(pattern)}->{_letters(kept)}", bracket(products, kept)

    kernels = tuple(
        tuple(case(own.pattern, own.products, len(k.cases) == 1, k.rank) for own in k.cases) for k in level.kernels
    )
    wanted = tuple(
        (
            key,
            tuple(a.name for a in level.averages if a.field == field),
            tuple(a.request for a in level.averages if a.field == field),
        )
        for field, key in level.covariances
    )
    return Prepared(wanted, tuple(scales), temporaries, kernels)


def _number(value: Fraction) -> float | None:
    if value == 1:
        return None
    return value.numerator if value.denominator == 1 else value.numerator / value.denominator


def _letters(axes: Iterable[int]) -> str:
    return "".join([chr(ord("a") + axis) for axis in axes])


def _initial(item: Initial, gram: Array, p: Mapping[str, Any]) -> Array:
    """A tensor of the first layer."""
    if not item.constant and not item.gram:
        return np.zeros((len(gram),) * item.rank)
    parts: list[Any] = []
    for coefficient, powers in item.constant:
        scale = Scale(_number(coefficient), powers, 0).value(p)
        parts.append(1.0 if scale is None else scale)
    for coefficient, powers in item.gram:
        scale = Scale(_number(coefficient), powers, 0).value(p)
        parts.append(gram if scale is None else scale * gram)
    value = sum(parts[1:], parts[0])
    return np.asarray(value if item.gram else value + 0.0 * gram)
