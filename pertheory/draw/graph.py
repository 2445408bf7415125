"""A diagram as a graph for programs."""

from __future__ import annotations

from typing import Any

from pertheory.draw.shape import ON_NEURON, ON_SITE, Shape


def to_networkx(shape: Shape) -> Any:
    """A diagram as a `networkx.MultiGraph`.

    Nodes are tuples of a kind and a number or label, with the attribute ``kind``:

    * ``("vertex", "1")``: a vertex of the tensor that is derived, by its label;
    * ``("site", "1")``: a product on a neuron, by its first vertex;
    * ``("neuron", "1")``: likewise; ``pinned`` if it is passed on, ``field``;
    * ``("tensor", 0)``: a tensor of the layer below, with ``name``, ``order`` and its `TensorType` as ``type``;
    * ``("slot", 0, 2)``: slot 2 of tensor 0.

    Edges have the attribute ``kind``:

    * ``"pair"``: two vertices, or two slots, on one neuron; between vertices with the ``coupling``;
    * ``"derivative"``: contracted derivatives, between vertices only those that the layer uses up;
    * ``"line"``: a vertex and its site, with ``function`` and ``order``;
    * ``"stands on"``: a site and its neuron;
    * ``"slot"``: a tensor and its slot;
    * ``"leg"``: a slot and what it acts on, a site or a neuron;
    * ``"sample"``: a slot and the vertex whose line holds it.

    The attributes of the graph are ``coefficient``, ``couplings`` and ``width_power``.
    """
    import networkx

    graph = networkx.MultiGraph(
        coefficient=shape.coefficient, couplings=dict(shape.powers), width_power=shape.width_power
    )
    label = shape.labels
    for own in label:
        graph.add_node(("vertex", own), kind="vertex")
    for joined in shape.pairs:
        ends = [("vertex", label[v]) for v in joined.ends]
        coupling = {**({"": joined.coefficient} if joined.coefficient != 1 else {}), **dict(joined.powers)}
        graph.add_edge(*ends, kind="pair", coupling=coupling)
        if joined.step:
            graph.add_edge(*ends, kind="derivative")
    for neuron in shape.neurons:
        place = ("neuron", label[neuron.first])
        graph.add_node(place, kind="neuron", pinned=neuron.pinned, field=neuron.field or "z")
        for site in neuron.sites:
            graph.add_node(("site", label[site[0]]), kind="site")
            graph.add_edge(("site", label[site[0]]), place, kind="stands on")
            for v in site:
                name, order = shape.lines[v] or ("", 0)
                graph.add_edge(("vertex", label[v]), ("site", label[site[0]]), kind="line", function=name, order=order)
    for number, tensor in enumerate(shape.inserted):
        graph.add_node(("tensor", number), kind="tensor", name=tensor.name, order=tensor.order, type=tensor.kind)
        for slot, end in enumerate(tensor.ends):
            graph.add_node(("slot", number, slot), kind="slot")
            graph.add_edge(("tensor", number), ("slot", number, slot), kind="slot")
            of = "vertex" if end < ON_SITE else "neuron" if end >= ON_NEURON else "site"
            graph.add_edge(
                ("slot", number, slot), (of, label[end % ON_SITE]), kind="sample" if of == "vertex" else "leg"
            )
        for links, kind in ((tensor.kind.edges, "derivative"), (tensor.kind.pairs, "pair")):
            for u, v in links:
                graph.add_edge(("slot", number, u), ("slot", number, v), kind=kind)
    return graph
