"""The closed system of recursions that a set of tensors needs at an order of 1/n."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pertheory import html
from pertheory.derive.diagram import Diagram
from pertheory.derive.first_layer import first_layer
from pertheory.draw.dependencies import Node as Shown
from pertheory.draw.dependencies import theory_scene
from pertheory.draw.drawn import Drawn
from pertheory.draw.scene import Scene
from pertheory.errors import InputError, MissingError
from pertheory.graphs.tensor import TensorType, all_types, pure_type
from pertheory.progress import check_progress
from pertheory.progress import progress as shown_progress
from pertheory.recursion import Recursion, check_order, read_rule
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import Observable
from pertheory.rulebook.tensors import AnyTensor, Tensor, any_tensor, is_paired, named_tensors, tensor_of
from pertheory.rulebook.values import whole
from pertheory.store import Store
from pertheory.text import listed, plural, shortened
from pertheory.worker import Node, Worker

log = logging.getLogger("pertheory.closure")

#: A closure with more T{k} than this asks first.
LIMIT = 1000


class ClosureTooLargeError(InputError):
    """A closure has more members than the caller agreed to."""


@dataclass(frozen=True, repr=False)
class Closure(Drawn):
    """A closed set of recursions, as data; make one with `close`.

    Attributes:
        network: the rule.
        order: the power of 1/n that is kept.
        wanted: the tensors that were asked for, with the highest k of their T{k}.
        diagrams: for everything that is needed its diagrams; lower sublayers, smaller tensors, lower orders first.
    """

    network: Network
    order: int
    wanted: tuple[tuple[Tensor, int], ...]
    diagrams: Mapping[Node, tuple[Diagram, ...]] = field(repr=False)

    def __getitem__(self, name: Node | str) -> Recursion:
        """The recursion of a tensor; see `recursion`.

        Raises:
            MissingError: it is not part of the theory; names the nearest.
        """
        try:
            return self.recursion(name)
        except InputError as error:
            raise MissingError(str(error)) from None

    def __contains__(self, name: object) -> bool:
        try:
            return bool(self.named(name))  # type: ignore[arg-type]
        except InputError:
            return False

    def __iter__(self) -> Iterator[str]:
        """The names of the tensors at the end of a layer."""
        return (tensor.name for tensor, _ in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def _ipython_key_completions_(self) -> list[str]:
        table = self.tensors
        keys = [tensor.name for tensor, _ in table]
        keys += [f"{tensor.name}{{{order}}}" for tensor, orders in table for order in orders if order]
        return [*keys, *(tensor.leading for tensor, orders in table if tensor.leading and 0 in orders)]

    def facts(self) -> str:
        """What it is, on one line."""
        mark = ", pairs only" if self.network.closure == "pairs" else ""
        diagrams = sum(len(own) for own in self.diagrams.values())
        return (
            f"{self.network.name} to order 1/n^{self.order}{mark}: {plural(len(self), 'tensor')} "
            f"({listed(self, 90)}), {len(self.nodes)} T{{k}}, {plural(diagrams, 'diagram')}"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.facts()})"

    def _repr_html_(self) -> str:
        last = len(self.network.sublayers) - 1
        count: dict[TensorType, int] = {}
        for node, own in self.diagrams.items():
            if node.sublayer == last:
                count[node.kind] = count.get(node.kind, 0) + len(own)
        asked = {tensor.kind for tensor, _ in self.wanted}
        rows = (
            (
                tensor.name if tensor.name != tensor.observable else "",
                tensor.observable,
                tensor.title,
                ", ".join(map(str, orders)),
                count[tensor.kind],
                "yes" if tensor.kind in asked else "needed",
            )
            for tensor, orders in self.tensors
        )
        head = ["name", "observable", "what it is", "k of T{k}", "diagrams", "asked for"]
        table = html.table(head, rows, "tensor")
        return html.page(f"{type(self).__name__}: {self.facts()}", table, html.picture(self.element()))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every T{k} that is needed."""
        return tuple(self.diagrams)

    def recursion(self, node: Node | str) -> Recursion:
        """The recursion of one node, or of a tensor by name ("V", all its orders; "V{1}", "K", one)."""
        nodes = self.named(node)
        found = tuple(diagram for own in nodes for diagram in self.diagrams[own])
        return Recursion(self.network, nodes[0].sublayer, nodes[0].tensor, tuple(n.order for n in nodes), found)

    def first_layer(self, node: Node | str) -> Recursion:
        """What a tensor is at layer 1; averages are over the inputs, of products that do not fluctuate."""
        nodes = self.named(node)
        found = tuple(diagram for n in nodes for diagram in first_layer(self.network, n.kind, n.order))
        return Recursion(self.network.first_layer, 0, nodes[0].tensor, tuple(n.order for n in nodes), found)

    def named(self, name: Node | str) -> tuple[Node, ...]:
        """The nodes that a name means: "V" every order of V at the end of a layer that is needed, "V{1}" one.

        Raises:
            InputError: it is not part of this theory.
        """
        if isinstance(name, Node):
            found: tuple[Node, ...] = (name,) if name in self.diagrams else ()
        else:
            tensor, fixed = any_tensor(name)
            last = len(self.network.sublayers) - 1
            own = [node for node in self.nodes if (node.sublayer, node.kind) == (last, tensor.kind)]
            found = tuple(sorted(node for node in own if fixed is None or node.order == fixed))
        if not found:
            known = [node.key for node in self.nodes if node.sublayer == len(self.network.sublayers) - 1]
            if not isinstance(name, str):
                raise InputError(f"this node is not part of the theory: {listed(known)}")
            raise InputError(f"{shortened(name)} is not part of the theory; {nearest(name[:99], known)}")
        return found

    @cached_property
    def dependencies(self) -> Mapping[Node | str, tuple[Node, ...]]:
        """For each node the nodes of the sublayer below that its recursion reads; names are looked up as well."""
        return _Dependencies(self)

    def scene(self) -> Scene:
        """Which T{k} at the end of a layer reads which at the end of the layer below, arranged as a picture.

        What lies between the sublayers of a layer is not shown: a T{k} reads what the sublayers below it read for it.
        """
        last = len(self.network.sublayers) - 1
        wanted = {tensor.kind for tensor, _ in self.wanted}
        own = [node for node in self.nodes if node.sublayer == last]
        shown = {
            node.key: Shown(
                node.tensor.leading if not node.order and node.tensor.leading else node.tensor.identifier,
                node.order,
                node.kind in wanted,
                tuple(below.key for below in self._through(node)),
            )
            for node in own
        }
        return theory_scene(f"theory of {self.network.name} to order 1/n^{self.order}: what reads what", shown)

    def _through(self, node: Node) -> tuple[Node, ...]:
        """What a node at the end of a layer reads at the end of the layer below, through the sublayers between."""
        found = set(self.dependencies[node])
        for _ in range(len(self.network.sublayers) - 1):
            found = {far for near in found for far in self.dependencies[near]}
        return tuple(sorted(found))

    @cached_property
    def tensors(self) -> tuple[tuple[Tensor, tuple[int, ...]], ...]:
        """The tensors at the end of a layer, each with the k of all T{k} that are needed."""
        last = len(self.network.sublayers) - 1
        table: dict[TensorType, list[int]] = {}
        for node in self.nodes:
            if node.sublayer == last:
                table.setdefault(node.kind, []).append(node.order)
        return tuple((tensor_of(kind), tuple(sorted(orders))) for kind, orders in table.items())


class _Dependencies(Mapping[Node | str, tuple[Node, ...]]):
    """What each node reads; what a name reads is put together when it is asked for."""

    def __init__(self, closure: Closure) -> None:
        self._named = closure.named
        self._own = {
            node: tuple(sorted(_needs(closure.network, node, found))) for node, found in closure.diagrams.items()
        }

    def __getitem__(self, name: Node | str) -> tuple[Node, ...]:
        if isinstance(name, Node) and name in self._own:
            return self._own[name]
        try:
            return tuple(sorted({below for node in self._named(name) for below in self._own[node]}))
        except InputError as error:
            raise MissingError(str(error)) from None

    def __iter__(self) -> Iterator[Node | str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


def close(
    rule: Any,
    tensors: Any,
    order: Any,
    pairs: Any = None,
    derived_by: tuple[Executor | None, Store | None] = (None, None),
    limit: Any = LIMIT,
    progress: Any = None,
) -> Closure:
    """Close a set of tensors under their recursions; `pertheory.theory.theory` tells what may be given."""
    chosen_rule = read_rule(rule, tensors)
    order = check_order(order)
    limit = None if limit is None else whole(limit, "limit", 1)
    asked: list[Any]
    if isinstance(tensors, str | Tensor | Observable) or is_paired(tensors):
        asked = [tensors]
    elif isinstance(tensors, Iterable) and not isinstance(tensors, Mapping):
        asked = list(tensors)
    else:
        raise InputError(f"tensors are names, observables with pairs, or a list of these, not {shown(tensors)}")
    if pairs is not None and not any(isinstance(item, Observable) for item in asked):
        raise InputError("pairs belong to an Observable, and none is asked for; names and texts have their own")
    show = False if callable(progress) else check_progress(progress)
    wanted: dict[Tensor, int] = {}
    for item in asked:
        for tensor, highest in _requested(item, pairs, order, limit):
            wanted[tensor] = max(wanted.get(tensor, 0), highest)
            unknown = set(tensor.kind.fields) - set(chosen_rule.fields)
            if unknown:
                raise InputError(f"network {chosen_rule.name} has no field {sorted(unknown)[0]!r} after a layer")
    if not wanted:
        raise InputError("no tensor is asked for; name at least one, or all")
    worker = Worker(chosen_rule, *derived_by)
    with shown_progress(f"deriving the theory of {chosen_rule.name}", show, thread=derived_by[0] is None) as report:
        found = _close(chosen_rule, wanted, worker, limit, progress if callable(progress) else report)
    log.info("theory of %s to order 1/n^%d: closed with %d T{k}", chosen_rule.name, order, len(found))
    return Closure(chosen_rule, order, tuple(wanted.items()), found)


def _requested(item: AnyTensor, pairs: Any, order: int, limit: int | None) -> list[tuple[Tensor, int]]:
    """The tensors that one entry of a request means, with the highest k of each."""
    if item == "all":
        return [(t, order - (t.pairs - 1)) for t in named_tensors() if t.pairs - 1 <= order]
    if item == "every":
        found: list[tuple[Tensor, int]] = []
        for pairs in range(1, order + 2):
            if limit is not None and pairs > 4:  # there are tens of thousands of types with five pairs
                raise _too_large(len(found), order)
            found += [(tensor_of(kind), order - (pairs - 1)) for kind in all_types(pairs)]
            if limit is not None and len(found) > limit:
                raise _too_large(len(found), order)
        return found
    tensor, fixed = any_tensor(item, pairs)
    if fixed is not None:
        return [(tensor, check_order(fixed, f"the order of {tensor.name}"))]
    return [(tensor, max(order - (tensor.pairs - 1), 0))]


def _too_large(count: int, order: int) -> ClosureTooLargeError:
    return ClosureTooLargeError(
        f"order {order} needs {count} tensors or more; to go on all the same, add --yes (in Python limit=None)"
    )


def _close(
    rule: Network,
    wanted: Mapping[Tensor, int],
    worker: Worker,
    limit: int | None,
    report: Callable[[int, int], None],
) -> dict[Node, tuple[Diagram, ...]]:
    last = len(rule.sublayers) - 1
    waiting = [Node(last, tensor.kind, k) for tensor, highest in wanted.items() for k in range(highest + 1)]
    seen = set(waiting)
    found: dict[Node, tuple[Diagram, ...]] = {}

    def accept(node: Node, own: tuple[Diagram, ...]) -> None:
        found[node] = own
        for other in sorted(_needs(rule, node, own) - seen):
            seen.add(other)
            waiting.append(other)
        if limit is not None and len(seen) > limit:
            raise ClosureTooLargeError(
                f"the closure has {len(seen)} tensors so far and may have more; to go on all the same, add --yes "
                "(in Python limit=None)"
            )
        report(len(found), len(seen))

    try:
        while waiting or worker.running:
            while waiting:
                node = waiting.pop()
                own = worker.start(node)
                if own is not None:
                    accept(node, own)
            if worker.running:
                for node, own in worker.finished():
                    accept(node, own)
    finally:
        worker.cancel()
    return {node: found[node] for node in sorted(found, key=_standing)}


def _standing(node: Node) -> tuple[int, int, int, TensorType]:
    return (node.sublayer, len(node.kind.pairs), node.order, node.kind)


def _needs(rule: Network, node: Node, found: Iterable[Diagram]) -> set[Node]:
    """The nodes of the sublayer below that occur in the diagrams of one."""
    below = (node.sublayer - 1) % len(rule.sublayers)
    needed: set[Node] = set()
    for diagram in found:
        needed |= {Node(below, vertex.kind, vertex.order) for vertex in diagram.vertices}
        needed |= {Node(below, covariance_type(name), 0) for name in diagram.fields}
    return needed


def covariance_type(field_name: str) -> TensorType:
    """The type of the two-point correlator of a field."""
    return pure_type(1, (field_name,))[0]
