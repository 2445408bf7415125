"""What `predict` prints: the promised JSON, a table for people, totals, losses; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt

TRAIN, TARGETS, TEST = [[0.8, -0.5], [-0.3, 1.2]], [[0.7, 0.1], [-0.4, 0.6]], [[0.5, 0.5], [1.0, -0.25]]
TABLES = {"X.csv": TRAIN, "Y.csv": TARGETS, "T.csv": TEST}
TABLES |= {"one.csv": [[0.7]], "wide.csv": [[0.7], [0.1]], "long.csv": [[0.7, 0.1]] * 3}
FILES = ["--train", "X.csv", "--targets", "Y.csv", "--test", "T.csv"]
NETWORK = ["--activation", "tanh", "--depth", 3, "--C_b", 0.3, "--C_W", 1.7, "--lambda_b", 0.4]
HYPER = {"activation": "tanh", "depth": 3, "C_b": 0.3, "C_W": 1.7, "lambda_b": 0.4}


@pytest.fixture
def predict(pertheory, folder):  # type: ignore[no-untyped-def]
    for name, rows in TABLES.items():
        Path(name).write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return lambda *arguments: pertheory("predict", *FILES, *NETWORK, *arguments)


@pytest.mark.parametrize("steps", ["20", "inf", "flow:3.5"])
def test_json_keeps_its_form(predict, steps):  # type: ignore[no-untyped-def]
    status, out, err = predict("--eta", 0.18, "--steps", steps, "--format", "json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["schema"] == "pertheory.predict/1"
    assert (found["activation"], found["eta"], found["outputs"]) == ("tanh", 0.18, 2)
    assert found["steps"] == (20 if steps == "20" else steps)
    assert list(found["mean"]["parts"]) == ["H1", "AB", "PQ", "RSTU"]
    assert list(found["covariance"]["parts"]) == ["G1", "H1", "DF", "AB", "PQ", "RSTU"]
    expected = pt.trained(pt.theory("mlp"), TRAIN, TARGETS, TEST, eta=0.18, steps=steps, **HYPER)
    for name, shape in (("mean", (2, 2)), ("covariance", (2, 2, 2, 2))):
        assert np.array(found[name]["leading"]).shape == shape
        total = sum(np.array(part) for part in found[name]["parts"].values())
        assert np.allclose(total, found[name]["first"], rtol=1e-12, atol=1e-14)
        assert found[name]["first"] == getattr(expected, name).first.tolist()
        assert "total" not in found[name]
    assert found["expansion"] == expected.expansion > 0


def test_totals_at_a_width_and_the_test_loss(predict):  # type: ignore[no-untyped-def]
    more = ["--width", 50, "--ensemble", 5, "--test-targets", "T.csv"]
    status, out, err = predict("--eta", 0.18, "--steps", "inf", "--format", "json", *more)
    assert (status, err) == (0, "")
    found = json.loads(out)
    mean, covariance = (
        np.array(found[name]["leading"]) + np.array(found[name]["first"]) / 50 for name in ("mean", "covariance")
    )
    assert np.allclose(found["mean"]["total"], mean)
    assert np.allclose(found["covariance"]["total"], covariance)
    assert found["loss"]["variance"]["total"] == pytest.approx(np.einsum("aiai->", covariance) / 2)
    assert found["loss"]["bias"]["leading"] == pytest.approx(
        np.sum((np.array(found["mean"]["leading"]) - TEST) ** 2) / 2
    )


def test_text_is_a_table(predict):  # type: ignore[no-untyped-def]
    status, out, err = predict("--eta", 0.18, "--steps", "20", "--width", 64, "--test-targets", "T.csv")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert "20 steps of gradient descent, eta 0.18" in lines[1]
    assert sum(line.split()[:2] == [str(a), str(i)] for line in lines for a in range(2) for i in range(2)) == 4
    assert any("test loss, variance" in line for line in lines)


REFUSED = [
    (["--eta", 5], ["--eta 5 is beyond stability", "below"]),
    (["--eta", "x"], ["--eta", "not a number"]),
    (["--steps", "-3"], ["--steps", "whole number from 0"]),
    (["--steps", "flow:x"], ["--steps='flow:x'", "a number from 0"]),
    (["--targets", "one.csv"], ["--targets", "(2, n_L), not (1, 1)"]),
    (["--targets", "none.csv"], ["--targets none.csv: no such file"]),
    (["--test", "wide.csv"], ["a training input has 2 numbers, a test input 1"]),
    (["--test-targets", "long.csv"], ["--test-targets", "(2, n_L)"]),
    (["--width", 4], ["the expansion parameter is", "above 0.3"]),
    (["--activation", "relu"], ["R, S, T, U diverge", "kink"]),
    (["--update", "adam"], ["--update must be one of gradient, newton"]),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=str)
def test_bad_input_is_one_line(predict, arguments, words):  # type: ignore[no-untyped-def]
    given = {"--eta": 0.18, "--steps": "inf"} | dict(zip(arguments[::2], arguments[1::2], strict=True))
    status, out, err = predict(*(item for pair in given.items() for item in pair))
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_a_large_expansion_parameter_warns_where_allowed(predict):  # type: ignore[no-untyped-def]
    status, out, err = predict("--eta", 0.18, "--steps", "inf", "--width", 4, "--allow-large")
    assert status == 0
    assert out
    assert err.startswith("pertheory: warning: the expansion parameter is")
