"""Units of work: one T{k} each, derived here or on an executor, read from and kept in a store."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass

from pertheory.derive.codec import decode, derive_encoded, encode
from pertheory.derive.diagram import Diagram
from pertheory.derive.layer import diagrams
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor, tensor_of
from pertheory.store import Store

Diagrams = tuple[Diagram, ...]


@dataclass(frozen=True, order=True)
class Node:
    """One T{k} at one sublayer."""

    sublayer: int
    kind: TensorType
    order: int

    @property
    def tensor(self) -> Tensor:
        """The tensor with its name."""
        return tensor_of(self.kind)

    @property
    def key(self) -> str:
        """Its name in states and output, as "V" or "H{1}"."""
        return self.tensor.name + (f"{{{self.order}}}" if self.order else "")


class Worker:
    """Derives nodes of one rule.

    Args:
        rule: the network.
        executor: any `concurrent.futures.Executor`; None derives here.
        store: where diagrams are read and kept; None keeps nothing on disk.
    """

    def __init__(self, rule: Network, executor: Executor | None = None, store: Store | None = None) -> None:
        self.rule = rule
        self.executor = executor
        self.store = store
        self.running: dict[Future[str], Node] = {}

    def start(self, node: Node) -> Diagrams | None:
        """The diagrams of a node if they are at hand; otherwise they come with `finished`."""
        place = (self.rule, node.sublayer, node.kind, node.order)
        kept = self.store.read(*place) if self.store is not None else None
        if kept is not None:
            return kept
        if self.executor is not None:
            self.running[self.executor.submit(derive_encoded, *place)] = node
            return None
        found = diagrams(*place)
        if self.store is not None:
            self.store.write(*place, encode(found))
        return found

    def finished(self) -> list[tuple[Node, Diagrams]]:
        """Wait for at least one running node; what is done is kept at once."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        results = []
        for future in done:
            node = self.running.pop(future)
            text = future.result()
            if self.store is not None:
                self.store.write(self.rule, node.sublayer, node.kind, node.order, text)
            results.append((node, decode(text)))
        return results

    def gather(self, nodes: Iterable[Node]) -> dict[Node, Diagrams]:
        """All of some nodes, in the order given."""
        wanted = list(nodes)
        found: dict[Node, Diagrams] = {}
        for node in wanted:
            at_hand = self.start(node)
            if at_hand is not None:
                found[node] = at_hand
        while self.running:
            found.update(self.finished())
        return {node: found[node] for node in wanted}

    def cancel(self) -> None:
        """Give up what has not started."""
        for future in self.running:
            future.cancel()
