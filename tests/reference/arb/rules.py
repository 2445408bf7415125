"""Quadrature rules for reference averages: trapezoids, graded panels, and the comparison of steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from flint import arb, arb_mat

#: Two steps must agree to this fraction of the scale; errors fall exponentially with the step, so that the finer one
#: of two that are a quarter apart is then good to 1e-27.
AGREE = arb(10) ** -22
REACH = 12.5
ROOT_2PI = (2 * arb.pi()).sqrt()
FINER = tuple(0.5 * 0.8**n for n in range(16))
COUNTS = (20, 26, 34, 44, 56)


class Unconverged(Exception):
    """Two steps disagree."""


def bell(x: arb) -> arb:
    return (-x * x / 2).exp() / ROOT_2PI


def grid(sigma: float, step: float, local: bool, centre: float = 0.0) -> tuple[list[arb], list[arb]]:
    """Trapezoid nodes and weights (with the normal density) for functions of sigma (xi - centre)."""
    if not local or sigma <= 0.3 or abs(centre) > REACH + 90 / sigma:
        count = int(REACH / step) + 1
        nodes = [arb(step) * n for n in range(-count, count + 1)]
        return nodes, [step * bell(x) for x in nodes]
    width = 1.5 / sigma
    step *= 0.35 * min(1.0, 3 / max(abs(centre), 0.1))
    low, high = (math.asinh((end - centre) / width) for end in (-REACH, REACH))
    nodes, weights = [], []
    for n in range(math.floor(low / step), math.ceil(high / step) + 1):
        t = arb(step) * n
        e = t.exp()
        x = centre + arb(width) * (e - 1 / e) / 2
        nodes.append(x)
        weights.append(step * arb(width) * (e + 1 / e) / 2 * bell(x))
    return nodes, weights


LEGENDRE: dict[int, list[tuple[arb, arb]]] = {}


def legendre(count: int) -> list[tuple[arb, arb]]:
    if count not in LEGENDRE:
        LEGENDRE[count] = [arb.legendre_p_root(count, k, weight=True) for k in range(count)]
    return LEGENDRE[count]


def panels(places: Iterable[tuple[float, float]], count: int, widest: float = 1.5) -> tuple[list[arb], list[arb]]:
    """Gauss-Legendre nodes and weights (with the density), graded towards places: ``(place, width there)``."""
    edges = {-REACH, REACH}
    for place, width in places:
        edges.add(place)
        size = min(width, widest)
        while size < 2 * REACH:
            edges |= {place - size, place + size}
            size *= 2
    inside = sorted(edge for edge in edges if -REACH <= edge <= REACH)
    nodes, weights = [], []
    for low, high in itertools.pairwise(inside):
        parts = math.ceil((high - low) / widest)
        for k in range(parts):
            a = arb(low) + (arb(high) - arb(low)) * k / parts
            half = (arb(high) - arb(low)) / parts / 2
            for x, w in legendre(count):
                node = (a + half + half * x).mid()
                nodes.append(node)
                weights.append(half * w * bell(node))
    return nodes, weights


def twice(calculate: Callable[[float], list[tuple[arb, arb]]], steps: Sequence[float]) -> list[tuple[arb, arb]]:
    """Return ``(value, scale)`` pairs that two steps agree on."""
    return twice_at(calculate, steps)[0]


def twice_at(
    calculate: Callable[[float], list[tuple[arb, arb]]], steps: Sequence[float]
) -> tuple[list[tuple[arb, arb]], int]:
    """Return ``(value, scale)`` pairs that two steps agree on, and the place of the finer one."""
    before = None
    for place, step in enumerate(steps):
        found = calculate(step)
        if before is not None and all(
            abs(v - b) <= AGREE * s or s == 0 for (v, s), (b, _) in zip(found, before, strict=True)
        ):
            return found, place
        before = found
    raise Unconverged


def dot(*columns: Sequence[arb]) -> arb:
    """Sum over rows of the products."""
    first, *rest = columns
    weights = list(first)
    for column in rest[:-1]:
        weights = [a * b for a, b in zip(weights, column, strict=True)]
    last = list(rest[-1])
    return (arb_mat(1, len(weights), weights) * arb_mat(len(last), 1, last))[0, 0].mid()


def sums(weights: Sequence[arb], rows: Sequence[Sequence[arb]]) -> list[arb]:
    """Weighted sum of rows."""
    flat = [value for row in rows for value in row]
    found = arb_mat(1, len(rows), list(weights)) * arb_mat(len(rows), len(rows[0]), flat)
    return [found[0, i].mid() for i in range(len(rows[0]))]


def hermite(n: int, x: arb) -> arb:
    before, value = arb(0), arb(1)
    for k in range(n):
        before, value = value, x * value - k * before
    return value
