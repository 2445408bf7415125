"""Reference averages in closed form: sums of exponentials and Wick sums."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from arb.functions import Factor
from flint import arb


def exponentials(name: str, order: int) -> list[tuple[tuple[int, int], arb]]:
    """Terms of a derivative of sin, cos or exp as ``((re, im) of the rate), (re, im) of the coefficient``."""
    if name == "exp":
        return [((1, 0), (arb(1), arb(0)))]  # type: ignore[list-item]
    quarter = order + (3 if name == "sin" else 0)  # sin x = cos(x - pi/2); i^quarter
    unit = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter % 4]
    half = arb(1) / 2
    return [((0, 1), (unit[0] * half, unit[1] * half)), ((0, -1), (unit[0] * half, -unit[1] * half))]  # type: ignore[list-item]


def closed(name: str, k: Sequence[Sequence[float]], requests: Sequence[Sequence[Factor]]) -> list:
    """Sums of exponentials; the scale is the average of the square of the product, rooted."""
    results = []
    for request in requests:
        lines = [(i, order) for i, (_, orders) in enumerate(request) for order in orders]
        assert all(not legs for legs, _ in request)

        def total(lines: Sequence[tuple[int, int]]) -> arb:
            value = arb(0)
            for choice in itertools.product(*[exponentials(name, order) for _, order in lines]):
                re = im = arb(0)
                for ((i, _), ((a, b), _)), ((j, _), ((c, d), _)) in itertools.product(
                    zip(lines, choice, strict=True), repeat=2
                ):
                    re += (a * c - b * d) * arb(k[i][j]) / 2
                    im += (a * d + b * c) * arb(k[i][j]) / 2
                front = (arb(1), arb(0))
                for _, (_, (c, d)) in zip(lines, choice, strict=True):
                    front = (front[0] * c - front[1] * d, front[0] * d + front[1] * c)
                value += re.exp() * (front[0] * im.cos() - front[1] * im.sin())
            return value

        results.append((total(lines), total(lines * 2).sqrt()))
    return results


def wick(k: Sequence[Sequence[float]], legs: tuple[int, ...]) -> arb:
    if not legs:
        return arb(1)
    rest = legs[1:]
    return sum((arb(k[legs[0]][j]) * wick(k, rest[:i] + rest[i + 1 :]) for i, j in enumerate(rest)), arb(0))


def polynomial(power: int, k: Sequence[Sequence[float]], requests: Sequence[Sequence[Factor]]) -> list:
    """Wick sums for x^power."""
    results = []
    for request in requests:
        front, legs = 1, []
        for i, (_, orders) in enumerate(request):
            for order in orders:
                front *= math.perm(power, order)
                legs += [i] * (power - order)
        value = front * wick(k, tuple(legs))
        bound = arb(front)
        for i in legs:
            bound *= arb(k[i][i]).sqrt()
        results.append((value, max(abs(value), bound)))
    return results
