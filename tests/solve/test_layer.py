"""Layers and flows on a single input, of every rule, in several arithmetics, against runs and against each other."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest

import pertheory as pt
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import activation
from pertheory.rulebook.network import network
from pertheory.solve.averages import AtZero, Expanded, TwoSlopes
from pertheory.solve.channels import Outer, inner_values, outer, rates
from pertheory.solve.critical import at_rest
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.flow import Flow
from pertheory.solve.layer import SingleInputLayer, first_layer, input_product
from pertheory.solve.numbers import HighPrecision

SOUND = ("mlp", "deep_linear", "projection", "residual")
RELU = TwoSlopes(Fraction, {"s": (Fraction(1), Fraction(0))})


def free_layer(name):
    """Two slopes, every coupling a symbol."""
    rule = network(name)
    field = RationalFunctions(["K", *(symbol for symbol, _ in rule.hyperparameters)])
    averages = TwoSlopes(field.number, {"s": (field.number(1), field.number(Fraction(1, 3)))})
    return SingleInputLayer(rule, averages, field.symbols, field.symbols["K"])


def test_outer_hyperparameters_come_from_the_channels():
    assert outer(network("mlp")) == Outer("C_b", "C_W", "lambda_b", "lambda_W")
    assert (
        outer(network("deep_linear"))
        == outer(network("projection"))
        == outer(network("residual"))
        == outer(network("mlp"))
    )
    assert inner_values(network("mlp")) == {}
    assert inner_values(network("projection")) == {}
    assert inner_values(network("residual")) == {"C_W1": 1, "C_b1": 0}
    assert rates(network("mlp")) == {"lambda_b": "tilde_b", "lambda_W": "tilde_W"}
    assert rates(network("projection")).keys() == {"lambda_b", "lambda_W", "lambda_P"}  # and gamma is none


RENAMED = """
name = "renamed"
title = "a perceptron with other names"
fields = ["z"]
[hyperparameters]
v_b = 0.0
v = 1.0
rate = 1.0
[parameters.shift]
kind = "bias"
variance = "v_b"
[parameters.matrix]
kind = "weight"
variance = "v"
learning_rate = "rate"
[input]
z = ["shift", "matrix"]
[[sublayers]]
z = [{ parameter = "shift" }, { parameter = "matrix", function = "s", of = "z" }]
"""


@pytest.fixture
def renamed(tmp_path):
    (tmp_path / "renamed.toml").write_text(RENAMED)
    return network(tmp_path / "renamed.toml")


def test_a_rule_of_a_user_has_its_own_names(renamed):
    assert outer(renamed) == Outer("v_b", "v", "", "rate")


def test_two_matrices_behind_the_activation_are_told():
    rule = network("mlp")
    ((name, channels),) = rule.sublayers[0].fields
    doubled = rule.sublayers[0]._replace(fields=((name, (*channels, channels[1]._replace(parameter="X"))),))
    parameters = (*rule.parameters, rule.parameter("W")._replace(name="X"))
    two = dataclasses.replace(rule, name="two", parameters=parameters, sublayers=(doubled,))
    with pytest.raises(UnsupportedError, match="two has 2 weight matrices"):
        outer(two)


@pytest.mark.parametrize("name", SOUND)
def test_one_coefficient_of_a_recursion_is_that_of_the_whole(name):
    one, whole = free_layer(name), free_layer(name)
    pairs = [("G{1}", "G{1}"), ("G{1}", "V"), ("Theta", "Theta"), ("V", "V"), ("V", "Theta")]
    for above, below in pairs:
        node, own = one.node(above), one.node(below)
        assert one.coefficient(node, own) == whole.polynomial(node).get((own,), 0), (above, below)


@pytest.mark.parametrize("name", SOUND)
def test_chi_parallel_is_the_slope_of_the_kernel_map(name):
    """The coefficient of G{1} in its own recursion is dK'/dK, of a kernel map that knows nothing of G{1}."""
    rule = network(name)
    values = at_rest(rule, RELU, {"C_b": Fraction(1, 7), "C_W": Fraction(2, 3)})
    tanh = AtZero(Fraction, {"s": [Fraction(n) for n in (0, 1, 2, -2, 3)]}, polynomial=True)
    polynomial, series = (
        Expanded(tanh, Fraction(0), None),
        Expanded(Expanded(tanh, Fraction(0), None), Fraction(3, 4), 2),
    )
    couplings = {key: series.constant(Fraction(value)) for key, value in values.items()}
    expanded = SingleInputLayer(rule, series, couplings, series.kernel).kernel_above.coefficients
    layer = SingleInputLayer(rule, polynomial, {key: Fraction(v) for key, v in values.items()}, Fraction(3, 4))
    above, parallel, _ = layer.susceptibilities
    assert (above, parallel) == expanded[:2]


def test_susceptibilities_of_residual_rules_pass_the_skip_connection():
    layer = free_layer("residual")
    gamma, weight = layer.couplings["gamma"], layer.couplings["C_W"]
    slopes = Fraction(1, 2) * (1 + Fraction(1, 9))
    expected = gamma**2 + weight * layer.couplings["C_W1"] * layer.averages.number(slopes)
    assert layer.susceptibilities.parallel == layer.susceptibilities.perpendicular == expected


def test_a_missing_coupling_is_named():
    with pytest.raises(UnsupportedError, match="hyperparameter C_W of mlp"):
        SingleInputLayer(network("mlp"), RELU, {"C_b": Fraction(0)}, Fraction(1)).kernel_above  # noqa: B018
    with pytest.raises(InputError, match="hyperparameter C_W of mlp"):
        Flow(network("mlp"), RELU, {"C_b": Fraction(0)})


def test_the_first_layer_and_its_input():
    rule, couplings = (
        network("residual"),
        {name: Fraction(n) for n, (name, _) in enumerate(network("residual").hyperparameters, 2)},
    )
    kernel, tangent = first_layer(rule, Fraction, couplings, Fraction(5))
    assert kernel == couplings["C_b"] + 5 * couplings["C_W"]
    assert tangent == couplings["lambda_b"] + 5 * couplings["lambda_W"]
    assert input_product(rule, Fraction, couplings, kernel) == 5


# -- flows ---------------------------------------------------------------------------------------------------


def test_relu_flows_are_the_closed_forms_of_the_literature():
    # C_W = 2, C_b = lambda_b = 0, lambda_W = 1, K = 1: closed forms in the depth, from another derivation
    couplings = {"C_b": 0, "C_W": 2, "lambda_b": 0, "lambda_W": 1}
    flow = Flow(network("mlp"), RELU, couplings, ["V", "D", "F", "A", "B", "H"], 1)
    for layer, state in enumerate(flow.layers(Fraction(1, 2), 6), 1):
        theta = flow.at(state, "Theta")
        assert theta == Fraction(layer, 2)
        assert flow.at(state, "V") == 5 * (layer - 1)
        assert flow.at(state, "F") == (layer - 1) * theta
        assert flow.at(state, "D") == 3 * (layer - 1) * theta
        assert flow.at(state, "A") == Fraction((layer - 1) * (7 * layer - 2), 3 * layer) * theta**2
        assert flow.at(state, "B") == Fraction((layer - 1) * (2 * layer - 1), 3 * layer) * theta**2
        assert flow.at(state, "G{1}") == flow.at(state, "H{1}") == 0


@pytest.mark.parametrize("name", ["mlp", "projection", "residual"])
def test_a_flow_in_many_digits_is_a_run(name):
    rule = network(name)
    precise = HighPrecision({"s": activation("tanh")})
    widths = [5, 40, 40, 40] if name == "residual" else [5, 40, 30, 50]
    given = {"C_b": 0.1, "C_W": 1.3, "lambda_b": 0.4, "lambda_W": 0.7}
    tensors = ["G{1}", "V", "F", "B"] if name == "mlp" else ["V", "F"]
    couplings = dict(rule.hyperparameters) | given
    model = pt.theory(rule, ["G", "H", *tensors], 1).compile(inputs="one")
    states = model([[math.sqrt(0.6 * 5)] + [0.0] * 4], "tanh", 4, widths=widths[1:], **couplings)
    with mpmath.workdps(20):
        elements = {key: precise.number(value) for key, value in couplings.items()}
        ratios = [mpmath.mpf(width) for width in widths]
        flow = Flow(rule, precise, elements, ["H", *tensors], 1, widths=ratios)
        for layer, state in enumerate(flow.layers(precise.number(Fraction(3, 5)), 4), 1):
            for tensor in ("G", "H", *tensors):
                expected = states[layer][tensor].item()
                assert float(flow.at(state, tensor)) == pytest.approx(expected, rel=1e-9, abs=1e-12), (layer, tensor)


def test_a_flow_in_many_digits_is_the_exact_reference():
    """Corrections to order 1/n^2 at layers 1 to 4, against a calculation without diagrams."""
    path = Path(__file__).parent.parent / "reference" / "exact_single_input.json"
    case = json.loads(path.read_text(encoding="utf-8"))["cases"][0]
    product = sum(x * x for x in case["inputs"][0]) / len(case["inputs"][0])
    with mpmath.workdps(20):
        precise = HighPrecision({"s": activation(case["activation"])})
        couplings = {"C_b": case["C_b"], "C_W": case["C_W"], "lambda_b": 0, "lambda_W": 0}
        flow = Flow(network("mlp"), precise, couplings, ["G", "V", "V6"], 2)
        for layer, state in zip(case["layers"], flow.layers(mpmath.mpf(product), 4), strict=False):
            for tensor, order in (("G", 0), ("G", 1), ("G", 2), ("V", 0), ("V", 1), ("V6", 0)):
                found = flow.at(state, f"{tensor}{{{order}}}")
                assert float(found) == pytest.approx(layer[tensor][order], rel=1e-9, abs=1e-10), (tensor, order)


def test_couplings_may_change_from_layer_to_layer():
    rates = [Fraction(1, layer) for layer in range(1, 5)]
    couplings = {"C_b": 0, "C_W": 2, "lambda_b": rates, "lambda_W": 0}
    flow = Flow(network("mlp"), RELU, couplings, ["H"], 0)
    found = [flow.at(state, "Theta") for state in flow.layers(Fraction(1, 2), 4)]
    assert found == [sum(rates[:layer]) for layer in range(1, 5)]


def test_a_tensor_that_is_not_there_is_named():
    flow = Flow(network("mlp"), RELU, {"C_b": 0, "C_W": 2, "lambda_b": 0, "lambda_W": 1}, ["V"], 1)
    (state,) = flow.layers(Fraction(1), 1)
    with pytest.raises(InputError, match="V6 is not among"):
        flow.at(state, "V6")
