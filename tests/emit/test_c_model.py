"""``theory.compile("c")``: the call and the answer of NumPy, from a cache that survives what happens to it."""

import ctypes
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import InputError
from pertheory.run.ccompile import build, load

pytestmark = pytest.mark.usefixtures("fast_builds")
INPUTS = [[1.0, 0.5], [0.2, -1.0], [0.4, 0.7]]
HYPER = {"C_b": 0.1, "C_W": 1.2, "lambda_b": 0.3, "lambda_W": [0.7, 0.8, 0.9, 1.0]}


def compare(theory, inputs, activation, mode="many", tolerance=1e-11, **options):
    ours = theory.compile("c", inputs=mode)(inputs, activation, 4, **options)
    other = theory.compile("numpy", inputs=mode)(inputs, activation, 4, **options)
    for layer in range(1, 5):
        assert list(ours[layer]) == list(other[layer])
        for key, expected in other[layer].items():
            np.testing.assert_array_equal(np.isnan(ours[layer][key]), np.isnan(expected), err_msg=f"{key} at {layer}")
            scale = np.nanmax(np.abs(expected), initial=1e-3)
            np.testing.assert_allclose(ours[layer][key], expected, rtol=0, atol=tolerance * scale, err_msg=key)
    assert bool(ours.divergences) == bool(other.divergences)
    assert ours.error < 1e-9


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("mode", ["many", "one"])
def test_whole_runs_agree_with_numpy(activation, mode):
    compare(pt.theory("mlp", ["V", "F", "H"], 1), INPUTS, activation, mode, widths=[10, 20, 30], **HYPER)


@pytest.mark.parametrize("network", ["residual", "projection"])
def test_networks(network):
    compare(pt.theory(network, "all", 0), INPUTS, "erf")


def test_more_accuracy_than_is_built_in_calls_python_back():
    compare(pt.theory("mlp", "V", 1), INPUTS, "tanh", tolerance=1e-13, rtol=1e-11)


@pytest.mark.parametrize(
    ("activation", "inputs", "built_in"), [("tanh", 8, False), ("tanh", 3, True), ("relu", 8, True), ("x2", 8, False)]
)
def test_who_sums_over_sets_of_inputs(activation, inputs, built_in):
    """Python from eight inputs on, where it shares work among sets, but for kinks."""
    table = np.random.default_rng(1).normal(size=(inputs, 9))
    model = pt.theory("mlp", "V", 0).compile("c")
    other = pt.theory("mlp", "V", 0).compile()
    found, expected = (list(own.layers(table, activation, 2, **HYPER | {"lambda_W": 1})) for own in (model, other))
    assert [own for _, own in model._libraries] == [built_in]
    np.testing.assert_allclose(found[1]["V"], expected[1]["V"], rtol=0, atol=1e-11)


def test_progress_goes_layer_by_layer_and_changes_nothing():
    model = pt.theory("mlp", "V", 1).compile("c")
    seen = []
    stepped = model(INPUTS, "tanh", 4, widths=[10, 20, 30], progress=lambda *where: seen.append(where), **HYPER)
    assert seen == [(2, 4, 0.0), (3, 4, 0.0), (4, 4, 0.0)]
    whole = model(INPUTS, "tanh", 4, widths=[10, 20, 30], **HYPER)
    for first, second in zip(stepped, whole, strict=True):
        for key in first:
            np.testing.assert_array_equal(first[key], second[key])


def test_bad_calls_are_the_same_errors():
    model = pt.theory("mlp", "G", 0).compile("c")
    with pytest.raises(InputError, match="has no hyperparameter 'C_w'"):
        model(INPUTS, "tanh", 2, C_w=1.0)
    with pytest.raises(InputError, match="overflows"):
        model(INPUTS, "x^3", 100, C_W=1e200)
    with pytest.raises(InputError, match="widths"):
        model(INPUTS, "tanh", 3, widths=[3])


def test_without_a_compiler_it_says_what_to_install_and_numpy_works(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    theory = pt.theory("mlp", "G", 0)
    with pytest.raises(InputError, match=r"no C compiler found.*install gcc or clang, or use the backend numpy"):
        theory.compile("c")
    assert theory.compile("numpy")(INPUTS, "tanh", 2)[2]["G"].shape == (3, 3)


SOURCE = {"answer.c": '#include "answer.h"\nint answer(void) { return ANSWER; }\n', "answer.h": "#define ANSWER 42\n"}


def test_the_cache_is_by_content(tmp_path):
    first = build(SOURCE, tmp_path)
    stamp = first.stat().st_mtime_ns
    assert build(SOURCE, tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    other = build({**SOURCE, "answer.h": "#define ANSWER 43\n"}, tmp_path)
    assert other != first
    assert (load(first).answer(), load(other).answer()) == (42, 43)
    assert {path.suffix for path in tmp_path.iterdir()} == {".so"}


def test_a_refusing_compiler_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match=r"failed: .*error") as caught:
        build({"wrong.c": "int f( { }\n"}, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_compiler_leaves_nothing_that_is_loaded(tmp_path, monkeypatch):
    broken = tmp_path / "bin" / "cc"
    broken.parent.mkdir()
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo broken; exit; }\necho half > library.so\nkill -9 $$\n')
    broken.chmod(0o755)
    cache = tmp_path / "cache"
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(InputError, match="failed: exit status -9"):
        build(SOURCE, cache)
    assert list(cache.iterdir()) == []
    monkeypatch.delenv("CC")
    assert load(build(SOURCE, cache)).answer() == 42


def test_processes_may_build_at_once(tmp_path):
    code = (
        "import sys; from pathlib import Path; from pertheory.run.ccompile import build, load\n"
        f"assert load(build({SOURCE!r}, Path(sys.argv[1]))).answer() == 42"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    assert len(list(tmp_path.iterdir())) == 1


def test_the_interpreter_lock_is_released(tmp_path):
    source = {"wait.c": "int done(volatile int *flag) { while (!*flag) { } return 7; }\n"}
    library = load(build(source, tmp_path))
    flag = ctypes.c_int(0)
    result = []
    thread = threading.Thread(target=lambda: result.append(library.done(ctypes.byref(flag))), daemon=True)
    thread.start()  # it spins in C until this thread, which needs the lock, sets the flag
    time.sleep(0.05)
    flag.value = 1
    thread.join(timeout=600)
    assert result == [7]


def test_the_command_line_runs_it(tmp_path):
    (tmp_path / "inputs.csv").write_text("1,0.5\n0.2,-1\n")
    command = [sys.executable, "-m", "pertheory.cli.main", "run", "--activation", "relu", "--inputs", "inputs.csv"]
    command += ["--depth", "3", "--order", "0", "--tensors", "all", "--format", "json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    outputs = [
        subprocess.run(
            [*command, "--backend", b], cwd=tmp_path, env=environment, capture_output=True, check=True
        ).stdout
        for b in ("c", "numpy")
    ]
    import json

    first, second = (json.loads(output)["layers"] for output in outputs)
    for ours, other in zip(first, second, strict=True):
        for key in ("G", "H"):
            np.testing.assert_allclose(ours[key], other[key], rtol=1e-13)
