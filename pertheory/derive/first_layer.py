"""The first layer, by the same moves: its functions are the inputs themselves, which do not fluctuate.

A number has no derivative and no joint cumulant with others. So nothing is inserted, no edge is left after move 1, and
every site has a neuron of its own: no power of 1/n can be spent.
"""

from __future__ import annotations

from pertheory.derive.diagram import Diagram
from pertheory.derive.layer import diagrams
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network


def first_layer(rule: Network, kind: TensorType, order: int) -> tuple[Diagram, ...]:
    """The diagrams of T{order} at layer 1; a site stands for x.x over the number of components of an input.

    Args:
        rule: the network.
        kind: the tensor type.
        order: k in T{k}.
    """
    if order + len(kind.pairs) > 1:
        return ()
    return tuple(diagram for diagram in diagrams(rule.first_layer, 0, kind, 0) if not diagram.vertices)
