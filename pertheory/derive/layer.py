"""The six moves in order: from a tensor type and an order to its diagrams.

What comes in: a network rule, the number of a sublayer, a tensor type T of the fields that the sublayer makes, and k.
What goes out: the diagrams of T{k}, one for each orbit under the symmetry of T.

Powers of 1/n: a diagram of T{k} has sum(pairs - 1 + order) over its tensors, plus the number of coincidences of sites,
equal to k + p - 1 for p pairs of T. This budget bounds every enumeration.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pertheory.derive.assemble import assemble
from pertheory.derive.diagram import Diagram
from pertheory.derive.moves.coincide import coincide
from pertheory.derive.moves.collect import compose, effective, joins_key, orbits, sites_key
from pertheory.derive.moves.connect import before_filling, clusters, connects
from pertheory.derive.moves.insert import capacity, fill, gather
from pertheory.derive.moves.pair import pair
from pertheory.derive.moves.refine import Sites, ground, lower_forest, refine
from pertheory.graphs.tensor import TensorType, symmetry_elements
from pertheory.rulebook.network import Network


@lru_cache(maxsize=10_000)
def diagrams(rule: Network, sublayer: int, kind: TensorType, order: int) -> tuple[Diagram, ...]:
    """The diagrams of T{order} for one tensor type at one sublayer.

    Args:
        rule: the network.
        sublayer: which step of the layer, from 0.
        kind: the tensor type above.
        order: k in T{k}, the coefficient of (1/n)^k with n the width that is summed over.
    """
    found = []
    for chosen, group, images in orbits(
        pair(rule, sublayer, kind), symmetry_elements(kind), lambda item, g: joins_key(kind, item, g)
    ):
        for sites, subgroup, more in orbits(refine(kind, chosen), group, sites_key):
            outer = compose(images, more)
            acting = effective(kind, sites, subgroup)
            for diagram, _, last in orbits(_complete(kind, sites, order), acting, Diagram.key):
                found.append(diagram._replace(images=compose(outer, last)))
    return tuple(found)


def _complete(kind: TensorType, sites: Sites, order: int) -> Iterator[Diagram]:
    """Moves 3 to 5 for one choice of moves 1 and 2."""
    budget = order + len(kind.pairs) - 1
    lower = lower_forest(sites)
    standing = ground(kind, sites, lower)
    cluster_of_pair = clusters(kind)
    for gathered in gather(lower, standing, budget):
        for arrangement in coincide(kind, standing, gathered.sites, budget - gathered.cost):
            left = budget - gathered.cost - arrangement.cost
            parts = before_filling(cluster_of_pair, arrangement, gathered)
            if parts is None or len(set(parts)) - 1 > left:
                continue  # what is left to spend cannot hold so many parts together
            room = capacity(sites, arrangement, gathered)
            if room is None:
                continue
            homes = [arrangement.of_lower[group.vertices[0]][0] for group in gathered.groups]
            for filling in fill(len(homes), len(arrangement.neurons), left, room):
                if connects(parts, homes, filling):
                    yield assemble(kind, sites, order, lower, gathered, arrangement, filling)
