"""Elimination without rounding."""

from __future__ import annotations

import random

from pertheory.algebra.linear import PRIME, identity, is_regular, solve_modulo, solve_rational


def test_the_inverse_is_one():
    draw = random.Random(4)
    matrix = [[draw.randint(-5, 5) for _ in range(4)] for _ in range(4)]
    for inverse, prime in ((solve_rational(matrix, identity(4)), None), (solve_modulo(matrix, identity(4)), PRIME)):
        product = [[sum(matrix[i][k] * inverse[k][j] for k in range(4)) for j in range(4)] for i in range(4)]
        assert [[x % prime if prime else x for x in row] for row in product] == identity(4)


def test_singular_matrices_are_seen():
    assert solve_rational([[1, 2], [2, 4]], identity(2)) is None
    assert solve_modulo([[1, 2], [2, 4]], identity(2)) is None
    assert is_regular([[0, 1], [1, 0]])
    assert not is_regular([[1, 2], [2, 4]])
