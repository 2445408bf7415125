"""Variances, learning rates and fluctuations against runs of the compiled theory, which share no code with them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import pertheory as pt
from pertheory.initialise.numbers import initialise
from tests.planted import RULE


def rates(found):
    """The learning rates by the names of the rule, a list of all layers each."""
    layers = found.layers
    inner = {name: [dict(own.inner).get(name, 0.0) for own in layers] for name, _ in layers[-1].inner}
    return {"lambda_b": [own.bias for own in layers], "lambda_W": [own.weight for own in layers], **inner}


def run(found, **changes):
    """The last layer of the compiled theory with the numbers of a record."""
    couplings = {"C_b": found.C_b, "C_W": found.C_W, **rates(found), **changes}
    model = pt.theory(found.criticality.network, ["V", "A", "B"], 1).compile(inputs="one")
    states = model([[math.sqrt(found.mean_square)]], found.criticality.activation, found.depth, **couplings)
    return {name: float(np.squeeze(states[found.depth][name])) for name in ("G", "H", "V", "A", "B")}


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "elu"])
@pytest.mark.parametrize("rule", ["mlp", "residual", "projection"])
def test_every_group_contributes_the_same_to_a_tangent_kernel_of_one(activation, rule):
    """Groups: biases and weights of every layer, inner ones from the second; without one its share is missing."""
    found = initialise(activation, rule, width=100, depth=5)
    state = run(found)
    assert state["H"] == pytest.approx(1, rel=1e-8)
    assert state["G"] == pytest.approx(found.layers[-1].kernel, rel=1e-8)
    own = rates(found)
    groups = sum(rate > 0 for values in own.values() for rate in values)
    assert groups == {"mlp": 10, "residual": 18, "projection": 14}[rule]
    for name, values in own.items():
        without = [0.0 if layer == 3 else rate for layer, rate in enumerate(values)]
        assert run(found, **{name: without})["H"] == pytest.approx(1 - 1 / groups, rel=1e-8)


@pytest.mark.parametrize(("activation", "rule"), [("relu", "mlp"), ("tanh", "residual"), ("gelu", "projection")])
def test_fluctuations_are_those_of_a_run(activation, rule):
    found = initialise(activation, rule, width=50, depth=6)
    state = run(found)
    assert found.fluctuation == pytest.approx(state["V"] / (50 * state["G"] ** 2), rel=1e-7)
    assert found.ntk_fluctuation == pytest.approx((state["A"] + 2 * state["B"]) / 50, rel=1e-7)


def test_closed_forms_of_relu():
    """V/(n K^2) = 5 (l - 1)/n; lambda_b = 1/(2 L) and lambda_W = 1/(2 L <s s>), of inputs of mean square one."""
    found = initialise("relu", width=100, depth=11)
    assert (found.C_b, found.C_W, found.gain) == (0, 2, math.sqrt(2))
    assert found.fluctuation == pytest.approx(0.5, rel=1e-12)
    for own in found.layers:
        assert (own.bias, own.weight) == pytest.approx((1 / 22, 1 / 22), rel=1e-12)
        assert (own.ntk_bias, own.ntk_weight) == pytest.approx((1 / 22, 1 / 44), rel=1e-12)


def test_at_zero_rates_follow_the_powers_of_the_equivalence_principle():
    """lambda_b ~ l^-p and lambda_W ~ l^(1 - p) at large depth, with p = 1 for tanh."""
    layers = initialise("tanh", depth=200).layers
    for name, power in (("bias", 1), ("weight", 0)):
        low, high = (getattr(layers[at - 1], name) * at**power for at in (50, 200))
        assert high == pytest.approx(low, rel=0.06)


def test_signals_up_to_a_size_are_kept():
    """Ten percent of the root mean square, by the closed recursion of small kernels K' = K - 2 K^2 + 17/3 K^3."""
    found = initialise("tanh", depth=30)
    kernel = found.kept
    for _ in range(29):
        kernel += -2 * kernel**2 + 17 / 3 * kernel**3
    assert math.sqrt(kernel / found.kept) == pytest.approx(0.9, abs=0.01)
    assert initialise("relu").kept is None


def test_a_network_without_biases():
    trained = RULE.replace("C_W = 1.0", "C_W = 1.0\nlambda_W = 1.0")
    trained = trained.replace('variance = "C_W"', 'variance = "C_W"\nlearning_rate = "lambda_W"')
    found = initialise("relu", pt.network(trained), depth=5)
    assert (found.C_b, found.C_W) == (0, 2)
    assert [(own.bias, own.weight) for own in found.layers] == [(0, pytest.approx(1 / 5))] * 5
    alone = initialise("relu", pt.network(RULE), depth=5)
    assert alone.fluctuation == found.fluctuation == pytest.approx(20 / 512)
    assert alone.ntk_fluctuation is None
    assert "learning" not in str(alone)


@pytest.mark.parametrize(
    ("activation", "parameters", "words"),
    [
        ("gelu", {}, "gelu is half-stable: signals below the mean square 3.5616 drift away"),
        ("swish", {}, "swish is half-stable: signals above the mean square 14.32 drift away with depth, to 14.593"),
        ("relu", {"width": 64}, "a width of 384 brings it to 0.3"),
        ("sigmoid", {}, "sigmoid is not critical"),
        ("x - x^3/6", {}, "2 critical points could be used; these numbers are for that of K = 0"),
        ("x^2", {}, r"x\^2 is not critical"),
        ("hard_shrink", {}, "hard_shrink jumps"),
        ("exp(x^2)", {}, "grows so fast"),
    ],
)
def test_warnings(activation, parameters, words):
    found = initialise(activation, **parameters)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError("\n".join(found.warnings))
    assert all("\n" not in own for own in found.warnings)


def test_where_signals_drift_to_is_where_they_come_from_both_sides():
    """GELU below its point: a layer of the compiled theory moves kernels towards the one that the warning names."""
    found = initialise("gelu", depth=2)
    assert "to 3.035;" in found.warnings[0]
    model = pt.theory("mlp", ["G"], 0).compile(inputs="one")
    for kernel, direction in ((3.5, -1), (3.04, -1), (3.03, 1), (2.0, 1)):
        row = math.sqrt((kernel - found.C_b) / found.C_W)
        above = model([[row]], "gelu", 2, C_b=found.C_b, C_W=found.C_W)[2]["G"]
        assert (float(np.squeeze(above)) - kernel) * direction > 0


def test_other_hyperparameters_are_listed():
    found = initialise("tanh", "residual", depth=2, gamma=0.25)
    assert found.others == {"C_b1": 0, "C_W1": 1, "gamma": 0.25}
    assert "gamma = 0.25" in str(found)
    assert initialise("tanh", depth=2).others == {}


def test_no_warning_where_all_is_well():
    assert initialise("relu").warnings == initialise("tanh").warnings == ()


def test_the_record_shows_itself_and_is_plain():
    found = initialise("gelu", depth=3)
    assert str(found).startswith("gelu in mlp, width 512, depth 3: initialisation\n")
    assert "PyTorch's gain 1.66667: with it signals settle at K = 1.18" in str(initialise("tanh", depth=2))
    assert "PyTorch's gain 1.41421: the same" in str(initialise("relu", depth=2))
    assert "<table>" in found._repr_html_()
    stored = json.loads(json.dumps(found.to_json()))
    assert stored["schema"] == "pertheory.init/1"
    assert stored["gain"] == stored["weight_std"] == pytest.approx(math.sqrt(1.98305826), rel=1e-8)
    assert stored["uniform_bound"] ** 2 / 3 == pytest.approx(stored["C_W"])
    assert [own["layer"] for own in stored["learning_rates"]] == [1, 2, 3]
    assert stored["learning_rates"][1]["weight_at_width"] == pytest.approx(found.layers[1].weight / 512)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"width": 0}, "width"),
        ({"depth": 0}, "depth"),
        ({"depth": 2.5}, "depth"),
        ({"depth": 10**6}, "depth"),
        ({"slope": 1}, "slope"),
    ],
)
def test_bad_input_is_one_line(parameters, words):
    with pytest.raises(pt.InputError, match=words) as caught:
        initialise("relu", **parameters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", ["x - x^3 + x^5", "tanh(x) + 0.8*x^2"])
def test_inputs_that_explode_are_scaled_into_what_is_kept(activation):
    found = initialise(activation, depth=24)
    assert found.mean_square == found.kept < 0.1
    assert "explode" in found.warnings[0]
    assert 0.8 < found.layers[-1].kernel / found.layers[0].kernel < 1.25
