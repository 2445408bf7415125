"""The recursions whose pictures are looked at."""

from __future__ import annotations

from functools import cache

import pertheory as pt
from pertheory.derive.diagram import Diagram

#: The book's tensors, K and Theta by the names of all their orders.
BOOK = ("G", "H", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U")


@cache
def recursion(name: str, order: int = 0, network: str = "mlp") -> pt.Recursion:
    """A recursion, derived once."""
    return pt.derive(network, name, order=order)


def sample(name: str, network: str = "mlp") -> list[Diagram]:
    """Diagrams of order 1: all of a short recursion, of a long one every seventh."""
    found = [diagram for diagram in recursion(name, 1, network).diagrams if diagram.order == 1]
    return found if len(found) < 20 else found[::7]
