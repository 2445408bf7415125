"""What emitted C hands out is finite, or the status says why not; both backends say so in the same words."""

import ctypes
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.emit.c import averages
from pertheory.emit.c.target import c_source
from pertheory.errors import InputError
from pertheory.functions.chosen import choose_functions
from pertheory.rulebook.files import rules_folder
from tests.emit.harness import POINTER, SIZE, STRICT, gcc, pointer, write

OK, BAD_ARGUMENT, NOT_FINITE, OVERFLOW, DIVERGENT = 0, 1, 3, 6, 7
pytestmark = pytest.mark.usefixtures("fast_builds")
EXTREME = [0.0, -1.0, 1e-320, 1e-300, 1e300, 1e308, 1e10, 3.0, -1e308]


class Theory:
    """A theory on one input or many, compiled without optimisation."""

    def __init__(self, folder, activation, order, inputs):
        theory = pt.theory("mlp", "all", order)
        self.program, source = c_source(theory, inputs, choose_functions(theory.network, activation, {}), True)
        write(source, folder)
        gcc(folder, *STRICT, "-O0", "-fPIC", "-shared", "-o", "library.so", f"{source.name}.c", "-lm")
        self.name, self.library = source.name, ctypes.CDLL(str(folder / "library.so"))
        self.hyper = np.array([float(value) for _, value in self.program.hyperparameters])

    def size(self, what, inputs=1):
        found = getattr(self.library, f"{self.name}_{what}_size")
        found.restype = SIZE
        return found(SIZE(inputs))

    def call(self, function, *arguments):
        return getattr(self.library, f"{self.name}_{function}")(*arguments)

    def run(self, depth, gram=(0.7,), widths=None, inputs=1, hyper=None):
        """The status and the states of a run."""
        states, workspace = np.zeros(depth * self.size("state", inputs)), np.zeros(self.size("workspace", inputs))
        layers = np.tile(self.hyper if hyper is None else hyper, (depth, 1))
        given = np.array(gram, dtype=float)
        status = self.call(
            "run", SIZE(inputs), SIZE(depth), pointer(given), pointer(layers),
            None if widths is None else pointer(np.array(widths)), None, None, pointer(states), pointer(workspace),
            SIZE(len(workspace)), None,
        )  # fmt: skip
        return status, states


@pytest.fixture(scope="module")
def tanh(tmp_path_factory):
    return Theory(tmp_path_factory.mktemp("tanh"), "tanh", 1, "one")


@pytest.fixture(scope="module")
def relu(tmp_path_factory):
    return Theory(tmp_path_factory.mktemp("relu"), "relu", 0, "many")


def test_extreme_widths(tanh):
    statuses = set()
    for widths in itertools.product(EXTREME, repeat=3):
        status, states = tanh.run(3, widths=widths)
        statuses.add(status)
        assert status in (OK, BAD_ARGUMENT, OVERFLOW)
        assert (status == BAD_ARGUMENT) == (min(widths) <= 0)
        assert status != OK or np.isfinite(states).all(), widths
    assert statuses == {OK, BAD_ARGUMENT, OVERFLOW}


def test_a_first_layer_that_overflows(tanh, relu):
    for theory, gram in ((tanh, [1e308]), (relu, [1e308, 0.0, 0.0, 1.0])):
        status, _ = theory.run(1, gram, inputs=math.isqrt(len(gram)), hyper=np.full(len(theory.hyper), 10.0))
        assert status == OVERFLOW


def test_overflow_in_between_is_not_taken_for_a_divergence(tanh):
    """lambda_W^2 is infinite, and an infinity times 0 is NaN."""
    hyper = tanh.hyper.copy()
    hyper[[name for name, _ in tanh.program.hyperparameters].index("lambda_W")] = 1e200
    assert tanh.run(2, [0.0], hyper=hyper)[0] == OVERFLOW
    assert tanh.run(2, [0.7], hyper=hyper)[0] == OVERFLOW


def from_averages(theory, function, below, average, results):
    """A status of a call with averages that are given, all the same number."""
    level = theory.program.levels[0]
    averages = [np.array([average]) for _ in level.averages]
    pointers = (POINTER * len(averages))(*[array.ctypes.data for array in averages])
    out, workspace = np.zeros(results), np.zeros(theory.size("workspace"))
    status = theory.call(
        function, SIZE(1), pointer(below), pointers, pointer(theory.hyper), ctypes.c_double(1.0), pointer(out),
        pointer(workspace), SIZE(len(workspace)),
    )  # fmt: skip
    return status, out


@pytest.mark.parametrize("function", ["update", "recursion_V"])
def test_given_averages_that_are_not_finite(tanh, function):
    size = tanh.size("state") if function == "update" else 1
    state = np.full(tanh.size("state"), 0.5)
    assert from_averages(tanh, function, state, 0.5, size)[0] == OK
    assert from_averages(tanh, function, state, np.nan, size)[0] == DIVERGENT
    assert from_averages(tanh, function, state, np.inf, size)[0] == NOT_FINITE
    assert from_averages(tanh, function, state, 1e200, size)[0] == OVERFLOW
    assert from_averages(tanh, function, np.full_like(state, np.nan), 0.5, size)[0] == DIVERGENT
    assert from_averages(tanh, function, np.full_like(state, -np.inf), 0.5, size)[0] == NOT_FINITE


@pytest.mark.parametrize("shift", [0, 8, 4])
def test_a_workspace_that_overlaps_the_results_or_is_not_aligned(tanh, shift):
    size, need = tanh.size("state"), tanh.size("workspace")
    memory, below = np.zeros(size + need + 1), np.full(size, 0.5)
    workspace = POINTER(memory.ctypes.data + (8 * size if shift < 8 else 8 * size - 8) + shift % 8)
    status = tanh.call(
        "step", SIZE(1), pointer(below), pointer(tanh.hyper), None, None, None, pointer(memory), workspace,
        SIZE(need), None,
    )  # fmt: skip
    assert status == (OK if shift == 0 else BAD_ARGUMENT)


HUGE = {
    "widths": {"widths": [10**400, 3]},
    "infinite width": {"widths": [float("inf"), 3]},
    "rates": {"lambda_W": 1e308},
    "rates that cancel": {"lambda_W": 1e200, "lambda_b": 1e200},
    "weights": {"activation": "x^3", "C_W": 1e60},
}


@pytest.mark.parametrize("name", HUGE)
def test_both_backends_refuse_what_overflows_in_the_same_words(name):
    given = {"activation": "tanh", **HUGE[name]}
    said = []
    for target in ("numpy", "c"):
        with pytest.raises(InputError) as caught:
            pt.theory("mlp", ["V", "B", "A"], 1).compile(target, inputs="one")([[1.0, 0.5]], depth=3, **given)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "overflow" in said[0] or "widths" in said[0]


@pytest.mark.parametrize("path", sorted((rules_folder() / "activations").glob("*.toml")), ids=lambda p: p.stem)
def test_no_compiler_warns_of_any_activation(tmp_path, path):
    """All emitted text that depends on the activation: order 0 on many inputs, order 1 on one."""
    for order, inputs in ((0, "many"), (1, "one")):
        theory = pt.theory("mlp", "all", order)
        _, source = c_source(theory, inputs, choose_functions(theory.network, path.stem, {}), True)
        write(source, tmp_path)
        gcc(tmp_path, *STRICT, "-fsyntax-only", f"{source.name}.c")


def test_steps_too_small_to_count_are_more_nodes_than_any_sum_has(tmp_path):
    """A count beyond the range of a long was undefined, and no nodes at all in practice (x^5 at large variances)."""
    text = (Path(averages.__file__).parent / "nested.c").read_text(encoding="utf-8")
    start = text.index("static long avg_half")
    own = text[start : text.index("\n}\n", start) + 3].replace("static ", "", 1)
    (tmp_path / "half.c").write_text(f"#include <math.h>\nlong avg_half(double reach, double step);\n{own}")
    gcc(tmp_path, *STRICT, "-fPIC", "-shared", "-o", "half.so", "half.c", "-lm")
    half = ctypes.CDLL(str(tmp_path / "half.so")).avg_half
    half.argtypes, half.restype = (ctypes.c_double, ctypes.c_double), ctypes.c_long
    assert [half(8.0, step) for step in (0.5, 0.3)] == [16, 28]
    assert [half(8.0, step) for step in (1e-300, 0.0, math.nan)] == [200_000_000] * 3
