"""Set partitions and pairings, the two enumerations that the six moves are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import factorial
from typing import TypeVar

T = TypeVar("T")


def set_partitions(items: Sequence[T]) -> Iterator[tuple[tuple[T, ...], ...]]:
    """All partitions of a sequence into non-empty blocks; blocks are in order of their first element.

    Example:
        >>> list(set_partitions("ab"))
        [(('a', 'b'),), (('a',), ('b',))]
    """
    for pattern in index_partitions(len(items)):
        yield tuple(tuple(items[i] for i in block) for block in pattern)


@lru_cache(maxsize=64)
def index_partitions(size: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """All set partitions of ``range(size)``, blocks in order of their smallest element."""
    found: list[list[list[int]]] = [[]]
    for item in range(size):
        grown: list[list[list[int]]] = []
        for partition in found:
            for place in range(len(partition)):
                grown.append([[*block, item] if i == place else block for i, block in enumerate(partition)])
            grown.append([*partition, [item]])
        found = grown
    return tuple(tuple(tuple(block) for block in partition) for partition in found)


def pairings(items: Sequence[T]) -> Iterator[tuple[tuple[T, T], ...]]:
    """All ways to split an even number of items into pairs.

    Example:
        >>> len(list(pairings("abcd")))
        3
    """
    if not items:
        yield ()
        return
    head, rest = items[0], items[1:]
    for place, partner in enumerate(rest):
        for other in pairings([*rest[:place], *rest[place + 1 :]]):
            yield ((head, partner), *other)


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All tuples of ``parts`` non-negative integers with the given sum.

    Example:
        >>> list(compositions(2, 2))
        [(0, 2), (1, 1), (2, 0)]
    """
    if parts == 0:
        if total == 0:
            yield ()
        return
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def cumulant_partitions(size: int) -> Iterator[tuple[int, tuple[tuple[int, ...], ...]]]:
    """All set partitions of ``range(size)`` with their signs in a joint cumulant.

    The joint cumulant of some variables is the sum of sign times the product, over blocks, of the mean of the product
    of the variables in a block.

    Example:
        >>> list(cumulant_partitions(2))
        [(1, ((0, 1),)), (-1, ((0,), (1,)))]
    """
    for partition in index_partitions(size):
        yield (-1) ** (len(partition) - 1) * factorial(len(partition) - 1), partition
