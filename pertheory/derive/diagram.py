"""A diagram: one term of a recursion, as the graph it came from.

The vertices of the tensor that is derived are numbered as in its `TensorType`; all other things are named by them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from pertheory.algebra.monomial import Powers
from pertheory.algebra.terms import Line
from pertheory.derive.moves.refine import Sites
from pertheory.graphs.canonical import Permutation
from pertheory.graphs.tensor import TensorType, canonical_slots

if TYPE_CHECKING:
    from pertheory.draw.scene import Scene
    from pertheory.draw.shape import Shape
    from pertheory.rulebook.tensors import Tensor

Site = tuple[int, ...]  # the vertices whose lines stand on it, ascending


class Leg(NamedTuple):
    """A bare preactivation of an inserted tensor: the derivative d/dz of what stands on a neuron.

    Attributes:
        neuron: index into the diagram's neurons.
        site: index into that neuron's sites if the leg is paired with a tree vertex there; -1 if it belongs to a
            pair of legs, which acts on the whole joint cumulant of the neuron.
    """

    neuron: int
    site: int


class Vertex(NamedTuple):
    """A tensor of the layer below in a diagram.

    Attributes:
        kind: its type.
        order: the power of 1/n in its own expansion.
        slots: what stands in each slot of the type: a vertex above (>= 0), whose sample it carries, or leg number
            ``~slot`` (< 0).
    """

    kind: TensorType
    order: int
    slots: tuple[int, ...]

    @property
    def power(self) -> int:
        """Its power of 1/n: pairs - 1 + order."""
        return len(self.kind.pairs) - 1 + self.order


class Diagram(NamedTuple):
    """One diagram; see the module docstring.

    Attributes:
        kind: the tensor type that is derived.
        coefficient: rational factor, the symmetry factor included.
        couplings: powers of the hyperparameters.
        order: the T{order} to which it belongs.
        lines: per vertex (function, derivative order), or None.
        neurons: each neuron as a tuple of sites; the average over a neuron is the joint cumulant of its sites.
        fields: the field below that lives on each neuron.
        legs: the derivatives of inserted tensors.
        vertices: the inserted tensors.
        sites: the choices of moves 1 and 2.
        images: one permutation of the vertices for each diagram of the orbit under the symmetry of the tensor, the
            identity first. The diagram stands for the sum over them.
    """

    kind: TensorType
    coefficient: Fraction
    couplings: Powers
    order: int
    lines: tuple[Line | None, ...]
    neurons: tuple[tuple[Site, ...], ...]
    fields: tuple[str, ...]
    legs: tuple[Leg, ...]
    vertices: tuple[Vertex, ...]
    sites: Sites
    images: tuple[Permutation, ...]

    def __repr__(self) -> str:
        couplings = " ".join(name if power == 1 else f"{name}^{power}" for name, power in self.couplings)
        images = f", stands for {self.orbit_size} diagrams" if self.orbit_size > 1 else ""
        return (
            f"Diagram({self.coefficient} {couplings} (n/n_prev)^{self.width_power}, order {self.order}: "
            f"{len(self.kind.fields)} vertices above, {len(self.neurons)} neurons, {len(self.vertices)} tensors, "
            f"{len(self.legs)} legs{images})"
        )

    @property
    def width_power(self) -> int:
        """The power of (n / n_prev)."""
        return sum(vertex.power for vertex in self.vertices)

    @property
    def orbit_size(self) -> int:
        """How many diagrams this one stands for."""
        return len(self.images)

    def shape(self, tensor: Tensor | None = None) -> Shape:
        """What there is to draw of it, with the labels of a tensor (by default those that its type is known by)."""
        from pertheory.derive.shape import shape

        return shape(self, tensor)

    def scene(self, tensor: Tensor | None = None) -> Scene:
        """Its picture, arranged; docs/pictures.md tells how to read it.

        Args:
            tensor: what is derived, with the labels of its slots (`Recursion.tensor`); by default the tensor as it is
                known by name.
        """
        from pertheory.draw.diagram import diagram_scene

        return diagram_scene(self.shape(tensor))

    def to_svg(self, tensor: Tensor | None = None) -> str:
        """The picture as an SVG document: transparent, light or dark as the reader has it."""
        from pertheory.draw.svg import write_svg

        return write_svg(self.scene(tensor))

    def to_tikz(self, tensor: Tensor | None = None) -> str:
        """The picture as a ``tikzpicture``, for a document with the package tikz."""
        from pertheory.draw.tikz import write_tikz

        return write_tikz(self.scene(tensor))

    def to_networkx(self, tensor: Tensor | None = None) -> Any:
        """The diagram as a `networkx.MultiGraph`; see `pertheory.draw.graph.to_networkx` for its nodes and edges."""
        from pertheory.draw.graph import to_networkx

        return to_networkx(self.shape(tensor))

    def _repr_svg_(self) -> str:
        return self.to_svg()

    @property
    def formula_key(self) -> tuple[object, ...]:
        """A value that is equal for diagrams of one tensor whose formulas are the same up to their coefficients."""

        def seen(image: Permutation) -> tuple[object, ...]:
            _, lines, _, _, tensors = self.key(image)
            neurons = [
                (tuple(sorted([tuple(sorted([image[v] for v in site])) for site in neuron])), field)
                for neuron, field in zip(self.neurons, self.fields, strict=True)
            ]
            return lines, tuple(sorted(neurons)), tensors

        return self.order, self.couplings, min(map(seen, self.images))

    def key(self, image: Permutation) -> tuple[object, ...]:
        """A value that names the diagram with every vertex v renamed ``image[v]``: equal exactly for equal diagrams.

        The choices that `lines`, `neurons` and `vertices` do not show (the couplings of each pair, the blocks) are
        part of it, so that diagrams are told apart even where their formulas coincide.
        """
        size = len(self.lines)
        lines: list[Line] = [("", 0)] * size
        blocks: list[tuple[tuple[int, ...], ...]] = [()] * size
        for vertex, line in enumerate(self.lines):
            if line is not None:
                lines[image[vertex]] = line
        for vertex, parts in enumerate(self.sites.blocks):
            if parts:
                blocks[image[vertex]] = tuple(sorted([tuple(sorted([image[o] for o in part])) for part in parts]))
        joins: list[str] = [""] * size
        site_names = []
        neuron_names = []
        for neuron in self.neurons:
            places = [tuple(sorted([image[v] for v in site])) for site in neuron]
            site_names.append(places)
            neuron_names.append(tuple(sorted(places)))
        for ends, join in zip(self.kind.pairs, self.sites.joins, strict=True):
            for end in ends:
                joins[image[end]] = join.name
        tensors = []
        for kind, order, slots in self.vertices:
            labels = []
            for slot in slots:
                if slot >= 0:
                    labels.append(image[slot])
                else:
                    neuron_index, site_index = self.legs[~slot]
                    if site_index < 0:
                        labels.append(200 + neuron_names[neuron_index][0][0])
                    else:
                        labels.append(100 + site_names[neuron_index][site_index][0])
            tensors.append((kind, order, canonical_slots(kind, tuple(labels))))
        return tuple(joins), tuple(lines), tuple(blocks), tuple(sorted(neuron_names)), tuple(sorted(tensors))


class Diagrams(tuple[Diagram, ...]):
    """Diagrams in order, which show themselves in a notebook as pictures beside each other."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from pertheory.draw.svg import write_svg

        pictures = "\n".join(f"<div>{write_svg(diagram.scene(), inline=True)}</div>" for diagram in self)
        return f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">\n{pictures}\n</div>'
