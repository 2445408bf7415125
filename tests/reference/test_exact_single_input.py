"""Cumulants of the preactivations of one input, to order 1/n^3, against a calculation without diagrams.

The reference iterates the conditional variance of a layer as a random number and expands its cumulants by the delta
method; see README.md in this folder.
"""

import json
from functools import lru_cache
from pathlib import Path

import pytest

import pertheory as pt

CASES = json.loads(Path(__file__).with_name("exact_single_input.json").read_text(encoding="utf-8"))["cases"]
V8 = "z(1) z(2) z(3) z(4) z(5) z(6) z(7) z(8) @ 12,34,56,78"
COMPARED = [("G", k) for k in range(4)] + [("V", k) for k in range(3)] + [("V6", 0), ("V6", 1), ("V8", 0)]


@lru_cache
def run(number):
    case = CASES[number]
    model = pt.theory("mlp", ["G", "V", "V6", V8], order=3).compile(inputs="one")
    return model(case["inputs"], activation=case["activation"], depth=5, C_b=case["C_b"], C_W=case["C_W"], rtol=1e-11)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"C_b={c['C_b']}-C_W={c['C_W']}" for c in CASES])
@pytest.mark.parametrize(("tensor", "k"), COMPARED, ids=[f"{t}-{k}" for t, k in COMPARED])
def test_the_cumulants_of_one_input_are_exact_at_every_layer_and_order(number, tensor, k):
    layers = CASES[number]["layers"]
    assert [entry["layer"] for entry in layers] == [1, 2, 3, 4, 5]
    key = (V8 if tensor == "V8" else tensor) + (f"{{{k}}}" if k else "")
    scale = max(abs(entry[tensor][k]) for entry in layers)
    for entry in layers:
        found = float(run(number)[entry["layer"]][key][0])
        assert found == pytest.approx(entry[tensor][k], rel=1e-9, abs=1e-9 * scale), entry["layer"]


def test_the_reference_has_corrections_that_are_not_zero():
    # Otherwise the comparison of orders above the leading one would prove little.
    for case in CASES:
        last = case["layers"][-1]
        assert all(abs(last[tensor][k]) > 1e-3 for tensor, k in COMPARED)
