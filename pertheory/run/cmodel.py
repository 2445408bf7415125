"""A compiled theory in C: the same call and the same answer as `pertheory.run.model.Model`."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from pertheory.averages.gaussian import GaussianAverages
from pertheory.emit.c.target import c_source, header_text
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.kernels.language import Program
from pertheory.progress import progress as shown_progress
from pertheory.run.arguments import check_range
from pertheory.run.ccompile import build, find_compiler, load
from pertheory.run.memory import DOUBLE, averages_needed, check_memory, state_size
from pertheory.run.model import Model, Prepared
from pertheory.run.states import Array, Layers, Progress
from pertheory.run.undefined import Average, definite

log = logging.getLogger("pertheory.run")

OK, BAD_ARGUMENT, NOT_FINITE, UNSUPPORTED, OVERFLOW, LAST_ERROR = 0, 1, 3, 4, 6, 6
DIVERGENT, ACCURACY, UNDEFINED = 7, 8, 9
#: Why entries are NaN, where the built-in averages are the reason.
REASONS = {
    DIVERGENT: "a Gaussian average of the activation is infinite at these inputs",
    UNDEFINED: "a Gaussian average of the activation has no value at its kink x = 0, and the variance there is zero",
}
#: Accuracy of the built-in averages, relative to the scale of each; for more the routine in Python is called back.
BUILT_IN_ACCURACY = 1e-9
#: Inputs from which those of smooth functions over three and four inputs are called back as well: Python looks at pairs
#: of inputs once for all sets, the built-in ones at every set by itself.
CALLED_BACK = 8
#: Bytes up to which a tensor is kept as a full array once it has been read.
KEPT = 2**24

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


@dataclass(frozen=True)
class Library:
    """A theory in C, loaded.

    Attributes:
        program: what it carries out.
        name: prefix of its names.
        functions: what was loaded.
        built_in: whether averages are.
    """

    program: Program
    name: str
    functions: ctypes.CDLL
    built_in: bool

    @cached_property
    def tensors(self) -> dict[str, tuple[int, int]]:
        """The number and the rank of each tensor of a layer."""
        return {own.key: (n, own.rank) for n, own in enumerate(self.program.levels[-1].kernels)}

    def call(self, function: str, *arguments: Any, size: bool = False) -> int:
        """Call a function of the theory; the interpreter lock is released meanwhile."""
        found = getattr(self.functions, f"{self.name}_{function}")
        found.restype = _Size if size else ctypes.c_int
        return int(found(*arguments))


@dataclass(frozen=True, repr=False)
class CModel(Model):
    """A theory as a callable that runs compiled C; make one with ``theory.compile("c")``.

    Raises:
        InputError: no C compiler.
    """

    target: ClassVar[str] = "c"

    def __post_init__(self) -> None:
        """See that there is a compiler, which is an error here and not at the first call."""
        find_compiler()

    def _layers(self, run: Prepared, rtol: float, progress: Progress | None, kept: int, counted: bool) -> Layers:
        if counted:
            raise InputError("only NumPy counts at how many numbers functions are evaluated; leave counted out")
        several = self.inputs == "many" and any(tensor.kind.size > 2 for tensor, _ in self.theory.tensors)
        back = rtol < BUILT_IN_ACCURACY or (several and run.smooth and len(run.table) >= CALLED_BACK)
        return CLayers(self._library(run.functions, not back), run, rtol, kept, progress)

    @cached_property
    def _libraries(self) -> dict[tuple[tuple[tuple[str, Activation], ...], bool], Library]:
        """What has been built so far (a cache of a pure function)."""
        return {}

    def _library(self, functions: Mapping[str, Activation], built_in: bool) -> Library:
        """The library for some activations; without built-in averages where there is no routine for them."""
        key = (tuple(sorted(functions.items(), key=lambda item: item[0])), built_in)
        if key not in self._libraries:
            with shown_progress(f"compiling the theory of {self.theory.network.name} to C"):
                self._libraries[key] = self._build(functions, built_in)
        return self._libraries[key]

    def _build(self, functions: Mapping[str, Activation], built_in: bool) -> Library:
        try:
            program, source = c_source(self.theory, self.inputs, functions, built_in)
        except UnsupportedError as error:
            log.info("averages are called back from C: %s", error)
            built_in = False
            program, source = c_source(self.theory, self.inputs, functions, built_in)
        texts = {f"{source.name}.c": source.source, f"{source.name}.h": source.header, "pertheory.h": header_text()}
        return Library(program, source.name, load(build(texts)), built_in)


class CLayers(Layers):
    """Layers by a library: by its built-in averages where they are accurate enough, else by those of Python."""

    def __init__(
        self,
        library: Library,
        run: Prepared,
        rtol: float,
        kept: int,
        progress: Progress | None,
    ) -> None:
        program, inputs = library.program, len(run.table)
        self._size = library.call("state_size", _Size(inputs), size=True)
        self._need = library.call("workspace_size", _Size(inputs), size=True)
        if not self._size or not self._need:
            raise InputError(f"{inputs} inputs are more than this machine can count")
        spread = 0 if run.place is None else state_size(program, len(run.place))
        needed = DOUBLE * ((1 + kept) * self._size + self._need + kept * spread)
        self._averages_need = averages_needed(program, inputs, run.series)
        run.check_memory(needed + (0 if library.built_in else self._averages_need))
        super().__init__(program, len(run.table), len(run.layers), needed, run.spread, progress)
        self.held = DOUBLE * (spread or self._size)
        self._library, self._widths = library, run.widths
        self._gram = np.ascontiguousarray(run.gram(program.inputs == "one"))
        self._hyper = np.array([[layer[name] for name, _ in program.hyperparameters] for layer in run.layers])
        self._averages = GaussianAverages(run.functions, rtol, distinct=not run.smooth and program.inputs == "many")
        self._workspace = np.empty(self._need)
        self._error = ctypes.c_double(0.0)
        self._state = np.zeros(self._size)

    @property
    def error(self) -> float:
        """The largest estimated error of a Gaussian average so far, relative to its scale."""
        return max(self._error.value, float(self._averages.worst_error))

    def _climb(self) -> Mapping[str, Array]:
        if self._progress is not None and self._layer:
            self._progress(self._layer + 1, self.depth, 0.0)
        above = np.zeros(self._size)
        if self._layer == 0:
            n, hyper = _Size(self._inputs), _pointer(self._hyper[0])
            status = self._library.call("first_layer", n, _pointer(self._gram), hyper, _pointer(above))
        else:
            status = self._above(above)
        self._state = above
        state = Unpacked(self._library, self._inputs, above)
        if status in (OVERFLOW, NOT_FINITE) or not np.isfinite(above).all():  # of a result, or of an average
            check_range(self._layer + 1, state, bool(self.divergences))
        if status in (OVERFLOW, NOT_FINITE):
            raise InputError("G overflows in the layers above; use smaller inputs, C_b or C_W, or fewer layers")
        if OK < status <= LAST_ERROR:
            raise InputError(f"the compiled theory failed with status {status}; see pertheory.h")
        return state

    def _above(self, above: Array) -> int:
        """One layer up."""
        if self._library.built_in:
            error = ctypes.c_double(self._error.value)
            status = self._step(above, _Average(), error)
            # entries that are NaN come before those that are inaccurate
            accurate = error.value <= BUILT_IN_ACCURACY or status not in REASONS
            if status not in (UNSUPPORTED, ACCURACY, OVERFLOW) and accurate:
                self._divergences += self._reason(status)
                self._error = error
                return status
            check_memory(
                DOUBLE * self._size + self._averages_need, "averages that C's own routine has not computed need"
            )
        status = OK

        def step(average: Average) -> dict[str, Array]:
            nonlocal status
            raised: list[BaseException] = []
            result = np.zeros(self._size)
            status = self._step(result, self._callback(average, raised), self._error)
            if raised:
                raise raised[0]
            return {"": result}

        found, reasons = definite(step, self._averages, self._averages.divergences)
        above[...] = found[""]
        self._divergences += reasons or self._reason(status)
        return status

    def _reason(self, status: int) -> list[str]:
        """Why results are NaN; where they were so below it has been told."""
        return [REASONS[status]] if status in REASONS and not np.isnan(self._state).any() else []

    def _step(self, above: Array, average: Any, error: ctypes.c_double) -> int:
        ratio = np.ones(len(self._program.levels))
        if self._widths is not None:
            ratio[0] = self._widths[self._layer] / self._widths[self._layer - 1]
        return self._library.call(
            "step",
            _Size(self._inputs),
            _pointer(self._state),
            _pointer(self._hyper[self._layer]),
            _pointer(ratio),
            average,
            None,
            _pointer(above),
            _pointer(self._workspace),
            _Size(self._need),
            ctypes.byref(error),
        )

    def _callback(self, averages: Average, raised: list[BaseException]) -> Any:
        """The averages of Python as a function that C calls."""
        requests = [average for level in self._program.levels for average in level.averages]

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
            return DIVERGENT if self._averages.divergences else OK

        return _Average(average)


class Unpacked(Mapping[str, Array]):
    """The tensors of a layer as full arrays, each made when it is read; large ones are not kept."""

    def __init__(self, library: Library, inputs: int, state: Array) -> None:
        self._library, self._inputs, self._state = library, inputs, state
        self._known: dict[str, Array] = {}

    def __getitem__(self, key: str) -> Array:
        if key not in self._known:
            library, n = self._library, _Size(self._inputs)
            number, rank = library.tensors[key]
            start = library.call("tensor_offset", number, n, size=True)
            array = np.empty((self._inputs,) * rank)
            library.call("unpack", number, n, _pointer(self._state[start:]), _pointer(array))
            if array.nbytes > KEPT:
                return array
            self._known[key] = array
        return self._known[key]

    def __contains__(self, key: object) -> bool:  # a mapping's own would unpack it
        return key in self._library.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._library.tensors)

    def __len__(self) -> int:
        return len(self._library.tensors)


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
    return _Pointer(array.ctypes.data)
