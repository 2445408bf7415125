"""Single averages through emitted C: a library for each function, a routine for each average and pattern of inputs.

The routine that a theory gets computes all averages of a set of inputs together and reports the largest error. Here
every average is a plan of its own, so that its value stands beside its own error, and many are compiled at once.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import numpy as np

import pertheory as pt
from pertheory.algebra.terms import Line
from pertheory.averages.atoms import IDENTITY, atoms
from pertheory.averages.code import code_function, losses
from pertheory.averages.nodes import KinkedNodes, SmoothNodes
from pertheory.averages.plan import AverageGroup, AveragePlan, Entry, InputSet, RequestShape
from pertheory.averages.planning import leaf_products
from pertheory.averages.reduce import Divergent
from pertheory.averages.request import Request
from pertheory.emit.c.averages import print_averages
from pertheory.functions.activation import activation

HEADER = Path(pt.__file__).parent / "emit" / "c"
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Werror"]
POINTER = ctypes.POINTER(ctypes.c_double)
MOST_INPUTS = 4
PROTOTYPES = """#include "pertheory.h"
int t_builtin_average(void *, size_t, const double *, int, size_t, const int *, double *const *, double *, size_t,
                      double *);
size_t t_builtin_workspace(size_t);
"""

#: The slot of each axis, and whether slot 0 is an input of zeros.
Pattern = tuple[tuple[int, ...], bool]


class Found(NamedTuple):
    """An average as C computes it: the value, the estimated error relative to the scale, the status."""

    value: float
    error: float
    status: int


def pattern_of(covariance: Sequence[Sequence[float]]) -> Pattern:
    """Which axes carry the same input where axis i carries input i, as the C decides it."""
    n = len(covariance)
    same = []
    for i in range(n):
        one = covariance[i][i]
        near = (abs(one - covariance[i][j]) + abs(covariance[j][j] - covariance[i][j]) <= 4e-16 * one for j in range(i))
        same.append(next((j for j, found in enumerate(near) if found), i))
    zero = any(covariance[i][i] == 0 for i in range(n))
    distinct = sorted({i for i in same if covariance[i][i] > 0})
    return tuple(0 if covariance[i][i] == 0 else distinct.index(i) + zero for i in same), zero


class SingleAverages:
    """The library for averages of one function, each by request and pattern.

    Args:
        name: of the function, or its formula.
        wanted: the averages.
        optimise: flags of the compiler.
    """

    def __init__(self, name: str, wanted: Iterable[tuple[Request, Pattern]], optimise: str = "-O0") -> None:
        self._functions = {"s": activation(name)}
        self._lines: dict[Line, int] = {(IDENTITY, 0): 0}
        self._numbers = {key: number for number, key in enumerate(dict.fromkeys(wanted))}
        groups = tuple(self._group(number, *key) for key, number in self._numbers.items())
        orders = tuple(sorted(order for line, order in self._lines if line == "s"))
        code = code_function("s", self._functions["s"], orders)
        self._library = _compiled(print_averages(AveragePlan(tuple(self._lines), (code,), groups), "t"), optimise)
        self._library.t_builtin_workspace.restype = ctypes.c_size_t
        size = self._library.t_builtin_workspace(ctypes.c_size_t(MOST_INPUTS))
        self._workspace = np.empty(size)

    def _group(self, number: int, request: Request, pattern: Pattern) -> AverageGroup:
        slots, zero = pattern
        kinked = not self._functions["s"].is_smooth
        builders = [(KinkedNodes if kinked else SmoothNodes)(n, self._functions, self._lines) for n in range(5)]
        size = max(slots) + 1 - zero
        try:
            entry = Entry(0, slots, builders[size].combine(atoms(request, slots), zero))
        except Divergent:
            entry = Entry(0, slots, (), True)
        none: tuple[Entry, ...] = ()
        sets: tuple[InputSet, ...] = tuple(
            b.finish((entry,) if n == size and not zero else none, (entry,) if n == size and zero else none)
            for n, b in enumerate(builders)
        )
        loss = losses(self._functions, leaf_products(sets, tuple(self._lines)))
        return AverageGroup(kinked, (RequestShape(number, (1,) * len(slots)),), sets, sets, loss=loss)

    def __call__(self, request: Request, covariance: Sequence[Sequence[float]]) -> Found:
        """The average in which axis i carries input i."""
        k = np.array(covariance, dtype=float)
        pattern = pattern_of(k.tolist())
        number = (ctypes.c_int * 1)(self._numbers[request, pattern])
        n = len(k)
        out = np.zeros((n,) * n)  # entries that are not planned stay as they are
        out[tuple(range(n))] = np.nan
        pointers = (POINTER * 1)(out.ctypes.data_as(POINTER))
        worst = ctypes.c_double(0.0)
        status = self._library.t_builtin_average(
            None, ctypes.c_size_t(n), k.ctypes.data_as(POINTER), 0, ctypes.c_size_t(1), number, pointers,
            self._workspace.ctypes.data_as(POINTER), ctypes.c_size_t(len(self._workspace)), ctypes.byref(worst),
        )  # fmt: skip
        return Found(float(out[tuple(range(n))]), worst.value, status)


def _compiled(text: str, optimise: str) -> ctypes.CDLL:
    folder = Path(mkdtemp(prefix="pertheory-test-"))
    try:
        (folder / "t.c").write_text(PROTOTYPES + text)
        command = ["gcc", *STRICT, optimise, f"-I{HEADER}", "-fPIC", "-shared", "t.c", "-o", "t.so", "-lm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:2000]
        return ctypes.CDLL(str(folder / "t.so"))
    finally:
        shutil.rmtree(folder)
