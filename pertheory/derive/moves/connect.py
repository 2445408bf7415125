"""Move 5, connect: a cumulant is the sum of the diagrams that hang together.

The trees of the tensor hang together through its pairs and edges (a *cluster*), through sites on the same neuron, and
through inserted tensors. Since every neuron carries the joint cumulant of its sites, nothing has to be subtracted: the
diagrams that fall apart are just left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pertheory.derive.moves.coincide import Arrangement
from pertheory.derive.moves.insert import Filling, Gathered
from pertheory.graphs.canonical import connected_components
from pertheory.graphs.tensor import TensorType


def clusters(kind: TensorType) -> list[int]:
    """For each pair of the tensor the number of its cluster."""
    components = connected_components(kind.size, (*kind.edges, *kind.pairs))
    number = {vertex: index for index, vertices in enumerate(components) for vertex in vertices}
    return [number[u] for u, _ in kind.pairs]


def join_neurons(count: int, together: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The component of each neuron, as a bit mask of neurons, when those of each list hang together."""
    masks = [1 << i for i in range(count)]
    for neurons in together:
        union = 0
        for neuron in neurons:
            union |= masks[neuron]
        for neuron in range(count):
            if masks[neuron] & union:
                masks[neuron] = union
    return tuple(masks)


def before_filling(
    cluster_of_pair: Sequence[int], arrangement: Arrangement, gathered: Gathered
) -> tuple[int, ...] | None:
    """The components of the neurons through clusters and tree tensors; None if a cluster can never be reached.

    Args:
        cluster_of_pair: see `clusters`.
        arrangement: the sites on neurons.
        gathered: the tree tensors.
    """
    of_cluster: dict[int, list[int]] = {}
    for neuron, cluster in zip(arrangement.of_pair, cluster_of_pair, strict=True):
        of_cluster.setdefault(cluster, [])
        if neuron >= 0:
            of_cluster[cluster].append(neuron)
    if len(of_cluster) > 1 and not all(of_cluster.values()):
        return None  # a cluster without sites is a constant: its cumulant with anything vanishes
    groups = [[arrangement.of_lower[v][0] for v in group.vertices] for group in gathered.groups]
    return join_neurons(len(arrangement.neurons), [*of_cluster.values(), *groups])


def connects(masks: Sequence[int], groups: Sequence[int], filling: Filling) -> bool:
    """Whether a filling makes one component of all neurons.

    Args:
        masks: the component of each neuron so far.
        groups: one neuron of each tree tensor.
        filling: where the free pairs of legs of the tree tensors and the pure tensors go.
    """
    if not masks or masks[0] == (1 << len(masks)) - 1:
        return True
    together = [[i for i, pairs in enumerate(distribution) if pairs] for _, distribution in filling.pure]
    for neuron, (_, distribution) in zip(groups, filling.groups, strict=True):
        together.append([neuron, *(i for i, pairs in enumerate(distribution) if pairs)])
    for neuron, mask in enumerate(masks):
        together.append([i for i in range(len(masks)) if mask >> i & 1 and i >= neuron])
    joined = join_neurons(len(masks), together)
    return joined[0] == (1 << len(masks)) - 1
