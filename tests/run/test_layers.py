"""Runs layer by layer: the same numbers as all at once, little memory, and a word before there is too little."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import tracemalloc
from functools import lru_cache

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import InputError
from pertheory.kernels.lower import lower
from pertheory.run import memory
from pertheory.run.memory import available_memory, memory_needed, show_bytes

HYPER = {"C_b": 0.1, "C_W": 1.2, "lambda_b": 0.3, "lambda_W": 0.8}


@lru_cache
def model():
    return pt.theory("mlp", order=1).compile()


def table(rows, seed=3):
    return np.random.default_rng(seed).normal(size=(rows, 5))


@pytest.mark.parametrize("network", ["mlp", "residual"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_one_layer_after_the_other_is_the_run_of_the_emitted_module(network, activation):
    """`run` of the module that is emitted has its own loop over the layers, widths and parameters."""
    from pertheory.averages.gaussian import GaussianAverages
    from pertheory.emit.numpy.printer import print_numpy
    from tests.loading import load_text

    theory = pt.theory(network, ["V"], order=1)
    widths = (6, 9, 5) if network == "mlp" else (7, 7, 7)
    values = {"C_W": [1.0, 1.5, 0.7, 1.1]}
    states = list(theory.compile().layers(table(2), activation, 4, widths=widths, **values))
    functions = {"s": pt.activation(activation)}
    module = load_text("emitted", print_numpy(lower(theory, "many", activation == "relu")))
    gram = table(2) @ table(2).T / 5
    averages = GaussianAverages(functions)
    parameters = [{"C_W": value} for value in values["C_W"]]
    expected = module.run(gram, 4, averages, parameters, [5, *widths])
    assert [state.layer for state in states] == [1, 2, 3, 4]
    for state, other in zip(states, expected, strict=True):
        assert set(state) == set(other)
        for key, array in state.items():
            np.testing.assert_allclose(array, other[key], rtol=1e-13, atol=1e-15, err_msg=key)


def test_nothing_is_computed_before_it_is_asked_for():
    seen = []
    layers = model().layers(table(2), "x2", 3, progress=lambda *where: seen.append(where))
    assert seen == []
    assert layers.error == 0
    assert next(layers).layer == 1
    assert seen == []
    next(layers)
    assert {(layer, depth) for layer, depth, _ in seen} == {(2, 3)}
    done = [share for _, _, share in seen]
    assert done == sorted(done)
    assert done[-1] == 1
    next(layers)
    assert next(layers, None) is None


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_repeated_inputs_are_the_inputs_again(activation):
    rows = table(2)
    single = model()(rows, activation, 3, **HYPER)
    double = model()(rows[[0, 1, 1, 0]], activation, 3, **HYPER)
    back = [0, 1, 1, 0]
    for layer in (1, 2, 3):
        for key, array in single[layer].items():
            np.testing.assert_array_equal(double[layer][key], array[np.ix_(*[back] * array.ndim)], key)
    one = pt.theory("mlp", order=1).compile(inputs="one")
    alone, thrice = (one(some, activation, 3, **HYPER)[3]["V"] for some in (rows[:1], rows[[0, 0, 0]]))
    np.testing.assert_array_equal(thrice, np.repeat(alone, 3))


def test_a_kernel_that_meets_itself_only_in_some_components_has_the_others():
    """R diverges where slots 1 and 2 meet; an input that is given twice must not spoil more than that."""
    single = model()(table(2), "relu", 2, C_W=2.0)[2]["T"]
    double = model()(table(2)[[0, 1, 1]], "relu", 2, C_W=2.0)[2]["T"]
    assert np.isfinite(single).any()
    assert np.isnan(single).any()
    np.testing.assert_array_equal(double, single[np.ix_(*[[0, 1, 1]] * 4)])


def test_with_few_inputs_the_kinked_program_is_the_full_one_without_cases_that_cannot_occur():
    theory = pt.theory("mlp", order=1)
    full, short = (lower(theory, "many", True, factored=False, most=most) for most in (None, 2))
    for long, few in zip(full.levels[0].kernels, short.levels[0].kernels, strict=True):
        assert few.cases == tuple(case for case in long.cases if len(set(case.pattern)) <= 2)
    assert {average.rank for average in short.levels[0].averages} == {1, 2}


@pytest.mark.parametrize("rows", [6, 8])
def test_the_estimate_of_memory_is_near_what_is_taken(rows):
    """A polynomial activation, whose averages need no large grids: what is left are the arrays."""
    layers = model().layers(table(rows), "linear", 2)
    tracemalloc.start()
    for _ in layers:
        pass
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    arrays = layers.needed - memory.GRIDS[4]
    assert taken < layers.needed
    assert arrays < 3 * taken


def test_what_is_kept_counts():
    program = lower(pt.theory("mlp", order=1), "many")
    state = sum(20**item.rank for item in program.initial) * 8
    assert memory_needed(program, 20, kept=11) - memory_needed(program, 20) == 10 * state
    assert memory_needed(program, 10, 20) - memory_needed(program, 10) == state
    assert memory_needed(lower(pt.theory("mlp", ["V"], order=1), "many"), 20) < memory_needed(program, 20)


def test_more_memory_than_there_is_is_refused_before_the_run(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 200_000_000)
    calls = []
    with pytest.raises(InputError, match=r"^40 inputs need about \d+ MB of memory, but only 200 MB .*fewer inputs"):
        model().layers(table(40), "x2", 3, progress=lambda *where: calls.append(where))
    model().layers(table(12), "x2", 1000)
    with pytest.raises(InputError, match="12 inputs need about"):
        model()(table(12), "x2", 1000)  # keeps a thousand layers
    monkeypatch.setattr(memory, "available_memory", lambda: None)  # nothing is known: nothing is refused
    model().layers(table(40), "x2", 3)
    assert calls == []


def test_limits_of_control_groups_and_of_the_process_count(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_machine", lambda: 1000)
    monkeypatch.setattr(memory, "_own_limit", lambda: None)
    monkeypatch.setattr(memory, "_group", lambda: 300)
    assert available_memory() == 300
    monkeypatch.setattr(memory, "_group", lambda: None)
    assert available_memory() == 1000
    monkeypatch.setattr(memory, "_own_limit", lambda: 5)
    assert available_memory() == 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ulimit -v works on Linux")
def test_a_limit_of_the_shell_is_seen():
    program = "from pertheory.run.memory import available_memory as a; print(a())"
    shell = f"ulimit -v 4000000; exec {sys.executable} -c '{program}'"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 4_096_000_000


@pytest.mark.parametrize(
    ("number", "text"), [(5, "5 bytes"), (20_000, "20 kB"), (3.2e8, "320 MB"), (1.26e10, "12.6 GB"), (4e18, "4000 PB")]
)
def test_bytes_for_people(number, text):
    assert show_bytes(number) == text


def test_a_trial_tells_how_long_a_layer_takes():
    layers = model().layers(table(6), "tanh", 2)
    assert layers.largest_sets() == (15, 4)
    assert 0 < layers.seconds_per_layer() < math.inf
    assert layers.error == 0  # the trial leaves no trace
    assert pt.theory("mlp", order=0).compile().layers(table(6), "tanh", 2).largest_sets() == (15, 2)


def test_one_input_at_a_time_needs_memory_in_proportion_to_the_inputs():
    one = pt.theory("mlp", order=1).compile(inputs="one")
    layers = one.layers(table(3000), "tanh", 3)
    assert 0 < layers.seconds_per_layer() < math.inf
    tracemalloc.start()
    states = list(layers)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 2 * layers.needed < 50_000_000  # a matrix over pairs of inputs has 72 million bytes
    assert states[2]["V"].shape == (3000,)
    some = one(table(3000)[2000:2001], "tanh", 3)
    for key, array in some[3].items():
        assert states[2][key][2000] == pytest.approx(array[0], rel=1e-11, abs=1e-15), key


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_a_layer_survives_being_pickled(target: str) -> None:
    """Tensors of C are unpacked when they are read, and read once; a copy has them as arrays."""
    state = pt.theory("mlp", order=0).compile(target)(table(3), "relu", 2, **HYPER)[2]
    again = pickle.loads(pickle.dumps(state))
    assert np.shares_memory(state["H"], state["H"])
    assert (again.layer, list(again)) == (2, list(state))
    for key, array in state.items():
        np.testing.assert_array_equal(again[key], array)
