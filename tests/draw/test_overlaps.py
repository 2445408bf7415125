"""Nothing covers a label, no two vertices touch: in every picture of the book's recursions and in a sample beyond."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import pertheory as pt
from pertheory.draw.diagram import MOVES, diagram_scene
from pertheory.draw.scene import Blob, Dot, Item, Line, Run, Scene, Text
from pertheory.rulebook.tensors import find_tensor, named_tensors
from tests.draw.overlaps import overlaps
from tests.draw.recursions import BOOK, recursion, sample


def faults(scene: Scene) -> list[str]:
    return sorted(set(overlaps(scene)))


@pytest.mark.parametrize("name", BOOK)
def test_diagrams_of_the_book(name: str) -> None:
    own = recursion(name)
    for diagram in own.diagrams:
        for move in MOVES:
            assert faults(diagram_scene(diagram.shape(own.tensor), move)) == [], (diagram, move)


@pytest.mark.parametrize("name", BOOK)
def test_diagrams_of_the_next_order(name: str) -> None:
    for diagram in sample(name):
        assert faults(diagram.scene()) == [], diagram


@pytest.mark.parametrize("name", ["V", "D", "F", "B", "P"])
def test_diagrams_of_a_network_with_two_fields_and_an_identity(name: str) -> None:
    for diagram in (*recursion(name, 0, "residual").diagrams, *sample(name, "residual")):
        assert faults(diagram.scene()) == [], diagram


@pytest.mark.parametrize("name", BOOK)
def test_galleries_and_strips(name: str) -> None:
    own = recursion(name)
    assert faults(own.draw().scene()) == []
    assert faults(own.explain(1).scene()) == []


def test_tensors() -> None:
    for tensor in named_tensors():
        assert faults(tensor.scene()) == [], tensor.name
    for text in (
        "tree(1-2, 1-3, 1-4, 4-5) z(6) @ 12,34,56",
        "tree(1-2, 1-3, 1-4, 1-5, 5-6, 6-7, 6-8) @ 12,34,56,78",
        "z(1:u) z(2:u) H(3:u,4:u) @ 13,24",
    ):
        assert faults(find_tensor(text)[0].scene()) == [], text


@pytest.mark.parametrize("network", ["mlp", "residual"])
def test_theories(network: str) -> None:
    assert faults(pt.theory(network, order=1).scene()) == []


def replaced(scene: Scene, kind: type[Item], change: Callable[[Item], Item]) -> Scene:
    """The scene with the first item of a kind changed."""
    items = list(scene.items)
    at = next(number for number, item in enumerate(items) if isinstance(item, kind))
    items[at] = change(items[at])
    return scene._replace(items=tuple(items))


def first(scene: Scene, kind: type[Item], number: int = 0) -> Item:
    return [item for item in scene.items if isinstance(item, kind)][number]


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (Text, lambda s: lambda t: t._replace(x=first(s, Blob).x, y=first(s, Blob).y + 20), "is crossed by a neuron"),
        (Text, lambda s: lambda t: t._replace(x=first(s, Dot).x + 9.0, y=first(s, Dot).y), "is crossed by a circle"),
        (Text, lambda s: lambda t: t._replace(x=first(s, Text, 1).x, y=first(s, Text, 1).y), "cover each other"),
        (Text, lambda s: lambda t: t._replace(y=2.0), "leaves the picture"),
        (Dot, lambda s: lambda d: d._replace(x=first(s, Dot, 1).x - 15.0), "two circles touch"),
        (Dot, lambda s: lambda d: d._replace(x=first(s, Blob).x, y=first(s, Blob).y + 9), "circle touches a neuron"),
        (Blob, lambda s: lambda b: b._replace(x=b.x + 30.0), "a neuron and a neuron touch"),
        (
            Line,
            lambda s: lambda e: e._replace(points=((0.0, first(s, Dot).y), (99.0, first(s, Dot).y)), curved=False),
            "a pair runs through the circle",
        ),
    ],
)
def test_the_check_sees_a_fault(kind: type[Item], change: Callable[[Scene], Callable[[Item], Item]], said: str) -> None:
    scene = recursion("V").diagrams[1].scene()
    assert faults(scene) == []
    found = faults(replaced(scene, kind, change(scene)))
    assert any(said in fault for fault in found), found


def test_the_check_sees_what_a_curve_covers() -> None:
    curve = Line("leg", ((0.0, 0.0), (0.0, 40.0), (60.0, 0.0), (60.0, 40.0)), curved=True)
    word = Text(30.0, 24.0, (Run("s"),))
    assert faults(Scene("", 100.0, 100.0, (curve, word))) == ["'s' is crossed by a leg"]
    assert faults(Scene("", 100.0, 100.0, (curve._replace(curved=False), word._replace(x=90.0)))) == []
