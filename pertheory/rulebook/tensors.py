"""Names of tensors: the book's from rules/tensors.toml, systematic ones from the graph for all others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from pertheory.draw.drawn import Drawn
from pertheory.draw.scene import Scene
from pertheory.errors import InputError, RuleError
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.files import nearest, other_kind, read_toml, rules_folder
from pertheory.rulebook.names import GRAMMAR, NAME, is_name, shown
from pertheory.rulebook.observable import Observable, canonical_observable, parse_observable


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

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which `find_tensor` knows it."""
        return tuple(name for name in (self.name, self.leading, *self.aliases) if name)

    @property
    def identifier(self) -> str:
        """A name that is valid in code: the book's name or a short stable hash of the structure."""
        if is_name(self.name):
            return self.name
        digest = hashlib.sha256(repr((self.kind.fields, self.kind.edges, self.kind.pairs)).encode()).hexdigest()
        return f"T_{digest[:8]}"

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


@lru_cache(maxsize=100_000)
def tensor_of(kind: TensorType) -> Tensor:
    """The tensor of a type: by its book name if it has one, else by its canonical observable."""
    for tensor in named_tensors():
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
        for tensor in named_tensors():
            if name in (tensor.name, *tensor.aliases):
                return tensor, None if order is None else int(order)
            if tensor.leading == name:
                if order is not None and int(order) > 0:
                    raise InputError(f"{name} is {tensor.name}{{0}}; its corrections are {tensor.name}{{{order}}}")
                return tensor, 0
        hint = other_kind(name, "tensor") or nearest(name[:99], [own for t in named_tensors() for own in t.names])
        raise InputError(f"unknown tensor {shown(text)}; {hint}")
    wrong = re.fullmatch(rf"({NAME})\{{(.*)\}}", text)
    if wrong and wrong.group(1) in {own for tensor in named_tensors() for own in tensor.names}:
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
    for tensor in named_tensors():
        if tensor.kind == kind and tensor.slots == labelling:
            return replace(tensor, labels=observable.labels, observable=f"{observable} @ {written}")
    return Tensor(
        name=f"{observable} @ {written}",
        kind=kind,
        slots=labelling,
        labels=observable.labels,
        observable=f"{observable} @ {written}",
    )
