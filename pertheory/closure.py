"""The closed system of recursions that a set of tensors needs at an order of 1/n."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pertheory.derive.diagram import Diagram
from pertheory.derive.layer import diagrams
from pertheory.errors import InputError
from pertheory.graphs.tensor import TensorType, pure_type
from pertheory.recursion import Recursion
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import Tensor, find_tensor, named_tensors, tensor_of

if TYPE_CHECKING:
    from pertheory.numeric.model import Model


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


@dataclass(frozen=True)
class Theory:
    """A closed set of recursions; make one with `theory`.

    Attributes:
        network: the rule.
        order: the power of 1/n that is kept.
        wanted: the tensors that were asked for, with the highest k of their T{k}.
        nodes: everything that is needed, lower orders and smaller tensors first.
    """

    network: Network
    order: int
    wanted: tuple[tuple[Tensor, int], ...]
    nodes: tuple[Node, ...]

    def recursion(self, node: Node) -> Recursion:
        """The recursion of one node."""
        found = diagrams(self.network, node.sublayer, node.kind, node.order)
        return Recursion(self.network, node.sublayer, node.tensor, (node.order,), found)

    @cached_property
    def dependencies(self) -> dict[Node, tuple[Node, ...]]:
        """For each node the nodes of the sublayer below that its recursion reads."""
        return {node: tuple(sorted(_needs(self.network, node))) for node in self.nodes}

    @property
    def tensors(self) -> tuple[tuple[Tensor, tuple[int, ...]], ...]:
        """The tensors at the end of a layer, each with the k of all T{k} that are needed."""
        last = len(self.network.sublayers) - 1
        table: dict[TensorType, list[int]] = {}
        for node in self.nodes:
            if node.sublayer == last:
                table.setdefault(node.kind, []).append(node.order)
        return tuple((tensor_of(kind), tuple(sorted(orders))) for kind, orders in table.items())

    def compile(self, target: str = "numpy", inputs: str = "many") -> Model:
        """A callable that computes all tensors layer by layer; see `pertheory.numeric.model.Model`."""
        from pertheory.numeric.model import compile_theory

        return compile_theory(self, target, inputs)

    def emit(self, target: str, folder: str | Path, inputs: str = "many", activation: str = "tanh") -> list[Path]:
        """Write source code that computes the theory into a folder.

        Returns:
            The files that were written.
        """
        from pertheory.pipeline import emit_theory

        return emit_theory(self, target, Path(folder), inputs, activation)


def theory(
    rule: str | Path | Network = "mlp",
    tensors: str | Iterable[str | Tensor] = "all",
    order: int = 1,
) -> Theory:
    """Close a set of tensors under their recursions.

    Args:
        rule: a network rule, its name or its path.
        tensors: names or observables; "all" means every tensor with a name that exists at the order.
        order: the power of 1/n that is kept: a tensor with p pairs is taken up to T{order - (p - 1)}, and a tensor
            named here at least to T{0}.

    Raises:
        InputError: unknown tensors or a negative order.
    """
    chosen_rule = network(rule)
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise InputError(f"order must be a whole number from 0, not {order!r}")
    wanted: dict[Tensor, int] = {}
    given = [tensors] if isinstance(tensors, str) else list(tensors)
    for item in given:
        if item == "all":
            for tensor in named_tensors():
                if tensor.pairs - 1 <= order:
                    wanted[tensor] = max(wanted.get(tensor, 0), order - (tensor.pairs - 1))
            continue
        found, fixed = (item, None) if isinstance(item, Tensor) else find_tensor(item)
        highest = max(order - (found.pairs - 1), 0) if fixed is None else fixed
        wanted[found] = max(wanted.get(found, 0), highest)
        unknown = set(found.kind.fields) - set(chosen_rule.fields)
        if unknown:
            raise InputError(f"network {chosen_rule.name} has no field {sorted(unknown)[0]!r} at the end of a layer")
    return Theory(chosen_rule, order, tuple(wanted.items()), _close(chosen_rule, wanted))


def _close(rule: Network, wanted: dict[Tensor, int]) -> tuple[Node, ...]:
    last = len(rule.sublayers) - 1
    waiting = [Node(last, tensor.kind, k) for tensor, highest in wanted.items() for k in range(highest + 1)]
    found: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(_needs(rule, node) - found)
    return tuple(sorted(found, key=lambda n: (n.sublayer, len(n.kind.pairs), n.order, n.kind)))


def _needs(rule: Network, node: Node) -> set[Node]:
    below = (node.sublayer - 1) % len(rule.sublayers)
    needed: set[Node] = set()
    for diagram in diagrams(rule, node.sublayer, node.kind, node.order):
        needed |= {Node(below, vertex.kind, vertex.order) for vertex in diagram.vertices}
        needed |= {Node(below, covariance_type(field), 0) for field in _averaged(diagram)}
    return needed


def _averaged(diagram: Diagram) -> set[str]:
    return set(diagram.fields)


def covariance_type(field: str) -> TensorType:
    """The type of the two-point correlator of a field."""
    return pure_type(1, (field,))[0]
