"""Puts a finished choice of all moves into one record, a `Diagram`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pertheory.algebra.monomial import ONE, Monomial
from pertheory.derive.diagram import Diagram, Leg, Vertex
from pertheory.derive.moves.coincide import Arrangement
from pertheory.derive.moves.insert import Filling, Gathered
from pertheory.derive.moves.refine import Lower, Sites
from pertheory.graphs.tensor import Pair, TensorType, tensor_type


def assemble(
    kind: TensorType,
    sites: Sites,
    order: int,
    lower: Lower,
    gathered: Gathered,
    arrangement: Arrangement,
    filling: Filling,
) -> Diagram:
    """The diagram of T{order} for one choice of all moves."""
    neuron_fields, leg_places = arrangement.fields, arrangement.of_lower
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
        neurons=arrangement.neurons,
        fields=neuron_fields,
        legs=tuple(legs),
        vertices=tuple(vertices),
        sites=sites,
        images=(tuple(range(kind.size)),),
    )
