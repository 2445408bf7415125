"""All tensors of order 1/n on two inputs against a program that iterates the published recursions.

Provenance and accuracy of the numbers: README.md in this folder.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt

CASES = json.loads(Path(__file__).with_name("order_one_over_n.json").read_text(encoding="utf-8"))["cases"]
OURS = {"K": "G", "Theta": "H", "K1": "G{1}", "Theta1": "H{1}"}
ACTIVATION = {"tanh_CW1": "tanh", "relu": "relu"}  # the file calls the second "leaky_relu slope 0"
NAMES = ["K", "Theta", "K1", "Theta1", "V", "D", "F", "A", "B"]
HYPER = {"C_b": 0.0, "lambda_b": 0.0, "lambda_W": 1.0}


@lru_cache
def run(name, number):
    case = next(c for c in CASES if c["name"] == name)
    model = pt.theory("mlp", ["G", "H", "V", "D", "F", "A", "B"], order=1).compile(inputs=number)
    return model(case["inputs"], activation=ACTIVATION[name], depth=4, C_W=case["C_W"], **HYPER)


def ids(cases):
    return [f"{c['name']}-layer-{c['layer']}" for c in cases]


def of(name):
    return [c for c in CASES if c["name"] == name]


@pytest.mark.parametrize("case", of("tanh_CW1"), ids=ids(of("tanh_CW1")))
@pytest.mark.parametrize("name", NAMES)
def test_tanh_on_two_inputs_has_the_published_tensors(case, name):
    state = run("tanh_CW1", "many")[case["layer"]]
    expected = np.array(case[name])
    scale = max(np.abs(expected).max(), 1e-3)
    np.testing.assert_allclose(state[OURS.get(name, name)], expected, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("case", of("relu"), ids=ids(of("relu")))
@pytest.mark.parametrize("name", NAMES)
def test_relu_on_each_input_alone_has_the_published_tensors(case, name):
    # One input at a time, so that the kinked averages have closed forms.
    state = run("relu", "one")[case["layer"]]
    expected = np.array(case[name])
    diagonal = [expected[(a,) * expected.ndim] for a in range(2)]
    np.testing.assert_allclose(state[OURS.get(name, name)], diagonal, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", of("relu"), ids=ids(of("relu")))
@pytest.mark.parametrize("name", NAMES)
def test_relu_on_two_inputs_has_the_published_tensors(case, name):
    state = run("relu", "many")[case["layer"]]
    expected = np.array(case[name])
    found = state[OURS.get(name, name)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max() + 1e-12)


def test_relu_at_four_layers_has_the_published_values_and_those_of_five_million_networks():
    state = run("relu", "many")[4]
    assert state["H"][0, 0] == pytest.approx(2.6765104430, rel=1e-9)
    assert state["H"][0, 1] == pytest.approx(0.9988650318, rel=1e-9)
    assert state["H{1}"][0, 1] == pytest.approx(-1.205620384, rel=1e-9)
    # Sampled at n = 80, where the next order is smaller than the error: -1.074 +- 0.098.
    assert abs(state["H{1}"][0, 1] + 1.074) < 3 * 0.098
