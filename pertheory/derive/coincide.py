"""Move 3, coincide: which sites sit on the same neuron.

Two kinds of coincidence: those forced by the Kronecker deltas of an inserted tensor (they merge two sites into one,
with the product of their lines), and those chosen here: several sites on one neuron, which then carries their *joint
cumulant*. With cumulants the sums over neurons run free, so a neuron brings a factor n and no falling factorials.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pertheory.derive.diagram import Site
from pertheory.graphs.partitions import index_partitions


def merge(sites: tuple[int, ...], first: int, second: int) -> tuple[int, ...]:
    """The site labels after sites ``first`` and ``second`` have become one."""
    low, high = min(first, second), max(first, second)
    return tuple([low if label == high else label for label in sites])


def coincide(
    sites: Sequence[Site], fields: Sequence[str], pinned: Sequence[bool], budget: int
) -> Iterator[tuple[tuple[tuple[int, ...], ...], int]]:
    """All ways to put sites on neurons, with their cost in powers of 1/n.

    Args:
        sites: the merged sites.
        fields: the field below on which each site acts; different fields live on different neurons.
        pinned: whether the site is pinned to an outside neuron; those are all different.
        budget: the largest number of coincidences.

    Yields:
        Neurons as tuples of indices into ``sites``, and the number of coincidences.
    """
    for partition in index_partitions(len(sites)):
        cost = len(sites) - len(partition)
        if cost > budget:
            continue
        if all(len({fields[i] for i in block}) == 1 and sum(pinned[i] for i in block) <= 1 for block in partition):
            yield partition, cost
