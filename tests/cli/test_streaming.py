"""`run` writes one layer after the other, but a result appears whole or not at all; what it will take is said first."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pertheory.cli import options
from pertheory.cli import run as verb
from pertheory.cli.options import LayerProgress, show_time
from pertheory.run import memory

RUN = ["run", "--activation", "x2", "--inputs", "two.csv", "--depth", 3]
#: the fifth layer leaves the range of doubles, after four that could be written
LOST = ["run", "--activation", "x^9", "--inputs", "two.csv", "--depth", 9, "--order", 0]


class Terminal(io.StringIO):
    """A standard error that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("form", ["text", "json", "npz"])
def test_a_run_that_fails_after_some_layers_leaves_everything_as_it_was(pertheory, folder, form):  # type: ignore[no-untyped-def]
    Path("result").write_text("before")
    status, out, err = pertheory(*LOST, "--format", form, "--out", "result")
    assert (status, out) == (2, "")
    layer = int(err.split("overflows at layer ")[1].split(";")[0])
    assert layer > 2  # some layers had been written
    assert Path("result").read_text() == "before"
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "result", "two.csv"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_run_that_fails_after_some_layers_prints_nothing(pertheory, folder, form):  # type: ignore[no-untyped-def]
    status, out, err = pertheory(*LOST, "--format", form)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_output_that_does_not_fit_into_memory_is_the_same(pertheory, folder, form, monkeypatch):  # type: ignore[no-untyped-def]
    first = pertheory(*RUN, "--format", form)
    monkeypatch.setattr(options, "IN_MEMORY", 1)
    assert pertheory(*RUN, "--format", form) == first
    assert first.err == ""


def test_an_archive_is_what_numpy_reads_and_the_same_bytes_again(pertheory, folder):  # type: ignore[no-untyped-def]
    for name in ("a.npz", "b.npz"):
        assert pertheory(*RUN, "--format", "npz", "--out", name) == (0, "", "")
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    assert zipfile.ZipFile("a.npz").testzip() is None
    with np.load("a.npz") as arrays:
        assert arrays["V/3"].shape == (2,) * 4
        assert arrays["error"].shape == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_gets_an_archive(folder):  # type: ignore[no-untyped-def]
    os.mkfifo("pipe")
    command = [sys.executable, "-m", "pertheory.cli.main", *map(str, RUN), "--format", "npz", "--out", "pipe"]
    with subprocess.Popen(command) as process:
        archive = Path("pipe").read_bytes()
        assert process.wait() == 0
    with np.load(io.BytesIO(archive)) as arrays:
        assert arrays["G/1"].shape == (2, 2)


@pytest.mark.parametrize("form", ["text", "json", "npz"])
def test_every_form_tells_the_largest_error_estimate(pertheory, folder, form):  # type: ignore[no-untyped-def]
    command = ["run", "--activation", "tanh", "--inputs", "two.csv", "--depth", 3]
    status, out, err = pertheory(*command, "--format", form, *(["--out", "run.npz"] if form == "npz" else []))
    assert (status, err) == (0, "")
    if form == "text":
        (line,) = [line for line in out.splitlines() if line.startswith("largest estimated error")]
        error = float(line.split()[-4])
    elif form == "json":
        error = json.loads(out)["error"]
    else:
        with np.load("run.npz") as arrays:
            error = float(arrays["error"])
    assert 0 < error <= 1e-9


def test_an_accuracy_that_cannot_be_reached_is_a_warning_that_says_where(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["run", "--activation", "tanh", "--inputs", "two.csv", "--depth", 3, "--order", 0]
    status, _, err = pertheory(*command, "--rtol", "1e-16")
    assert status == 0
    assert "estimated relative error" in err
    assert "at inputs (" in err
    assert "above 1.0e-16" in err
    command += ["--format", "json"]
    loose, strict = (json.loads(pertheory(*command, "--rtol", rtol).out)["error"] for rtol in ("1e-4", "1e-12"))
    assert strict <= 1e-12
    assert strict <= loose <= 1e-4


def test_too_little_memory_is_refused_before_the_run(pertheory, folder, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(memory, "available_memory", lambda: 30_000_000)
    np.save("many.npy", np.random.default_rng(1).normal(size=(30, 3)))
    command = ["run", "--activation", "x2", "--depth", 2, "--inputs", "many.npy", "--out", "result"]
    status, out, err = pertheory(*command)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    for word in ("30 inputs need about", "only 30 MB are available", "fewer inputs", "fewer tensors"):
        assert word in err
    assert not Path("result").exists()
    assert pertheory(*command, "--tensors", "K").status == 0


def test_a_person_is_told_what_a_run_will_take(pertheory, folder, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(memory, "available_memory", lambda: 2_000_000_000)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert pertheory(*RUN)[0] == 0
    shown = screen.getvalue()
    assert "2 inputs: about 10 MB of memory (2.0 GB available)" in shown
    assert "layer 3 of 3" in shown


def test_a_large_run_says_so_even_if_nobody_looks(pertheory, folder, monkeypatch):  # type: ignore[no-untyped-def]
    assert pertheory(*RUN).err == ""
    monkeypatch.setattr(verb, "MUCH_MEMORY", 1000)
    monkeypatch.setattr(verb, "MANY_SETS", 1)
    status, out, err = pertheory(*RUN)
    assert status == 0
    (line,) = err.splitlines()
    assert line.startswith("2 inputs: about ")
    assert "averages over 1 set of 2 inputs, at most about " in line
    assert out == pertheory(*RUN).out


def test_progress_is_for_terminals_and_ends_with_the_line(monkeypatch):  # type: ignore[no-untyped-def]
    screen, paper = Terminal(), io.StringIO()
    for place in (screen, paper):
        monkeypatch.setattr(sys, "stderr", place)
        progress = LayerProgress()
        for layer in (2, 3):
            for done in (0.0, 0.5, 1.0):
                progress(layer, 3, done)
    assert paper.getvalue() == ""
    assert screen.getvalue().rstrip(" \n").endswith("layer 3 of 3")
    assert screen.getvalue().endswith("\n")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (7, "7 s"), (150, "2 min"), (10_000, "2.8 h")])
def test_times_for_people(seconds, text):  # type: ignore[no-untyped-def]
    assert show_time(seconds) == text
