"""Observables as text and as Python products: ``z(1) z(2) H(3,4) @ 13,24`` or ``z(1) * z(2) * H(3, 4)``.

A vertex is a preactivation, named by a label; an edge is a pair of parameter derivatives contracted with the
learning-rate tensor:

    z(a)              one vertex
    H(a,b)            the neural tangent kernel, one edge
    dH(a;b,c)         edges a-b, a-c
    ddH_I(a;b,c,d)    edges a-b, a-c, a-d
    ddH_II(a,b;c,d)   edges a-b, a-c, b-d
    tree(a-b, a-c)    any tree

After ``@`` stand the pairs of labels that share a neuron.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import permutations
from operator import mul

from pertheory.errors import InputError
from pertheory.graphs.canonical import Permutation, connected_components
from pertheory.graphs.partitions import pairings
from pertheory.graphs.tensor import Pair, TensorType, tensor_type
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import GRAMMAR, is_name, line, shown
from pertheory.text import shortened

LABELS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"
SHAPES: dict[str, tuple[str, tuple[Pair, ...]]] = {
    "z": ("a", ()),
    "H": ("a,b", ((0, 1),)),
    "dH": ("a;b,c", ((0, 1), (0, 2))),
    "ddH_I": ("a;b,c,d", ((0, 1), (0, 2), (0, 3))),
    "ddH_II": ("a,b;c,d", ((0, 1), (0, 2), (1, 3))),
}


@dataclass(frozen=True)
class Observable:
    """A product of trees with labelled vertices; multiply observables with ``*``.

    Attributes:
        labels: one per vertex.
        edges: contracted derivatives, as positions in ``labels``.
        fields: the field of each vertex ("z" unless a rule has more).
    """

    labels: tuple[str, ...]
    edges: tuple[Pair, ...]
    fields: tuple[str, ...]

    def __mul__(self, other: Observable) -> Observable:
        if not isinstance(other, Observable):
            return NotImplemented
        repeated = set(self.labels) & set(other.labels)
        if repeated:
            raise InputError(f"label {sorted(repeated)[0]!r} is used twice; each vertex needs a label of its own")
        shift = len(self.labels)
        edges = self.edges + tuple((u + shift, v + shift) for u, v in other.edges)
        return Observable(self.labels + other.labels, edges, self.fields + other.fields)

    def tensor(self, pairs: Iterable[Sequence[object]]) -> tuple[TensorType, Permutation]:
        """The tensor type for a pairing of the labels, and the canonical vertex of each label.

        Raises:
            InputError: the pairs do not cover every label exactly once.
        """
        try:
            given = [tuple(str(label) for label in pair) for pair in pairs]
        except TypeError:
            raise InputError(f"pairs must be pairs of labels, such as [(1, 2), (3, 4)], not {pairs!r}") from None
        position = {label: index for index, label in enumerate(self.labels)}
        flat = [label for pair in given for label in pair]
        if len(self.labels) % 2:
            raise InputError(
                f"{self} has {len(self.labels)} vertices; an odd number cannot be paired (its mean vanishes)"
            )
        for pair in given:
            if len(pair) != 2:
                raise InputError(f"pair {','.join(pair)!r} must name two labels")
        for label in flat:
            if label not in position:
                raise InputError(f"pair label {label!r} is not in the observable {self}")
            if flat.count(label) > 1:
                raise InputError(f"label {label!r} stands in two pairs; each label belongs to one")
        missing = sorted(set(self.labels) - set(flat))
        if missing:
            raise InputError(f"label {missing[0]!r} of {self} is not paired; give pairs for all labels")
        links = tuple((position[a], position[b]) for a, b in given)
        for u, v in links:
            if self.fields[u] != self.fields[v]:
                raise InputError(f"pair {self.labels[u]}{self.labels[v]} joins different fields; it vanishes")
        return tensor_type(self.fields, self.edges, links)

    def pairings(self) -> Iterator[tuple[TensorType, Permutation, tuple[Pair, ...]]]:
        """Every way to pair vertices of equal fields: as for `tensor`, and the pairs as positions in ``labels``."""
        for pairs in pairings(range(len(self.labels))):
            if all(self.fields[u] == self.fields[v] for u, v in pairs):
                yield *self.tensor([(self.labels[u], self.labels[v]) for u, v in pairs]), pairs

    def __repr__(self) -> str:
        return f"Observable({shortened(str(self), 250)})"

    def __str__(self) -> str:
        names = [lb if f == "z" else f"{lb}:{f}" for lb, f in zip(self.labels, self.fields, strict=True)]
        parts = []
        for vertices in connected_components(len(self.labels), self.edges):
            edges = [e for e in self.edges if e[0] in vertices]
            parts.append(_write_tree(vertices, edges, names))
        return " ".join(parts)


def _write_tree(vertices: list[int], edges: list[Pair], names: Sequence[str]) -> str:
    """A tree by its shortest name; leaves in the order of the vertices.

    Contract: if the vertices are numbered in the order in which this text names them, the text names them in ascending
    order (so a canonical name reads back with the same slots).
    """
    neighbours = {v: sorted({u for e in edges for u in e if v in e and u != v}) for v in vertices}
    degrees = sorted(len(n) for n in neighbours.values())
    text = {v: names[v] for v in vertices}
    if len(vertices) == 1:
        return f"z({text[vertices[0]]})"
    if len(vertices) == 2:
        return f"H({text[vertices[0]]},{text[vertices[1]]})"
    if len(vertices) <= 4 and degrees[-1] == len(vertices) - 1:
        centre = next(v for v in vertices if len(neighbours[v]) == degrees[-1])
        leaves = ",".join(text[v] for v in neighbours[centre])
        return f"{'dH' if len(vertices) == 3 else 'ddH_I'}({text[centre]};{leaves})"
    if len(vertices) == 4:
        first, second = [v for v in vertices if len(neighbours[v]) == 2]
        leaf = {v: next(u for u in neighbours[v] if len(neighbours[u]) == 1) for v in (first, second)}
        return f"ddH_II({text[first]},{text[second]};{text[leaf[first]]},{text[leaf[second]]})"
    return "tree(" + ", ".join(f"{text[u]}-{text[v]}" for u, v in _depth_first(vertices[0], neighbours)) + ")"


def _depth_first(root: int, neighbours: Mapping[int, Sequence[int]]) -> list[Pair]:
    """The edges of a tree from its root, each away from the root: labels that follow this order are read in order."""
    found: list[Pair] = []

    def visit(vertex: int, above: int) -> None:
        for other in neighbours[vertex]:
            if other != above:
                found.append((vertex, other))
                visit(other, vertex)

    visit(root, -1)
    return found


def build(shape: str, labels: Sequence[object]) -> Observable:
    """One named tree with the given labels, in the order of the book."""
    _, edges = SHAPES[shape]
    names = tuple(str(label) for label in labels)
    for name in names:
        if len(name) != 1 or name not in LABELS:
            raise InputError(f"label {name!r} must be one digit or letter")
    if len(set(names)) != len(names):
        raise InputError(f"{shape}({','.join(names)}): each label may be used once")
    return Observable(names, edges, ("z",) * len(names))


def tree_symmetries(shape: str) -> tuple[Permutation, ...]:
    """All orders of the vertices of a named tree that leave its edges where they are."""
    edges = {frozenset(edge) for edge in SHAPES[shape][1]}
    everything = permutations(range(len(edges) + 1))
    return tuple(order for order in everything if {frozenset(order[u] for u in edge) for edge in edges} == edges)


def forest(shapes: Sequence[str]) -> Observable:
    """A product of named trees; labels are given in turn."""
    fresh = iter(LABELS)
    return reduce(mul, [build(shape, [next(fresh) for _ in range(len(SHAPES[shape][1]) + 1)]) for shape in shapes])


def build_tree(links: Sequence[tuple[object, object]]) -> Observable:
    """A tree from its edges, pairs of labels."""
    try:
        ends = [(str(a), str(b)) for a, b in links]
    except (TypeError, ValueError):
        raise InputError(
            f"a tree is made of pairs of labels, such as tree((1, 2), (2, 3)), not {shown(links)}"
        ) from None
    names = tuple(dict.fromkeys(label for edge in ends for label in edge))
    for name in names:
        if len(name) != 1 or name not in LABELS:
            raise InputError(f"label {name!r} must be one digit or letter")
    position = {name: index for index, name in enumerate(names)}
    edges = tuple((position[a], position[b]) for a, b in ends)
    written = ", ".join(f"{a}-{b}" for a, b in ends)
    if len(connected_components(len(names), edges)) != 1 or len(edges) != len(names) - 1:
        raise InputError(f"tree({written}) is not a tree: its edges must join all labels without a cycle")
    return Observable(names, edges, ("z",) * len(names))


class _Parser:
    """A recursive-descent parser that knows where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def wrong(self, expected: str) -> InputError:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        before, after = self.text[max(self.at - 40, 0) : self.at], self.text[self.at : self.at + 40]
        marked = line(f"{'...' * (self.at > 40)}{before}>>>{after}{'...' * (len(self.text) > self.at + 40)}")
        return InputError(f"observable: expected {expected} at character {self.at + 1}, found {found}: {marked}")

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def take(self, symbol: str, expected: str = "") -> None:
        self.skip()
        if not self.text.startswith(symbol, self.at):
            raise self.wrong(expected or repr(symbol))
        self.at += len(symbol)

    def label(self) -> tuple[str, str]:
        self.skip()
        if self.at >= len(self.text) or self.text[self.at] not in LABELS:
            raise self.wrong("a label (one digit or letter)")
        label = self.text[self.at]
        self.at += 1
        field = "z"
        if self.text.startswith(":", self.at):
            self.at += 1
            start = self.at
            field = self.word()
            if not is_name(field):
                self.at = start
                raise self.wrong(f"the name of a field ({GRAMMAR}) after ':'")
        return label, field

    def word(self) -> str:
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] == "_"):
            self.at += 1
        return self.text[start : self.at]

    def factor(self) -> Observable:
        self.skip()
        start = self.at
        name = self.word()
        if name not in SHAPES and name != "tree":
            self.at = start
            hint = "" if not name else f" ({nearest(name[:99], [*SHAPES, 'tree'])})"
            raise self.wrong("z, H, dH, ddH_I, ddH_II or tree" + hint)
        self.take("(")
        if name == "tree":
            return self.tree()
        template, edges = SHAPES[name]
        labels = []
        for symbol in template:
            if symbol.isalpha():
                labels.append(self.label())
            else:
                self.take(symbol, f"{symbol!r} as in {name}({template})")
        self.take(")", f"')' as in {name}({template})")
        for index, (label, _) in enumerate(labels):
            if label in [other for other, _ in labels[:index]]:
                raise InputError(f"observable {shown(self.text)}: label {label!r} is used twice in {name}")
        return Observable(tuple(lb for lb, _ in labels), edges, tuple(f for _, f in labels))

    def tree(self) -> Observable:
        links = []
        fields: dict[str, str] = {}
        while True:
            a, field_a = self.label()
            self.take("-")
            b, field_b = self.label()
            links.append((a, b))
            for label, field in ((a, field_a), (b, field_b)):
                if fields.setdefault(label, field) != field:
                    raise InputError(
                        f"observable {shown(self.text)}: label {label!r} has the fields {fields[label]}, {field}"
                    )
            self.skip()
            if self.text.startswith(",", self.at):
                self.at += 1
                continue
            self.take(")", "',' or ')'")
            made = build_tree(links)
            return Observable(made.labels, made.edges, tuple(fields[label] for label in made.labels))

    def product(self) -> Observable:
        result = self.factor()
        while True:
            self.skip()
            if self.at >= len(self.text) or self.text[self.at] == "@":
                return result
            if self.text[self.at] == "*":
                self.at += 1
            result = result * self.factor()

    def pairs(self) -> list[tuple[str, str]]:
        found = []
        while True:
            first, _ = self.label()
            second, _ = self.label()
            found.append((first, second))
            self.skip()
            if self.at >= len(self.text):
                return found
            self.take(",", "',' between pairs such as 13,24")


def parse_observable(text: str) -> tuple[Observable, list[tuple[str, str]] | None]:
    """An observable and, if it has an ``@``, its pairs.

    Raises:
        InputError: names the character where the text stops making sense.
    """
    parser = _Parser(text)
    observable = parser.product()
    if parser.at >= len(text):
        return observable, None
    parser.take("@")
    return observable, parser.pairs()


def canonical_observable(kind: TensorType) -> tuple[Observable, tuple[int, ...], str]:
    """The systematic name of a type.

    Returns:
        The observable with labels 1, 2, ... in order of appearance, the canonical vertex of each label, and the text
        ``observable @ pairs``.
    """
    trees = sorted(kind.trees, key=lambda tree: (len(tree), tree))
    order: list[int] = []
    for tree in trees:
        edges = [e for e in kind.edges if e[0] in tree]
        order.extend(_reading_order(tree, edges))
    position = {vertex: index for index, vertex in enumerate(order)}
    if len(order) > len(LABELS):
        raise InputError(f"a tensor with {len(order)} vertices has more slots than there are labels ({len(LABELS)})")
    labels = tuple(LABELS[index] for index in range(len(order)))
    edges = [(position[u], position[v]) for u, v in kind.edges]
    observable = Observable(
        labels,
        tuple(sorted((u, v) if u < v else (v, u) for u, v in edges)),
        tuple(kind.fields[vertex] for vertex in order),
    )
    pairs = sorted(tuple(sorted((position[u], position[v]))) for u, v in kind.pairs)
    text = f"{observable} @ {','.join(labels[u] + labels[v] for u, v in pairs)}"
    return observable, tuple(order), text


def _reading_order(vertices: list[int], edges: list[Pair]) -> list[int]:
    """The vertices of a tree in the order in which its written form names them."""
    names = [str(v) for v in range(max(vertices) + 1)]
    written = _write_tree(vertices, edges, names)
    inside = written[written.index("(") + 1 : -1]
    for mark in ";,-":
        inside = inside.replace(mark, " ")
    return list(dict.fromkeys(int(token) for token in inside.split()))
