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
#: Most terms of an average.
MOST = 256


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
    slots = [terms(product, functions) for product in atom]
    if any(slot is None for slot in slots) or np.prod([len(slot) for slot in slots if slot is not None]) > MOST:
        return None
    value, error = np.zeros(len(k), dtype=complex), np.zeros(len(k))
    with np.errstate(over="ignore", invalid="ignore"):
        for choice in cartesian(*(slot for slot in slots if slot is not None)):
            alpha = np.array([exponent for exponent, _ in choice])
            weight = np.prod([c for _, c in choice]) * np.exp(np.einsum("i,nij,j->n", alpha, k, alpha) / 2)
            value += weight
            size = np.abs(alpha)
            error += ROUNDING * np.abs(weight) * (4 + np.einsum("i,nij,j->n", size, np.abs(k), size))
        good = np.isfinite(error) & (error <= LOST * np.abs(value.real))
    return np.where(good, value.real, 0.0), np.where(good, error, np.inf)
