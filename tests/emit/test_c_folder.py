"""The emitted folder stands alone: it builds without warnings, checks itself, and takes bad arguments with a status."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pertheory as pt
from tests.emit.harness import STRICT, gcc

#: without optimisation, which would take what a sanitizer is to see out of the program and five times as long
SANITIZERS = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
CASES = [("mlp", 1, "many", "tanh"), ("mlp", 1, "one", "relu"), ("residual", 0, "many", "erf")]


@pytest.fixture(scope="module")
def made():
    """Folders that were emitted, by case; nobody builds in them."""
    return {}


@pytest.fixture
def emitted(made, tmp_path_factory):
    """A case as a folder of the test's own, so that nothing that another test has built is linked."""

    def emit(*case):
        network, order, inputs, activation = case
        if case not in made:
            made[case] = tmp_path_factory.mktemp("folder")
            pt.theory(network, "all", order).emit("c", made[case], inputs, activation)
        return shutil.copytree(made[case], tmp_path_factory.mktemp("own") / "folder")

    return emit


@pytest.fixture(scope="module")
def objects():
    """Object files with sanitizers, by case."""
    return {}


@pytest.fixture
def sanitized(emitted, objects, tmp_path_factory):
    """The library of a case as an object file with sanitizers, compiled once for all tests."""

    def build(case):
        if case not in objects:
            folder = emitted(*case)
            objects[case] = str(tmp_path_factory.mktemp("sanitized") / "library.o")
            gcc(folder, *STRICT, *SANITIZERS, "-c", f"{name_of(folder)}.c", "-o", objects[case])
        return objects[case]

    return build


def name_of(folder):
    return next(path.stem for path in folder.glob("*.h") if path.stem != "pertheory")


def run(folder, *command, **environment):
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )


@pytest.mark.parametrize("case", CASES)
def test_make_check_passes_where_there_is_no_python(emitted, tmp_path, case):
    """Compiled with optimisation, which sees more to warn of: five seconds for the largest theory, emitted here."""
    folder = emitted(*case)
    tools = tmp_path / "bin"  # a machine with a compiler and make, and nothing else
    tools.mkdir()
    for tool in ("cc", "gcc", "as", "ld", "ar", "make", "sh", "rm", "sed"):
        found = shutil.which(tool)
        if found:
            (tools / tool).symlink_to(found)
    done = subprocess.run(
        ["make", "check", "CFLAGS=-O1 " + " ".join(STRICT[1:])],
        cwd=folder, env={"PATH": str(tools)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    parts = re.findall(r"^(.+): (\d+) of (\d+) right", done.stdout, re.MULTILINE)
    assert len(parts) == (2 if case[2] == "one" else 3), done.stdout
    assert all(right == count and int(count) >= 2 for _, right, count in parts)
    assert done.stdout.endswith("bad arguments: refused\nall right\n")


def test_the_self_test_can_fail(emitted):
    folder = emitted(*CASES[1])
    name = name_of(folder)
    text = (folder / f"{name}.c").read_text()
    spoiled = text.replace("C_W * avg_s0s0", "1.0001 * C_W * avg_s0s0", 1)
    assert spoiled != text
    (folder / f"{name}.c").write_text(spoiled)
    done = run(folder, "make", "check", "CFLAGS=-O0")
    assert done.returncode != 0
    assert "FAILED" in done.stdout
    assert "layer 2, G[0]" in done.stdout


@pytest.mark.parametrize("case", CASES)
def test_the_self_test_runs_clean_under_sanitizers(emitted, sanitized, case):
    """The library of a whole theory is compiled here with sanitizers, which costs five seconds for the largest."""
    folder = emitted(*case)
    gcc(folder, *STRICT, *SANITIZERS, "-o", "checked", "selftest.c", sanitized(case), "-lm")
    done = run(folder, "./checked")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(("case", "rounds"), list(zip(CASES, (100, 400, 200), strict=True)))
def test_bad_arguments_give_a_status_and_touch_nothing(emitted, sanitized, case, rounds):
    """A hundred rounds make every kind of bad call several times; runs of good ones in between cost the seconds."""
    folder = emitted(*case)
    name = name_of(folder)
    header = (folder / f"{name}.h").read_text()
    words = {
        "NAME": name,
        "ROUNDS": str(rounds),
        "COUNT": re.search(rf"{name}_hyperparameters = (\d+)", header)[1],
        "AT": "_at_0" if f"{name}_update_at_0" in header else "",
    }
    text = (Path(__file__).parent / "fuzz.c.txt").read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    (folder / "fuzz.c").write_text(text)
    gcc(folder, *STRICT, *SANITIZERS, "-o", "fuzz", "fuzz.c", sanitized(case), "-lm")
    done = run(folder, "./fuzz")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[:3000]
    assert done.stdout.endswith("0 wrong\n")


@pytest.mark.parametrize("case", CASES)
def test_openmp_and_the_header_in_cpp(emitted, case):
    folder = emitted(*case)
    name = name_of(folder)
    gcc(folder, *STRICT, "-O0", "-fopenmp", "-o", "threads", "selftest.c", f"{name}.c", "-lm")
    assert run(folder, "./threads", OMP_NUM_THREADS="3").returncode == 0
    (folder / "use.cpp").write_text(
        f'#include "{name}.h"\nint main() {{ return {name}_theory.abi - PERTHEORY_ABI; }}\n'
    )
    if shutil.which("g++"):
        gcc(folder, "-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-c", "use.cpp", compiler="g++")
    if shutil.which("clang"):  # to which long double is a promotion as well; sums that cancel are meant to have it
        flags = [flag for flag in STRICT if flag != "-Wdouble-promotion"]
        gcc(folder, *flags, "-O0", "-c", f"{name}.c", "-o", "by_clang.o", compiler="clang")


def test_the_examples_run_and_agree(emitted):
    folder = emitted(*CASES[1])
    gcc(folder, "-fno-pic", "-O0", "-c", f"{name_of(folder)}.c")  # made by hand: make does not link it
    done = run(folder, "make", "all", "example", "CFLAGS=-O0")
    assert done.returncode == 0, done.stdout + done.stderr
    in_c = re.findall(r"^layer \d: G (\S+)", run(folder, "./example").stdout, re.MULTILINE)
    in_python = re.findall(r"'G': ([^,}]+)", run(folder, sys.executable, "example.py").stdout)
    assert len(in_c) == len(in_python) == 5
    assert [float(x) for x in in_c] == pytest.approx([float(x) for x in in_python], rel=1e-5)
    if shutil.which("gfortran"):
        name = name_of(folder)
        assert run(folder, "gfortran", "example.f90", f"lib{name}.a", "-o", "example_f").returncode == 0
        assert " G at the first input" in run(folder, "./example_f").stdout


def test_the_same_bytes_every_time(emitted, tmp_path):
    first = emitted(*CASES[0])
    pt.theory("mlp", "all", 1).emit("c", tmp_path, "many", "tanh")
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (first / path.name).read_bytes()
        assert str(tmp_path).encode() not in path.read_bytes()


def test_the_library_keeps_no_state_and_calls_nothing_but_mathematics(emitted):
    folder = emitted(*CASES[0])
    name = name_of(folder)
    gcc(folder, *STRICT, "-O0", "-fno-pie", "-c", f"{name}.c", "-o", "plain.o")
    symbols = run(folder, "nm", "plain.o").stdout.splitlines()
    outside = {line.split()[-1] for line in symbols if " U " in line}
    assert not outside & {"malloc", "calloc", "realloc", "free", "printf", "fprintf", "fopen", "exit", "abort"}
    assert not [line for line in symbols if re.search(r" [bBdDC] ", line) and "_theory" not in line]
