"""What a run hands out: the tensors of a layer, the layers one after the other, and all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.rulebook.files import nearest
from pertheory.rulebook.observable import parse_observable
from pertheory.rulebook.tensors import Tensor, find_tensor, tensor_of

Array = npt.NDArray[np.float64]


class LayerState(Mapping[str, Array]):
    """The tensors of one layer by name: ``state["V"]`` is an array with one axis per slot over the inputs."""

    def __init__(self, layer: int, arrays: Mapping[str, Array]) -> None:
        self.layer = layer
        self._arrays = arrays

    def __reduce__(self) -> tuple[Any, ...]:
        return LayerState, (self.layer, dict(self._arrays))

    def __getitem__(self, name: str) -> Array:
        if name in self._arrays:
            return self._arrays[name]
        tensor, order = find_tensor(name)
        known = tensor_of(tensor.kind)
        key = known.name + (f"{{{order}}}" if order else "")
        if key not in self._arrays:
            raise InputError(f"no tensor {name!r} in this state; {nearest(name, self._arrays)}")
        array = self._arrays[key]
        if array.ndim != tensor.kind.size:  # one input: all slots are alike
            return array
        return array.transpose([known.slots.index(vertex) for vertex in tensor.slots])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def at(self, name: str, **roles: Any) -> float:
        """A component by role, so that nobody has to remember the order of the slots.

        Args:
            name: of the tensor.
            roles: for each kind of tree in its observable the inputs (from 0) of its labels, in the order in which
                the observable names them; several trees of one kind one after the other.

        Example:
            ``state.at("F", z=(0, 1), H=(0, 1))`` is F with preactivations at inputs 0 and 1, NTK legs at 0 and 1, the
            first preactivation paired with the first leg.
        """
        tensor, _ = find_tensor(name)
        array = self[name]
        slots = _slots_by_role(tensor, roles)
        for slot in slots:
            if not 0 <= slot < array.shape[0]:
                raise InputError(f"{name}: there is no input {slot}; inputs are 0 to {array.shape[0] - 1}")
        return float(array[slots if array.ndim == len(slots) else slots[:1]])

    def __repr__(self) -> str:
        return f"LayerState(layer={self.layer}, tensors={', '.join(self._arrays)})"


def _slots_by_role(tensor: Tensor, roles: Mapping[str, Any]) -> tuple[int, ...]:
    observable, _ = parse_observable(tensor.observable)
    wanted: dict[str, list[str]] = {}
    for part in str(observable).split(" "):
        shape, _, inside = part.partition("(")
        wanted.setdefault(shape, []).extend(c for c in inside if c.isalnum())
    if set(wanted) != set(roles):
        raise InputError(f"{tensor.name} = {tensor.observable} needs the roles {', '.join(wanted)}")
    value: dict[str, int] = {}
    for shape, labels in wanted.items():
        given = np.ravel(np.asarray(roles[shape])).tolist()
        if len(given) != len(labels):
            raise InputError(
                f"{tensor.name}: {shape} needs {len(labels)} inputs ({', '.join(labels)}), not {len(given)}"
            )
        for label, item in zip(labels, given, strict=True):
            if isinstance(item, bool) or item != int(item):
                raise InputError(f"{tensor.name}: {shape}: {item!r} is not the number of an input")
            value[label] = int(item)
    return tuple(value[label] for label in tensor.labels)


@dataclass(frozen=True)
class Run:
    """The result of a model: ``run[layer]`` is the state of layer 1 .. depth.

    Attributes:
        states: one a layer.
        divergences: reasons for entries that are NaN, each once.
        error: the largest estimated error of a Gaussian average, relative to its scale.
    """

    states: tuple[LayerState, ...]
    divergences: tuple[str, ...] = ()
    error: float = 0.0

    def __getitem__(self, layer: int) -> LayerState:
        if not 1 <= layer <= len(self.states):
            raise InputError(f"layer must be from 1 to {len(self.states)}, not {layer}")
        return self.states[layer - 1]

    def __len__(self) -> int:
        return len(self.states)

    def __iter__(self) -> Iterator[LayerState]:
        return iter(self.states)


class Layers(Iterator[LayerState], ABC):
    """The layers of a run, computed one at a time; only the last one is held.

    Attributes:
        depth: how many there are.
        needed: bytes that the run is estimated to need.
        divergences: reasons for entries that are NaN so far, each once.
        error: the largest estimated error of a Gaussian average so far, relative to its scale.
    """

    depth: int
    needed: int

    @property
    @abstractmethod
    def divergences(self) -> tuple[str, ...]:
        """Reasons for entries that are NaN so far, each once."""

    @property
    @abstractmethod
    def error(self) -> float:
        """The largest estimated error of a Gaussian average so far, relative to its scale."""

    @abstractmethod
    def largest_sets(self) -> tuple[int, int]:
        """How many sets of distinct inputs the averages of a layer visit that have the most inputs, and how many."""

    def explanation(self) -> str:
        """Which method averaged what so far, or nothing where that is not known."""
        return ""

    def seconds_per_layer(self) -> float:
        """About how long the averages of one layer take, or 0 where nothing is known."""
        return 0.0
