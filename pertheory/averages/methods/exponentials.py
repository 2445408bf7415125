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
        exact = [average(self._frozen, task.k[0], atom) for atom in task.atoms]
        if not any(exact):
            return None
        return np.array([(*own, abs(own[0])) if own else (0.0, np.inf, 0.0) for own in exact]).T[:, :, None]


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


def average(functions: Functions, covariance: Array, atom: Sequence[Lines]) -> tuple[float, float] | None:
    """The average of a product of products, one an input, and a bound of its error.

    Returns:
        None where it is of another kind, or where digits are lost.
    """
    slots = [terms(product, functions) for product in atom]
    if any(slot is None for slot in slots) or np.prod([len(slot) for slot in slots if slot is not None]) > MOST:
        return None
    value, error = 0j, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for choice in cartesian(*(slot for slot in slots if slot is not None)):
            alpha = np.array([exponent for exponent, _ in choice])
            weight = np.prod([c for _, c in choice]) * np.exp(alpha @ covariance @ alpha / 2)
            value += weight
            error += ROUNDING * abs(weight) * (4 + float(np.abs(alpha) @ np.abs(covariance) @ np.abs(alpha)))
    good = np.isfinite(error) and error <= LOST * abs(value.real)
    return (float(value.real), float(error)) if good else None
