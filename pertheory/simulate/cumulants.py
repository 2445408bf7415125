"""Joint cumulants without bias, from averages of products over distinct networks (or over distinct neurons).

A *table* is an array whose first axis counts networks, with a label for each further axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial, perm, prod
from typing import Any, NamedTuple

from pertheory.graphs.partitions import index_partitions
from pertheory.simulate.jaxed import jnp


class Table(NamedTuple):
    """An array whose axes but the first have labels."""

    array: Any
    labels: tuple[int, ...]


def product(tables: Sequence[Table]) -> Table:
    """Products network by network, over all axes of all."""
    result, labels = tables[0]
    for array, more in tables[1:]:
        result = result.reshape(result.shape + (1,) * len(more)) * array.reshape(
            array.shape[:1] + (1,) * len(labels) + array.shape[1:]
        )
        labels += more
    return Table(result, labels)


def distinct_mean(tables: Sequence[Table]) -> Table:
    """The average of a product of tables, each at another network: sums over all, less those in which some coincide.

    Returns:
        A table with a first axis of length one.
    """
    total, labels = 0.0, tuple(label for table in tables for label in table.labels)
    for blocks in index_partitions(len(tables)):
        sign = prod((-1) ** (len(block) - 1) * factorial(len(block) - 1) for block in blocks)
        parts = [product([tables[i] for i in block]) for block in blocks]
        joint = product([Table(part.array.sum(0, keepdims=True), part.labels) for part in parts])
        total += sign * ordered(joint, labels).array
    return Table(total / perm(len(tables[0].array), len(tables)), labels)


def cumulant(count: int, moment: Callable[[tuple[int, ...]], Table]) -> Table:
    """The joint cumulant of so many quantities.

    Args:
        count: how many.
        moment: the product of some of them in each network.
    """
    labels = moment(tuple(range(count))).labels
    total = 0.0
    for blocks in index_partitions(count):
        sign = (-1) ** (len(blocks) - 1) * factorial(len(blocks) - 1)
        total += sign * ordered(distinct_mean([moment(block) for block in blocks]), labels).array
    return Table(total, labels)


def ordered(table: Table, labels: Sequence[int]) -> Table:
    """The same with its axes in another order."""
    axes = [1 + table.labels.index(label) for label in labels]
    return Table(jnp.transpose(table.array, (0, *axes)), tuple(labels))
