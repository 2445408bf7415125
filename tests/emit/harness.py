"""Emitted C, compiled with every warning an error, and called with arrays that the test makes."""

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import pertheory as pt
from pertheory.emit.c.printer import print_c
from pertheory.emit.c.target import header_text
from pertheory.emit.numpy.printer import print_numpy
from pertheory.kernels.language import Sum
from pertheory.kernels.lower import lower
from pertheory.kernels.packing import kept, packing_of, packing_of_classes
from tests.loading import load_text

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wsign-conversion"]
STRICT += ["-Wdouble-promotion", "-Werror"]
SIZE, POINTER = ctypes.c_size_t, ctypes.c_void_p


def write(source, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{source.name}.c").write_text(source.source)
    (folder / f"{source.name}.h").write_text(source.header)
    (folder / "pertheory.h").write_text(header_text())


def gcc(folder, *arguments, compiler="gcc"):
    done = subprocess.run([compiler, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stderr == ""


@cache
def program(network, tensors, order, inputs, kinked, factored=True):
    names = list(tensors) if isinstance(tensors, tuple) else tensors
    return lower(pt.theory(network, names, order), inputs, kinked, factored)


@cache
def library(network, tensors, order, inputs, kinked):
    source = print_c(program(network, tensors, order, inputs, kinked))
    folder = Path(mkdtemp(prefix="pertheory-test-"))
    try:
        write(source, folder)
        gcc(folder, *STRICT, "-O0", "-fPIC", "-shared", "-o", "library.so", f"{source.name}.c", "-lm")
        return source.name, ctypes.CDLL(str(folder / "library.so"))
    finally:
        shutil.rmtree(folder)


def positive(products):
    """The products with all coefficients positive: their value at positive arrays is the sum of the absolute values."""
    return tuple(
        p._replace(
            coefficient=abs(p.coefficient),
            operands=tuple(Sum(positive(o.products)) if isinstance(o, Sum) else o for o in p.operands),
        )
        for p in products
    )


def sums_of_absolute_values(plain):
    """The program whose recursions, given absolute values, sum the absolute values of the terms."""
    levels = [
        level._replace(
            kernels=tuple(
                k._replace(cases=tuple(c._replace(products=positive(c.products)) for c in k.cases))
                for k in level.kernels
            )
        )
        for level in plain.levels
    ]
    return load_text("absolute", print_numpy(plain._replace(levels=tuple(levels))))


def symmetric(rng, inputs, symmetry):
    array = rng.standard_normal((inputs,) * len(symmetry[0]))
    return sum(array.transpose(element) for element in symmetry) / len(symmetry)


def exchanges(classes):
    """All permutations inside runs of axes."""
    from pertheory.kernels.packing import _orders

    return tuple(_orders(packing_of_classes(classes)))


def pack(array, packing):
    return np.array([array[index] for index in kept(packing, array.shape[0])])


def pointer(array):
    return array.ctypes.data_as(POINTER)


class Given:
    """Random state, averages and hyperparameters of a level, in both storages."""

    def __init__(self, plain, number, inputs, seed):
        rng = np.random.default_rng(seed)
        below = plain.levels[number - 1]
        level = plain.levels[number]
        self.state = {k.key: symmetric(rng, inputs, k.symmetry) for k in below.kernels}
        self.averages = {a.name: symmetric(rng, inputs, exchanges(a.classes)) for a in level.averages}
        self.hyper = rng.uniform(0.5, 1.5, len(plain.hyperparameters))
        self.ratio = 1.37
        self.p = {name: value for (name, _), value in zip(plain.hyperparameters, self.hyper, strict=True)}
        self.p["ratio"] = [self.ratio] * len(plain.levels)
        self.packed = np.concatenate([pack(self.state[k.key], packing_of(k.symmetry)) for k in below.kernels])
        self.arrays = [pack(self.averages[a.name], packing_of_classes(a.classes)) for a in level.averages]
        self.pointers = (POINTER * max(1, len(self.arrays)))(*[a.ctypes.data for a in self.arrays])
