"""Matrices of whole numbers: whether they have an inverse, and the inverse in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from pertheory.book.indexed import PRIME

Matrix: TypeAlias = list[list[Fraction]]


def is_regular(matrix: Sequence[Sequence[int]]) -> bool:
    """Whether a matrix has an inverse, seen modulo a large prime; the few it may miss are taken for singular."""
    rows = [list(row) for row in matrix]
    for column in range(len(rows)):
        pivot = next((r for r in range(column, len(rows)) if rows[r][column] % PRIME), None)
        if pivot is None:
            return False
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = pow(rows[column][column], -1, PRIME)
        for r in range(column + 1, len(rows)):
            factor = rows[r][column] * lead % PRIME
            rows[r] = [(x - factor * y) % PRIME for x, y in zip(rows[r], rows[column], strict=True)]
    return True


def invert_matrix(matrix: Sequence[Sequence[int]]) -> Matrix | None:
    """The inverse by elimination, or None if there is none."""
    size = len(matrix)
    rows = [[Fraction(x) for x in row] + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next((r for r in range(column, size) if rows[r][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = rows[column][column]
        rows[column] = [x / lead for x in rows[column]]
        for r in range(size):
            if r != column and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[column], strict=True)]
    return [row[size:] for row in rows]
