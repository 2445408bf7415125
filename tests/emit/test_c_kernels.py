"""Emitted C and the plain sum of products in NumPy agree, averages given, entry by entry.

The scale is the sum of the absolute values of the terms of an entry. The NumPy side is not factored: that it agrees
proves factoring, packing and loops at once.
"""

import ctypes

import numpy as np
import pytest

from pertheory.emit.numpy.printer import print_numpy
from pertheory.kernels.packing import packing_of
from tests.emit.harness import POINTER, SIZE, Given, library, pack, pointer, program, sums_of_absolute_values
from tests.loading import load_text

TOLERANCE = 1e-13
SECOND_ORDER = ("V6", "z(1) z(2) H(3,4) H(5,6) @ 15,26,34", "G", "H")


def agrees(network, tensors, order, mode, kinked, inputs):
    plain = program(network, tensors, order, mode, kinked, factored=False)
    module, absolute = load_text("plain", print_numpy(plain)), sums_of_absolute_values(plain)
    name, lib = library(network, tensors, order, mode, kinked)
    size = getattr(lib, f"{name}_workspace_size")
    size.restype = SIZE
    need = size(SIZE(inputs))
    workspace = np.full(need + 8, 7.25)
    for number, level in enumerate(plain.levels):
        given = Given(plain, number, inputs, seed=number)
        at = f"_at_{number}" if len(plain.levels) > 1 else ""
        arguments = (SIZE(inputs), pointer(given.packed), given.pointers, pointer(given.hyper))
        ratio, room = ctypes.c_double(given.ratio), (pointer(workspace), SIZE(need))
        expected = {}
        scale = {}
        positive = {key: np.abs(array) for key, array in given.state.items()}
        averages = {key: np.abs(array) for key, array in given.averages.items()}
        for kernel in level.kernels:
            packing = packing_of(kernel.symmetry)
            expected[kernel.key] = pack(
                module.RECURSIONS[number][kernel.key](given.state, given.p, given.averages), packing
            )
            scale[kernel.key] = pack(absolute.RECURSIONS[number][kernel.key](positive, given.p, averages), packing)
        above = np.full(sum(map(len, expected.values())) + 1, np.nan)
        assert getattr(lib, f"{name}_update{at}")(*arguments, ratio, pointer(above), *room) == 0
        assert np.isnan(above[-1]), "written beyond the state"
        place = 0
        for kernel in level.kernels:
            want, size_of_terms = expected[kernel.key], scale[kernel.key]
            got = above[place : place + len(want)]
            place += len(want)
            bad = np.abs(got - want) > TOLERANCE * size_of_terms
            assert not np.any(bad), f"{kernel.key}: {got[bad][:3]} instead of {want[bad][:3]}"
            alone = np.full(len(want), np.nan)
            run = getattr(lib, f"{name}_recursion_{kernel.function}{at}")
            assert run(*arguments, ratio, pointer(alone), *room) == 0
            np.testing.assert_array_equal(alone, got, err_msg=kernel.key)
    assert np.all(workspace[need:] == 7.25), "written beyond the workspace"


@pytest.mark.parametrize("inputs", [1, 2, 5, 9])
def test_every_tensor_of_the_book(inputs):
    agrees("mlp", "all", 1, "many", False, inputs)


@pytest.mark.parametrize("network", ["mlp", "projection", "residual"])
@pytest.mark.parametrize("mode", ["many", "one"])
def test_networks_and_a_single_input(network, mode):
    agrees(network, "all", 1, mode, False, 3)


@pytest.mark.parametrize("network", ["mlp", "projection", "residual"])
@pytest.mark.parametrize("mode", ["many", "one"])
def test_infinite_width(network, mode):
    agrees(network, "all", 0, mode, False, 6)


@pytest.mark.parametrize("inputs", [1, 3, 5])
def test_kinks_are_combined_input_by_input(inputs):
    agrees("mlp", ("V", "F", "P", "H"), 1, "many", True, inputs)


@pytest.mark.parametrize("network", ["mlp", "residual"])
def test_second_order_on_one_input(network):
    """All kernels of second order in C and in NumPy from the same averages; compiling them takes the seconds.

    What a projection has besides, neurons that are passed on, is tried at order 1 above.
    """
    agrees(network, "all", 2, "one", False, 4)


def test_second_order_with_six_slots():
    agrees("mlp", SECOND_ORDER[:2], 2, "many", False, 3)


def test_a_missing_average_is_a_status_and_only_where_it_is_read():
    name, lib = library("mlp", "all", 1, "many", False)
    plain = program("mlp", "all", 1, "many", False, factored=False)
    given = Given(plain, 0, 2, seed=5)
    size = getattr(lib, f"{name}_workspace_size")
    size.restype = SIZE
    workspace = np.zeros(size(SIZE(2)))
    names = [average.name for average in plain.levels[0].averages]
    for missing in names:
        left = [None if own == missing else array.ctypes.data for own, array in zip(names, given.arrays, strict=True)]
        pointers = (POINTER * len(left))(*left)
        arguments = (SIZE(2), pointer(given.packed), pointers, pointer(given.hyper), ctypes.c_double(1.0))
        for kernel in plain.levels[0].kernels:
            out = np.zeros(16)
            status = getattr(lib, f"{name}_recursion_{kernel.function}")(
                *arguments, pointer(out), pointer(workspace), SIZE(len(workspace))
            )
            assert status == (1 if missing in kernel.averages else 0), (kernel.key, missing)
