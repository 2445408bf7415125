"""What a run hands out: the tensors of a layer, the layers one after the other, and all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import comb
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pertheory import html
from pertheory.averages.gaussian import MOST_INPUTS
from pertheory.errors import InputError, MissingError
from pertheory.kernels.language import Program
from pertheory.rulebook.files import nearest
from pertheory.rulebook.observable import parse_observable
from pertheory.rulebook.tensors import AnyTensor, Tensor, any_tensor, tensor_of
from pertheory.rulebook.values import whole
from pertheory.run.memory import DOUBLE, state_size
from pertheory.run.tables import to_pandas, to_xarray
from pertheory.text import listed, plural

Array = npt.NDArray[np.float64]
#: is told the layer that is being computed, the depth, and how much of the layer's averages is done
Progress: TypeAlias = Callable[[int, int, float], None]


def _read_only(array: Array) -> Array:
    """What several names show must not be changed under one of them."""
    shown = array.view()
    shown.flags.writeable = False
    return shown


class LayerState(Mapping[str, Array]):
    """The tensors of one layer by name: ``state["V"]`` is an array with one axis per slot over the inputs."""

    def __init__(self, layer: int, arrays: Mapping[str, Array]) -> None:
        self.layer = layer
        self._arrays = arrays

    def __reduce__(self) -> tuple[Any, ...]:
        return LayerState, (self.layer, dict(self._arrays))

    def __getitem__(self, name: str) -> Array:
        if isinstance(name, str) and name in self._arrays:
            return _read_only(self._arrays[name])
        try:
            tensor, order = any_tensor(name)
        except InputError as error:
            raise MissingError(str(error)) from None
        key, known = self._held(tensor, order)
        array = _read_only(self._arrays[key])
        if array.ndim != tensor.kind.size:  # one input: all slots are alike
            return array
        return array.transpose([known.slots.index(vertex) for vertex in tensor.slots])

    def _held(self, tensor: Tensor, order: int | None) -> tuple[str, Tensor]:
        """The key of a tensor, and the tensor with the slots as its array has them.

        Raises:
            MissingError: it is not there; names the nearest.
        """
        known = tensor_of(tensor.kind)
        mark = f"{{{order}}}" if order else ""
        if known.name + mark in self._arrays:
            return known.name + mark, known
        for key in self._arrays:  # it may have been given a name since, or the name may be of another process
            held, found = any_tensor(key)
            if held.kind == tensor.kind and (found or 0) == (order or 0):
                return key, held
        raise MissingError(f"no tensor {tensor.name + mark!r} in this state; {nearest(tensor.name + mark, self)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self._arrays, *(name for name in ("K", "Theta") if name in self)]

    def to_pandas(self, *names: AnyTensor) -> Any:
        """The layer as a `pandas.DataFrame`; see `Run.to_pandas`."""
        return to_pandas([self.layer], [self], names)

    def to_xarray(self, *names: AnyTensor) -> Any:
        """The layer as an `xarray.Dataset`; see `Run.to_xarray`."""
        return to_xarray([self.layer], [self], names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LayerState):
            return NotImplemented
        same = self.layer == other.layer and set(self) == set(other)
        return same and all(np.array_equal(array, other[key], equal_nan=True) for key, array in self.items())

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
        array = self[name]
        tensor, _ = any_tensor(name)
        slots = _slots_by_role(tensor, roles)
        for slot in slots:
            whole(slot, f"{tensor.name}: the number of an input", 0, array.shape[0] - 1)
        return float(array[slots if array.ndim == len(slots) else slots[:1]])

    @property
    def inputs(self) -> int:
        """How many inputs there are."""
        return max((array.shape[0] for array in self._arrays.values() if array.ndim), default=0)

    def __repr__(self) -> str:
        return f"LayerState(layer={self.layer}, {plural(self.inputs, 'input')}, tensors={listed(self._arrays)})"

    def _repr_html_(self) -> str:
        several = self.inputs > 1
        head = ["tensor", "at input 0", *(["inputs 0, 1, 0, ..."] if several else []), "components", "what it is"]
        rows = (
            [key, *_components(array, several), f"{array.shape[0]}^{array.ndim}", _titled(key)]
            for key, array in self._arrays.items()
        )
        title = f"layer {self.layer}: {plural(len(self), 'tensor')} over {plural(self.inputs, 'input')}"
        return html.page(title, html.table(head, rows, "tensor"))


def _components(array: Array, several: bool) -> list[float]:
    """What a table shows of a tensor: the component at input 0 and, of several inputs, one off the diagonal."""
    places = [[0, 0], [0, 1]] if several else [[0, 0]]
    # of a run on single inputs the one axis is all there is
    return [float(array[tuple(own[slot % 2] for slot in range(array.ndim))]) for own in places]


def _titled(key: str) -> str:
    """What a tensor of a state is, as far as names tell."""
    tensor, _ = any_tensor(key)
    return tensor.title or tensor_of(tensor.kind).title or tensor.observable


def _slots_by_role(tensor: Tensor, roles: Mapping[str, Any]) -> tuple[Any, ...]:
    observable, _ = parse_observable(tensor.observable)
    wanted: dict[str, list[str]] = {}
    for part in str(observable).split(" "):
        shape, _, inside = part.partition("(")
        wanted.setdefault(shape, []).extend(c for c in inside if c.isalnum())
    if set(wanted) != set(roles):
        raise InputError(f"{tensor.name} = {tensor.observable} needs the roles {', '.join(wanted)}")
    value: dict[str, Any] = {}
    for shape, labels in wanted.items():
        given = np.ravel(np.asarray(roles[shape], dtype=object)).tolist()
        if len(given) != len(labels):
            raise InputError(
                f"{tensor.name}: {shape} needs {len(labels)} inputs ({', '.join(labels)}), not {len(given)}"
            )
        value |= dict(zip(labels, given, strict=True))
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
        if isinstance(layer, str | slice):
            raise InputError(f"a run has layers 1 to {len(self.states)}: ask for one, as in run[1] or run[1]['G']")
        return self.states[whole(layer, "layer", 1, len(self.states)) - 1]

    def __len__(self) -> int:
        return len(self.states)

    def __iter__(self) -> Iterator[LayerState]:
        return iter(self.states)

    def _ipython_key_completions_(self) -> list[int]:
        return list(range(1, len(self.states) + 1))

    def to_pandas(self, *names: AnyTensor) -> Any:
        """All layers as a `pandas.DataFrame` in long form.

        Args:
            names: of tensors; by default all of them.

        Returns:
            A row a component: ``layer``, ``tensor``, the number of the input in ``slot 1``, ``slot 2``, ... (missing
            beyond the slots of the tensor) and ``value``.

        Raises:
            MissingPackageError: pandas is not installed.
            MissingError: there is no such tensor.
        """
        return to_pandas([state.layer for state in self.states], self.states, names)

    def to_xarray(self, *names: AnyTensor) -> Any:
        """All layers as an `xarray.Dataset`: a variable a tensor over ``layer``, ``slot_1``, ``slot_2``, ...

        Where slots all carry the same input, over ``layer`` and ``input``. The numbers of layers and inputs are
        coordinates.

        Args:
            names: of tensors; by default all of them.

        Raises:
            MissingPackageError: xarray is not installed.
            MissingError: there is no such tensor.
        """
        return to_xarray([state.layer for state in self.states], self.states, names)

    def __repr__(self) -> str:
        last = self.states[-1]
        warned = f", {plural(len(self.divergences), 'divergence')}" if self.divergences else ""
        return (
            f"Run({plural(len(self), 'layer')}, {plural(last.inputs, 'input')}, tensors={listed(last)}, "
            f"error={self.error:.1e}{warned})"
        )

    def _repr_html_(self) -> str:
        first, last = self.states[0], self.states[-1]
        layers = sorted({1, 2, (len(self) + 1) // 2, len(self) - 1, len(self)} & set(range(1, len(self) + 1)))
        rows = ([key, *(_components(self[layer][key], False)[0] for layer in layers), _titled(key)] for key in last)
        left_out = f", of which {len(layers)} are shown" if len(layers) < len(self) else ""
        title = (
            f"{plural(len(self), 'layer')}{left_out}: {plural(len(last), 'tensor')} over "
            f"{plural(first.inputs, 'input')}, here at input 0 in every slot; "
            f"averages are accurate to {self.error:.1e} of their scale"
        )
        head = ["tensor", *(f"layer {layer}" for layer in layers), "what it is"]
        why = html.facts([("NaN", list(self.divergences))]) if self.divergences else html.Html("")
        return html.page(title, html.table(head, rows, "tensor"), why)


class Layers(Iterator[LayerState], ABC):
    """The layers of a run, computed one at a time; only the last one is held.

    Args:
        program: what is run.
        inputs: how many different ones.
        depth: how many layers there are.
        needed: bytes that the run is estimated to need.
        spread: makes tensors over all inputs that were given of those over different ones.
        progress: is told the layer, the depth, and how much of the layer is done.

    Attributes:
        depth, needed: as they were given.
        held: bytes of one layer.
    """

    def __init__(
        self,
        program: Program,
        inputs: int,
        depth: int,
        needed: int,
        spread: Callable[[Mapping[str, Array]], Mapping[str, Array]],
        progress: Progress | None,
    ) -> None:
        self.depth, self.needed = depth, needed
        self.held = DOUBLE * state_size(program, inputs)
        self._program, self._inputs, self._spread, self._progress = program, inputs, spread, progress
        self._divergences: list[str] = []
        self._layer = 0

    def __next__(self) -> LayerState:
        if self._layer == self.depth:
            raise StopIteration
        state = self._climb()
        self._layer += 1
        return LayerState(self._layer, self._spread(state))

    @abstractmethod
    def _climb(self) -> Mapping[str, Array]:
        """The tensors of the next layer, over different inputs."""

    @property
    def divergences(self) -> tuple[str, ...]:
        """Reasons for entries that are NaN so far, each once."""
        return tuple(dict.fromkeys(self._divergences))

    @property
    @abstractmethod
    def error(self) -> float:
        """The largest estimated error of a Gaussian average so far, relative to its scale."""

    def largest_sets(self) -> tuple[int, int]:
        """How many sets of distinct inputs the averages of a layer visit that have the most inputs, and how many."""
        ranks = [average.rank for level in self._program.levels for average in level.averages]
        size = min(max(ranks, default=0), self._inputs, MOST_INPUTS)
        return comb(self._inputs, size), size

    def explanation(self) -> str:
        """Which method averaged what so far, or nothing where that is not known."""
        return ""

    def seconds_per_layer(self) -> float:
        """About how long the averages of one layer take, or 0 where nothing is known."""
        return 0.0
