"""Packed storage: of the entries that are equal by symmetry, one is kept.

Kept is the entry whose indices, read one after the other, are lexicographically largest; kept entries stand in
lexicographic order. Two facts make that a simple structure (both follow from the permutations forming a group): if an
index tuple is kept, so is the one with its last index lowered, or with an index lowered whose successors are all zero.
So for given leading indices the next index runs from 0 to a bound, entries with all but the last index equal are
neighbours, and places are found by one table of offsets for each index but the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, permutations, product
from typing import NamedTuple

from pertheory.kernels.language import Symmetry


class Packing(NamedTuple):
    """How an array is stored.

    Attributes:
        rank: number of axes.
        symmetry: the axis permutations that leave it unchanged; empty where they are all those inside ``classes``.
        classes: runs of axes that are interchangeable at will, where the symmetry is that; else empty.
    """

    rank: int
    symmetry: Symmetry
    classes: tuple[int, ...]

    @property
    def is_dense(self) -> bool:
        """Whether there is no symmetry, so that it is a row-major array."""
        return self.classes == (1,) * self.rank


def packing_of(symmetry: Symmetry) -> Packing:
    """The packing of an array with a symmetry group.

    Example:
        >>> packing_of(((0, 1, 2), (0, 2, 1))).classes
        (1, 2)
    """
    rank = len(symmetry[0])
    runs = [0]  # the first axis of each run of axes that may be exchanged with their neighbours
    for axis in range(1, rank):
        swap = tuple({axis: axis - 1, axis - 1: axis}.get(other, other) for other in range(rank))
        if swap not in symmetry:
            runs.append(axis)
    classes = tuple(end - start for start, end in zip(runs, [*runs[1:], rank], strict=True))
    if math.prod(math.factorial(size) for size in classes) == len(symmetry):
        return Packing(rank, (), classes)
    return Packing(rank, tuple(sorted(symmetry)), ())


def packing_of_classes(classes: tuple[int, ...]) -> Packing:
    """The packing of an array whose axes are interchangeable inside runs."""
    return Packing(sum(classes), (), classes)


def largest(packing: Packing, index: tuple[int, ...]) -> tuple[int, ...]:
    """The kept tuple among those that are equal by symmetry."""
    if packing.classes:
        kept: list[int] = []
        for size in packing.classes:
            kept += sorted(index[len(kept) : len(kept) + size], reverse=True)
        return tuple(kept)
    return max(tuple([index[g] for g in element]) for element in packing.symmetry)


def kept(packing: Packing, inputs: int, length: int | None = None) -> Iterator[tuple[int, ...]]:
    """All kept tuples in order, or their possible beginnings of some length."""
    rank = packing.rank if length is None else length
    rest = (0,) * (packing.rank - rank)
    for index in product(range(inputs), repeat=rank):
        if largest(packing, index + rest) == index + rest:
            yield index


@lru_cache(maxsize=1_000)
def counts(packing: Packing) -> tuple[tuple[int, ...], ...]:
    """The numbers of kept tuples' beginnings of length 1 .. rank, as polynomials in the number n of inputs.

    Returns:
        For each length coefficients c_0, c_1, .. of c_0 + c_1 (n - 1) + c_2 C(n - 1, 2) + ...; none is negative.
    """
    if packing.classes:  # independent of each other
        return tuple(
            _newton([_count_runs(packing.classes, length, n) for n in range(1, length + 2)])
            for length in range(1, packing.rank + 1)
        )
    found = []
    for length in range(1, packing.rank + 1):
        found.append(_newton(_count_patterns(packing, length)))
    return tuple(found)


def _count_runs(classes: tuple[int, ...], length: int, inputs: int) -> int:
    total = 1
    for size in classes:
        part = min(size, length)
        total *= math.comb(inputs + part - 1, part)
        length -= part
    return total


def _count_patterns(packing: Packing, length: int) -> list[int]:
    """Counts for n = 1 .. length + 1, from the patterns of which indices are equal and which is larger.

    Whether a beginning is possible depends on its order pattern and on whether its smallest index is 0, the value of
    all indices that follow.
    """
    rest = (0,) * (packing.rank - length)
    with_zero = [0] * (length + 2)
    above_zero = [0] * (length + 2)
    for levels in range(1, length + 1):
        for index in product(range(levels), repeat=length):
            if len(set(index)) != levels:
                continue
            if largest(packing, index + rest) == index + rest:
                with_zero[levels] += 1
            raised = tuple([value + 1 for value in index]) + rest
            if largest(packing, raised) == raised:
                above_zero[levels] += 1
    return [
        sum(
            with_zero[levels] * math.comb(n - 1, levels - 1) + above_zero[levels] * math.comb(n - 1, levels)
            for levels in range(1, length + 1)
        )
        for n in range(1, length + 2)
    ]


def _newton(values: list[int]) -> tuple[int, ...]:
    """Coefficients of the polynomial through values at n = 1, 2, ... in binomials of n - 1."""
    row, found = list(values), []
    while row:
        found.append(row[0])
        row = [after - before for before, after in pairwise(row)]
    return tuple(found)


@lru_cache(maxsize=10_000)
def aligned(result: Packing, array: Packing, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Whether rows of an operand stand in memory as the rows of a result do.

    Args:
        result: the packing of the result, whose kept entries are visited.
        array: the packing of the operand.
        axes: of the result, for each axis of the operand; each once.

    Returns:
        The axes in an order, equal by symmetry, that ends with the last axis of the result and is the kept one for all
        kept entries of the result; None if there is no such order.
    """
    last = result.rank - 1
    candidates = []
    for order in _orders(array):
        moved = tuple(axes[g] for g in order)
        if moved[-1] == last:
            candidates.append(moved)
    tuples = visited(result)
    for moved in sorted(candidates):
        if all(largest(array, tuple(x[axis] for axis in moved)) == tuple(x[axis] for axis in moved) for x in tuples):
            return moved
    return None


@lru_cache(maxsize=10_000)
def needed_orders(array: Packing, axes: tuple[int, ...], result: Packing) -> tuple[tuple[int, ...], ...]:
    """The orders in which indices stand on the axes of kept entries of an operand.

    Args:
        array: the packing of the operand.
        axes: of the result, for each axis of the operand; some may be equal.
        result: the packing of the result.

    Returns:
        Enough orders, equal to ``axes`` by symmetry, for the operand's kept entry to be found for all kept entries of
        the result.
    """
    possible = sorted({tuple(axes[g] for g in order) for order in _orders(array)})
    chosen: list[tuple[int, ...]] = []
    # entries without equal indices leave no choice and go first
    for index in sorted(visited(result), key=lambda index: -len(set(index))):
        entry = largest(array, tuple(index[axis] for axis in axes))
        good = [order for order in possible if tuple(index[axis] for axis in order) == entry]
        if not set(good) & set(chosen):
            chosen.append(good[0])
    return tuple(sorted(chosen))


def bounds(packing: Packing) -> list[set[int]]:
    """For each index of kept entries the others that it does not exceed in any of them."""
    tuples = visited(packing)
    return [
        {j for j in range(packing.rank) if j != i and all(index[i] <= index[j] for index in tuples)}
        for i in range(packing.rank)
    ]


@lru_cache(maxsize=100)
def visited(packing: Packing) -> tuple[tuple[int, ...], ...]:
    """Kept tuples, one for each order pattern."""
    return tuple(
        index
        for index in product(range(packing.rank), repeat=packing.rank)
        if set(index) == set(range(max(index) + 1)) and largest(packing, index) == index
    )


def _orders(packing: Packing) -> Iterator[tuple[int, ...]]:
    """All permutations of the symmetry."""
    if not packing.classes:
        yield from packing.symmetry
        return
    runs, start = [], 0
    for size in packing.classes:
        runs.append(list(permutations(range(start, start + size))))
        start += size
    for parts in product(*runs):
        yield tuple(axis for part in parts for axis in part)


__all__ = [
    "Packing",
    "aligned",
    "bounds",
    "counts",
    "kept",
    "largest",
    "needed_orders",
    "packing_of",
    "packing_of_classes",
    "visited",
]
