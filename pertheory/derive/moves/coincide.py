"""Move 3, coincide: which sites sit on the same neuron.

Two kinds of coincidence: those forced by the Kronecker deltas of an inserted tensor (they merge two sites into one,
with the product of their lines), and those chosen here: several sites on one neuron, which then carries their *joint
cumulant*. With cumulants the sums over neurons run free, so a neuron brings a factor n and no falling factorials.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pertheory.derive.diagram import Site
from pertheory.derive.moves.refine import Ground
from pertheory.graphs.partitions import index_partitions
from pertheory.graphs.tensor import TensorType


class Arrangement(NamedTuple):
    """Sites on neurons.

    Attributes:
        neurons: each neuron as the sites on it; a site as the vertices whose lines stand there.
        fields: the field that lives on each neuron.
        of_pair: the neuron of each pair of the tensor, -1 for a pair without a site.
        of_lower: the neuron of each lower vertex, and the place of its site on that neuron.
        cost: how many sites share a neuron with an earlier one.
    """

    neurons: tuple[tuple[Site, ...], ...]
    fields: tuple[str, ...]
    of_pair: tuple[int, ...]
    of_lower: tuple[tuple[int, int], ...]
    cost: int


def merge(sites: tuple[int, ...], first: int, second: int) -> tuple[int, ...]:
    """The site labels after sites ``first`` and ``second`` have become one."""
    low, high = min(first, second), max(first, second)
    return tuple([low if label == high else label for label in sites])


def coincide(kind: TensorType, ground: Ground, merged: tuple[int, ...], budget: int) -> Iterator[Arrangement]:
    """All ways to put merged sites on neurons.

    Different fields live on different neurons, and the outside neurons, to which sites can be pinned, all differ.

    Args:
        kind: the tensor that is derived.
        ground: its sites.
        merged: for each site the one that it has been merged into.
        budget: the largest number of coincidences.
    """
    labels = sorted(set(merged))
    members = {label: [i for i, own in enumerate(merged) if own == label] for label in labels}
    contents = {
        label: tuple(sorted(v for i in members[label] for v in kind.pairs[ground.pairs[i]])) for label in labels
    }
    pinned = {label: any(ground.pinned[i] for i in members[label]) for label in labels}
    for partition in index_partitions(len(labels)):
        cost = len(labels) - len(partition)
        if cost > budget:
            continue
        blocks = [[labels[i] for i in block] for block in partition]
        if any(len({ground.fields[i] for i in block}) > 1 or sum(pinned[i] for i in block) > 1 for block in blocks):
            continue
        place = {label: (n, s) for n, block in enumerate(blocks) for s, label in enumerate(block)}
        of_pair = [-1] * len(kind.pairs)
        for site, index in enumerate(ground.pairs):
            of_pair[index] = place[merged[site]][0]
        yield Arrangement(
            tuple(tuple(contents[label] for label in block) for block in blocks),
            tuple(ground.fields[block[0]] for block in blocks),
            tuple(of_pair),
            tuple(place[merged[site]] for site in ground.of_lower),
            cost,
        )
