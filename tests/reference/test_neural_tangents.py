"""Infinite width against the library neural-tangents: K and Theta of four inputs.

Provenance and the map between conventions: README.md in this folder.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt

CASES = json.loads(Path(__file__).with_name("neural_tangents.json").read_text(encoding="utf-8"))["cases"]
OURS = {"identity": "linear", "monomial2": "x2"}
SMOOTH = {"erf", "identity", "monomial2"}


@lru_cache
def model():
    return pt.theory("mlp", order=0).compile()


@pytest.mark.parametrize("case", CASES, ids=[f"{c['name']}-depth-{c['depth']}" for c in CASES])
def test_kernels_at_infinite_width_are_those_of_neural_tangents(case):
    variance, bias = case["W_std"] ** 2, case["b_std"] ** 2
    name = OURS.get(case["activation"], case["activation"])
    states = model()(
        case["inputs"],
        activation=name,
        depth=case["depth"],
        C_W=variance,
        C_b=bias,
        lambda_W=variance,
        lambda_b=bias,
        rtol=1e-10,
    )
    state = states[case["depth"]]
    assert not states.divergences
    for ours, theirs in (("G", "nngp"), ("H", "ntk")):
        expected = np.array(case[theirs])
        scale = np.abs(expected).max()
        np.testing.assert_allclose(state[ours], expected, rtol=0, atol=1e-8 * scale)


def test_the_file_has_smooth_and_kinked_activations_at_all_depths():
    assert {case["activation"] for case in CASES} == SMOOTH | {"relu", "abs"}
    assert {case["depth"] for case in CASES} == {1, 2, 3, 4}
