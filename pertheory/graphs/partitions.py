"""Set partitions and pairings, the two enumerations that the six moves are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import factorial, prod
from typing import Any, TypeVar

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


def joint_cumulant(size: int, moment: Callable[[tuple[int, ...]], Any], number: Callable[[int], Any]) -> Any:
    """The joint cumulant of some factors from their moments; of one factor its mean.

    Args:
        size: how many factors there are.
        moment: the moment of the product of some of them.
        number: makes a number of the kind that moments are.

    Example:
        >>> joint_cumulant(2, lambda block: {(0, 1): 7, (0,): 2, (1,): 3}[block], int)
        1
    """
    total = number(0)
    for sign, partition in cumulant_partitions(size):
        total = total + prod((moment(block) for block in partition), start=number(sign))
    return total


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
