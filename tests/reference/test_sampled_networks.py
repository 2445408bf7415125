"""Every tensor against sampled networks whose derivatives came from automatic differentiation.

The statement is statistical: the difference in units of the standard error (the pull) stays below 4.5 for each of
185 values; where sampling was exact, the accuracy of the integration (1e-7 of the tensor's largest component) is the
measure. See README.md here.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt

RECORDS = json.loads(Path(__file__).with_name("sampled_networks.json").read_text(encoding="utf-8"))["records"]
OURS = {"K": "G", "Theta": "H", "G1": "G{1}", "H1": "H{1}"}
TENSORS = list(dict.fromkeys(record["tensor"] for record in RECORDS))


@lru_cache
def model():
    return pt.theory("mlp", order=2).compile()


@lru_cache
def run(inputs, **hyperparameters):
    return model()(inputs, activation="tanh", depth=4 if len(inputs) == 1 else 2, **hyperparameters)


KEYS = ("C_b", "C_W", "lambda_b", "lambda_W")


def state(record):
    states = run(tuple(map(tuple, record["inputs"])), **{key: record[key] for key in KEYS})
    return states[record["depth"]]


def slots(record):
    """The inputs in the order of our slots; T stands in the file in the order 1, 3, 2, 4, here in 1, 3, 4, 2."""
    found = tuple(int(digit) - 1 for digit in record["sample_pattern"])
    return (found[0], found[1], found[3], found[2]) if record["tensor"] == "T" else found


def pull(record):
    array = state(record)[OURS.get(record["tensor"], record["tensor"])]
    error = max(record["stderr"], 1e-7 * np.abs(array).max())
    return (float(array[slots(record)]) - record["value"]) / error


def test_the_file_has_all_tensors_of_order_one_over_n_and_the_six_point_vertex():
    assert set(TENSORS) == {"K", "Theta", "G1", "H1", "V6", *"VDFABPQRSTU"}
    assert len(RECORDS) == 185
    assert {record["activation"] for record in RECORDS} == {"tanh"}


@pytest.mark.parametrize("tensor", TENSORS)
def test_sampled_networks_agree_within_the_standard_error(tensor):
    """Networks sampled elsewhere, component by component; the theory is run to the next order, which takes seconds."""
    own = [record for record in RECORDS if record["tensor"] == tensor]
    pulls = [pull(record) for record in own]
    worst = int(np.argmax(np.abs(pulls)))
    assert np.all(np.abs(pulls) < 4.5), (own[worst], pulls[worst])


def test_the_pulls_together_are_those_of_noise():
    # A small bias in many values would widen the distribution: its root mean square must not exceed 1.5.
    pulls = np.array([pull(record) for record in RECORDS if record["stderr"] > 1e-5])
    assert len(pulls) > 40
    assert np.sqrt(np.mean(pulls**2)) < 1.5


def test_the_order_of_the_slots_of_t_by_a_third_route():
    """T at layer 2 written down by hand and integrated on a grid decides how the file orders its slots.

    On a path 3-1-2-4 with 3 on the neuron of 1 and 4 on that of 2, each outer edge is either the weight between the
    layers or a parameter of the first layer, whose kernel Theta is fixed:
    T = Theta_12 < (lambda_W s'_1 s_3 + C_W s''_1 s'_3 Theta_13) (lambda_W s'_2 s_4 + C_W s''_2 s'_4 Theta_24) >.
    """
    records = [r for r in RECORDS if r["tensor"] == "T" and len(r["inputs"]) == 2]
    assert {r["sample_pattern"] for r in records} == {"1111", "1122", "1212", "1221"}
    first = records[0]
    x = np.array(first["inputs"])
    metric = first["C_b"] + first["C_W"] * x @ x.T / x.shape[1]
    theta = first["lambda_b"] + first["lambda_W"] * x @ x.T / x.shape[1]
    root = np.linalg.cholesky(metric)
    grid = np.linspace(-9, 9, 1201)
    one = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    weight = one[:, None] * one[None, :]
    z = (root[0, 0] * grid[:, None], root[1, 0] * grid[:, None] + root[1, 1] * grid[None, :])
    s = [np.tanh(value) for value in z]
    first_derivative = [1 - value**2 for value in s]
    second_derivative = [-2 * a * b for a, b in zip(s, first_derivative, strict=True)]

    def half(inner, outer):
        through_weight = first["lambda_W"] * first_derivative[inner] * s[outer]
        return through_weight + first["C_W"] * second_derivative[inner] * first_derivative[outer] * theta[inner, outer]

    for record in records:
        ours = slots(record)
        v1, v3, v4, v2 = ours
        by_hand = theta[v1, v2] * np.sum(weight * half(v1, v3) * half(v2, v4))
        assert state(record)["T"][ours] == pytest.approx(by_hand, rel=1e-10)
        assert abs(by_hand - record["value"]) < 4.5 * record["stderr"]
