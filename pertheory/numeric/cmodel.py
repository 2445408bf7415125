"""A compiled theory in C: the same call and the same answer as `pertheory.numeric.model.Model`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError, UnsupportedError
from pertheory.kernels.language import Program
from pertheory.numeric.averages import GaussianAverages
from pertheory.numeric.ccompile import build, load
from pertheory.numeric.model import (
    Array,
    LayerState,
    Model,
    Run,
    check_hyperparameters,
    check_inputs,
    check_range,
    check_widths,
    choose_functions,
)
from pertheory.pipeline import c_source, header_text
from pertheory.rulebook.activation import Activation

OK, BAD_ARGUMENT, UNSUPPORTED, OVERFLOW, LAST_ERROR, DIVERGENT, ACCURACY = 0, 1, 4, 6, 6, 7, 8
#: Accuracy of the built-in averages, relative to the scale of each; for more the routine in Python is called back.
BUILT_IN_ACCURACY = 1e-9

_Size = ctypes.c_size_t
_Pointer = ctypes.c_void_p
_Average = ctypes.CFUNCTYPE(
    ctypes.c_int,
    _Pointer,
    _Size,
    ctypes.POINTER(ctypes.c_double),
    ctypes.c_int,
    _Size,
    ctypes.POINTER(ctypes.c_int),
    ctypes.POINTER(ctypes.POINTER(ctypes.c_double)),
    _Pointer,
    _Size,
    _Pointer,
)


class Library(NamedTuple):
    """A theory in C, loaded: the program, the prefix of its names, the functions, and whether averages are built in."""

    program: Program
    name: str
    functions: ctypes.CDLL
    built_in: bool

    def call(self, function: str, *arguments: Any, size: bool = False) -> int:
        """Call a function of the theory; the interpreter lock is released meanwhile."""
        found = getattr(self.functions, f"{self.name}_{function}")
        found.restype = _Size if size else ctypes.c_int
        return int(found(*arguments))


@dataclass(frozen=True)
class CModel(Model):
    """A theory as a callable that runs compiled C; make one with ``theory.compile("c")``."""

    def __call__(
        self,
        inputs: npt.ArrayLike,
        activation: str | Path | Activation | Mapping[str, Any] = "tanh",
        depth: int = 2,
        *,
        widths: Sequence[int] | None = None,
        rtol: float = 1e-9,
        parameters: Mapping[str, float] | None = None,
        progress: Callable[[int, int], None] | None = None,
        **hyperparameters: float | Sequence[float],
    ) -> Run:
        """Compute all tensors at layers 1 .. depth; see `Model`.

        Raises:
            InputError: as `Model`; no C compiler.
        """
        table = check_inputs(inputs)
        layers = check_hyperparameters(self.theory.network, depth, hyperparameters)
        all_widths = check_widths(widths, depth, table.shape[1], self.theory.network)
        functions = choose_functions(self.theory, activation, parameters or {})
        library = self._library(functions, rtol >= BUILT_IN_ACCURACY)
        call = _Call(library, table @ table.T / table.shape[1], layers, all_widths, functions, rtol)
        return call.run(depth, progress)

    @cached_property
    def _libraries(self) -> dict[tuple[tuple[tuple[str, Activation], ...], bool], Library]:
        """What has been built so far (a cache of a pure function)."""
        return {}

    def _library(self, functions: Mapping[str, Activation], built_in: bool) -> Library:
        """The library for some activations; without built-in averages where there is no routine for them."""
        key = (tuple(sorted(functions.items(), key=lambda item: item[0])), built_in)
        if key not in self._libraries:
            try:
                program, source = c_source(self.theory, self.inputs, functions, built_in)
            except UnsupportedError:
                built_in = False
                program, source = c_source(self.theory, self.inputs, functions, built_in)
            texts = {f"{source.name}.c": source.source, f"{source.name}.h": source.header, "pertheory.h": header_text()}
            self._libraries[key] = Library(program, source.name, load(build(texts)), built_in)
        return self._libraries[key]


class _Call:
    """One run: the arrays that are handed to C."""

    def __init__(
        self,
        library: Library,
        gram: Array,
        layers: Sequence[Mapping[str, float]],
        widths: Sequence[float] | None,
        functions: Mapping[str, Activation],
        rtol: float,
    ) -> None:
        self._library = library
        program = library.program
        self._one = program.inputs == "one"
        self._inputs = len(gram)
        self._gram = np.ascontiguousarray(np.diag(gram) if self._one else gram)
        self._hyper = np.array([[layer[name] for name, _ in program.hyperparameters] for layer in layers])
        self._widths = None if widths is None else np.asarray(widths, dtype=float)
        self._functions = functions
        self._rtol = rtol

    def run(self, depth: int, progress: Callable[[int, int], None] | None) -> Run:
        """All layers, by the built-in averages where they are accurate enough."""
        if self._library.built_in:
            status, states, error = self._compute(depth, None, progress)
            if status in (OK, DIVERGENT):
                reasons = ("a Gaussian average of the activation is infinite at these inputs",) * (status == DIVERGENT)
                return self._result(states, reasons, error)
            if status not in (UNSUPPORTED, ACCURACY):
                raise self._failure(status, states)
        averages = GaussianAverages(self._functions, self._rtol)
        raised: list[BaseException] = []
        status, states, _ = self._compute(depth, self._callback(averages, raised), progress)
        if raised:
            raise raised[0]
        if status > OK and status <= LAST_ERROR:
            raise self._failure(status, states)
        smooth = all(function.is_smooth for function in self._functions.values())
        used = [d for d in averages.divergences if smooth or len(set(d.inputs)) == len(d.inputs)]
        return self._result(states, tuple(dict.fromkeys(d.reason for d in used)), averages.worst_error)

    def _compute(
        self, depth: int, average: Any, progress: Callable[[int, int], None] | None
    ) -> tuple[int, Array, float]:
        library, n = self._library, _Size(self._inputs)
        size = library.call("state_size", n, size=True)
        need = library.call("workspace_size", n, size=True)
        if not size or not need:
            raise InputError(f"{self._inputs} inputs are more than this machine can count")
        states = np.zeros((depth, size))
        workspace = np.empty(need)
        error = ctypes.c_double(0.0)
        handed = _Average() if average is None else average
        tail = (handed, None)
        room = (_pointer(workspace), _Size(need), ctypes.byref(error))
        if progress is None:
            widths = None if self._widths is None else _pointer(self._widths)
            status = library.call(
                "run",
                n,
                _Size(depth),
                _pointer(self._gram),
                _pointer(self._hyper),
                widths,
                *tail,
                _pointer(states),
                *room,
            )
            return status, states, error.value
        status = library.call("first_layer", n, _pointer(self._gram), _pointer(self._hyper), _pointer(states))
        for layer in range(1, depth):
            if OK < status <= LAST_ERROR:
                break
            progress(layer + 1, depth)
            ratio = np.ones(len(library.program.levels))
            if self._widths is not None:
                ratio[0] = self._widths[layer] / self._widths[layer - 1]
            found = library.call(
                "step", n, _pointer(states[layer - 1]), _pointer(self._hyper[layer]), _pointer(ratio), *tail,
                _pointer(states[layer]), *room,
            )  # fmt: skip
            status = found if status == OK or OK < found <= LAST_ERROR else status
        return status, states, error.value

    def _callback(self, averages: GaussianAverages, raised: list[BaseException]) -> Any:
        """The averages of Python as a function that C calls."""
        requests = [average for level in self._library.program.levels for average in level.averages]

        def average(_: Any, n: int, covariance: Any, field: int, count: int, numbers: Any, out: Any, *__: Any) -> int:
            try:
                wanted = [requests[numbers[number]] for number in range(count)]
                matrix = np.ctypeslib.as_array(covariance, shape=(n, n)).copy()
                with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told by name later
                    found = averages(matrix, [request.request for request in wanted])
                for number, (request, array) in enumerate(zip(wanted, found, strict=True)):
                    packed = pack_classes(array, request.classes)
                    np.ctypeslib.as_array(out[number], shape=packed.shape)[...] = packed
            except BaseException as error:  # it must not cross the C code; it is raised again behind it
                raised.append(error)
                return BAD_ARGUMENT
            return OK

        return _Average(average)

    def _result(self, states: Array, reasons: tuple[str, ...], error: float) -> Run:
        found = [self._unpacked(state) for state in states]
        check_range(found)
        return Run(tuple(LayerState(number + 1, state) for number, state in enumerate(found)), reasons, float(error))

    def _unpacked(self, state: Array) -> dict[str, Array]:
        """The tensors of a layer as full arrays."""
        library, n = self._library, self._inputs
        found: dict[str, Array] = {}
        for number, kernel in enumerate(library.program.levels[-1].kernels):
            start = library.call("tensor_offset", number, _Size(n), size=True)
            array = np.empty((n,) * kernel.rank)
            library.call("unpack", number, _Size(n), _pointer(state[start:]), _pointer(array))
            found[kernel.key] = array
        return found

    def _failure(self, status: int, states: Array) -> Exception:
        if status == OVERFLOW:
            check_range([self._unpacked(state) for state in states])
            return InputError("G overflows in the layers above; use smaller inputs, C_b or C_W, or fewer layers")
        return InputError(f"the compiled theory failed with status {status}; see pertheory.h")


def pack_classes(array: Array, classes: Sequence[int]) -> Array:
    """The entries of an array that are kept where axes are interchangeable inside runs."""
    keep = np.ones(array.shape, dtype=bool)
    index = np.indices(array.shape, sparse=True)
    start = 0
    for size in classes:
        for axis in range(start, start + size - 1):
            keep &= index[axis] >= index[axis + 1]
        start += size
    return array[keep]


def _pointer(array: Array) -> Any:
    return array.ctypes.data_as(_Pointer)
