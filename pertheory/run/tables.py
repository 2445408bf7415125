"""States as tables of other programs: pandas in long form, xarray with one dimension per slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError, MissingPackageError
from pertheory.rulebook.tensors import AnyTensor, any_tensor, tensor_of

Array = npt.NDArray[np.float64]
#: Rows of the largest table; more would take gigabytes.
MOST_ROWS = 50_000_000


class Column(NamedTuple):
    """One tensor at all layers.

    Attributes:
        key: its name in the states.
        observable: what it is.
        title: one line for people.
        rank: its slots.
        arrays: one a layer.
    """

    key: str
    observable: str
    title: str
    rank: int
    arrays: tuple[Array, ...]

    @property
    def one(self) -> bool:
        """Whether there is one axis for all slots, which carry the same input."""
        return self.arrays[0].ndim != self.rank


def columns(states: Sequence[Mapping[str, Array]], names: Sequence[AnyTensor]) -> list[Column]:
    """The tensors that are asked for, by default all, in the order of the request.

    Raises:
        MissingError: a state does not have one of them.
    """
    found = []
    for name in names or tuple(states[0]):
        tensor, order = any_tensor(name)
        key = name if isinstance(name, str) else tensor.name + (f"{{{order}}}" if order else "")
        title = tensor.title or tensor_of(tensor.kind).title
        arrays = tuple(state[name] for state in states)  # type: ignore[index]
        found.append(Column(key, tensor.observable, title, tensor.kind.size, arrays))
    return found


def to_pandas(layers: Sequence[int], states: Sequence[Mapping[str, Array]], names: Sequence[AnyTensor]) -> Any:
    """A row a component: layer, tensor, the input in each slot (missing beyond the tensor's own), value."""
    pandas = _package("pandas", "to_pandas")
    own = columns(states, names)
    if sum(column.arrays[0].size for column in own) * len(layers) > MOST_ROWS:
        raise InputError(f"a table of more than {MOST_ROWS} rows; name fewer tensors, as in to_pandas('G', 'V')")
    most = max(column.rank for column in own)
    codes, numbers, slots, values = [], [], [], []
    for code, column in enumerate(own):
        index = np.indices(column.arrays[0].shape).reshape(column.arrays[0].ndim, -1)
        table = np.full((most, index.shape[1]), -1)
        table[: column.rank] = index[0] if column.one else index
        for layer, array in zip(layers, column.arrays, strict=True):
            codes.append(np.full(array.size, code))
            numbers.append(np.full(array.size, layer))
            slots.append(table)
            values.append(array.ravel())
    number = np.concatenate(numbers)
    order = np.argsort(number, kind="stable")
    kinds = pandas.Categorical.from_codes(np.concatenate(codes)[order], [column.key for column in own])
    frame = {"layer": number[order], "tensor": kinds}
    for slot, inputs in enumerate(np.concatenate(slots, axis=1)[:, order]):
        frame[f"slot {slot + 1}"] = pandas.arrays.IntegerArray(inputs, inputs < 0)
    frame["value"] = np.concatenate(values)[order]
    return pandas.DataFrame(frame)


def to_xarray(layers: Sequence[int], states: Sequence[Mapping[str, Array]], names: Sequence[AnyTensor]) -> Any:
    """A data set: a variable a tensor over layer, slot_1, slot_2, ...; over layer, input where slots are all alike."""
    xarray = _package("xarray", "to_xarray")
    own = columns(states, names)
    variables = {}
    for column in own:
        dims = ["input"] if column.one else [f"slot_{slot + 1}" for slot in range(column.rank)]
        attributes = {"observable": column.observable, "long_name": column.title or column.observable}
        variables[column.key] = (["layer", *dims], np.stack(column.arrays), attributes)
    found = xarray.Dataset(variables, coords={"layer": list(layers)})
    inputs = {name: np.arange(size) for name, size in found.sizes.items() if name != "layer"}
    return found.assign_coords(inputs)


def _package(name: str, method: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingPackageError(
            f"{method} needs {name}, which is not installed: pip install {name}, or pip install 'pertheory[notebook]'"
        ) from None
