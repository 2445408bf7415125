"""The part of a theory that the cumulants of outputs need: pure tensors, and what their recursions read."""

from __future__ import annotations

from typing import Any

from pertheory.closure import Closure
from pertheory.errors import InputError
from pertheory.graphs.tensor import pure_type
from pertheory.infer.expansion import Cumulant
from pertheory.rulebook.names import shown
from pertheory.worker import Node


def key_of(cumulant: Cumulant) -> str:
    """What it is called in states: "G", "V{1}", "V6"."""
    return _node(0, cumulant).key


def tensors_of(order: int) -> list[str]:
    """The names of the tensors that count to an order of 1/n: G, V, V6, .."""
    return [key_of(Cumulant(pairs, 0)) for pairs in range(1, order + 2)]


def cumulants_of(order: int) -> list[Cumulant]:
    """All that count to an order of 1/n, the leading kernel first."""
    return [Cumulant(pairs, k) for pairs in range(1, order + 2) for k in range(order + 2 - pairs)]


def pure_part(theory: Any, order: int | None = None) -> Closure:
    """The theory of the cumulants of the outputs alone.

    Args:
        theory: made by `pertheory.theory`.
        order: of 1/n; by default that of the theory.

    Raises:
        InputError: no theory, or one that lacks a cumulant.
    """
    if not isinstance(theory, Closure):
        raise InputError(f"a theory is made by pt.theory('mlp', order=1), not {shown(theory)}")
    order = theory.order if order is None else order
    last = len(theory.network.sublayers) - 1
    wanted = [_node(last, own) for own in cumulants_of(order)]
    for node in wanted:
        if node not in theory.diagrams:
            names = ", ".join(map(repr, tensors_of(order)))
            raise InputError(
                f"the theory has no {node.key}, which posteriors to order 1/n^{order} need; make it with "
                f"pt.theory({theory.network.name!r}, [{names}], order={order})"
            )
    needed, waiting = set(wanted), list(wanted)
    while waiting:
        new = set(theory.dependencies[waiting.pop()]) - needed
        needed |= new
        waiting += sorted(new)
    kept = {node: theory.diagrams[node] for node in theory.nodes if node in needed}
    highest = {node.tensor: node.order for node in wanted}
    return Closure(theory.network, order, tuple(highest.items()), kept)


def _node(sublayer: int, cumulant: Cumulant) -> Node:
    return Node(sublayer, pure_type(cumulant.pairs)[0], cumulant.order)
