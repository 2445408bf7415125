"""Calls of emitted C with arguments that nobody should hand in: a status each, and PT_OK only with finite values.

What is handed in is never a lie about memory (no wild pointer, no workspace said to be longer than it is), and anything
else: null pointers, sizes from 0 to beyond what size_t multiplies, numbers that are not finite, negative, denormal or
close to the largest, matrices that are no covariances, workspaces that are short, misaligned or overlap a state. Every
array stands between guards, which have to be there afterwards.
"""

from __future__ import annotations

import ctypes
import math
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import pertheory as pt
from pertheory.emit.c.target import c_source, header_text
from pertheory.functions.chosen import choose_functions
from pertheory.kernels.language import Program
from pertheory.kernels.packing import counts, packing_of_classes
from pertheory.run.ccompile import build, load

#: Activation, order and inputs of the theories that are called.
THEORIES = {"tanh": ("tanh", 1, "one"), "relu": ("relu", 0, "many")}
FUNCTIONS = ("run", "run", "run", "step", "update", "recursion", "first_layer", "unpack", "pack", "averages", "sizes")
OK, BAD_ARGUMENT, SHORT_WORKSPACE, TOO_LARGE, LAST_ERROR, DIVERGENT, ACCURACY, UNDEFINED = 0, 1, 2, 5, 6, 7, 8, 9

GUARD, UNTOUCHED, MARGIN = 4.25e77, -7.5e66, 8
LARGE = (2**31, 2**32, 2**32 + 1, 2**62, 2**63, 2**64 - 1)
ODD = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 5e-324, 1e-320, 1e-300, 1e-160, 1e-30, 1e-12, 1e8, 1e10, 1.1e10, 1e30),
    *(1e154, 1e160, 1e300, 1e308, -1e308, 1.7e308, -1e-320, float("nan"), float("inf"), float("-inf")),
)
_Size, _Pointer = ctypes.c_size_t, ctypes.c_void_p


class Library(NamedTuple):
    """A compiled theory and how many numbers its arrays hold."""

    name: str
    program: Program
    functions: ctypes.CDLL

    def call(self, function: str, *arguments: Any) -> int:
        """A status."""
        return int(getattr(self.functions, f"{self.name}_{function}")(*arguments))

    def size(self, function: str, *arguments: Any) -> int:
        """A size."""
        found = getattr(self.functions, f"{self.name}_{function}")
        found.restype = _Size
        return int(found(*arguments))


@lru_cache(maxsize=4)
def library(name: str) -> Library:
    """A theory, compiled at its first call."""
    activation, order, inputs = THEORIES[name]
    theory = pt.theory("mlp", "all", order)
    program, source = c_source(theory, inputs, choose_functions(theory.network, activation, {}), True)
    texts = {f"{source.name}.c": source.source, f"{source.name}.h": source.header, "pertheory.h": header_text()}
    return Library(source.name, program, load(build(texts)))


class Room:
    """An array between guards, and what was in it."""

    def __init__(self, values: npt.ArrayLike, shift: int = 0) -> None:
        given = np.asarray(values, dtype=float).ravel()
        self._all = np.full(len(given) + 2 * MARGIN, GUARD)
        self._before = given
        self.inside = self._all[MARGIN : MARGIN + len(given)]
        self.inside[:] = given
        self.pointer = _Pointer(self.inside.ctypes.data + shift)

    def is_guarded(self) -> bool:
        """Whether nothing around it was written."""
        return bool((self._all[:MARGIN] == GUARD).all() and (self._all[MARGIN + len(self.inside) :] == GUARD).all())

    def is_unchanged(self) -> bool:
        """Whether nothing in it was written."""
        return self.inside.tobytes() == self._before.tobytes()


def draw(source: random.Random) -> dict[str, Any]:
    """A call: the theory, the function, sizes, and all numbers as they are handed in."""
    name = source.choice(sorted(THEORIES))
    inputs = source.choice((0, 1, 1, 2, 2, 3, 4)) if source.random() < 0.95 else source.choice(LARGE)
    depth = source.choice((0, 1, 2, 2, 3, 4)) if source.random() < 0.95 else source.choice((2**63, 2**64 - 1))
    layers = depth if depth < 10 else 1
    spoil = source.choice((0.0, 0.0, 0.05, 0.3))

    def number(usual: float) -> str:
        return repr(source.choice(ODD) if source.random() < spoil else usual)

    return {
        "theory": name,
        "function": source.choice(FUNCTIONS),
        "inputs": inputs,
        "depth": depth,
        "gram": [number(x) for x in _gram(source, inputs if inputs < 10 else 1)],
        "hyper": [number(source.choice((0.0, 0.3, 1.0, 2.0))) for _ in range(8 * max(layers, 1))],
        "widths": None if source.random() < 0.3 else [number(source.choice((1.0, 3.0, 100.0))) for _ in range(layers)],
        "below": [number(source.choice((0.1, 0.5, 1.0, -0.2))) for _ in range(40)],
        "null": source.randrange(8) if source.random() < 0.15 else -1,
        "short": source.choice((1, 2, 10**6)) if source.random() < 0.1 else 0,
        "room": source.choice(("misaligned", "overlap")) if source.random() < 0.1 else "",
        "which": source.randrange(-2, 20),
    }


def _gram(source: random.Random, inputs: int) -> list[float]:
    """A matrix: mostly a covariance, of inputs that are far apart, close, equal, opposite or null."""
    scale = source.choice((1.0, 1.0, 1.0, 1e-12, 1e-6, 30.0, 1e4, 1e8, 1e150))
    rows = [[source.gauss(0, 1) for _ in range(source.choice((4, 2)))] for _ in range(inputs)]
    length = min((len(row) for row in rows), default=0)
    for n in range(1, inputs):
        kind = source.randrange(8)
        if kind < 4:
            rows[n] = [(1, -1, 0, 1 + 1e-9)[kind] * x for x in rows[0]]
        if kind == 4:
            rows[n] = [x + 1e-7 * source.gauss(0, 1) for x in rows[0]]
    if source.random() < 0.1:  # no covariance at all
        return [scale * source.gauss(0, 1) for _ in range(inputs * inputs)]
    return [scale * sum(a * b for a, b in zip(v[:length], w[:length], strict=True)) for v in rows for w in rows]


def judge(example: dict[str, Any]) -> str:
    """Call, and see that there is a status, that guards stand, and that PT_OK and PT_ACCURACY mean finite results."""
    own = library(example["theory"])
    function = example["function"]
    has_workspace = function not in ("first_layer", "pack", "unpack")
    if not has_workspace and example["inputs"] >= 10 and own.size("state_size", _Size(example["inputs"])) > 0:
        return "skipped"  # a size that some machine has
    return _CALLS[function](own, example)


def _numbers(texts: list[str], count: int) -> list[float]:
    """So many of them, from the start again where there are not enough."""
    return [float(texts[n % len(texts)]) if texts else 0.0 for n in range(count)]


class _Arguments:
    """What a call is given: arrays, of which one may be null, the workspace, and a place for results."""

    def __init__(self, own: Library, example: dict[str, Any], results: int, works: bool = True) -> None:
        self.inputs = example["inputs"]
        self.few = self.inputs if self.inputs < 10 else 1  # of which there are arrays
        have = own.size("workspace_size", _Size(self.few)) if works else 0
        self.given = max(have - example["short"], 0)
        self.count = results
        self.is_refused = self.inputs == 0  # with PT_BAD_ARGUMENT, whatever else there is
        self.is_misplaced = bool(example["room"]) and works and results > 0 and have > 0
        self.read: list[Room] = []
        if self.is_misplaced and example["room"] == "overlap":  # by one number
            self.written = Room(np.full(results + have, UNTOUCHED))
            self._workspace = Room([0.0])
            self._start = _Pointer(self.written.inside.ctypes.data + 8 * (results - 1))
        else:
            self.written = Room(np.full(max(results, 1), UNTOUCHED))
            self._workspace = Room(np.zeros(have + 1), shift=4 if self.is_misplaced else 0)
            self._start = self._workspace.pointer
        self._null, self._asked = example["null"], 0

    def array(self, values: list[float]) -> Any:
        """An array that is read, or null."""
        self.read.append(Room(values or [0.0]))
        return self._or_null(self.read[-1].pointer)

    def result(self) -> Any:
        """The array that is written, or null."""
        return self._or_null(self.written.pointer)

    def room(self) -> tuple[Any, Any]:
        """The workspace, or null, and its length."""
        return self._or_null(self._start), _Size(self.given)

    def _or_null(self, pointer: Any) -> Any:
        self._asked += 1
        if self._asked - 1 != self._null:
            return pointer
        self.is_refused = True
        return None

    def verdict(self, status: int) -> str:
        """What came of the call; an error where that is a fault."""
        assert OK <= status <= UNDEFINED, f"status {status}"
        guarded = all(room.is_guarded() for room in (self.written, self._workspace, *self.read))
        assert guarded, f"status {status}, and written beyond an array"
        assert all(room.is_unchanged() for room in self.read), f"status {status}, and what is only read was written"
        results = self.written.inside[: self.count]
        if self.is_refused:
            assert status == BAD_ARGUMENT, f"status {status} where something is null"
        if self.is_misplaced:
            assert status in (BAD_ARGUMENT, SHORT_WORKSPACE, TOO_LARGE), f"status {status} for that workspace"
        if self.is_refused or self.is_misplaced or status in (SHORT_WORKSPACE, TOO_LARGE):
            assert self.written.is_unchanged(), f"status {status}, and results were written"
        if status in (OK, ACCURACY):
            assert np.isfinite(results).all(), f"status {status} and results {results[~np.isfinite(results)][:4]}"
        if status in (DIVERGENT, UNDEFINED):
            assert not np.isinf(results).any(), "an average has no finite value, and a result is infinite"
        if status == OK or status > LAST_ERROR:
            assert not (results == UNTOUCHED).any(), f"status {status}, and not all results were written"
        return f"status {status}"


def _run(own: Library, example: dict[str, Any]) -> str:
    depth = example["depth"]
    layers = depth if depth < 10 else 1
    few = _few(example)
    arguments = _Arguments(own, example, layers * own.size("state_size", _Size(few)))
    arguments.is_refused |= depth == 0
    symbols = len(own.program.hyperparameters)
    gram = arguments.array(_gram_of(own, example))
    hyper = arguments.array(_numbers(example["hyper"], max(layers, 1) * symbols))
    result = arguments.result()
    workspace, length = arguments.room()
    widths = Room(_numbers(example["widths"], layers) or [0.0]) if example["widths"] is not None else None
    error = ctypes.c_double(0.0)
    given = (gram, hyper, widths and widths.pointer, None, None, result, workspace, length, ctypes.byref(error))
    return arguments.verdict(own.call("run", _Size(example["inputs"]), _Size(depth), *given))


def _step(own: Library, example: dict[str, Any]) -> str:
    size = own.size("state_size", _Size(_few(example)))
    arguments = _Arguments(own, example, size)
    below = arguments.array(_numbers(example["below"], size))
    hyper = arguments.array(_numbers(example["hyper"], len(own.program.hyperparameters)))
    result = arguments.result()
    workspace, length = arguments.room()
    ratio = Room(_numbers(example["widths"], len(own.program.levels))) if example["widths"] is not None else None
    given = (below, hyper, ratio and ratio.pointer, None, None, result, workspace, length, None)
    return arguments.verdict(own.call("step", _Size(example["inputs"]), *given))


def _update(own: Library, example: dict[str, Any]) -> str:
    return _from_averages(own, example, "update", own.size("state_size", _Size(_few(example))))


def _recursion(own: Library, example: dict[str, Any]) -> str:
    number = example["which"] % len(own.program.levels[-1].kernels)
    size = own.size("tensor_size", number, _Size(_few(example)))
    return _from_averages(own, example, f"recursion_{own.program.levels[-1].kernels[number].function}", size)


def _from_averages(own: Library, example: dict[str, Any], function: str, results: int) -> str:
    few = _few(example)
    arguments = _Arguments(own, example, results)
    level = own.program.levels[0]
    size = own.size("state_size", _Size(few))
    below = arguments.array(_numbers(example["below"], size))
    averages = [
        Room(_numbers(example["below"][n % 7 :], _stored(average.classes, few)))
        for n, average in enumerate(level.averages)
    ]
    pointers = (_Pointer * max(len(averages), 1))(*[room.pointer for room in averages])
    hyper = arguments.array(_numbers(example["hyper"], len(own.program.hyperparameters)))
    result = arguments.result()
    workspace, length = arguments.room()
    arguments.read += averages
    ratio = ctypes.c_double(float(example["hyper"][-1]))
    given = (below, pointers, hyper, ratio, result, workspace, length)
    return arguments.verdict(own.call(function, _Size(example["inputs"]), *given))


def _first_layer(own: Library, example: dict[str, Any]) -> str:
    arguments = _Arguments(own, example, own.size("state_size", _Size(_few(example))), works=False)
    gram = arguments.array(_gram_of(own, example))
    hyper = arguments.array(_numbers(example["hyper"], len(own.program.hyperparameters)))
    return arguments.verdict(own.call("first_layer", _Size(example["inputs"]), gram, hyper, arguments.result()))


def _unpack(own: Library, example: dict[str, Any]) -> str:
    return _convert(own, example, "unpack")


def _pack(own: Library, example: dict[str, Any]) -> str:
    return _convert(own, example, "pack")


def _convert(own: Library, example: dict[str, Any], function: str) -> str:
    """Numbers are copied as they are, so the guard values are what is looked at."""
    few, kernels = _few(example), own.program.levels[-1].kernels
    number = example["which"]
    is_tensor = 0 <= number < len(kernels)
    packed = own.size("tensor_size", number, _Size(few))
    dense = few ** kernels[number].rank if is_tensor else 1
    source, target = (packed, dense) if function == "unpack" else (dense, packed)
    arguments = _Arguments(own, example, target, works=False)
    arguments.is_refused |= not is_tensor
    given = arguments.array([float(n) for n in range(max(source, 1))])
    return arguments.verdict(own.call(function, number, _Size(example["inputs"]), given, arguments.result()))


def _averages(own: Library, example: dict[str, Any]) -> str:
    """The built-in routine by itself; of functions with kinks it leaves NaN in entries that nobody reads."""
    few, requests = _few(example), own.program.levels[0].averages
    wanted = [n % (len(requests) + 2) - 1 if n % 5 == 0 else n % len(requests) for n in range(example["which"] + 2)]
    right = all(0 <= n < len(requests) for n in wanted)
    sizes = [_stored(requests[n].classes, few) if 0 <= n < len(requests) else 1 for n in wanted]
    out = [Room(np.full(max(size, 1), UNTOUCHED)) for size in sizes]
    pointers = (_Pointer * max(len(out), 1))(*[room.pointer for room in out])
    need = own.size("builtin_workspace", _Size(few))
    workspace = Room(np.zeros(max(need - example["short"], 1)))
    given = max(need - example["short"], 0)
    covariance = Room(_gram_of(own, example) or [0.0])
    error = ctypes.c_double(0.0)
    numbers = (ctypes.c_int * max(len(wanted), 1))(*wanted)
    found = own.call(
        "builtin_average", None, _Size(example["inputs"]), None if example["null"] == 0 else covariance.pointer,
        0, _Size(len(wanted)), numbers, pointers, None if example["null"] == 1 else workspace.pointer, _Size(given),
        ctypes.byref(error),
    )  # fmt: skip
    assert OK <= found <= UNDEFINED, f"status {found}"
    assert all(room.is_guarded() for room in (*out, workspace, covariance)), "written beyond an array"
    assert covariance.is_unchanged(), "the covariance was written"
    if example["inputs"] == 0 or example["null"] in (0, 1):
        assert found == BAD_ARGUMENT
    elif not right:
        assert 0 < found <= LAST_ERROR, f"status {found} for a request that there is not"
    values = np.concatenate([room.inside for room in out]) if out else np.zeros(0)
    if found == OK or found > LAST_ERROR:
        assert not np.isinf(values).any(), f"status {found} and an infinite average"
        assert not (values == UNTOUCHED).any(), f"status {found}, and not all averages were written"
        if found != DIVERGENT and example["theory"] == "tanh":
            assert np.isfinite(values).all(), f"status {found} and NaN"
    return f"status {found}"


def _sizes(own: Library, example: dict[str, Any]) -> str:
    inputs = _Size(example["inputs"])
    state = own.size("state_size", inputs)
    number = example["which"]
    tensor, offset = own.size("tensor_size", number, inputs), own.size("tensor_offset", number, inputs)
    assert tensor + offset <= state
    assert (state == 0) >= (own.size("workspace_size", inputs) == 0) or example["inputs"] >= 10
    return "sizes"


_CALLS: dict[str, Callable[[Library, dict[str, Any]], str]] = {
    "run": _run,
    "step": _step,
    "update": _update,
    "recursion": _recursion,
    "first_layer": _first_layer,
    "unpack": _unpack,
    "pack": _pack,
    "averages": _averages,
    "sizes": _sizes,
}


def _few(example: dict[str, Any]) -> int:
    """For how many inputs there are arrays: for fewer than are named where no machine has as many."""
    named = int(example["inputs"])
    return named if named < 10 else 1


def _gram_of(own: Library, example: dict[str, Any]) -> list[float]:
    few = _few(example)
    square = _numbers(example["gram"], few * few)
    return [square[n * few + n] for n in range(few)] if own.program.inputs == "one" else square


def _stored(classes: tuple[int, ...], inputs: int) -> int:
    """Numbers of a packed average."""
    if inputs == 0:
        return 0
    row = counts(packing_of_classes(classes))[-1]
    return sum(count * math.comb(inputs - 1, j) for j, count in enumerate(row))
