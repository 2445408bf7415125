"""Systems of linear equations by elimination, without rounding: in fractions, or modulo a prime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T", int, Fraction)

#: residues modulo this prime tell numbers apart
PRIME = 2**61 - 1


def solve_rational(
    matrix: Sequence[Sequence[Fraction | int]], right: Sequence[Sequence[Fraction | int]]
) -> list[list[Fraction]] | None:
    """The solution X of matrix X = right, or None if the matrix has no inverse.

    Example:
        >>> solve_rational([[2]], [[1]])
        [[Fraction(1, 2)]]
    """
    rows = [[Fraction(x) for x in (*row, *more)] for row, more in zip(matrix, right, strict=True)]
    return _eliminated(rows, lambda x: 1 / x, lambda x: x)


def solve_modulo(
    matrix: Sequence[Sequence[int]], right: Sequence[Sequence[int]], prime: int = PRIME
) -> list[list[int]] | None:
    """As `solve_rational`, for residues modulo a prime."""
    rows = [[int(x) % prime for x in (*row, *more)] for row, more in zip(matrix, right, strict=True)]
    return _eliminated(rows, lambda x: pow(x, -1, prime), lambda x: x % prime)


def identity(size: int) -> list[list[int]]:
    """The identity matrix."""
    return [[int(i == j) for j in range(size)] for i in range(size)]


def is_regular(matrix: Sequence[Sequence[int]]) -> bool:
    """Whether a matrix has an inverse, seen modulo a large prime; the few that this misses are taken for singular."""
    return solve_modulo(matrix, [[]] * len(matrix)) is not None


def _eliminated(rows: list[list[T]], inverse: Callable[[T], T], reduced: Callable[[T], T]) -> list[list[T]] | None:
    """The right part of a wide matrix when the square one on its left has become the identity."""
    size = len(rows)
    for column in range(size):
        pivot = next((r for r in range(column, size) if rows[r][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = inverse(rows[column][column])
        rows[column] = [reduced(x * lead) for x in rows[column]]
        for r in range(size):
            factor = rows[r][column]
            if r != column and factor:
                rows[r] = [reduced(x - factor * y) for x, y in zip(rows[r], rows[column], strict=True)]
    return [row[size:] for row in rows]
