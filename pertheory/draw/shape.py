"""What there is to draw of a diagram, in an order that does not depend on how the diagram was numbered."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from pertheory.graphs.tensor import Pair, TensorType

if TYPE_CHECKING:
    from pertheory.algebra.monomial import Powers

#: An end of a slot is a vertex (its number), or a derivative that acts on a product (`ON_SITE` + the first vertex of
#: the site) or on the average of a whole neuron (`ON_NEURON` + its first vertex).
ON_SITE, ON_NEURON = 1_000, 2_000


class Joined(NamedTuple):
    """A pair of vertices.

    Attributes:
        ends: the two, the one with the smaller label first.
        coefficient: the number that the join brings.
        powers: the couplings that it brings.
        step: whether it uses up the edge between them.
    """

    ends: Pair
    coefficient: Fraction
    powers: Powers
    step: bool


class Neuron(NamedTuple):
    """A neuron of the layer below: its sites, each as its vertices; whether it is passed on; its field, if not z."""

    sites: tuple[tuple[int, ...], ...]
    pinned: bool
    field: str

    @property
    def first(self) -> int:
        """Its first vertex."""
        return self.sites[0][0]


class Inserted(NamedTuple):
    """A tensor of the layer below.

    Attributes:
        kind: its type.
        order: the k of its T{k}.
        ends: where each slot of the type ends; see `ON_SITE`.
        name: as it is shown.
        field: of its vertices, or all of them, if there are others than z.
    """

    kind: TensorType
    order: int
    ends: tuple[int, ...]
    name: str
    field: str


class Shape(NamedTuple):
    """A diagram for the eye. Vertices are numbered by their labels, ascending.

    Attributes:
        name: of the tensor that is derived.
        order: the k of its T{k}.
        labels: of the vertices.
        pairs: ascending.
        edges: contracted derivatives of the tensor.
        lines: what each vertex puts on its neuron, as (name, derivative order), or None.
        neurons: by their first vertices.
        inserted: ascending.
        coefficient: the number in front.
        powers: the couplings in front.
        width_power: of n/n_prev.
        images: for each further diagram of the orbit the labels that stand in the slots.
    """

    name: str
    order: int
    labels: tuple[str, ...]
    pairs: tuple[Joined, ...]
    edges: tuple[Pair, ...]
    lines: tuple[tuple[str, int] | None, ...]
    neurons: tuple[Neuron, ...]
    inserted: tuple[Inserted, ...]
    coefficient: Fraction
    powers: Powers
    width_power: int
    images: tuple[str, ...]
