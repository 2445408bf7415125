"""What `run` computes and how it writes it: text, JSON and npz, lists over layers, widths, names, divergences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from tests.cli.conftest import Command

BOOK = ["G", "V", "H", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"]
INPUTS = [[1.0, 2.0], [0.5, -1.0]]


def record(pertheory: Command, *arguments: object, warned: bool = False):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("run", *arguments, "--format", "json")
    assert status == 0
    assert bool(err) == warned
    return json.loads(out)


def array(layer, key):  # type: ignore[no-untyped-def]
    """A tensor of the JSON form as an array; null becomes NaN."""
    return np.array(layer[key], dtype=float)


def test_json_keeps_its_form(pertheory, folder):  # type: ignore[no-untyped-def]
    found = record(pertheory, "--activation", "sin", "--inputs", "two.csv", "--depth", 3)
    layers = found.pop("layers")
    assert found.pop("error") < 1e-9
    assert found == {
        "schema": "pertheory.run/1",
        "network": "mlp",
        "activation": "sin",
        "inputs": INPUTS,
        "order": 1,
        "closure": "exact",
    }
    assert [layer["layer"] for layer in layers] == [1, 2, 3]
    for layer in layers:
        assert set(layer) == {"layer", "G{1}", "H{1}", *BOOK}
        for key in set(layer) - {"layer"}:
            assert array(layer, key).shape == (2,) * (2 if key[0] in "GH" else 4)


def test_first_and_second_layer_by_hand(pertheory, folder):  # type: ignore[no-untyped-def]
    """For s = x^2: <s_1 s_2> = K11 K22 + 2 K12^2, <s'_1 s'_2> = 4 K12, <s^4> = 105 K^4 at one input."""
    command = ["--activation", "x^2", "--inputs", "two.csv", "--depth", 2]
    hyper = ["--C_b", 0.25, "--C_W", 0.5, "--lambda_b", 2, "--lambda_W", 3]
    first, second = record(pertheory, *command, *hyper)["layers"]
    gram = np.array([[2.5, -0.75], [-0.75, 0.625]])
    kernel = 0.25 + 0.5 * gram
    tangent = 2 + 3 * gram
    products = np.outer(np.diag(kernel), np.diag(kernel)) + 2 * kernel**2
    np.testing.assert_array_equal(array(first, "G"), kernel)
    np.testing.assert_array_equal(array(first, "H"), tangent)
    np.testing.assert_allclose(array(second, "G"), 0.25 + 0.5 * products, rtol=1e-13)
    np.testing.assert_allclose(array(second, "H"), 2 + 3 * products + 0.5 * tangent * 4 * kernel, rtol=1e-13)
    square = kernel[0, 0] ** 4
    np.testing.assert_allclose(array(second, "V")[0, 0, 0, 0], 0.25 * (105 - 9) * square, rtol=1e-13)
    for key in ("V", "F", "R", "G{1}", "H{1}"):
        assert not array(first, key).any()


def test_widths_enter_as_ratios(pertheory, folder):  # type: ignore[no-untyped-def]
    """One input with K = 1 and s = x: V = 2 in layer 2, and 2 + 2 n_2 / n_1 in layer 3."""
    Path("unit.csv").write_text("1\n")
    command = ["--activation", "linear", "--inputs", "unit.csv", "--depth", 3, "--tensors", "V"]
    third = record(pertheory, *command, "--widths", "10,30")["layers"][2]
    assert array(third, "V").item() == pytest.approx(8, rel=1e-13)
    assert array(record(pertheory, *command)["layers"][2], "V").item() == pytest.approx(4, rel=1e-13)


def test_lists_over_layers(pertheory, folder):  # type: ignore[no-untyped-def]
    """One input with |x|^2 = n_0 and s = x: K is C_b + C_W K of the layer below, which is 1 below layer 1."""
    Path("unit.csv").write_text("1\n")
    command = ["--activation", "linear", "--inputs", "unit.csv", "--depth", 3, "--order", 0]
    layers = record(pertheory, *command, "--C_W", "2,3,5", "--C_b", "1,0,7")["layers"]
    assert [array(layer, "G").item() for layer in layers] == pytest.approx([3, 9, 52], rel=1e-13)
    assert record(pertheory, *command, "--C_W", "2") == record(pertheory, *command, "--C_W", "2,2,2")


@pytest.mark.parametrize("inputs", ["one.csv", "two.csv"])
def test_json_npz_and_python_hold_the_same_doubles(pertheory, folder, inputs):  # type: ignore[no-untyped-def]
    command = ["--activation", "tanh", "--inputs", inputs, "--depth", 3, "--C_W", 1.7, "--C_b", 0.1]
    found = record(pertheory, *command)
    outcome = pertheory("run", *command, "--format", "npz", "--out", "run.npz")
    assert outcome == (0, "", "")
    table = INPUTS if inputs == "two.csv" else INPUTS[:1]
    mode = "many" if inputs == "two.csv" else "one"
    model = pt.theory("mlp", order=1).compile("numpy", mode)
    state = model(table, "tanh", 3, C_W=1.7, C_b=0.1)
    with np.load("run.npz") as arrays:
        keys = set(found["layers"][0]) - {"layer"}
        assert set(arrays) == {"error", *(f"{key}/{layer}" for key in keys for layer in (1, 2, 3))}
        assert float(arrays["error"]) == found["error"] == state.error
        for layer in found["layers"]:
            for key in keys:
                rank = 2 if key[0] in "GH" else 4
                expected = state[layer["layer"]][key].reshape((len(table),) * rank)
                np.testing.assert_array_equal(array(layer, key), expected)
                np.testing.assert_array_equal(arrays[f"{key}/{layer['layer']}"], expected)


def test_the_same_inputs_from_every_kind_of_file(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("two.json").write_text(json.dumps(INPUTS))
    np.save("two.npy", np.array(INPUTS, dtype=np.float32))
    Path("more.CSV").write_bytes(b"\xef\xbb\xbf# two inputs\r\n1, 2.0\r\n\r\n5e-1,-1\r\n")
    found = [
        record(pertheory, "--activation", "sin", "--inputs", name, "--depth", 2)
        for name in ("two.csv", "two.json", "two.npy", "more.CSV")
    ]
    assert found[0] == found[1] == found[2] == found[3]


def test_one_input_is_the_diagonal_of_two(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--activation", "gelu", "--depth", 3]
    alone = record(pertheory, *command, "--inputs", "one.csv")["layers"][2]
    both = record(pertheory, *command, "--inputs", "two.csv")["layers"][2]
    for key in [*BOOK, "G{1}", "H{1}"]:
        full = array(both, key)
        np.testing.assert_allclose(array(alone, key).item(), full[(0,) * full.ndim], rtol=1e-8, atol=1e-14)


def test_tensors_by_observable(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--activation", "tanh", "--inputs", "two.csv", "--depth", 2, "--tensors"]
    spelled = "z(1) z(2) H(3,4) @ 13,24"
    layer = record(pertheory, *command, spelled, "F")["layers"][1]
    np.testing.assert_array_equal(array(layer, spelled), np.einsum("acbd->abcd", array(layer, "F")))
    assert array(layer, "F").any()


@pytest.mark.parametrize("written", [["K", "Theta"], ["K,Theta"], ["G{0}", "H{0}"]])
def test_k_and_theta(pertheory, folder, written):  # type: ignore[no-untyped-def]
    command = ["--activation", "tanh", "--inputs", "two.csv", "--depth", 2]
    layer = record(pertheory, *command, "--tensors", *written)["layers"][1]
    assert set(layer) == {"layer", "G", "H"}
    everything = record(pertheory, *command)["layers"][1]
    for key in "GH":
        np.testing.assert_allclose(array(layer, key), array(everything, key), rtol=1e-9)


def test_orders(pertheory, folder):  # type: ignore[no-untyped-def]
    """A tensor with p pairs goes up to T{order - (p - 1)}; one that is named goes at least to T{0}."""
    command = ["--activation", "x2", "--inputs", "one.csv", "--depth", 2]

    def keys(*more: object) -> set[str]:
        return set(record(pertheory, *command, *more)["layers"][0]) - {"layer"}

    assert keys("--order", 0) == {"G", "H"}
    assert keys("--order", 0, "--tensors", "V") == {"V"}
    assert keys("--order", 1, "--tensors", "V6") == {"V6"}
    assert keys("--order", 1, "--tensors", "G") == {"G", "G{1}"}
    assert keys("--order", 2, "--tensors", "V") == {"V", "V{1}"}
    assert keys("--order", 0, "--tensors", "G{1}") == {"G{1}"}


def test_text_shows_the_numbers_of_json(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--activation", "tanh", "--inputs", "two.csv", "--depth", 2, "--tensors", "F", "H(1,2) H(3,4) @ 13,24"]
    layers = record(pertheory, *command)["layers"]
    status, out, err = pertheory("run", *command)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    start = lines.index("layer 2")
    for key in set(layers[1]) - {"layer"}:
        row = next(line for line in lines[start:] if line.strip().startswith(f"{key} "))
        diagonal, other = (float(word) for word in row.split()[-2:])
        full = array(layers[1], key)
        assert diagonal == pytest.approx(full[(0,) * full.ndim], rel=1e-11)
        assert other == pytest.approx(full[(0, 1) * (full.ndim // 2)], rel=1e-11)


def test_parameters_of_activation_and_network(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--inputs", "two.csv", "--depth", 2, "--order", 0]
    bent = record(pertheory, "--activation", "leaky_relu", *command, "--param", "slope=0.5")["layers"]
    written = record(pertheory, "--activation", "max(x, 0.5*x)", *command)["layers"]
    np.testing.assert_allclose(array(bent[1], "G"), array(written[1], "G"), rtol=1e-13)
    flag = record(pertheory, "--activation", "tanh", *command, "--C_W", 2)
    assert record(pertheory, "--activation", "tanh", *command, "--param", "C_W=2") == flag


def test_an_input_of_zeros_is_an_input(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("zero.csv").write_text("0,0\n")
    layer = record(pertheory, "--activation", "exp", "--inputs", "zero.csv", "--depth", 2)["layers"][1]
    assert layer["G"] == [[1.0]]


def test_relu_at_one_input_leaves_out_what_diverges(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--activation", "relu", "--inputs", "one.csv", "--depth", 2]
    status, out, err = pertheory("run", *command, "--format", "json")
    assert status == 0
    assert len(err.splitlines()) == 1
    assert err.startswith("pertheory: warning: R, S, T, U diverge ")
    assert "is infinite" in err
    assert "kink x = 0" in err
    layer = json.loads(out)["layers"][1]
    for key in BOOK:
        assert (layer[key] == [[[[None]]]]) == (key in "RSTU")
    # K = 5/2: <s s> = K/2, V = <s^4> - <s s>^2 = (3/2 - 1/4) K^2
    assert layer["G"] == [[pytest.approx(1.25, rel=1e-12)]]
    assert layer["V"] == [[[[pytest.approx(1.25 * 6.25, rel=1e-12)]]]]


def test_npz_has_nan_where_json_has_null(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--activation", "relu", "--inputs", "one.csv", "--depth", 2]
    status, out, err = pertheory("run", *command, "--format", "npz", "--out", "run.npz")
    assert (status, out) == (0, "")
    assert len(err.splitlines()) == 1
    with np.load("run.npz") as arrays:
        lost = {name for name in arrays if np.isnan(arrays[name]).any()}
    assert lost == {"R/2", "S/2", "T/2", "U/2"}


def test_naming_what_does_not_diverge_is_fine(pertheory, folder):  # type: ignore[no-untyped-def]
    command = ["--activation", "relu", "--inputs", "one.csv", "--depth", 2, "--tensors", "A", "all"]
    assert record(pertheory, *command, warned=True)["layers"][1]["A"][0][0][0][0] > 0


def test_an_approximation_is_marked(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("skip.toml").write_text(
        'name = "skip"\nfields = ["z"]\n[hyperparameters]\nC_W = 1.0\n[parameters.W]\nkind = "weight"\n'
        'variance = "C_W"\n[input]\nz = ["W"]\n[[sublayers]]\n'
        'z = [ { parameter = "W", function = "s", of = "z" }, { identity = true, of = "z" } ]\n'
    )
    command = ["run", "--activation", "tanh", "--inputs", "one.csv", "--depth", 2, "--tensors", "G"]
    command += ["--network", "skip.toml", "--closure", "pairs"]
    status, out, err = pertheory(*command, "--format", "json")
    assert status == 0
    assert len(err.splitlines()) == 1
    assert "approximation" in err
    assert json.loads(out)["closure"] == "pairs"
    assert "approximation" in pertheory(*command).out.splitlines()[0]
    pertheory(*command, "--format", "npz", "--out", "run.npz")
    with np.load("run.npz") as arrays:
        assert str(arrays["closure"]) == "pairs"


@pytest.mark.parametrize("form", ["text", "json"])
def test_out_holds_what_would_have_been_printed(pertheory, folder, form):  # type: ignore[no-untyped-def]
    command = ["run", "--activation", "x2", "--inputs", "one.csv", "--depth", 2, "--format", form]
    printed = pertheory(*command).out
    assert pertheory(*command, "--out", "result") == (0, "", "")
    assert Path("result").read_text() == printed
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "result", "two.csv"]
