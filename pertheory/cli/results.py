"""How `run` writes its results: a layer at a time, as soon as it is there."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from pertheory.rulebook.tensors import Tensor

if TYPE_CHECKING:
    from pertheory.run.states import LayerState

Shown = Mapping[str, Tensor]


def full(array: Any, rank: int) -> Any:
    """An array with one axis per slot; a run on one input has kept a single axis."""
    return array.reshape((1,) * rank) if len(array) == 1 else array


class TextResults:
    """A table a layer: the diagonal of every tensor and, with several inputs, one component off the diagonal."""

    def __init__(self, handle: IO[bytes], shown: Shown, heading: str = "") -> None:
        self._handle, self._shown = handle, shown
        self._wide = max(12, *(len(key) + 1 for key in shown))
        if heading:
            self._line(f"# {heading}")

    def _line(self, text: str) -> None:
        self._handle.write(f"{text}\n".encode())

    def layer(self, state: LayerState) -> None:
        """Write one layer."""
        several = len(next(iter(state.values()))) > 1
        titles = ["slots all 0", "slots 0 1 0 1 .."] if several else ["slots all 0"]
        self._line(f"layer {state.layer}")
        self._line(f"  {'tensor':<{self._wide}}" + "".join(f"{title:>22}" for title in titles))
        for key, tensor in self._shown.items():
            size = tensor.kind.size
            array = full(state[key], size)
            picks = [(0,) * size] + ([tuple(i % 2 for i in range(size))] if several else [])
            values = "".join(f"{float(array[pick]):>22.12g}" for pick in picks)
            self._line(f"  {key:<{self._wide}}{values}")

    def end(self, error: float) -> None:
        """Write what is known after the last layer."""
        self._line(f"largest estimated error of a Gaussian average: {error:.1e} of its scale")
        self._line("every component: --format json or npz")

    def close(self) -> None:
        """Nothing is left to do."""


class JsonResults:
    """One object, as the interface promises it; NaN becomes null."""

    def __init__(self, handle: IO[bytes], shown: Shown, record: Mapping[str, Any]) -> None:
        self._handle, self._shown = handle, shown
        self._write(json.dumps(record, allow_nan=False)[:-1] + ', "layers": [')
        self._first = True

    def _write(self, text: str) -> None:
        self._handle.write(text.encode())

    def layer(self, state: LayerState) -> None:
        """Write one layer, a slice of a tensor at a time."""
        self._write(f'{"" if self._first else ", "}{{"layer": {state.layer}')
        self._first = False
        for key, tensor in self._shown.items():
            self._write(f", {json.dumps(key)}: ")
            for number, part in enumerate(full(state[key], tensor.kind.size)):
                self._write(("[" if number == 0 else ", ") + json.dumps(_clean(part.tolist()), allow_nan=False))
            self._write("]")
        self._write("}")

    def end(self, error: float) -> None:
        """Close the object."""
        self._write(f'], "error": {json.dumps(error, allow_nan=False)}}}\n')

    def close(self) -> None:
        """Nothing is left to do."""


def _clean(value: Any) -> Any:
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return None if math.isnan(value) else value


class NpzResults:
    """An archive of arrays as NumPy writes it, one member after the other."""

    def __init__(self, handle: IO[bytes], shown: Shown, closure: str) -> None:
        self._archive = zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._shown = shown
        if closure != "exact":
            self._add("closure", closure)

    def _add(self, name: str, value: Any) -> None:
        import numpy as np

        # a fixed date: equal runs are equal bytes
        member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
        with self._archive.open(member, "w", force_zip64=True) as handle:
            np.lib.format.write_array(handle, np.asarray(value), allow_pickle=False)

    def layer(self, state: LayerState) -> None:
        """Add the arrays of one layer."""
        for key, tensor in self._shown.items():
            self._add(f"{key}/{state.layer}", full(state[key], tensor.kind.size))

    def end(self, error: float) -> None:
        """Add what is known after the last layer."""
        self._add("error", error)

    def close(self) -> None:
        """Write the table of contents."""
        self._archive.close()


Results = TextResults | JsonResults | NpzResults


def head(network: str, activation: str, inputs: Sequence[Sequence[float]], order: int, closure: str) -> dict[str, Any]:
    """What the JSON form says before the layers."""
    return {
        "schema": "pertheory.run/1",
        "network": network,
        "activation": activation,
        "inputs": inputs,
        "order": order,
        "closure": closure,
    }
