"""Averages of exponentials and waves at any number of inputs, in closed form.

Each product is a sum of terms c exp(alpha z) with complex alpha, and <exp(alpha . z)> = exp(alpha K alpha / 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product as cartesian
from typing import Any, TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.closed_forms import OpenError, Shape, shapes
from pertheory.averages.estimate import Found, Task, Wanted
from pertheory.averages.grids import Functions
from pertheory.averages.methods.closed import LOST, ROUNDING
from pertheory.averages.quadrature import Array
from pertheory.functions.activation import Activation

#: ``(alpha, c)`` of the terms of a product.
Terms: TypeAlias = tuple[tuple[complex, complex], ...]
#: A wave as exponentials of multiples of i: their strengths by the multiple.
_WAVES: Mapping[str, Mapping[complex, complex]] = {
    "": {0j: 1.0},
    "cos": {1j: 0.5, -1j: 0.5},
    "sin": {1j: -0.5j, -1j: 0.5j},
}
#: Most terms of an average, and sets that are worked out together.
MOST, TOGETHER = 256, 4096


class Exponentials:
    """Averages at three and four inputs; two have closed forms."""

    def __init__(self, wanted: Wanted, bound: Any = None) -> None:
        self._frozen = wanted.frozen

    def average(self, task: Task) -> Found | None:
        """Average those atoms that are products of exponentials."""
        if task.k.shape[1] < 3:
            return None
        found = [average(self._frozen, task.k, atom) for atom in task.atoms]
        if all(own is None for own in found):
            return None
        nothing = np.zeros(len(task.k)), np.full(len(task.k), np.inf)
        values, errors = np.stack([nothing if own is None else own for own in found], axis=1)
        return np.stack([values, errors, np.abs(values)])


@lru_cache(maxsize=1024)
def terms(product: Lines, functions: Functions) -> Terms | None:
    """A product as a sum of exponentials; None where it is another function."""
    named: Mapping[str, Activation] = dict(functions)
    try:
        found = shapes(product, named)
    except OpenError:
        return None
    total: dict[complex, complex] = {}
    for shape, coefficient in found.items():
        if shape != Shape(growth=shape.growth, wave=shape.wave, frequency=shape.frequency):
            return None
        own = _WAVES[shape.wave]
        for turn, weight in own.items():
            alpha = complex(shape.growth + turn * shape.frequency)
            total[alpha] = total.get(alpha, 0) + coefficient * weight
    return tuple(total.items())


def average(functions: Functions, k: Array, atom: Sequence[Lines]) -> tuple[Array, Array] | None:
    """The averages of a product of products, one an input, and bounds of their errors, infinite where digits are lost.

    Args:
        functions: activations by name.
        k: covariances, shape (sets, inputs, inputs).
        atom: one product for each input.

    Returns:
        None where it is of another kind.
    """
    found = _exponents(tuple(atom), functions)
    if found is None:
        return None
    weights, exponents, sizes = found
    flat, values, errors = k.reshape(len(k), -1), np.zeros(len(k)), np.full(len(k), np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in (slice(start, start + TOGETHER) for start in range(0, len(k), TOGETHER)):
            own = weights * np.exp(flat[part] @ exponents)
            value, error = own.sum(axis=1).real, ROUNDING * (np.abs(own) * (4 + np.abs(flat[part]) @ sizes)).sum(axis=1)
            good = np.isfinite(error) & (error <= LOST * np.abs(value))
            values[part], errors[part] = np.where(good, value, 0.0), np.where(good, error, np.inf)
    return values, errors


@lru_cache(maxsize=1024)
def _exponents(atom: tuple[Lines, ...], functions: Functions) -> tuple[Array, Array, Array] | None:
    """By term of a product of products its weight, and what its exponent and the size of it have of each covariance."""
    slots = [terms(product, functions) for product in atom]
    if any(slot is None for slot in slots) or np.prod([len(slot) for slot in slots if slot is not None]) > MOST:
        return None
    choices = list(cartesian(*(slot for slot in slots if slot is not None)))
    alpha, weights = np.array(choices, dtype=complex).reshape(-1, len(atom), 2).transpose(2, 0, 1)
    exponents = (alpha[:, :, None] * alpha[:, None, :]).reshape(len(alpha), len(atom) ** 2).T
    return weights.prod(axis=1), exponents / 2, np.abs(exponents)
