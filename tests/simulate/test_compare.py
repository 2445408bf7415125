"""`compare`: models that are what the rule says, and models that are not."""

import importlib.util
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pertheory as pt
from pertheory.simulate.compare import compare

INPUTS = [[0.8, -0.5, 1.1], [-0.3, 0.9, 0.4]]
HYPER = {"C_b": 0.1, "C_W": 1.5, "lambda_b": 0.3, "lambda_W": 0.8}


def model(widths=(3, 16, 6), fan=lambda below, above: below, bias=0.1, skip=0.0, with_parameters=True):
    def build(key):
        keys = jax.random.split(key, 2 * len(widths))
        parameters = [
            (
                jnp.sqrt(1.5 / fan(n, m)) * jax.random.normal(keys[2 * layer], (n, m)),
                jnp.sqrt(bias) * jax.random.normal(keys[2 * layer + 1], (m,)),
            )
            for layer, (n, m) in enumerate(itertools.pairwise(widths))
        ]

        def apply(parameters, x):
            (weights, biases), *rest = parameters
            found = [x @ weights + biases]
            for weights, biases in rest:
                z = found[-1]
                found.append((skip * z if skip else 0.0) + jnp.tanh(z) @ weights + biases)
            return found

        return (parameters, apply) if with_parameters else (lambda x: apply(parameters, x))

    return build


def test_a_model_that_is_what_the_rule_says():
    found = pt.compare(model(), INPUTS, "tanh", networks=2048, **HYPER)
    assert found.differences == ()
    assert {row.tensor for row in found.rows} == {"K", "V", "Theta"}
    assert len(found.rows) == 2 * (3 + 6 + 3)
    pulls = np.array([row.pull for row in found.rows])
    assert np.abs(pulls).max() < 4.5
    assert 0.6 < np.sqrt(np.mean(pulls**2)) < 1.4
    assert "within errors" in found.to_text()
    wrong = pt.compare(model(with_parameters=False), INPUTS, "sin", networks=2048, **HYPER)
    assert max(abs(row.pull) for row in wrong.rows if row.layer > 1) > 8


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({"fan": lambda below, above: above}, ["C_W over fan-out"] * 2),
        ({"fan": lambda below, above: (below + above) / 2}, ["C_W over the average of fan-in and fan-out"] * 2),
        ({"bias": 0.3}, ["variance of the biases (C_b) is"] * 2),
        ({"skip": 0.5, "widths": (3, 12, 12)}, ["the scale of the skip connection is"]),
    ],
)
def test_what_differs_is_said(changed, lines):
    """Models of two layers: compiling them takes the time."""
    found = compare(model(**changed, with_parameters=False), INPUTS, "tanh", networks=1024, **HYPER)
    assert {row.tensor for row in found.rows} == {"K", "V"}
    said = [line for line in found.differences if not line.startswith("layer 2: C_W")]
    for wanted in dict.fromkeys(lines):
        assert sum(wanted in line for line in said) == lines.count(wanted), said


@pytest.mark.parametrize(
    ("build", "more", "reason"),
    [
        (3, {}, "build is a function"),
        (lambda key: 3, {}, "build returns a function, or parameters and a function"),
        (lambda key: lambda x: x[0], {}, "the list of its preactivations"),
        (lambda key: lambda x: [x[:, :, None]], {}, "the list of its preactivations"),
        (model(), {"framework": "keras"}, "framework must be one of jax, torch"),
        (model(), {"networks": 10}, "networks must be a whole number from 128"),
        (model(), {"rule": "residual"}, "residual has more"),
    ],
)
def test_what_is_no_model_is_one_line(build, more, reason):
    with pytest.raises(pt.InputError, match=reason) as caught:
        compare(build, INPUTS, "tanh", **more)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_the_message_says_what_to_install():
    with pytest.raises(pt.MissingPackageError, match="pip install torch"):
        compare(model(), INPUTS, "tanh", framework="torch")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_torch_module_is_compared():
    import torch

    def build(_):
        first, second = torch.nn.Linear(3, 16), torch.nn.Linear(16, 4)
        for layer in (first, second):
            torch.nn.init.normal_(layer.weight, std=(1.5 / layer.in_features) ** 0.5)
            torch.nn.init.normal_(layer.bias, std=0.1**0.5)
        return torch.nn.Sequential(first, torch.nn.Tanh(), second)

    found = compare(build, INPUTS, "tanh", framework="torch", networks=256, **HYPER)
    assert found.differences == ()
    assert max(abs(row.pull) for row in found.rows) < 4.5
