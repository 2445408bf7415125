"""Names of tensors: the book's from rules/tensors.toml, those that a user gives, systematic ones for all others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from pertheory import html
from pertheory.draw.drawn import Drawn
from pertheory.draw.scene import Scene
from pertheory.errors import InputError, RuleError
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.files import nearest, other_kind, read_toml, rules_folder
from pertheory.rulebook.names import GRAMMAR, NAME, is_name, line, shown
from pertheory.rulebook.observable import SHAPES, Observable, canonical_observable, parse_observable
from pertheory.text import shortened


@dataclass(frozen=True)
class Tensor(Drawn):
    """A tensor with a name and an order of its slots.

    Attributes:
        name: the book's name, or the canonical observable.
        kind: its type.
        slots: the canonical vertex of the type that stands in each slot.
        labels: the label of each slot in the observable.
        observable: the definition as text, with the pairs.
        title: one line on what it is.
        book: where the book has it.
        leading: the name of its infinite-width limit, if it has one.
        aliases: other names that people give it.
        given: whether the name is one that the user gave with `name`, for as long as this process lives.
    """

    name: str
    kind: TensorType
    slots: tuple[int, ...]
    labels: tuple[str, ...]
    observable: str
    title: str = ""
    book: str = ""
    leading: str = ""
    aliases: tuple[str, ...] = ()
    given: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which `find_tensor` knows it."""
        return tuple(name for name in (self.name, self.leading, *self.aliases) if name)

    @property
    def identifier(self) -> str:
        """A name that is valid in code: the book's name or a short stable hash of the structure.

        A name that the user gave is not one: it may be a word of the language, and ends with the process.
        """
        if is_name(self.name) and not self.given:
            return self.name
        digest = hashlib.sha256(repr((self.kind.fields, self.kind.edges, self.kind.pairs)).encode()).hexdigest()
        return f"T_{digest[:8]}"

    @property
    def symbol(self) -> str:
        """The name where it is one, else what stands for it in code."""
        return self.name if is_name(self.name) else self.identifier

    @property
    def pairs(self) -> int:
        """Half the number of slots."""
        return len(self.kind.pairs)

    def slot_pairs(self) -> list[tuple[int, int]]:
        """The slots, from 0, that share a neuron."""
        return self._in_slots(self.kind.pairs)

    def slot_edges(self) -> list[tuple[int, int]]:
        """The slots, from 0, that are joined by contracted derivatives."""
        return self._in_slots(self.kind.edges)

    def _in_slots(self, links: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
        place = {vertex: slot for slot, vertex in enumerate(self.slots)}
        return sorted((min(place[u], place[v]), max(place[u], place[v])) for u, v in links)

    def symmetries(self) -> list[tuple[int, ...]]:
        """Generators of the slot permutations that leave it unchanged: slot i takes what stood in slot g[i]."""
        place = {vertex: slot for slot, vertex in enumerate(self.slots)}
        return [tuple(place[g[vertex]] for vertex in self.slots) for g in self.kind.symmetries]

    def scene(self) -> Scene:
        """Its forest and pairing: contracted derivatives solid, vertices on one neuron dashed."""
        from pertheory.draw.forest import tensor_scene

        return tensor_scene(self)

    def description(self, order: int | None = None) -> dict[str, Any]:
        """The facts about it as plain values.

        Args:
            order: the k of T{k}, where one is meant.
        """
        labels, p = self.labels, self.pairs
        known = tensor_of(self.kind)
        of_cumulant = f"joint cumulant = n^-{p - 1} * sum over pairings of deltas * {self.symbol}"
        return {
            "name": self.name,
            "order": order,
            "title": self.title or known.title or "a tensor that the book does not name",
            "same_type_as": known.name if known.name != self.name else None,
            "observable": self.observable,
            "slots": list(labels),
            "pairs": [labels[u] + labels[v] for u, v in self.slot_pairs()],
            "edges": [f"{labels[u]}-{labels[v]}" for u, v in self.slot_edges()],
            "symmetries": [" ".join(labels[i] for i in generator) for generator in self.symmetries()],
            "symmetry_order": self.kind.symmetry_order,
            "normalisation": of_cumulant if p > 1 else f"mean = delta * {self.symbol}",
            "width": "n is the width of the layer below; T = T{0} + T{1}/n + T{2}/n^2 + ...",
            "first_order": p - 1,
            "book": self.book or known.book or "not in the book",
            "identifier": self.identifier,
        }

    def facts(self, order: int | None = None) -> tuple[str, list[tuple[str, str]]]:
        """The facts about it for people: a title, and rows of what and value."""
        own = self.description(order)
        mark = "" if order is None else f", order {order}"
        same = f" (same type as {own['same_type_as']})" if own["same_type_as"] else ""
        generated = "; ".join(own["symmetries"]) or "none"
        return f"{own['name']}{mark}: {own['title']}{same}", [
            ("definition", own["observable"]),
            ("slots", ", ".join(own["slots"])),
            ("one neuron", ", ".join(own["pairs"])),
            ("derivatives", ", ".join(own["edges"]) or "none"),
            ("symmetries", f"{own['symmetry_order']} equal slot orders, generated by {generated}"),
            ("normalisation", own["normalisation"]),
            ("", own["width"]),
            ("first seen at", f"order 1/n^{own['first_order']}"),
            ("book", own["book"]),
            ("in code", own["identifier"]),
        ]

    def __repr__(self) -> str:
        defined = "" if self.name == self.observable else f": {shortened(self.observable, 120)}"
        return f"Tensor({shortened(self.name, 120)}{defined})"

    def _repr_html_(self) -> str:
        title, rows = self.facts()
        return html.page(title, html.facts(rows), html.picture(self.element()))


#: A tensor as people give one; see `any_tensor`.
AnyTensor: TypeAlias = str | Tensor | Observable | tuple[Observable, Any]
_KEYS = ["name", "aliases", "title", "observable", "pairs", "slots", "leading", "book"]


@lru_cache(maxsize=16)
def named_tensors(path: Path | None = None) -> tuple[Tensor, ...]:
    """All tensors of a tensors.toml (by default the one that comes with pertheory), in the order of the file.

    Raises:
        RuleError: names the file, the entry and what is wrong.
    """
    source = path if path is not None else rules_folder() / "tensors.toml"
    found: list[Tensor] = []
    table = read_toml(source)
    for key in table:
        if key != "tensors":
            raise RuleError(f"{source.name}: {key}: unknown key; expected entries [[tensors]]")
    entries = table.get("tensors", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RuleError(f"{source.name}: tensors: must be entries [[tensors]]")
    for number, entry in enumerate(entries):
        tensor = _read_entry(source, number, entry)
        for other in found:
            if set(other.names) & set(tensor.names) or other.kind == tensor.kind:
                raise RuleError(f"{source.name}: tensors[{number}] ({tensor.name}): same name or type as {other.name}")
        found.append(tensor)
    return tuple(found)


def _read_entry(source: Path, number: int, entry: dict[str, Any]) -> Tensor:
    where = f"{source.name}: tensors[{number}]"
    for key in entry:
        if key not in _KEYS:
            raise RuleError(f"{where}.{key}: unknown key; {nearest(key, _KEYS)}")
    for key in ("name", "observable", "pairs", "slots"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise RuleError(f"{where}.{key}: must be a text that is not empty")
    for key in ("title", "book", "leading"):
        if not isinstance(entry.get(key, ""), str):
            raise RuleError(f"{where}.{key}: must be a text, not {shown(entry[key])}")
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(is_name(alias) for alias in aliases):
        raise RuleError(f"{where}.aliases: must be a list of names ({GRAMMAR})")
    for key in ("name", "leading"):
        if entry.get(key) and not is_name(entry[key]):
            raise RuleError(f"{where}.{key}: {shown(entry[key])} is not a name ({GRAMMAR})")
        if "_" in entry.get(key, ""):
            raise RuleError(
                f"{where}.{key}: {entry[key]}: has a _, as the arrays that are made of tensors have in code"
            )
    if entry["name"] == entry.get("leading"):
        raise RuleError(f"{where}.leading: is the same as the name; leave it out")
    try:
        observable, pairs = parse_observable(f"{entry['observable']} @ {entry['pairs']}")
        kind, labelling = observable.tensor(pairs or [])
    except InputError as error:
        raise RuleError(f"{where} ({entry['name']}): {error}") from None
    labels = tuple(entry["slots"].replace(" ", "").split(","))
    if sorted(labels) != sorted(observable.labels):
        raise RuleError(f"{where}.slots: {shown(entry['slots'])} must name each label of the observable once")
    vertex_of = dict(zip(observable.labels, labelling, strict=True))
    return Tensor(
        name=entry["name"],
        kind=kind,
        slots=tuple(vertex_of[label] for label in labels),
        labels=labels,
        observable=f"{entry['observable']} @ {entry['pairs']}",
        title=entry.get("title", ""),
        book=entry.get("book", ""),
        leading=entry.get("leading", ""),
        aliases=tuple(aliases),
    )


#: The names that the user gave, by name; they hold until the process ends.
_given: dict[str, Tensor] = {}
#: What formulas call something else: the width, derivatives, the activation, its variable, numbers.
_IN_FORMULAS = frozenset({"n", "d", "s", "x", "id", "pi", "all", "every", "tree", *SHAPES})
_LEG = re.compile("b[0-9]+")


def known_tensors() -> tuple[Tensor, ...]:
    """All tensors that have a name: those of `named_tensors`, then those that the user named."""
    return (*named_tensors(), *_given.values())


def name(own: str, what: AnyTensor, pairs: Any = None, *, title: str = "") -> Tensor:
    """Give a tensor that the book does not name a name, which holds until the process ends.

    Texts, LaTeX, JSON, states and descriptions use it from then on, and every function that takes a tensor knows it.
    Emitted code does not: there the tensor is what `Tensor.identifier` says, in every process.

    Args:
        own: the name: a letter, then letters and digits.
        what: the tensor, as `derive` takes it; its slots are the labels in the order in which it names them.
        pairs: the labels that share a neuron, for an `Observable` that has none with it.
        title: one line on what it is.

    Returns:
        The tensor; the same one where it has been given this name before.

    Raises:
        InputError: not a name, or one that is taken; a tensor that has a name.

    Example:
        >>> name("Q6", "dH(0;1,2) z(3) z(4) z(5) @ 03,12,45")
        Tensor(Q6: dH(0;1,2) z(3) z(4) z(5) @ 03,12,45)
    """
    if not is_name(own) or "_" in own:
        raise InputError(f"{shown(own)} is not a name of a tensor ({GRAMMAR.replace(', digits and _', ' and digits')})")
    if not isinstance(title, str):
        raise InputError(f"a title is a text, not {shown(title)}")
    tensor, _ = any_tensor(what, pairs)
    named = replace(tensor, name=own, title=line(title), given=True)
    if _given.get(own) == named:  # the cell of a notebook that is run again
        return named
    for other in known_tensors():
        if own in other.names:
            raise InputError(f"the name {own} is taken: it is {other.observable}")
        if tensor.kind == other.kind:
            raise InputError(f"{shown(str(what))} has a name: it is {other.name} = {other.observable}")
    taken = other_kind(own, "tensor")
    if taken or own in _IN_FORMULAS or _LEG.fullmatch(own):
        raise InputError(f"the name {own} is taken: {taken or 'formulas and observables mean something else by it'}")
    _given[own] = named
    tensor_of.cache_clear()  # nothing else that is cached holds a name
    return named


@lru_cache(maxsize=100_000)
def tensor_of(kind: TensorType) -> Tensor:
    """The tensor of a type: by its name if it has one, else by its canonical observable."""
    for tensor in known_tensors():
        if tensor.kind == kind:
            return tensor
    observable, order, text = canonical_observable(kind)
    return Tensor(name=text, kind=kind, slots=order, labels=observable.labels, observable=text)


def find_tensor(text: str) -> tuple[Tensor, int | None]:
    """A tensor by name or observable text.

    Returns:
        The tensor, its slots in the order that the text has, and the order that the name fixes (``K`` and ``Theta``
        mean G{0} and H{0}, ``V{1}`` means order 1), or None.

    Raises:
        InputError: unknown name (with the nearest), or a malformed observable (with the character).
    """
    text = text.strip()
    match = re.fullmatch(rf"({NAME})(?:\{{([0-9]{{1,3}})\}})?", text)
    if match:
        name, order = match.group(1), match.group(2)
        for tensor in known_tensors():
            if name in (tensor.name, *tensor.aliases):
                return tensor, None if order is None else int(order)
            if tensor.leading == name:
                if order is not None and int(order) > 0:
                    raise InputError(f"{name} is {tensor.name}{{0}}; its corrections are {tensor.name}{{{order}}}")
                return tensor, 0
        hint = other_kind(name, "tensor") or nearest(name[:99], [own for t in known_tensors() for own in t.names])
        raise InputError(f"unknown tensor {shown(text)}; {hint}")
    marked = re.fullmatch(r"(.*@.*?)\{([0-9]{1,3})\}", text)
    if marked:  # as the keys of states have it
        return find_tensor(marked.group(1))[0], int(marked.group(2))
    wrong = re.fullmatch(rf"({NAME})\{{(.*)\}}", text)
    if wrong and wrong.group(1) in {own for tensor in known_tensors() for own in tensor.names}:
        raise InputError(f"{shown(text)}: an order is a whole number from 0 to 999, not {shown(wrong.group(2))}")
    observable, pairs = parse_observable(text)
    if pairs is None:
        raise InputError(f"observable {shown(text)} needs its pairs, such as '@ 12,34'")
    return from_observable(observable, pairs), None


def any_tensor(what: AnyTensor, pairs: Any = None) -> tuple[Tensor, int | None]:
    """A tensor in any of the forms in which people give one, and the order that its name fixes.

    Args:
        what: a `Tensor`, a name, an observable text, an `Observable`, or ``(observable, pairs)``.
        pairs: the labels that share a neuron, for an `Observable` that has none with it.

    Raises:
        InputError: none of these, or not a tensor.
    """
    if is_paired(what):
        what, pairs = what
    if isinstance(what, Tensor):
        return what, None
    if isinstance(what, Observable):
        if pairs is None:
            raise InputError(f"observable {what} needs its pairs: give pairs=[(1, 2)], or (observable, [(1, 2)])")
        return from_observable(what, tuple(pairs) if isinstance(pairs, Iterable) else pairs), None
    if isinstance(what, str):
        return find_tensor(what)
    raise InputError(f"a tensor is a name, the text of an observable or an Observable with pairs, not {shown(what)}")


def is_paired(value: Any) -> TypeGuard[tuple[Observable, Any]]:
    """Whether a value is an observable together with its pairs."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], Observable)
        and not isinstance(value[1], str | Tensor | Observable)
    )


def from_observable(observable: Any, pairs: Any) -> Tensor:
    """The tensor of an observable and pairs, its slots in the order of the labels as they were given."""
    kind, labelling = observable.tensor(pairs)
    written = ",".join(f"{a}{b}" for a, b in pairs)
    for tensor in known_tensors():
        if tensor.kind == kind and tensor.slots == labelling:
            return replace(tensor, labels=observable.labels, observable=f"{observable} @ {written}")
    return Tensor(
        name=f"{observable} @ {written}",
        kind=kind,
        slots=labelling,
        labels=observable.labels,
        observable=f"{observable} @ {written}",
    )
