"""The six moves in order: from a tensor type and an order to its diagrams.

What comes in: a network rule, the number of a sublayer, a tensor type T of the fields that the sublayer makes, and k.
What goes out: the diagrams of T{k}, one for each orbit under the symmetry of T.

Powers of 1/n: a diagram of T{k} has sum(pairs - 1 + order) over its tensors, plus the number of coincidences of sites,
equal to k + p - 1 for p pairs of T. This budget bounds every enumeration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from pertheory.algebra.monomial import ONE, Monomial
from pertheory.derive.coincide import coincide
from pertheory.derive.collect import compose, effective, joins_key, orbits, sites_key
from pertheory.derive.connect import before_filling, clusters, connects
from pertheory.derive.diagram import Diagram, Leg, Site, Vertex
from pertheory.derive.insert import Filling, Gathered, fill, gather
from pertheory.derive.pair import pair
from pertheory.derive.refine import Lower, Sites, lower_forest, refine
from pertheory.graphs.tensor import Pair, TensorType, symmetry_elements, tensor_type
from pertheory.rulebook.network import IDENTITY, Network


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
    with_site = [index for index, join in enumerate(sites.joins) if join.site]
    site_of_pair = {index: number for number, index in enumerate(with_site)}
    of_vertex = {v: site_of_pair.get(index, -1) for index, ends in enumerate(kind.pairs) for v in ends}
    fields = [sites.joins[index].of for index in with_site]
    pinned = [sites.joins[index].site == "pinned" for index in with_site]
    site_of_lower = [of_vertex[owner] for owner in lower.owners]
    cluster_of_pair = clusters(kind)
    start = tuple(range(len(with_site)))

    for gathered in gather(lower, site_of_lower, start, fields, pinned, budget):
        labels = sorted(set(gathered.sites))
        merged: list[Site] = [
            tuple(sorted(v for i in start if gathered.sites[i] == label for v in kind.pairs[with_site[i]]))
            for label in labels
        ]
        pins = [any(pinned[i] for i in start if gathered.sites[i] == label) for label in labels]
        merged_fields = [fields[label] for label in labels]
        for neurons, cost in coincide(merged, merged_fields, pins, budget - gathered.cost):
            left = budget - gathered.cost - cost
            place = {
                label: (n, s) for n, neuron in enumerate(neurons) for s, i in enumerate(neuron) for label in [labels[i]]
            }
            leg_places = [place[gathered.sites[i]] for i in site_of_lower]
            neuron_of_pair = [
                place[gathered.sites[site_of_pair[i]]][0] if i in site_of_pair else -1 for i in range(len(kind.pairs))
            ]
            masks = before_filling(neuron_of_pair, cluster_of_pair, gathered, [n for n, _ in leg_places])
            if masks is None or len(set(masks)) - 1 > left:
                continue
            arranged = tuple(tuple(merged[i] for i in neuron) for neuron in neurons)
            capacity = _capacity(sites, arranged, gathered, leg_places)
            if capacity is None:
                continue
            group_neurons = [leg_places[group.vertices[0]][0] for group in gathered.groups]

            def keep(filling: Filling, masks: Sequence[int] = masks, at: Sequence[int] = group_neurons) -> bool:
                return connects(masks, at, filling)

            for filling in fill(len(gathered.groups), len(neurons), left, capacity, keep):
                neuron_fields = [merged_fields[neuron[0]] for neuron in neurons]
                yield _build(kind, sites, order, lower, gathered, arranged, leg_places, neuron_fields, filling)


def _capacity(
    sites: Sites,
    neurons: Sequence[Sequence[Site]],
    gathered: Gathered,
    leg_places: Sequence[tuple[int, int]],
) -> list[float] | None:
    """How many pairs of legs each neuron can take before identity lines are derived to zero; None if it is too late.

    A site whose lines are constant has no joint cumulant with others.
    """
    single: dict[tuple[int, int], int] = {}
    for group in gathered.groups:
        for vertex in group.single:
            single[leg_places[vertex]] = single.get(leg_places[vertex], 0) + 1
    capacities = []
    for number, neuron in enumerate(neurons):
        degree = 0.0
        for index, site in enumerate(neuron):
            here = 0.0
            for vertex in site:
                line = sites.lines[vertex]
                assert line is not None
                here += 1 - line[1] if line[0] == IDENTITY else float("inf")
            if len(neuron) > 1 and here == 0 and not single.get((number, index)):
                return None
            degree += here - single.get((number, index), 0)
        if degree < 0:
            return None
        capacities.append(degree // 2 if degree < float("inf") else degree)
    return capacities


def _build(
    kind: TensorType,
    sites: Sites,
    order: int,
    lower: Lower,
    gathered: Gathered,
    neurons: tuple[tuple[Site, ...], ...],
    leg_places: Sequence[tuple[int, int]],
    neuron_fields: Sequence[str],
    filling: Filling,
) -> Diagram:
    """Put one finished choice of all moves into a record."""
    factor: Monomial = ONE
    for join in sites.joins:
        factor = factor * join.factor
    legs: list[Leg] = []
    vertices: list[Vertex] = []

    def add(occupants: list[int], fields: list[str], edges: list[Pair], pairs: list[Pair], own_order: int) -> None:
        found, labelling = tensor_type(tuple(fields), tuple(edges), tuple(pairs))
        slots = [0] * len(occupants)
        for position, occupant in enumerate(occupants):
            slots[labelling[position]] = occupant
        vertices.append(Vertex(found, own_order, tuple(slots)))

    def add_leg(neuron: int, site: int, occupants: list[int], fields: list[str]) -> int:
        occupants.append(~len(legs))
        fields.append(neuron_fields[neuron])
        legs.append(Leg(neuron, site))
        return len(occupants) - 1

    def add_free(distribution: Sequence[int], occupants: list[int], fields: list[str], pairs: list[Pair]) -> None:
        for neuron, count in enumerate(distribution):
            for _ in range(count):
                first = add_leg(neuron, -1, occupants, fields)
                pairs.append((first, add_leg(neuron, -1, occupants, fields)))

    for group, (own_order, distribution) in zip(gathered.groups, filling.groups, strict=True):
        position = {vertex: index for index, vertex in enumerate(group.vertices)}
        occupants = [lower.owners[vertex] for vertex in group.vertices]
        fields = [neuron_fields[leg_places[vertex][0]] for vertex in group.vertices]
        edges = [(position[u], position[v]) for u, v in lower.edges if u in position]
        pairs = [(position[u], position[v]) for u, v in group.pairs]
        for vertex in group.single:
            pairs.append((position[vertex], add_leg(*leg_places[vertex], occupants, fields)))
        add_free(distribution, occupants, fields, pairs)
        add(occupants, fields, edges, pairs, own_order)
    for own_order, distribution in filling.pure:
        occupants, fields, pairs = [], [], []
        add_free(distribution, occupants, fields, pairs)
        add(occupants, fields, [], pairs, own_order)
    return Diagram(
        kind=kind,
        coefficient=Fraction(factor.coefficient * filling.weight),
        couplings=factor.powers,
        order=order,
        lines=sites.lines,
        neurons=neurons,
        fields=tuple(neuron_fields),
        legs=tuple(legs),
        vertices=tuple(vertices),
        sites=sites,
        images=(tuple(range(kind.size)),),
    )
