"""Bad input: exit status 2, one line on standard error that names it, nothing on standard output, nothing written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command
from tests.planted import RULE

SKIP = 'z = [ { parameter = "W", function = "s", of = "z" }, { identity = true, of = "z" } ]'


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with what is in it; folders are there with nothing."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.fixture
def refused(pertheory: Command, folder: Path):  # type: ignore[no-untyped-def]
    """Runs a command that must be refused, and checks that its one line holds some words."""

    def call(arguments: list[object], *words: str) -> str:
        before = contents(folder)
        status, out, err = pertheory(*arguments)
        assert status == 2
        assert out == ""
        assert err.endswith("\n")
        assert len(err.splitlines()) == 1, err
        for word in words:
            assert word in err
        assert contents(folder) == before
        return err

    return call


RUN = ["run", "--activation", "x2", "--inputs", "two.csv", "--order", "0"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["drive", "V"], ["'drive'", "'derive'", "'describe'", "'emit'", "'run'"]),
        (["derive"], ["needs a tensor", "V", "--list"]),
        (["derive", "V", "--ordr", "1"], ["'--ordr'", "--order"]),
        (["derive", "V", "--ord", "1"], ["'--ord'", "--order"]),
        (["derive", "V", "--order", "1", "A"], ["'A'", "before the flags"]),
        (["derive", "V", "--bad\nflag"], ["bad"]),
        (["derive", "--list", "V"], ["--list", "no tensors"]),
        (["derive", "--list", "--format", "latex"], ["--list", "text or json"]),
        (["derive", "--list", "--explain", "1"], ["--list", "--explain"]),
        (["derive", "--list", "--order", "5"], ["order 5", "--yes"]),
        (["derive", "V", "--order", "3"], ["V", "1/n^4", "--yes"]),
        (["derive", "V{4}"], ["V{4}", "1/n^5", "--yes"]),
        ([*RUN, "--depth", "2", "--tensors", "V6{1}"], ["V6{1}", "1/n^3", "--yes"]),
        (["emit", "--target", "c", "--out", "new", "--order", "3"], ["all", "1/n^3", "--yes"]),
        (["derive", "V", "--format", "word"], ["'word'", "latex", "json"]),
        (["derive", "V", "--form", "long"], ["'long'", "expanded"]),
        (["derive", "V", "--explain", "0"], ["--explain", "at least 1"]),
        (["derive", "V", "--explain", "99"], ["1 to 11", "99"]),
        (["derive", "V", "--explain", "1", "--format", "json"], ["--explain", "json"]),
        (["derive", "V", "--jobs", "0"], ["--jobs", "at least 1"]),
        (["derive", "V", "--closure", "triples"], ["'triples'", "pairs"]),
        (["draw"], ["TENSOR"]),
        (["draw", "V66"], ["'V66'", "V6"]),
        (["draw", "V", "--out", "v.png"], ["v.png", ".svg", ".tex", ".pdf"]),
        (["draw", "V", "--out", "v.png"], ["v.png", ".svg, .tex, .html or .pdf"]),
        (["draw", "V", "--out", "v"], ["--out v", ".svg, .tex, .html or .pdf"]),
        (["draw", "V", "--out", "no/v.svg"], ["no/v.svg", "folder no"]),
        (["draw", "V", "A"], ["--form recursion", "one tensor"]),
        (["draw", "V", "A", "--form", "tensor"], ["--form tensor", "one tensor"]),
        (["draw", "all"], ["all", "--form theory"]),
        (["draw", "V", "--form", "graph"], ["'graph'", "recursion", "theory"]),
        (["draw", "V", "--explain", "0"], ["--explain", "at least 1"]),
        (["draw", "V", "--explain", "99"], ["1 to 11", "99"]),
        (["draw", "V", "--explain", "1", "--form", "theory"], ["--explain", "--form theory"]),
        (["draw", "V", "--order", "3"], ["V", "1/n^4", "--yes"]),
        (["draw", "all", "--form", "theory", "--order", "3"], ["all", "1/n^3", "--yes"]),
        (["draw", "V", "--network", "mpl"], ["'mpl'", "nearest: mlp"]),
        (["describe"], ["NAME"]),
        (["describe", "V", "A"], ["'A'"]),
        (["emit", "--target", "numpy"], ["--out"]),
        (["emit", "--out", "build"], ["--target"]),
        (["emit", "--target", "fortran", "--out", "build"], ["'fortran'", "numpy"]),
        (["emit", "--target", "numpy", "--out", "build", "--inputs", "three"], ["'three'", "many", "one"]),
    ],
)
def test_wrong_verbs_and_flags(refused, arguments, words):  # type: ignore[no-untyped-def]
    refused(arguments, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tensors", "V66"], ["'V66'", "V6"]),
        (["--tensors", "K,Thta"], ["'Thta'", "Theta"]),
        (["--tensors", ""], ["--tensors", "all"]),
        (["--tensors", ","], ["--tensors", "all"]),
        (["--tensors"], ["--tensors"]),
        (["--tensors", "V{50}"], ["V{50}", "at most 10"]),
        (["--tensors", "z(1) z(2"], ["character 9", "')'"]),
        (["--network", "mpl"], ["'mpl'", "nearest: mlp"]),
        (["--network", "nowhere/net.toml"], ["nowhere/net.toml", "no such file"]),
        (["--network", "n" * 5000 + "/a"], ["nnnn", "too long"]),
        (["--order", "-1"], ["--order", "at least 0", "-1"]),
        (["--order", "x"], ["--order", "'x'", "whole number"]),
        (["--order", "1.5"], ["--order", "'1.5'", "whole number"]),
        (["--order", "50"], ["--order", "at most 10", "50"]),
    ],
)
@pytest.mark.parametrize(
    "verb",
    [
        ["run", "--activation", "tanh", "--inputs", "two.csv", "--depth", "2"],
        ["emit", "--target", "numpy", "--out", "build"],
    ],
    ids=["run", "emit"],
)
def test_wrong_theories(refused, verb, arguments, words):  # type: ignore[no-untyped-def]
    refused(verb + arguments, *words)


@pytest.mark.parametrize("verb", ["derive", "describe"])
@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ("V66", ["'V66'", "nearest: V6"]),
        ("v", ["'v'", "nearest: V"]),
        ("tensor", ["'tensor'", "A, B, D"]),
        ("", ["character 1", "the end"]),
        ("@ 12", ["character 1", "'@'", "z, H, dH"]),
        ("z(1) z(2)", ["z(1) z(2)", "@ 12,34"]),
        ("z(1) z(2) @", ["character 12", "label"]),
        ("z(1) z(2) @ 12,", ["character 16", "label"]),
        ("z(1) z(2) @ 12 34", ["character 16", "','"]),
        ("z(1) z(2) H(3,4 @ 13,24", ["character 17", "')' as in H(a,b)", ">>>@"]),
        ("z(1) h(2,3) z(4) @ 12,34", ["character 6", "nearest: H"]),
        ("z(1) z(%) @ 12", ["character 8", "'%'"]),
        ("tree(1-2, 3) @ 12", ["character 12", "'-'"]),
        ("tree(1-2, 2-3, 3-1) z(4) @ 12,34", ["not a tree"]),
        ("tree(1-2, 3-4) @ 12,34", ["not a tree"]),
        ("z(1) z(1) @ 11", ["'1'", "twice"]),
        ("z(1) H(1,2) z(3) @ 11,23", ["'1'", "twice"]),
        ("H(1,1) @ 11", ["'1'", "twice in H"]),
        ("z(1) z(2) z(3) @ 12", ["3 vertices", "odd"]),
        ("z(1) z(2) H(3,4) @ 13", ["'2'", "not paired"]),
        ("z(1) z(2) H(3,4) @ 13,13", ["'1'", "two pairs"]),
        ("z(1) z(2) H(3,4) @ 13,25", ["'5'", "not in the observable"]),
    ],
)
def test_wrong_tensors(refused, verb, tensor, words):  # type: ignore[no-untyped-def]
    refused([verb, tensor], *words)


def test_an_order_that_would_never_end(refused):  # type: ignore[no-untyped-def]
    refused(["derive", "V", "--order", "50"], "--order", "at most 10")
    refused(["derive", "V{50}"], "V{50}", "at most 10")


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        ("tahn", ["'tahn'", "nearest: tanh"]),
        ("rellu", ["'rellu'", "relu"]),
        ("", ["formula"]),
        ("nowhere.toml", ["nowhere.toml", "No such file"]),
        ("x +", ["character 4", "missing"]),
        ("x x", ["character 3", "write *"]),
        ("y^2", ["character 1", "'y'"]),
        ("sinn(x)", ["'sinn'", "nearest: sin"]),
        ("1/x", ["1/x", "not defined"]),
        ("log(x)", ["log(x)", "not defined"]),
        ("exp(x^2)", ["exp(x^2)", "does not exist or overflows"]),
        ("exp(exp(exp(x)))", ["does not exist or overflows"]),
        ("9^9^9^9", ["character 5", "exponents"]),
        ("x^1e9", ["exponents"]),
        ("(" * 100 + "x" + ")" * 100, ["nested more than 30 deep"]),
        ("x+" * 400 + "x", ["801 characters", "500"]),
        ("__import__('os').system('touch written')", ["character 12"]),
        ("x.__class__", ["'x.__class__'"]),
        ("lambda x: x", ["character"]),
        ("x;x", ["character 2"]),
    ],
)
def test_wrong_activations(refused, activation, words):  # type: ignore[no-untyped-def]
    arguments = ["run", f"--activation={activation}", "--inputs", "two.csv", "--depth", "2", "--order", "0"]
    refused(arguments, *words)


@pytest.mark.parametrize("activation", ["tahn", "9^9^9^9", "__import__('os')"])
def test_wrong_activations_of_emit(refused, activation):  # type: ignore[no-untyped-def]
    refused(["emit", "--target", "numpy", "--out", "build", "--activation", activation], activation[:4])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--depth"]),
        (["--depth", "0"], ["--depth", "at least 1", "not 0"]),
        (["--depth", "-1"], ["--depth", "at least 1", "not -1"]),
        (["--depth", "2.5"], ["--depth", "'2.5'"]),
        (["--depth", "deep"], ["--depth", "'deep'"]),
        (["--depth", "1000000000"], ["depth", "100000", "1000000000"]),
        (["--depth", "2", "--C_W", "-1"], ["--C_W", "negative", "-1"]),
        (["--depth", "2", "--C_W=1,-2"], ["--C_W", "negative", "-2"]),
        (["--depth", "2", "--lambda_W", "-1"], ["--lambda_W", "negative"]),
        (["--depth", "2", "--C_b", "nan"], ["--C_b", "'nan'", "NaN"]),
        (["--depth", "2", "--C_b", "1e400"], ["--C_b", "'1e400'", "infinity"]),
        (["--depth", "2", "--C_b", "one"], ["--C_b", "'one'", "not a number"]),
        (["--depth", "2", "--C_b", ""], ["--C_b", "''"]),
        (["--depth", "2", "--C_b", "1,"], ["--C_b", "'1,'"]),
        (["--depth", "2", "--C_W", "1,2,3"], ["--C_W", "one value or 2", "not 3"]),
        (["--depth", "4", "--C_W", "1,2"], ["--C_W", "one value or 4", "not 2"]),
        (["--depth", "3", "--widths", "8"], ["widths", "n_1 .. n_2", "not 1"]),
        (["--depth", "3", "--widths", "8,8,8"], ["widths", "n_1 .. n_2", "not 3"]),
        (["--depth", "1", "--widths", "8"], ["widths", "no hidden width"]),
        (["--depth", "3", "--widths", "8,0"], ["--widths", "0", "whole number from 1"]),
        (["--depth", "3", "--widths", "8,-8"], ["--widths", "-8", "whole number from 1"]),
        (["--depth", "3", "--widths", "8,1.5"], ["--widths", "1.5", "whole number from 1"]),
        (["--depth", "3", "--widths", "8,wide"], ["--widths", "wide"]),
        (["--depth", "2", "--rtol", "0"], ["--rtol", "between 0 and 1"]),
        (["--depth", "2", "--rtol", "nan"], ["--rtol", "between 0 and 1", "nan"]),
        (["--depth", "2", "--rtol", "-1"], ["--rtol", "between 0 and 1", "-1"]),
        (["--depth", "2", "--rtol", "2"], ["--rtol", "between 0 and 1", "2"]),
        (["--depth", "2", "--rtol", "small"], ["--rtol", "'small'"]),
        (["--depth", "2", "--param", "slope"], ["--param", "'slope'", "name=value"]),
        (["--depth", "2", "--param", "=1"], ["--param", "name=value"]),
        (["--depth", "2", "--param", "slope=steep"], ["--param", "'steep'", "number"]),
        (["--depth", "2", "--param", "slope=nan"], ["--param", "finite"]),
        (["--depth", "2", "--param", "slope=1"], ["x2", "no parameter 'slope'", "C_W"]),
        (["--depth", "2", "--param", "C_W=-1"], ["C_W", "at least 0", "-1"]),
        (["--depth", "2", "--param", "C_W=1", "--C_W", "2"], ["C_W", "twice"]),
        (["--depth", "2", "--activation", "leaky_relu", "--param", "slop=1"], ["'slop'", "nearest: slope"]),
        (["--depth", "2", "--activation", "leaky_relu", "--param", "slope=1", "--param", "slope=2"], ["twice"]),
        (["--depth", "2", "--format", "npz"], ["npz", "--out"]),
        (["--depth", "2", "--format", "latex"], ["'latex'", "npz"]),
        (["--depth", "2", "--backend", "abacus"], ["'abacus'", "numpy"]),
        (["--depth", "2", "--C_W", "1e300"], ["G overflows at layer 2", "C_W"]),
        (["--depth", "9", "--C_W", "1e100"], ["G overflows", "C_W"]),
        (["--depth", "9", "--order", "1", "--activation", "x^9"], ["overflows", "fewer layers"]),
    ],
)
def test_wrong_numbers_of_run(refused, arguments, words):  # type: ignore[no-untyped-def]
    refused(RUN + arguments, *words)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("ragged.csv", b"1,2\n3\n", ["row 2 has 1", "row 1 has 2"]),
        ("header.csv", b"a,b\n1,2\n", ["line 1, column 1", "'a'", "not a number", "#"]),
        ("words.csv", b"1,2\n3,four\n", ["line 2, column 2", "'four'"]),
        ("gap.csv", b"1,2\n3,\n", ["line 2, column 2", "''"]),
        ("semicolon.csv", b"1;2\n", ["line 1, column 1", "'1;2'"]),
        ("nan.csv", b"1,nan\n", ["row 1, column 2", "nan", "not finite"]),
        ("infinite.csv", b"1,2\n-inf,1\n", ["row 2, column 1", "-inf", "not finite"]),
        ("empty.csv", b"", ["no rows"]),
        ("comment.csv", b"# nothing but this\n\n", ["no rows"]),
        ("binary.csv", b"\x80\x81\xff\x00", ["not text"]),
        ("nul.csv", b"1,\x002\n", ["not a"]),
        ("large.csv", b"1e300,1\n1,2\n", ["row 1", "1e+300", "range of doubles"]),
        ("small.csv", b"1,2\n1e-300,0\n", ["row 2", "1e-300", "range of doubles"]),
        ("ragged.json", b"[[1,2],[3]]", ["row 2 has 1", "row 1 has 2"]),
        ("flat.json", b"[1,2]", ["list of lists"]),
        ("table.json", b'{"a": 1}', ["list of lists"]),
        ("words.json", b'[[1,"a"]]', ["row 1", "'a'", "not a number"]),
        ("truth.json", b"[[true]]", ["row 1", "True", "not a number"]),
        ("null.json", b"[[null]]", ["row 1", "None", "not a number"]),
        ("nan.json", b"[[1,NaN]]", ["row 1, column 2", "nan"]),
        ("infinite.json", b"[[1e999]]", ["row 1, column 1", "inf"]),
        ("open.json", b"[[1,2]", ["not valid JSON", "line 1"]),
        ("empty.json", b"", ["not valid JSON"]),
        ("none.json", b"[]", ["no rows"]),
        ("void.json", b"[[]]", ["no rows"]),
        ("binary.json", b"\x80\x81\xff", ["not text"]),
        ("deep.json", b"[" * 100_000, ["nested too deeply"]),
        ("digits.json", b"[[1" + b"0" * 400 + b"]]", ["too large"]),
        ("more_digits.json", b"[[1" + b"0" * 5000 + b"]]", ["too large"]),
        ("text.npy", b"1,2\n", ["not a .npy file"]),
        ("empty.npy", b"", ["not a .npy file"]),
        ("inputs.txt", b"1,2\n", [".csv, .json or .npy"]),
        ("inputs", b"1,2\n", [".csv, .json or .npy"]),
    ],
)
def test_wrong_inputs_files(refused, folder, name, data, words):  # type: ignore[no-untyped-def]
    (folder / name).write_bytes(data)
    refused(["run", "--activation", "x2", "--depth", "2", "--inputs", name], f"--inputs {name}: ", *words)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(3), ["1-dimensional", "one row per input"]),
        (np.array(1.0), ["0-dimensional"]),
        (np.ones((2, 2, 2)), ["3-dimensional"]),
        (np.ones((2, 2)) * 1j, ["complex128", "real numbers"]),
        (np.ones((2, 2), dtype=bool), ["bool"]),
        (np.array([["a", "b"]]), ["real numbers"]),
        (np.ones((0, 3)), ["no rows"]),
        (np.ones((3, 0)), ["no rows"]),
        (np.array([[1.0, np.nan]]), ["row 1, column 2", "nan"]),
        (np.array([[1, None]], dtype=object), ["not a .npy file of numbers"]),
    ],
)
def test_wrong_arrays(refused, folder, array, words):  # type: ignore[no-untyped-def]
    np.save(folder / "wrong.npy", array, allow_pickle=True)
    refused(["run", "--activation", "x2", "--depth", "2", "--inputs", "wrong.npy"], "wrong.npy", *words)


def test_a_pickled_array_runs_nothing(refused, folder):  # type: ignore[no-untyped-def]
    class Hostile:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return (os.mkdir, (str(folder / "written"),))

    np.save(folder / "hostile.npy", np.array([[Hostile()]], dtype=object), allow_pickle=True)
    refused(["run", "--activation", "x2", "--depth", "2", "--inputs", "hostile.npy"], "hostile.npy")


def test_an_archive_that_is_named_like_an_array(refused, folder):  # type: ignore[no-untyped-def]
    np.savez(folder / "arrays.npz", inputs=np.eye(2))
    (folder / "arrays.npz").rename(folder / "arrays.npy")
    refused(["run", "--activation", "x2", "--depth", "2", "--inputs", "arrays.npy"], "arrays.npy", "archive")


@pytest.mark.parametrize("name", ["missing.csv", "no/such/folder.json", "a" * 5000 + ".csv"])
def test_missing_inputs(refused, name):  # type: ignore[no-untyped-def]
    refused(["run", "--activation", "x2", "--depth", "2", "--inputs", name], name[:80])


def test_inputs_that_are_a_folder(refused, folder):  # type: ignore[no-untyped-def]
    (folder / "folder.csv").mkdir()
    refused(["run", "--activation", "x2", "--depth", "2", "--inputs", "folder.csv"], "folder.csv", "not a file")


def test_more_inputs_than_any_memory_holds(refused, folder):  # type: ignore[no-untyped-def]
    np.save(folder / "many.npy", np.ones((500, 2)))
    command = ["run", "--activation", "x2", "--depth", "2", "--inputs", "many.npy"]
    refused(command, "500 rows", "4 slots", "at most 100 rows")


OUT = [
    ["derive", "V"],
    ["describe", "V"],
    [*RUN, "--depth", "2"],
    [*RUN, "--depth", "2", "--format", "json"],
    [*RUN, "--depth", "2", "--format", "npz"],
]


@pytest.mark.parametrize("command", OUT, ids=["derive", "describe", "text", "json", "npz"])
def test_places_that_cannot_be_written_to(refused, folder, command):  # type: ignore[no-untyped-def]
    (folder / "folder").mkdir()
    refused([*command, "--out", "folder"], "--out folder", "is a folder")
    refused([*command, "--out", "nowhere/result"], "--out nowhere/result", "does not exist")
    refused([*command, "--out", "one.csv/result"], "--out one.csv/result", "does not exist")
    refused([*command, "--out", "a" * 300], "a" * 80, "too long")


needs_proc = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder where nobody may write")


@needs_proc
@pytest.mark.parametrize("command", OUT, ids=["derive", "describe", "text", "json", "npz"])
def test_folders_that_refuse(refused, command):  # type: ignore[no-untyped-def]
    refused([*command, "--out", "/proc/result"], "--out /proc/result", "cannot be written")


@pytest.mark.parametrize("command", OUT, ids=["derive", "describe", "text", "json", "npz"])
def test_a_disk_that_fails_at_the_last_moment(refused, monkeypatch, command):  # type: ignore[no-untyped-def]
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    more = [] if command[0] == "describe" else ["--no-cache"]  # the cache has an error of its own
    refused([*command, *more, "--out", "result"], "--out result", "No space left on device")


def test_emit_into_what_is_not_a_folder(refused):  # type: ignore[no-untyped-def]
    refused(["emit", "--target", "numpy", "--out", "one.csv"], "--out one.csv", "is a file")
    refused(["emit", "--target", "numpy", "--out", "one.csv/build"], "--out one.csv/build", "cannot be written")


@needs_proc
def test_emit_into_a_folder_that_refuses(refused):  # type: ignore[no-untyped-def]
    refused(["emit", "--target", "numpy", "--out", "/proc/build"], "--out /proc/build", "cannot be written")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('fields = ["z"]', 'felds = ["z"]', ["felds", "nearest: fields"]),
        ('fields = ["z"]', "", ["fields", "missing"]),
        ('name = "own"', "name = own", ["not valid TOML", "line 2"]),
        ('name = "own"', "name = 3", ["name"]),
        ("C_W = 1.0", 'C_W = "one"', ["hyperparameters.C_W", "'one'"]),
        ('kind = "weight"', 'kind = "wait"', ["parameters.W.kind", "'wait'", "weight"]),
        ('variance = "C_W"', 'variance = "C_V"', ["parameters.W.variance", "'C_V'"]),
        ('variance = "C_W"', "", ["parameters.W.variance", "missing"]),
        ('z = ["W"]', 'z = ["V"]', ["input.z", "unknown parameter"]),
        ('of = "z"', 'of = "y"', ["sublayers[0].z[0].of", "'y'"]),
        ('function = "s"', "function = 1", ["sublayers[0].z[0].function"]),
        ('parameter = "W", ', "", ["sublayers[0].z[0]"]),
        ("[[sublayers]]", "[[layers]]", ["layers", "sublayers"]),
    ],
)
def test_wrong_rule_files(refused, folder, old, new, words):  # type: ignore[no-untyped-def]
    assert RULE.count(old) == 1
    (folder / "own.toml").write_text(RULE.replace(old, new))
    refused(["derive", "G", "--network", "own.toml"], "own.toml", *words)


def test_a_rule_file_that_is_not_text(refused, folder):  # type: ignore[no-untyped-def]
    (folder / "own.toml").write_bytes(b"\xff\xfe\x00")
    refused(["derive", "G", "--network", "own.toml"], "own.toml", "UTF-8")
    refused(["run", "--activation", "own.toml", "--inputs", "two.csv", "--depth", "2"], "own.toml", "UTF-8")


@pytest.mark.parametrize(
    "command",
    [
        ["derive", "V"],
        ["derive", "--list"],
        ["run", "--activation", "x2", "--inputs", "two.csv", "--depth", "2"],
        ["emit", "--target", "numpy", "--out", "build"],
    ],
    ids=["derive", "list", "run", "emit"],
)
def test_rules_that_are_not_sound(refused, folder, command):  # type: ignore[no-untyped-def]
    sound = 'z = [ { parameter = "W", function = "s", of = "z" } ]'
    assert RULE.count(sound) == 1
    (folder / "skip.toml").write_text(RULE.replace(sound, SKIP))
    refused([*command, "--network", "skip.toml"], "skip.toml", "sublayers[0]", "not sound", "pairs")


def test_the_rule_of_these_tests_is_right_as_it_stands(pertheory, folder):  # type: ignore[no-untyped-def]
    (folder / "own.toml").write_text(RULE)
    status, out, err = pertheory("derive", "G", "--network", "own.toml", "--format", "json")
    assert (status, err) == (0, "")
    assert [term["couplings"] for term in json.loads(out)["terms"]] == [{"C_W": 1}]


@pytest.mark.parametrize(
    "spelling", ["R", "R{0}", "ddH_I(0;1,2,3) @ 01,23", "ddH_I(a;b,c,d)@ab,cd", "ddH_I(0;2,1,3) @ 02,13"]
)
def test_a_tensor_that_diverges_and_was_asked_for_by_name(refused, spelling):  # type: ignore[no-untyped-def]
    command = ["run", "--activation", "relu", "--inputs", "one.csv", "--depth", "2", "--tensors", spelling]
    refused(command, "diverges", "kink x = 0")


@pytest.mark.parametrize("formula", ["gibberish((", "tanh(C_W*x)", "no_such_name", "no.toml"])
def test_every_verb_names_the_rule_and_the_function_that_it_fixes_wrongly(refused, formula):  # type: ignore[no-untyped-def]
    Path("own.toml").write_text(f'{RULE}\n[activations]\ns = "{formula}"\n')
    run = ["run", "--activation", "tanh", "--inputs", "two.csv", "--depth", 2, "--network", "own.toml"]
    for arguments in (
        ["derive", "V", "--network", "own.toml"],
        ["derive", "--list", "--network", "own.toml"],
        ["draw", "V", "--network", "own.toml"],
        ["emit", "--target", "c", "--out", "o", "--network", "own.toml"],
        ["describe", "own.toml"],
        run,
    ):
        refused(arguments, "own.toml: activations.s: ")
