"""Components of tensors as people write them: the tensor's name and its slots in the order of that name."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pertheory.graphs.tensor import TensorType, symmetry_elements
from pertheory.rulebook.tensors import Tensor, tensor_of


class Written(NamedTuple):
    """A component in the slot order of the tensor's name."""

    tensor: Tensor
    order: int
    slots: tuple[int, ...]


@lru_cache(maxsize=200_000)
def written(kind: TensorType, order: int, slots: tuple[int, ...]) -> Written:
    """Of all slot orders that the symmetry makes equal, the smallest in the order of the tensor's name."""
    tensor = tensor_of(kind)
    if kind.size > 8:  # the canonical choice is as good, and the group is large
        return Written(tensor, order, tuple(slots[vertex] for vertex in tensor.slots))
    best = min(tuple(slots[element[vertex]] for vertex in tensor.slots) for element in symmetry_elements(kind))
    return Written(tensor, order, best)
