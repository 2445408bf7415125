"""Components of tensors as people write them: the tensor's name and its slots in the order of that name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pertheory.graphs.tensor import TensorType, symmetry_elements
from pertheory.rulebook.tensors import Tensor, tensor_of


class Written(NamedTuple):
    """A component in the slot order of the tensor's name."""

    tensor: Tensor
    order: int
    slots: tuple[int, ...]


def written(kind: TensorType, order: int, slots: tuple[int, ...]) -> Written:
    """Of all slot orders that the symmetry makes equal, the smallest in the order of the tensor's name."""
    tensor = tensor_of(kind)
    return Written(tensor, order, _smallest(kind, tensor.slots, slots))


def images(tensor: Tensor, samples: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """What stands in the slots of a tensor in every order that its symmetry makes equal."""
    at = {vertex: samples[slot] for slot, vertex in enumerate(tensor.slots)}
    for element in symmetry_elements(tensor.kind):
        yield tuple(at[element[vertex]] for vertex in tensor.slots)


@lru_cache(maxsize=200_000)
def _smallest(kind: TensorType, reading: tuple[int, ...], slots: tuple[int, ...]) -> tuple[int, ...]:
    """The same without the name, which may be given later.

    Args:
        kind: the type.
        reading: the vertex that stands in each slot of the name.
        slots: what stands on each vertex.
    """
    if kind.size > 8:  # the canonical choice is as good, and the group is large
        return tuple(slots[vertex] for vertex in reading)
    return min(tuple(slots[element[vertex]] for vertex in reading) for element in symmetry_elements(kind))
