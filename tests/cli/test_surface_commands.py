"""What a newcomer types: the command alone, names of every kind, numbers and files as other programs write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command

RUN = ["run", "--activation", "x2", "--inputs", "two.csv", "--depth", "2", "--order", "0"]
RULE = Path(__file__).parents[2] / "rules" / "networks" / "mlp.toml"
KINDS = ("tensors", "networks", "activations", "methods", "equations")


def refused(outcome, *words):  # type: ignore[no-untyped-def]
    """Whether a command said no in one line with some words in it."""
    status, out, err = outcome
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err


def test_the_command_alone_shows_what_it_can_do(pertheory: Command) -> None:
    status, out, err = pertheory()
    assert (status, err) == (0, "")
    assert out == pertheory("--help").out
    for verb in ("list", "derive", "describe", "draw", "emit", "run", "check"):
        assert f"\n    {verb} " in out


def test_python_m_is_the_command(folder: Path) -> None:
    def call(*arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=os.environ)
        return done.stdout

    assert call("-m", "pertheory", "derive", "V") == call("-m", "pertheory.cli.main", "derive", "V")
    assert call("-m", "pertheory").startswith("usage: pertheory ")


def test_list_names_what_there_is(pertheory: Command) -> None:
    status, out, err = pertheory("list")
    assert (status, err) == (0, "")
    assert [row.split()[0] for row in out.splitlines()[: len(KINDS)]] == list(KINDS)
    found = json.loads(pertheory("list", "--format", "json").out)
    assert tuple(found) == ("schema", *KINDS)
    assert {"name": "H", "also": ["Theta", "NTK"]}.items() <= found["tensors"][2].items()
    assert [row["name"] for row in found["networks"]] == ["deep_linear", "mlp", "projection", "residual", "skip"]
    assert {"name": "leaky_relu", "also": ["leakyrelu"], "parameters": ["slope=0.01"]}.items() <= next(
        row for row in found["activations"] if row["name"] == "leaky_relu"
    ).items()
    assert "8.97" in [row["number"] for row in found["equations"]]


@pytest.mark.parametrize("kind", KINDS)
def test_list_of_one_kind(pertheory: Command, kind: str) -> None:
    status, out, err = pertheory("list", kind)
    assert (status, err) == (0, "")
    rows = json.loads(pertheory("list", kind, "--format", "json").out)[kind]
    assert len(out.splitlines()) == len(rows)
    for line, row in zip(out.splitlines(), rows, strict=True):
        assert line.startswith(next(iter(row.values())))


def test_list_of_nothing_that_there_is(pertheory: Command) -> None:
    refused(pertheory("list", "everything"), "'everything'", "tensors")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tanh", ["tanh: activation", "tanh(x) from -inf to inf"]),
        ("leaky-relu", ["leaky_relu: activation", "slope = 0.01", "derivative 1"]),
        ("torch.nn.PReLU", ["leaky_relu: activation", "slope = 0.25"]),
        ("x*tanh(x)", ["x*tanh(x): activation"]),
        ("mlp", ["mlp: network", "z' = b + W s(z)", "C_W = 1"]),
        ("residual", ["u' = b1 + W1 z", "z' = gamma z + b2 + W2 s(u)"]),
        ("skip", ["not sound"]),
        ("NTK", ["H: mean neural tangent kernel"]),
        ("NTK{1}", ["H, order 1: mean neural tangent kernel"]),
        (" F ", ["F: cross correlation"]),
    ],
)
def test_describe_knows_names_of_every_kind(pertheory: Command, name: str, words: list[str]) -> None:
    status, out, err = pertheory("describe", name)
    assert (status, err) == (0, "")
    for word in words:
        assert word in out
    assert json.loads(pertheory("describe", name, "--format", "json").out)["name"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tahn", ["nearest: tanh"]),
        ("resdual", ["nearest: residual"]),
        ("NTKK", ["nearest: NTK"]),
        ("torch.nn.RReLU", ["its slope is random"]),
        ("foo.tanh", ["no program 'foo'", "write tanh"]),
        ("tensor", ["A, B, D, F, G, H, K, NTK, P, Q, R, S, T, Theta, U, V, V6"]),
    ],
)
def test_describe_of_what_there_is_not(pertheory: Command, name: str, words: list[str]) -> None:
    refused(pertheory("describe", name), *words)


def test_lists_of_names_in_messages_are_whole_or_say_how_many_are_left_out(pertheory: Command, folder: Path) -> None:
    err = pertheory("derive", "tensor").err
    assert err.rstrip().endswith("known: A, B, D, F, G, H, K, NTK, P, Q, R, S, T, Theta, U, V, V6")
    err = pertheory(*RUN, "--activation", "qqqq").err
    assert " more)" in err
    assert "..." not in err


@pytest.mark.parametrize("number", ["8.97", "(8.97)", " ( 8.97 ) "])
def test_an_equation_is_asked_for_as_people_write_it(pertheory: Command, number: str) -> None:
    status, out, err = pertheory("check", "--equation", number)
    assert (status, err) == (0, "")
    assert out.startswith("(8.97) ")


def test_a_derivative_of_a_product_keeps_its_parentheses(pertheory: Command) -> None:
    out = pertheory("check", "--equation", "4.90").out
    assert r"\partial_{\beta_{1}} \partial_{\beta_{2}} \left(\sigma_{1}\, \sigma_{2}\right)" in out


def shown(out: str) -> list[str]:
    """The tensors of the first layer of a table."""
    rows = out.splitlines()
    return [row.split("  ")[1] for row in rows[2 : rows.index("layer 2")]]


@pytest.mark.parametrize(
    ("tensors", "names", "keys"),
    [
        (["K"], ["K"], ["G"]),
        (["K", "Theta"], ["K", "Theta"], ["G", "H"]),
        (["V"], ["V"], ["V"]),
        (["G"], ["G"], ["G"]),
        (["NTK"], ["H"], ["H"]),
        (["z(a) H(b,c) z(d) @ ab,cd"], ["z(a) H(b,c) z(d) @ ab,cd"], ["z(a) H(b,c) z(d) @ ab,cd"]),
        (["V{1}"], ["V{1}"], ["V{1}"]),
        (["all"], ["G", "H"], ["G", "H"]),
    ],
)
def test_run_shows_what_was_asked_for(pertheory, folder, tensors, names, keys):  # type: ignore[no-untyped-def]
    status, out, err = pertheory(*RUN, "--tensors", *tensors)
    assert (status, err) == (0, "")
    assert shown(out) == names
    layer = json.loads(pertheory(*RUN, "--tensors", *tensors, "--format", "json").out)["layers"][1]
    assert list(layer) == ["layer", *keys]


def test_all_shows_what_the_recursions_need_as_well(pertheory: Command, folder: Path) -> None:
    assert shown(pertheory(*RUN, "--tensors", "V", "all").out) == ["V", "G", "H"]


#: Python reads all of these as numbers; neither JSON nor C does.
STRANGE = ["1_0", "1_5", "٣", "１", "1\u00a0", "0x10", "1__0", "𝟏", "1e1_0"]


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("flag", ["--C_W", "--C_b", "--widths", "--rtol", "--depth", "--order", "--jobs", "--param"])
def test_numbers_are_what_json_or_c_would_read(pertheory, folder, text, flag):  # type: ignore[no-untyped-def]
    refused(pertheory(*RUN, flag, f"C_W={text}" if flag == "--param" else text), flag)
    assert pertheory(*RUN, "--C_W", "+1.5e0", "--rtol", "1E-9", "--depth", " 2 ", "--C_b", ".5").status == 0


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_the_same_in_files(pertheory, folder, text, name):  # type: ignore[no-untyped-def]
    Path(name).write_text(f"{text},2\n" if name.endswith("csv") else f"[[{text},2]]", encoding="utf-8")
    outcome = pertheory(*RUN, "--inputs", name)
    if (text, name) == ("1\u00a0", "a.json"):
        refused(outcome, name)
    else:
        refused(outcome, name, "not a number" if name.endswith("csv") else "not valid JSON")


def test_a_byte_order_mark_is_read_everywhere(pertheory: Command, folder: Path) -> None:
    mark = "\ufeff"
    Path("two.csv").write_text(mark + "1,2\n0.5,-1\n", encoding="utf-8")
    Path("two.json").write_text(mark + "[[1,2],[0.5,-1]]", encoding="utf-8")
    Path("own.toml").write_text(mark + RULE.read_text(encoding="utf-8"), encoding="utf-8")
    Path("act.toml").write_text(mark + 'name = "act"\nformula = "x^2"\n', encoding="utf-8")
    plain = pertheory(*RUN)
    assert (plain.status, plain.err) == (0, "")
    for more in (["--inputs", "two.json"], ["--network", "own.toml"], ["--activation", "act.toml"]):
        assert pertheory(*RUN, *more) == plain


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([*RUN, "--tensors", "tanh"], ["'tanh'; it is an activation"]),
        ([*RUN, "--tensors", "mlp"], ["'mlp'; it is a network"]),
        ([*RUN, "--network", "V"], ["'V'; it is a tensor"]),
        ([*RUN, "--activation", "V"], ["'V' (it is a tensor)"]),
        ([*RUN, "--activation", "mlp"], ["'mlp' (it is a network)"]),
        (["derive", "V" * 5000], ["unknown tensor 'VVV"]),
        (["derive", "V", "--network", "n" * 5000], ["unknown network 'nnn"]),
        (["describe", "V" * 5000], ["unknown tensor 'VVV"]),
        (["derive", "V", "--network", "relu"], ["'relu'; it is an activation"]),
        ([*RUN, "--activation", "nn.gelu"], ["flax.linen.gelu, tf.nn.gelu"]),
        ([*RUN, "--activation", "torch.nn.Softmax"], ["torch.nn has no 'Softmax'"]),
        (["derive", "V", "--out", ""], ["--out", "is empty"]),
        (["emit", "--target", "numpy", "--out", ""], ["--out", "is empty"]),
        ([*RUN, "--inputs", ""], ["--inputs", "is empty"]),
        (["list", "--out", "."], ["is a folder"]),
        (["--order", "3"], ["VERB"]),
        (["--"], ["--help"]),
        ([""], ["VERB", "'derive'"]),
    ],
)
def test_what_is_something_else_is_told_so(pertheory, folder, command, words):  # type: ignore[no-untyped-def]
    before = sorted(path.name for path in folder.iterdir())
    refused(pertheory(*command), *words)
    assert sorted(path.name for path in folder.iterdir()) == before
