"""What stands in a picture, read off it by where things are, is the diagram; so is what its graph says."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from pertheory.derive.diagram import Diagram
from pertheory.draw.scene import Blob, Dot, Line, Scene, Text
from pertheory.graphs.tensor import TensorType, canonical_slots, tensor_type
from pertheory.rulebook.tensors import tensor_of
from tests.draw.recursions import BOOK, recursion, sample

#: A diagram for comparison: in front, each neuron as its products, each tensor by name, type and ends of its slots.
Read = tuple[str, Counter[tuple[str, ...]], Counter[tuple[str, TensorType, tuple[str, ...]]]]


def text_of(text: Text) -> str:
    return "".join(run.text for run in text.runs)


def inside(blob: Blob, x: float, y: float) -> bool:
    return blob.x <= x <= blob.x + blob.width and blob.y <= y <= blob.y + blob.height


def canonical(
    size: int, edges: list[tuple[int, int]], pairs: list[tuple[int, int]], ends: list[str]
) -> tuple[TensorType, tuple[str, ...]]:
    """A tensor with what stands in its slots, in a form that does not depend on how they were numbered."""
    kind, place = tensor_type(("z",) * size, tuple(edges), tuple(pairs))
    names = sorted(set(ends))
    slots = [0] * size
    for own, slot in enumerate(place):
        slots[slot] = names.index(ends[own])
    return kind, tuple(names[code] for code in canonical_slots(kind, tuple(slots)))


def read(scene: Scene) -> Read:
    """A diagram as somebody reads it who has docs/pictures.md and nothing else."""
    blobs = [item for item in scene.items if isinstance(item, Blob)]
    texts = [item for item in scene.items if isinstance(item, Text)]
    lines = [item for item in scene.items if isinstance(item, Line)]
    boxes = [blob for blob in blobs if blob.kind in ("neuron", "pinned", "site")]
    products = {}
    for box in boxes:
        within = [o for o in boxes if o != box and inside(o, box.x + box.width / 2, box.y + 3)]
        if not (box.kind != "site" and any(o.kind == "site" and inside(box, o.x, o.y) for o in boxes)):
            words = [text_of(t) for t in texts if inside(box, t.x, t.y) and t.size > 13]
            products[box] = " ".join(sorted(words))
        assert len(within) <= 1
    neurons: Counter[tuple[str, ...]] = Counter()
    name_of_box = dict(products)
    for box in boxes:
        if box.kind != "site":
            own = tuple(sorted(word for o, word in products.items() if o == box or inside(box, o.x, o.y)))
            neurons[own] += 1
            name_of_box.setdefault(box, " ; ".join(own))
    tensors: Counter[tuple[str, TensorType, tuple[str, ...]]] = Counter()
    for blob in (blob for blob in blobs if blob.kind == "tensor"):
        slots = sorted(
            (d for d in scene.items if isinstance(d, Dot) and d.kind == "slot" and inside(blob, d.x, d.y)),
            key=lambda dot: dot.x,
        )
        ends = []
        for dot in slots:
            (label,) = (text_of(t) for t in texts if abs(t.x - dot.x) < 1 and inside(blob, t.x, t.y) and t.size < 12)
            end = (dot.x, dot.y - dot.radius)
            tip = False
            for _ in range(2):  # a curve and the straight end of it, or a straight line
                follow = [
                    o
                    for o in lines
                    if o.kind == "leg" and max(abs(a - b) for a, b in zip(o.points[0], end, strict=True)) < 0.01
                ]
                if follow:
                    end, tip = follow[0].points[-1], follow[0].tip
            if label == "∂":
                assert tip
                (box,) = (b for b in boxes if abs(b.y + b.height - end[1]) < 0.01 and b.x < end[0] < b.x + b.width)
                ends.append(f"on {name_of_box[box]}")
            else:
                assert not tip
                above = min((t for t in texts if t.size > 13 and t.y < end[1]), key=lambda t: (abs(t.x - end[0]), -t.y))
                assert above.runs[-1].text == label
                ends.append(text_of(above))
        at = {(round(d.x, 2)): number for number, d in enumerate(slots)}

        def slot(x: float, at: dict[float, int] = at) -> int:
            return at[min(at, key=lambda other: abs(other - x))]

        links = {"edge": [], "pair": []}  # type: ignore[var-annotated]
        for item in lines:
            if item.kind in links and all(inside(blob, x, y) for x, y in (item.points[0], item.points[-1])):
                links[item.kind].append((slot(item.points[0][0]), slot(item.points[-1][0])))
        name = max((t for t in texts if inside(blob, t.x, t.y)), key=lambda t: t.y)
        tensors[(text_of(name), *canonical(len(slots), links["edge"], links["pair"], ends))] += 1
    captions = [text_of(t) for t in texts if t.size > 13 and not any(inside(b, t.x, t.y) for b in blobs)]
    (front,) = captions
    return front, neurons, tensors


def front_of(diagram: Diagram) -> str:
    """What stands in front, as the picture sets it."""
    shown = {"lambda": "λ", "gamma": "γ"}
    parts = (
        [] if diagram.coefficient == 1 and (diagram.couplings or diagram.width_power) else [str(diagram.coefficient)]
    )
    for name, power in diagram.couplings:
        head, _, index = name.partition("_")
        parts.append(shown.get(head, head) + index + (str(power) if power > 1 else ""))
    if diagram.width_power:
        parts.append("(n/nprev)" + (str(diagram.width_power) if diagram.width_power > 1 else ""))
    return " ".join(parts)


def meant(diagram: Diagram) -> Read:
    """The same from the diagram itself."""
    tensor = tensor_of(diagram.kind)
    label = dict(zip(tensor.slots, tensor.labels, strict=True))

    def line(v: int) -> str:
        name, order = diagram.lines[v] or ("", 0)
        return name.replace("s", "σ") + ("′" * order if order < 4 else f"({order})") + label[v]

    products = [[" ".join(sorted(line(v) for v in site)) for site in neuron] for neuron in diagram.neurons]
    tensors: Counter[tuple[str, TensorType, tuple[str, ...]]] = Counter()
    for vertex in diagram.vertices:
        ends = []
        for slot in vertex.slots:
            if slot >= 0:
                ends.append(line(slot))
            else:
                neuron, site = diagram.legs[~slot]
                whole = " ; ".join(sorted(products[neuron]))
                ends.append(f"on {whole if site < 0 else products[neuron][site]}")
        known = tensor_of(vertex.kind)
        name = known.leading if known.leading and not vertex.order else known.identifier
        name = name.replace("_", "").replace("Theta", "Θ") + (f"{{{vertex.order}}}" if vertex.order else "")
        tensors[(name, *canonical(len(ends), list(vertex.kind.edges), list(vertex.kind.pairs), ends))] += 1
    return front_of(diagram), Counter(tuple(sorted(own)) for own in products), tensors


@pytest.mark.parametrize("name", BOOK)
def test_a_picture_reads_as_its_diagram(name: str) -> None:
    for diagram in (*recursion(name).diagrams, *sample(name)):
        assert read(diagram.scene()) == meant(diagram)


def test_couplings_stand_at_their_pairs() -> None:
    for name in BOOK:
        for diagram in recursion(name).diagrams:
            texts = [text_of(item) for item in diagram.scene().items if isinstance(item, Text) and item.size == 12.0]
            shown = Counter(text for text in texts if len(text) > 1)
            wanted = Counter(
                "".join(power[0] for power in join.factor.powers).replace("lambda", "λ").replace("_", "")
                for join in diagram.sites.joins
            )
            assert shown == wanted


@pytest.mark.parametrize("name", ["V", "A", "R", "T"])
def test_the_graph_of_a_diagram(name: str) -> None:
    for diagram in (*recursion(name).diagrams, *sample(name)):
        graph = diagram.to_networkx()
        kinds = Counter(kind for _, kind in graph.nodes(data="kind"))
        links = Counter(kind for _, _, kind in graph.edges(data="kind"))
        slots = [slot for vertex in diagram.vertices for slot in vertex.slots]
        assert kinds["vertex"] == diagram.kind.size
        assert kinds["neuron"] == len(diagram.neurons)
        assert kinds["site"] == links["stands on"] == sum(len(neuron) for neuron in diagram.neurons)
        assert kinds["slot"] == links["slot"] == len(slots)
        assert links["leg"] == len(diagram.legs) == sum(slot < 0 for slot in slots)
        assert links["sample"] == sum(slot >= 0 for slot in slots)
        steps = sum(join.step for join in diagram.sites.joins)
        assert links["derivative"] == steps + sum(len(vertex.kind.edges) for vertex in diagram.vertices)
        assert links["pair"] == len(diagram.kind.pairs) + sum(len(vertex.kind.pairs) for vertex in diagram.vertices)
        orders = Counter(order for _, _, order in graph.edges(data="order") if order is not None)
        assert orders == Counter(line[1] for line in diagram.lines if line)
        assert graph.graph["coefficient"] == diagram.coefficient
        for v, own in enumerate(tensor_of(diagram.kind).labels):
            held = [e for e in graph.edges(("vertex", own), data="kind") if e[2] == "sample"]
            line = diagram.lines[tensor_of(diagram.kind).slots[v]]
            assert len(held) == (line[1] if line else 0)  # a slot for each prime


def test_labels_are_those_of_what_was_asked_for() -> None:
    import pertheory as pt

    own = pt.derive("mlp", "z(a) z(c) H(b,d) @ ab,cd")
    assert own.tensor.kind == recursion("F").tensor.kind
    texts = {text_of(item) for item in own.diagrams[1].scene(own.tensor).items if isinstance(item, Text)}
    assert {"a", "b", "c", "d"} <= texts
    assert not {"1", "2", "3", "4"} & texts
    assert Fraction(1) == own.diagrams[1].coefficient


def test_legs_do_not_cross_where_they_need_not() -> None:
    for name in ("G", "H", "V", "D", "F", "A"):
        for diagram in recursion(name).diagrams:
            legs = [i.points for i in diagram.scene().items if isinstance(i, Line) and i.kind == "leg" and i.curved]
            ends = sorted((points[0][0], points[-1][0]) for points in legs)
            assert [high for _, high in ends] == sorted(high for _, high in ends), diagram
