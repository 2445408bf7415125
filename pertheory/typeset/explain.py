"""How a term of a recursion came about, move by move, in words and as a chain of graphs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

from pertheory import html
from pertheory.algebra.terms import Term, sorted_terms
from pertheory.derive.diagram import Diagram
from pertheory.derive.moves.pair import Join
from pertheory.derive.moves.refine import lower_forest
from pertheory.draw.drawn import Drawn
from pertheory.draw.scene import Scene
from pertheory.draw.sheet import strip
from pertheory.errors import InputError
from pertheory.forms.expand import ways
from pertheory.graphs.canonical import connected_components
from pertheory.rulebook.names import shown
from pertheory.rulebook.tensors import Tensor, tensor_of
from pertheory.rulebook.values import whole
from pertheory.text import plural, shortened
from pertheory.typeset.write import TextStyle, diagram_text, term_text

if TYPE_CHECKING:
    from pertheory.recursion import Recursion


class Picture(NamedTuple):
    """A graph for people: nodes with a label and a kind, edges with a kind.

    Attributes:
        nodes: (identifier, label, kind); kinds are "vertex", "site", "neuron", "tensor", "leg".
        edges: (identifier, identifier, kind); kinds are "derivative", "pair", "stands on", "slot".
    """

    nodes: tuple[tuple[str, str, str], ...]
    edges: tuple[tuple[str, str, str], ...]

    def to_networkx(self) -> Any:
        """The graph as a `networkx.MultiGraph` with the attributes ``label`` and ``kind``."""
        import networkx

        graph = networkx.MultiGraph()
        for name, label, kind in self.nodes:
            graph.add_node(name, label=label, kind=kind)
        for first, second, kind in self.edges:
            graph.add_edge(first, second, kind=kind)
        return graph

    def __repr__(self) -> str:
        return f"Picture({plural(len(self.nodes), 'node')}, {plural(len(self.edges), 'edge')})"

    def __str__(self) -> str:
        kinds: dict[str, list[str]] = {}
        label = {name: text for name, text, _ in self.nodes}
        for first, second, kind in self.edges:
            kinds.setdefault(kind, []).append(f"{label[first]}--{label[second]}")
        nodes = " ".join(text for _, text, kind in self.nodes if kind != "leg")
        return "; ".join([nodes, *(f"{kind}: {' '.join(links)}" for kind, links in kinds.items())])


class Step(NamedTuple):
    """One move.

    Attributes:
        move: its name.
        words: the choice that was made.
        graph: what stands after it.
    """

    move: str
    words: str
    graph: Picture

    def __repr__(self) -> str:
        return f"Step({self.move}: {shortened(self.words, 150)})"


@dataclass(frozen=True)
class Explanation(Drawn):
    """How a term came about.

    Attributes:
        title: the term.
        diagrams: the diagrams that contribute, each with its steps.
        coefficient: what the contributions add up to.
        tensor: what is derived.
    """

    title: str
    diagrams: tuple[tuple[Diagram, tuple[Step, ...]], ...]
    coefficient: Fraction
    tensor: Tensor

    def scene(self) -> Scene:
        """A strip of six pictures for each diagram, one a move, arranged."""
        stories = [
            (diagram.shape(self.tensor), [(step.move, step.words) for step in steps])
            for diagram, steps in self.diagrams
        ]
        return strip(f"{self.tensor.name}: {self.title.removeprefix('+ ')}", stories)

    def __repr__(self) -> str:
        return f"Explanation({shortened(self.title, 150)}: {plural(len(self.diagrams), 'contribution')})"

    def _repr_html_(self) -> str:
        parts = []
        for number, (_, steps) in enumerate(self.diagrams):
            rows = ((step.move, step.words, str(step.graph)) for step in steps)
            own = html.table(["move", "what was chosen", "graph"], rows, "step")
            several = len(self.diagrams) > 1
            parts.append(html.folded(f"contribution {number + 1} of {len(self.diagrams)}", own) if several else own)
        return html.page(self.title, *parts, html.picture(self.element()))

    def __str__(self) -> str:
        lines = [self.title]
        for number, (_, steps) in enumerate(self.diagrams):
            if len(self.diagrams) > 1:
                lines.append(f"contribution {number + 1} of {len(self.diagrams)}")
            shown = None
            for step in steps:
                lines.append(f"  {step.move:<9} {step.words}")
                if step.graph != shown:
                    lines.append(f"  {'':<9} graph: {step.graph}")
                shown = step.graph
        return "\n".join(lines)


def explain(recursion: Recursion, term: int | Diagram | Term) -> Explanation:
    """See `pertheory.recursion.Recursion.explain`."""
    if isinstance(term, Diagram):
        if term not in recursion.diagrams:
            raise InputError("this diagram does not belong to the recursion")
        story = _Story(recursion, term)
        title = diagram_text(recursion, term, TextStyle())
        return Explanation(title, ((term, story.steps()),), term.coefficient, recursion.tensor)
    ordered = list(sorted_terms(recursion.terms))
    if isinstance(term, Integral):
        try:
            chosen = ordered[whole(term, "term", 1, len(ordered)) - 1][0]
        except InputError:
            raise InputError(f"{recursion.tensor.name} has terms 1 to {len(ordered)}, not {term}") from None
    elif isinstance(term, Term) and term in recursion.terms:
        chosen = term
    else:
        raise InputError(
            f"a term of {recursion.tensor.name} is a number from 1 to {len(ordered)}, or one of its terms or diagrams, "
            f"not {shown(term)}"
        )
    parts = []
    for diagram in recursion.diagrams:
        if diagram.order == chosen.order and diagram.couplings == chosen.couplings:
            steps = _leibniz(recursion, diagram, chosen)
            if steps is not None:
                parts.append((diagram, (*_Story(recursion, diagram).steps(), steps)))
    text = term_text(recursion, chosen, recursion.terms[chosen], TextStyle())
    return Explanation(text, tuple(parts), recursion.terms[chosen], recursion.tensor)


def _leibniz(recursion: Recursion, diagram: Diagram, chosen: Term) -> Step | None:
    """Which images and which places of the legs make a term of the expanded form."""
    labels = recursion.tensor.labels
    found: dict[tuple[str, ...], Fraction] = {}
    for image in diagram.images:
        shown = "".join(labels[recursion.slot_of_vertex[image[v]]] for v in recursion.tensor.slots)
        for way in ways(diagram, image, recursion.slot_of_vertex):
            if way.term == chosen:
                places = ", ".join(f"b{leg + 1} on {labels[s]}" for leg, s in sorted(way.legs.items()))
                name = (f"slots as {shown}" if len(diagram.images) > 1 else "", places or "no legs")
                found[name] = found.get(name, Fraction(0)) + way.coefficient
    if not sum(found.values(), Fraction(0)):
        return None
    words = "; ".join(f"{', '.join(part for part in name if part)}: {value}" for name, value in found.items())
    words = f"Leibniz' rule and the joint cumulants written out give this term from {words}"
    return Step("expand", words, _Story(recursion, diagram).inserted())


class _Story:
    """The steps of one diagram, with the labels of the tensor's slots."""

    def __init__(self, recursion: Recursion, diagram: Diagram) -> None:
        self.recursion = recursion
        self.diagram = diagram
        labels = recursion.tensor.labels
        self.label = [labels[slot] for slot in recursion.slot_of_vertex]
        self.kind = diagram.kind
        several = recursion.network.has_several_fields
        self.field = ["" for _ in self.label]  # below each vertex, where it has to be told
        for ends, join in self.pairs():
            for end in ends if several else ():
                self.field[end] = join.of
        self.lower = lower_forest(diagram.sites)
        seen: dict[int, int] = {}
        self.lower_label = []
        for owner in self.lower.owners:
            seen[owner] = seen.get(owner, 0) + 1
            several = self.lower.owners.count(owner) > 1
            self.lower_label.append(self.label[owner] + (chr(96 + seen[owner]) if several else ""))

    def steps(self) -> tuple[Step, ...]:
        """All moves in order."""
        return (
            Step("tensor", f"{self.recursion.tensor.name}: {self.recursion.tensor.observable}", self.above()),
            Step("pair", "; ".join(self.joined(*item) for item in self.pairs()), self.above(used=True)),
            Step("refine", self.refined(), self.below()),
            Step("coincide", self.coincided(), self.on_neurons()),
            Step("insert", self.tensors(), self.inserted()),
            Step("connect", self.connected(), self.inserted()),
            Step("collect", self.collected(), self.inserted()),
        )

    def pairs(self) -> list[tuple[tuple[int, int], Join]]:
        """Each pair with its join."""
        return list(zip(self.kind.pairs, self.diagram.sites.joins, strict=True))

    def joined(self, ends: tuple[int, int], join: Join) -> str:
        """Move 1 for one pair."""
        first, second = self.label[ends[0]], self.label[ends[1]]
        factor = join.factor.text
        what = f"{first} and {second} by the {join.name.removesuffix(' step')}"
        if join.step:
            what += f", both derived by it (the edge {first}-{second} is used up)"
        if join.site == "sum":
            return f"{what}: {factor}/n and a sum over neurons"
        if join.site == "pinned":
            return f"{what} (the neuron is passed on): {factor}, no sum"
        return f"{what}: {factor}, no neuron below"

    def refined(self) -> str:
        """Move 2."""
        parts = []
        for vertex, (line, blocks) in enumerate(zip(self.diagram.sites.lines, self.diagram.sites.blocks, strict=True)):
            if line is None:
                continue
            text = TextStyle().line(*line, self.label[vertex], self.field[vertex])
            text += f" of {self.field[vertex]}" if self.field[vertex] else ""
            if blocks:
                shown = " ".join("{" + ",".join(self.label[o] for o in block) + "}" for block in blocks)
                parts.append(f"{text} (the derivatives of {self.label[vertex]} act in blocks {shown})")
            else:
                parts.append(text)
        return "lines " + ", ".join(parts) if parts else "no lines"

    def coincided(self) -> str:
        """Move 3."""
        if not self.diagram.neurons:
            return "no neuron below takes part"
        parts = []
        for number, neuron in enumerate(self.diagram.neurons):
            sites = ["{" + ",".join(sorted(self.label[v] for v in site)) + "}" for site in neuron]
            merged = [site for site in neuron if len(site) > 2]
            text = f"neuron j{number + 1} carries {' and '.join(sites)}"
            if len(neuron) > 1:
                text += " as their joint cumulant"
            if merged:
                text += " (sites merged by the deltas of a tensor)"
            parts.append(text)
        return "; ".join(parts)

    def tensors(self) -> str:
        """Move 4."""
        style = TextStyle()
        parts = []
        for vertex in self.diagram.vertices:
            tensor = tensor_of(vertex.kind)
            slots = [vertex.slots[v] for v in tensor.slots]
            shown = style.tensor(tensor.name, vertex.order, [self.label[s] if s >= 0 else f"b{~s + 1}" for s in slots])
            legs = [f"b{~s + 1} on j{self.diagram.legs[~s].neuron + 1}" for s in vertex.slots if s < 0]
            kind = "an insertion of preactivations only" if vertex.kind.is_pure else "trees of the layer below"
            parts.append(f"{shown}, {kind}" + (f", legs {', '.join(sorted(legs))}" if legs else ""))
        return "; ".join(parts) if parts else "nothing: the Gaussian average alone"

    def connected(self) -> str:
        """Move 5."""
        trees = connected_components(self.kind.size, (*self.kind.edges, *self.kind.pairs))
        names = ["{" + ",".join(sorted(self.label[v] for v in tree)) + "}" for tree in trees]
        if len(names) == 1:
            return f"one cluster {names[0]}: its pairs and edges hold it together"
        return f"the clusters {', '.join(names)} hang together through neurons and tensors"

    def collected(self) -> str:
        """Move 6."""
        diagram = self.diagram
        sums = sum(join.site == "sum" for join in diagram.sites.joins)
        pinned = {v for (ends, join) in self.pairs() if join.site == "pinned" for v in ends}
        free = sum(not any(v in pinned for site in neuron for v in site) for neuron in diagram.neurons)
        pairs = len(self.kind.pairs)
        powers = f"n^-{sums} from weights, n^{free} from neurons, n_prev^-{diagram.width_power} from tensors, "
        powers += f"n^{pairs - 1} from the normalisation: order {{{diagram.order}}}"
        weight = f"symmetry factor {diagram.coefficient}"
        orbit = f"; stands for {diagram.orbit_size} diagrams" if diagram.orbit_size > 1 else ""
        return f"{powers}; {weight}{orbit}"

    def above(self, used: bool = False) -> Picture:
        """The tensor as a graph; with ``used`` the edges that move 1 took are gone."""
        nodes = tuple((f"v{v}", self.label[v], "vertex") for v in range(self.kind.size))
        taken = {ends for ends, join in self.pairs() if join.step and used}
        edges = [(f"v{u}", f"v{v}", "derivative") for u, v in self.kind.edges if (u, v) not in taken]
        edges += [(f"v{u}", f"v{v}", "pair") for u, v in self.kind.pairs]
        return Picture(nodes, tuple(edges))

    def below(self) -> Picture:
        """Sites with their lines, and the forest of the layer below."""
        nodes = []
        edges = []
        for number, ((u, v), join) in enumerate(self.pairs()):
            if join.site:
                lines = " ".join(
                    TextStyle().line(*line, self.label[w], self.field[w])
                    for w in (u, v)
                    if (line := self.diagram.sites.lines[w]) is not None
                )
                nodes.append((f"s{number}", f"[{lines}]", "site"))
        pair_of = {v: number for number, (ends, _) in enumerate(self.pairs()) for v in ends}
        for index, owner in enumerate(self.lower.owners):
            nodes.append((f"l{index}", f"{self.field[owner] or 'z'}_{self.lower_label[index]}", "vertex"))
            edges.append((f"l{index}", f"s{pair_of[owner]}", "stands on"))
        edges += [(f"l{u}", f"l{v}", "derivative") for u, v in self.lower.edges]
        return Picture(tuple(nodes), tuple(edges))

    def on_neurons(self) -> Picture:
        """The same with sites on neurons."""
        below = self.below()
        nodes = list(below.nodes)
        edges = list(below.edges)
        pair_of = {v: number for number, (ends, _) in enumerate(self.pairs()) for v in ends}
        for number, neuron in enumerate(self.diagram.neurons):
            nodes.append((f"j{number}", f"j{number + 1}", "neuron"))
            for name in sorted({f"s{pair_of[v]}" for site in neuron for v in site}):
                edges.append((name, f"j{number}", "stands on"))
        return Picture(tuple(nodes), tuple(edges))

    def inserted(self) -> Picture:
        """Neurons and inserted tensors."""
        nodes = []
        edges = []
        for number, neuron in enumerate(self.diagram.neurons):
            lines = " ; ".join(
                " ".join(
                    TextStyle().line(*line, self.label[v], self.field[v])
                    for v in sorted(site, key=lambda w: self.label[w])
                    if (line := self.diagram.lines[v]) is not None
                )
                for site in neuron
            )
            field = self.field[neuron[0][0]]
            nodes.append((f"j{number}", f"j{number + 1}<{lines}>{field and '_'}{field}", "neuron"))
        home = {v: number for number, neuron in enumerate(self.diagram.neurons) for site in neuron for v in site}
        for number, vertex in enumerate(self.diagram.vertices):
            mark = f"{{{vertex.order}}}" if vertex.order else ""
            nodes.append((f"t{number}", f"{tensor_of(vertex.kind).identifier}{mark}", "tensor"))
            for slot in vertex.slots:
                neuron_number = home[slot] if slot >= 0 else self.diagram.legs[~slot].neuron
                edges.append((f"t{number}", f"j{neuron_number}", "slot"))
        return Picture(tuple(nodes), tuple(edges))
