"""The command as the shell sees it: help, version, pipes, closed and full outputs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pertheory import __version__
from pertheory.cli.verbs import VERBS

NAMES = [verb.__name__.rpartition(".")[2] for verb in VERBS]
COMMAND = [sys.executable, "-m", "pertheory.cli.main"]


def test_version(pertheory):  # type: ignore[no-untyped-def]
    assert pertheory("--version") == (0, f"pertheory {__version__}\n", "")


def test_help_names_the_verbs(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("--help")
    assert (status, err) == (0, "")
    assert {"derive", "describe", "emit", "run"} <= set(NAMES)
    for name in NAMES:
        assert name in out


@pytest.mark.parametrize("verb", ["", *NAMES])
def test_the_example_in_the_help_works(pertheory, folder, verb):  # type: ignore[no-untyped-def]
    status, out, err = pertheory(*([verb] if verb else []), "--help")
    assert (status, err) == (0, "")
    (example,) = [line for line in out.splitlines() if line.startswith("example: ")]
    command, *arguments = shlex.split(example.removeprefix("example: "))
    assert command == "pertheory"
    for name, table in (("inputs", "1,2\n0.5,-1\n"), ("X", "1,2\n0.5,-1\n"), ("Y", "1\n-1\n"), ("T", "0.3,0.8\n")):
        Path(f"{name}.csv").write_text(table)
    status, out, err = pertheory(*arguments)
    assert (status, err) == (0, "")
    assert out


def test_a_reader_that_stops_early():  # type: ignore[no-untyped-def]
    """As in `pertheory derive A --order 1 --format json | head -1`, with more text than a pipe holds."""
    command = [*COMMAND, "derive", "A", "--order", "1", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"{\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk():  # type: ignore[no-untyped-def]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "derive", "V"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "standard output" in done.stderr


def test_an_output_that_is_closed():  # type: ignore[no-untyped-def]
    shell = f"{shlex.join([*COMMAND, 'describe', 'V'])} >&-"
    done = subprocess.run(["sh", "-c", shell], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_as_out_is_written_to_and_stays(tmp_path):  # type: ignore[no-untyped-def]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([*COMMAND, "describe", "V", "--out", str(pipe)]) as process:
        text = pipe.read_text()
        assert process.wait() == 0
    assert text.startswith("V: four-point vertex")
    assert pipe.is_fifo()


def test_bad_bytes_in_an_argument():  # type: ignore[no-untyped-def]
    done = subprocess.run([*COMMAND, "describe", b"V\xff"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.splitlines()) == 1


def test_the_command_is_quick_to_say_no():  # type: ignore[no-untyped-def]
    """A wrong word is answered without loading NumPy, SymPy or SciPy."""
    program = "import sys; from pertheory.cli.main import main; print(main(['describe', 'V66']), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    status, *modules = done.stdout.split()
    assert status == "2"
    assert not {"numpy", "sympy", "scipy"} & set(modules)
