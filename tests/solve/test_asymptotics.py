"""Tensors with depth at criticality, solved symbolically, against runs of the compiled theory layer by layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

import pertheory as pt

TENSORS = ["K", "Theta", "V", "G{1}", "D", "F", "A", "B"]
RATES = {"lambda_b": 0.4, "lambda_W": 0.9}


def run(activation: str, kernel: float, depth: int, **couplings: float) -> object:
    """A single input whose first kernel is the one given."""
    row = math.sqrt((kernel - couplings["C_b"]) / couplings["C_W"])
    return pt.theory("mlp", order=1).compile(inputs="one")([[row]], activation=activation, depth=depth, **couplings)


def entry(state: object, layer: int, name: str) -> float:
    return float(np.squeeze(state[layer][{"K": "G", "Theta": "H"}.get(name, name)]))


@pytest.mark.parametrize(("activation", "kind"), [("relu", "scale-invariant"), ("gelu", "half-stable")])
def test_where_the_kernel_stands_still_the_solution_is_every_layer(activation: str, kind: str) -> None:
    found = {name: pt.asymptotics("mlp", name, activation) for name in TENSORS}
    fixed = {name: float(value) for name, value in found["K"].couplings.items()}
    kernel = fixed.pop("K", 1.7)
    state = run(activation, kernel, 6, **fixed, **RATES)
    for name, own in found.items():
        assert own.universality == kind
        for layer in (1, 2, 6):
            value = float(own.value.subs({"l": layer, "K": kernel, **RATES}))
            assert entry(state, layer, name) == pytest.approx(value, rel=1e-6, abs=1e-9), (name, layer)


@pytest.mark.parametrize("activation", ["tanh", "sin"])
def test_where_it_decays_the_leading_power_is_approached(activation: str) -> None:
    """Corrections are log(l)/l: the ratio is close to one, and closer at twice the depth."""
    depth = 400
    rates = {"lambda_b": [0.4 / layer for layer in range(1, 2 * depth + 1)], "lambda_W": 0.9}  # p = 1 of odd functions
    state = run(activation, 0.5, 2 * depth, C_b=0.0, C_W=1.0, **rates)
    for name in ("K", "V", "G{1}", "Theta", "F", "B"):
        own = pt.asymptotics("mlp", name, activation)
        assert own.universality == "K*=0"
        layers = (depth, 2 * depth)
        expected = [float(own.value.subs({"l": at, "tilde_b": 0.4, "tilde_W": 0.9})) for at in layers]
        errors = [abs(entry(state, at, name) / value - 1) for at, value in zip(layers, expected, strict=True)]
        assert errors[0] < 0.12, (name, errors)
        assert errors[1] < max(errors[0], 0.01), (name, errors)


def test_what_is_known_stays_exact() -> None:
    assert pt.asymptotics("mlp", "V", "tanh").value == 1 / (6 * sympy.Symbol("l"))
    assert pt.asymptotics("mlp", "K", "erf").couplings["C_W"] == sympy.pi / 4
    leaky = pt.asymptotics("mlp", "K", "leaky_relu", slope=0.5)
    assert leaky.couplings["C_W"] == sympy.Rational(8, 5)
    residual = pt.asymptotics("projection", "K", "relu")
    assert sympy.Symbol("gamma") in residual.couplings["C_W"].free_symbols or residual.couplings["C_W"].is_number


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("mlp", "K", "sigmoid"), "sigmoid has no critical point of mlp up to K = 1000"),
        (("mlp", "K", "x2"), "no critical point"),
        (("mlp", "XX", "relu"), "unknown tensor 'XX'"),
        (("nlp", "K", "relu"), "nlp"),
    ],
)
def test_bad_input_is_one_line(given: tuple[str, ...], words: str) -> None:
    with pytest.raises(pt.PertheoryError, match=words) as caught:
        pt.asymptotics(*given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", ["projection", "residual"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_inner_parameters_may_learn(rule: str, activation: str) -> None:
    """Where the kernel stands still the tensors of training are those of a run, at every layer."""
    names, kernel, gamma = ["Theta", "D", "A", "Q"], 1.4, 0.5
    found = {name: pt.asymptotics(rule, name, activation) for name in names}
    fixed = {name: float(sympy.sympify(value).subs("gamma", gamma)) for name, value in found["D"].couplings.items()}
    kernel = fixed.pop("K", kernel)
    rates = {name: 0.3 + 0.1 * i for i, (name, _) in enumerate(pt.network(rule).hyperparameters) if "lambda" in name}
    row = math.sqrt((kernel - fixed["C_b"]) / fixed["C_W"])
    given = {**fixed, **rates, "gamma": gamma}
    state = pt.theory(rule, names, 1).compile(inputs="one")([[row]], activation=activation, depth=5, **given)
    for name, own in found.items():
        value = float(own.value.subs({"l": 5, "K": kernel, **given}))
        assert entry(state, 5, name) == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("rule", ["projection", "residual"])
def test_a_strength_may_stay_free(rule: str) -> None:
    """The class is found though gamma is a symbol, and the layers of a run approach the power."""
    own, depth = pt.asymptotics(rule, "V", "tanh"), 400
    assert own.universality == "K*=0"
    assert {str(symbol) for symbol in own.value.free_symbols} == {"l", "gamma"}
    values = {name: float(value.subs({"gamma": 0.5})) for name, value in own.couplings.items()}
    compiled = pt.theory(rule, "V").compile(inputs="one")
    used = {name: values[name] for name in values if not name.startswith("lambda")}
    state = compiled([[0.5]], activation="tanh", depth=depth, gamma=0.5, **used)
    assert entry(state, depth, "V") == pytest.approx(float(own.value.subs({"l": depth, "gamma": 0.5})), rel=0.02)


def test_what_is_fixed_at_a_fixed_point_is_listed() -> None:
    """gamma stands in a learning rate and in a variance: it is no free rate."""
    own = pt.asymptotics("projection", "V", "gelu")
    assert own.universality == "half-stable"
    assert {"K", "C_W", "C_b", "gamma"} <= set(own.couplings)
    assert {str(symbol) for symbol in own.value.free_symbols} == {"l"}
