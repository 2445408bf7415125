"""A picture does not depend on how what it shows was numbered, listed or hashed."""

from __future__ import annotations

import random

import pytest

import pertheory as pt
from pertheory.derive.diagram import Diagram, Leg, Vertex
from pertheory.draw.dependencies import theory_scene
from pertheory.graphs.tensor import symmetry_elements
from tests.draw.recursions import BOOK, recursion, sample
from tests.processes import same_everywhere


def shuffled(diagram: Diagram, rng: random.Random) -> Diagram:
    """The same diagram with its neurons, sites, legs, tensors, and equal slots in another order."""

    def order(count: int) -> list[int]:
        return rng.sample(range(count), count)

    neuron_order = order(len(diagram.neurons))
    site_orders = [order(len(neuron)) for neuron in diagram.neurons]
    leg_order = order(len(diagram.legs))
    neurons = tuple(
        tuple(tuple(rng.sample(diagram.neurons[n][s], len(diagram.neurons[n][s]))) for s in site_orders[n])
        for n in neuron_order
    )
    legs = []
    for number in leg_order:
        neuron, site = diagram.legs[number]
        legs.append(Leg(neuron_order.index(neuron), site if site < 0 else site_orders[neuron].index(site)))
    vertices = []
    for vertex in rng.sample(diagram.vertices, len(diagram.vertices)):
        turn = rng.choice(symmetry_elements(vertex.kind))
        slots = [vertex.slots[g] for g in turn]
        vertices.append(Vertex(vertex.kind, vertex.order, tuple(s if s >= 0 else ~leg_order.index(~s) for s in slots)))
    return diagram._replace(
        neurons=neurons,
        fields=tuple(diagram.fields[n] for n in neuron_order),
        legs=tuple(legs),
        vertices=tuple(vertices),
        images=(diagram.images[0], *rng.sample(diagram.images[1:], len(diagram.images) - 1)),
    )


@pytest.mark.parametrize("name", BOOK)
def test_numbering_of_a_diagram(name: str) -> None:
    rng = random.Random(name)
    changed = 0
    for diagram in (*recursion(name).diagrams, *sample(name)):
        for _ in range(3):
            other = shuffled(diagram, rng)
            changed += other != diagram
            assert other.to_svg() == diagram.to_svg()
            assert other.to_tikz() == diagram.to_tikz()
    assert changed


def test_different_diagrams_have_different_pictures() -> None:
    for name in BOOK:
        pictures = [diagram.to_svg() for diagram in (*recursion(name).diagrams, *sample(name))]
        assert len(set(pictures)) == len(pictures), name


def test_order_of_the_tensors_of_a_theory() -> None:
    names = ["V", "A", "F", "H", "B"]
    picture = pt.theory("mlp", names, order=1).to_svg()
    assert pt.theory("mlp", names[::-1], order=1).to_svg() == picture
    assert pt.theory("mlp", names[:-1], order=1).to_svg() != picture


def test_order_of_nodes() -> None:
    from pertheory.draw.dependencies import Node

    table = {
        "a": Node("A", 0, True, ("a",)),
        "b": Node("B", 0, False, ("a", "b")),
        "c": Node("C", 1, True, ("b", "a")),
        "d": Node("D", 0, True, ("c", "a", "b")),
        "e": Node("E", 0, True, ("a",)),
    }
    keys = list(table)
    first = theory_scene("", table)
    for seed in range(5):
        random.Random(seed).shuffle(keys)
        mixed = {
            k: table[k]._replace(reads=tuple(random.Random(seed).sample(table[k].reads, len(table[k].reads))))
            for k in keys
        }
        assert theory_scene("", mixed) == first


def test_hashing() -> None:
    same_everywhere(
        "import pertheory as pt; r = pt.derive('mlp', 'D', order=1); print(r.draw().to_svg(), r.explain(3).to_svg(), "
        "pt.theory('mlp', order=1).to_svg(), r.tensor.to_svg())"
    )
