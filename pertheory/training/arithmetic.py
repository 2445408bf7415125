"""Arrays of numbers, exact or floating, each with its slope in one small parameter whose square is dropped.

`RESIDUES` are whole numbers modulo a large prime: at a random point two formulas are equal or not, without rounding.
`FLOATS` are what predictions are made of.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pertheory.algebra.linear import PRIME, solve_modulo
from pertheory.errors import InputError

Array: TypeAlias = npt.NDArray[Any]


class DualArray(NamedTuple):
    """An array and its slope in the small parameter."""

    value: Array
    slope: Array


class Arithmetic(ABC):
    """Arrays of one kind of numbers."""

    @abstractmethod
    def array(self, numbers: object) -> Array:
        """Numbers as an array; what array operations give goes through here."""

    @abstractmethod
    def number(self, value: Fraction | int) -> Any:
        """A rational number."""

    @abstractmethod
    def solve(self, matrix: Array, right: Array) -> Array:
        """The solution of a system of linear equations.

        Raises:
            InputError: there is none.
        """

    @abstractmethod
    def draw(self, source: random.Random, *shape: int) -> Array:
        """Independent random numbers."""

    @abstractmethod
    def equal(self, a: Array, b: Array) -> bool:
        """Whether two arrays have the same shape and the same numbers."""

    def identity(self, size: int) -> Array:
        """The identity matrix."""
        return self.array(np.eye(size, dtype=int))

    def constant(self, value: Array) -> DualArray:
        """An array that does not depend on the small parameter."""
        array = self.array(value)
        return DualArray(array, np.broadcast_to(np.zeros_like(array, shape=()), array.shape))

    def scalar(self, value: Any) -> DualArray:
        """A number of this arithmetic as an array without axes."""
        return self.constant(np.array(value))

    def plus(self, a: DualArray, b: DualArray, factor: int = 1) -> DualArray:
        """a + factor b.

        Raises:
            InputError: they have different axes.
        """
        if a.value.shape != b.value.shape:
            raise InputError("two terms of a sum do not carry the same neurons")
        return DualArray(*(self.array(x + factor * y) for x, y in zip(a, b, strict=True)))

    def einsum(self, letters: str, a: DualArray, b: DualArray) -> DualArray:
        """A contraction of two arrays, by the product rule."""
        slope = np.einsum(letters, a.value, b.slope) + np.einsum(letters, a.slope, b.value)
        return DualArray(self.array(np.einsum(letters, a.value, b.value)), self.array(slope))

    def inverse(self, matrix: DualArray) -> DualArray:
        """The inverse of a matrix."""
        value = self.solve(matrix.value, self.identity(len(matrix.value)))
        return DualArray(value, self.array(-value @ self.array(matrix.slope @ value)))


class Residues(Arithmetic):
    """Whole numbers modulo `PRIME`."""

    def array(self, numbers: object) -> Array:
        """Python's whole numbers, also where NumPy would give its own."""
        return np.asarray(np.asarray(numbers, dtype=object) % PRIME, dtype=object)

    def number(self, value: Fraction | int) -> int:
        """The residue of a rational number."""
        exact = Fraction(value)
        return exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME

    def solve(self, matrix: Array, right: Array) -> Array:
        """By elimination."""
        found = solve_modulo(matrix.tolist(), right.tolist())
        if found is None:
            raise InputError("a matrix of the training set has no inverse at this point")
        return np.array(found, dtype=object).reshape(right.shape)

    def draw(self, source: random.Random, *shape: int) -> Array:
        """All residues are equally likely."""
        return np.array([source.randrange(PRIME) for _ in range(prod(shape))], dtype=object).reshape(shape)

    def equal(self, a: Array, b: Array) -> bool:
        """Exactly."""
        return a.shape == b.shape and not np.any((a - b) % PRIME)


class Floats(Arithmetic):
    """Double precision."""

    def array(self, numbers: object) -> Array:
        """Double precision."""
        return np.asarray(numbers, dtype=float)

    def number(self, value: Fraction | int) -> float:
        """The nearest double."""
        return float(value)

    def solve(self, matrix: Array, right: Array) -> Array:
        """By LAPACK."""
        try:
            return np.asarray(np.linalg.solve(matrix, right))
        except np.linalg.LinAlgError:
            raise InputError("a matrix of the training set has no inverse") from None

    def draw(self, source: random.Random, *shape: int) -> Array:
        """Standard normal."""
        return np.array([source.gauss() for _ in range(prod(shape))]).reshape(shape)

    def equal(self, a: Array, b: Array) -> bool:
        """To ten digits."""
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-10, atol=1e-10))


RESIDUES, FLOATS = Residues(), Floats()
