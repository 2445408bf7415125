"""What a diagram hands to `pertheory.draw`: the same for all numberings of its neurons, legs and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pertheory.draw.shape import ON_NEURON, ON_SITE, Inserted, Joined, Neuron, Shape
from pertheory.graphs.tensor import TensorType, canonical_slots, tensor_type
from pertheory.rulebook.network import IDENTITY
from pertheory.rulebook.tensors import Tensor, tensor_of

if TYPE_CHECKING:
    from pertheory.derive.diagram import Diagram


def shape(diagram: Diagram, tensor: Tensor | None = None) -> Shape:
    """A diagram for the eye.

    Args:
        diagram: any.
        tensor: what is derived, with the labels of its slots; by default the tensor as it is known by name.
    """
    tensor = tensor if tensor is not None else tensor_of(diagram.kind)
    label = dict(zip(tensor.slots, tensor.labels, strict=True))
    ranked = sorted(label, key=lambda v: label[v])
    rank = {v: number for number, v in enumerate(ranked)}
    pairs = []
    pinned = set()
    for ends, join in zip(diagram.kind.pairs, diagram.sites.joins, strict=True):
        left, right = sorted(rank[v] for v in ends)
        pairs.append(Joined((left, right), join.factor.coefficient, join.factor.powers, join.step))
        if join.site == "pinned":
            pinned |= {left, right}
    neurons = []
    place: list[list[tuple[int, ...]]] = []
    for sites, field in zip(diagram.neurons, diagram.fields, strict=True):
        own = [tuple(sorted(rank[v] for v in site)) for site in sites]
        place.append(own)
        passed_on = any(v in pinned for site in own for v in site)
        neurons.append(Neuron(tuple(sorted(own)), passed_on, _shown(field)))
    inserted = []
    for kind, order, slots in diagram.vertices:
        held = []
        for slot in slots:
            if slot >= 0:
                held.append(rank[slot])
                continue
            leg = diagram.legs[~slot]
            below = place[leg.neuron]
            if leg.site >= 0:
                held.append(ON_SITE + below[leg.site][0])
            else:  # on a neuron with one product there is no difference
                held.append((ON_NEURON if len(below) > 1 else ON_SITE) + min(below)[0])
        inserted.append(Inserted(kind, order, canonical_slots(kind, tuple(held)), *_name(kind, order)))
    images = ["".join(label[image[v]] for v in tensor.slots) for image in diagram.images[1:]]
    fields = [diagram.fields[n] for n, own in enumerate(place) for site in own for _ in site]
    of_vertex = dict(zip([v for own in place for site in own for v in site], fields, strict=True))
    lines: list[tuple[str, int] | None] = []
    for number, v in enumerate(ranked):
        line = diagram.lines[v]
        name = line and (of_vertex[number] if line[0] == IDENTITY else line[0])
        lines.append((str(name), line[1]) if line else None)
    return Shape(
        name=tensor.name if " " not in tensor.name else tensor.identifier,
        order=diagram.order,
        labels=tuple(label[v] for v in ranked),
        pairs=tuple(sorted(pairs)),
        edges=tuple(sorted((min(rank[u], rank[v]), max(rank[u], rank[v])) for u, v in diagram.kind.edges)),
        lines=tuple(lines),
        neurons=tuple(sorted(neurons)),
        inserted=tuple(sorted(inserted)),
        coefficient=diagram.coefficient,
        powers=diagram.couplings,
        width_power=diagram.width_power,
        images=tuple(sorted(images)),
    )


def _name(kind: TensorType, order: int) -> tuple[str, str]:
    """The name under which a tensor is shown, and its fields if there are others than z.

    Other fields go by the names that z has; which slot has which is seen from where its leg ends.
    """
    tensor = tensor_of(tensor_type(("z",) * kind.size, kind.edges, kind.pairs)[0])
    if " " in tensor.name:
        tensor = tensor_of(kind)
    shown = tensor.leading if tensor.leading and not order else tensor.identifier
    fields = sorted(set(kind.fields))
    return shown, "" if fields == ["z"] else ",".join(fields)


def _shown(field: str) -> str:
    return "" if field == "z" else field
