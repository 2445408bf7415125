"""An input of zeros at a kink: C hands out the numbers of NumPy, and says undefined where it means that."""

import ctypes
import shutil
import warnings

import numpy as np
import pytest

import pertheory as pt
from pertheory.functions.chosen import choose_functions
from tests.emit.harness import POINTER, SIZE, pointer

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
    pytest.mark.usefixtures("fast_builds"),
]
ROWS = np.array([[0.0, 0.0], [1.0, 0.5], [0.2, -1.0]])
KINKED = ["relu", "abs", "leaky_relu", "relu6", "selu"]
PT_OK, PT_UNDEFINED = 0, 9


def both(rows, activation, order, mode="many", **hyper):
    """The runs by C and by NumPy, which must have the same numbers and the same holes."""
    runs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for target in ("c", "numpy"):
            model = pt.theory("mlp", order=order).compile(target, inputs=mode)
            runs.append(model(rows, activation, 3, C_W=1.5, **hyper))
    for ours, other in zip(*runs, strict=True):
        for key, expected in other.items():
            np.testing.assert_array_equal(np.isnan(ours[key]), np.isnan(expected), err_msg=key)
            scale = np.nanmax(np.abs(expected), initial=1e-3)
            np.testing.assert_allclose(ours[key], expected, rtol=0, atol=1e-9 * scale, err_msg=key)
    assert bool(runs[0].divergences) == bool(runs[1].divergences)
    return runs[0]


@pytest.mark.parametrize("name", KINKED)
def test_without_biases_a_row_of_zeros_has_its_limit(name):
    run = both(ROWS, name, 0, C_b=0.0, lambda_b=0.0)
    for layer in run:
        assert not layer["G"][0].any()
        assert not layer["H"][0].any()
    assert not run.divergences


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize(
    "hyper", [{"C_b": 0.0, "lambda_b": 0.4}, {"C_b": 0.3, "lambda_b": 0.4}, {"C_b": 0.3, "lambda_b": 0.0}]
)
def test_with_biases(name, hyper):
    run = both(ROWS, name, 0, **hyper)
    assert bool(run.divergences) == (hyper["C_b"] == 0)
    assert all("no value at its kink" in reason for reason in run.divergences)


@pytest.mark.parametrize("name", ["relu", "selu"])
@pytest.mark.parametrize("hyper", [{"C_b": 0.0, "lambda_b": 0.0}, {"C_b": 0.0, "lambda_b": 0.4}])
def test_to_the_order_of_one_over_n(name, hyper):
    """A closed form and none; each library takes seconds to compile."""
    run = both(ROWS[:2], name, 1, **hyper)
    assert np.isfinite(run[3]["V"]).all()
    assert not run[3]["V"][0].any()


@pytest.mark.parametrize("order", [0, 1])
def test_every_input_by_itself(order):
    run = both(ROWS, "relu", order, "one", C_b=0.0, lambda_b=0.0)
    assert run[3]["H"][0] == 0
    assert run[3]["H"][1] > 0


def test_more_accuracy_than_is_built_in_gives_the_same_numbers():
    run = both(ROWS, "relu", 0, C_b=0.0, lambda_b=0.0, rtol=1e-11)
    assert not run[3]["H"][0].any()


@pytest.mark.parametrize(("lambda_b", "expected"), [(0.0, PT_OK), (0.4, PT_UNDEFINED)])
def test_several_rows_of_zeros_at_once(lambda_b, expected):
    """The library itself, which does not look for equal inputs beforehand."""
    theory = pt.theory("mlp", order=0)
    library = theory.compile("c")._library(choose_functions(theory.network, "relu", {}), True)
    rows = ROWS[[0, 1, 0, 2]]
    n, gram = SIZE(len(rows)), np.ascontiguousarray(rows @ rows.T / 2)
    values = {"C_b": 0.0, "lambda_b": lambda_b, "C_W": 2.0, "lambda_W": 1.0}
    hyper = np.array([[values[name] for name, _ in library.program.hyperparameters]] * 3)
    size = library.call("state_size", n, size=True)
    states, work = np.zeros((3, size)), np.zeros(library.call("workspace_size", n, size=True))
    error = ctypes.c_double(0.0)
    status = library.call(
        "run", n, SIZE(3), pointer(gram), pointer(hyper), None, None, None, pointer(states), pointer(work),
        SIZE(len(work)), ctypes.byref(error),
    )  # fmt: skip
    assert status == expected
    assert error.value < 1e-9
    for number, kernel in enumerate(library.program.levels[0].kernels):
        array = np.empty((len(rows),) * kernel.rank)
        start = library.call("tensor_offset", number, n, size=True)
        library.call("unpack", number, n, POINTER(states[2, start:].ctypes.data), pointer(array))
        some, again = (array[np.ix_(*[chosen] * kernel.rank)] for chosen in ([0, 1, 3], [2, 1, 3]))
        np.testing.assert_array_equal(some, again, err_msg=kernel.key)
        assert np.isfinite(some[(1,) * kernel.rank])
        if lambda_b == 0:
            assert not np.isnan(array).any()
