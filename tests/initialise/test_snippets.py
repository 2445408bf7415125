"""Code for four programs: that it is code, that JAX's does what it says, and that nothing of a user gets into it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import pertheory as pt
from pertheory.initialise.frameworks import FRAMEWORKS, code, names, own_gain
from pertheory.initialise.numbers import initialise
from pertheory.initialise.snippets import snippet


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("activation", ["gelu", "tanh", "leaky_relu"])
def test_snippets_are_programs_with_the_numbers_in_them(framework, activation):
    found = initialise(activation, width=64, depth=3)
    text = snippet(found, framework)
    compile(text, framework, "exec")
    assert f"WIDTH, DEPTH = 64, 3\nWEIGHT_STD, BIAS_STD = {found.gain!r}, {found.bias_std!r}" in text
    assert repr(found.layers[1].weight) in text


@pytest.mark.parametrize("activation", ["gelu"])
def test_the_code_for_jax_makes_the_networks_that_were_meant(activation):
    """The mean square of the outputs, and the tangent kernel of one, over a few networks."""
    found = initialise(activation, width=150, depth=4)
    made: dict[str, object] = {}
    exec(compile(snippet(found, "jax"), "snippet", "exec"), made)
    own = SimpleNamespace(**made)
    x = np.random.default_rng(1).normal(size=(1, 80)).astype(np.float32)
    x *= own.INPUT_RMS / np.sqrt((x**2).mean())
    squares, kernels = [], []
    for seed in range(30):
        parameters = own.init(jax.random.PRNGKey(seed), 80, 40)
        squares.append(float((own.network(parameters, x) ** 2).mean()))
        gradients = jax.grad(lambda p: own.network(p, x)[0, 0])(parameters)
        after = own.step(parameters, gradients, rate=1.0)
        moved = zip(jax.tree_util.tree_leaves(parameters), jax.tree_util.tree_leaves(after), strict=True)
        slopes = jax.tree_util.tree_leaves(gradients)
        kernels.append(sum(float(((a - b) * g).sum()) for (a, b), g in zip(moved, slopes, strict=True)))
    for values, expected in ((squares, found.layers[-1].kernel), (kernels, 1.0)):
        assert np.mean(values) == pytest.approx(
            expected, abs=4 * np.std(values) / math.sqrt(len(values)) + 0.02 * expected
        )


def test_what_a_user_wrote_never_gets_into_code(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "planted"\ndescription = "import os"\nformula = "x*tanh(x) + x"\n')
    for activation in ("x*tanh(x) + x", path):
        for framework in FRAMEWORKS:
            text = snippet(initialise(activation, depth=2), framework)
            compile(text, framework, "exec")
            assert "planted" not in text
            assert "tanh" not in text


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_name_in_code_is_the_function_that_was_asked_for(framework):
    """Also where a program's name means another function, as gelu in JAX does."""
    for name, function in names(framework):
        written = code(framework, function)
        if written is None:
            assert name == "PReLU"  # its slope is trained, and that of leaky_relu is not
            continue
        own = written.removesuffix("()").rpartition(".")[2]
        prefix = {"torch": "torch.nn", "jax": "jax.nn", "flax": "flax.linen", "keras": "keras.activations"}[framework]
        assert pt.activation(f"{prefix}.{own}") == function, name
    gelu = {"torch": "nn.GELU()", "jax": "partial(jax.nn.gelu, approximate=False)", "keras": "keras.activations.gelu"}
    assert code(framework, pt.activation("gelu")) == gelu.get(framework, "partial(nn.gelu, approximate=False)")
    assert code("jax", pt.activation("gelu_tanh")) == "jax.nn.gelu"
    assert code(framework, pt.activation("leaky_relu", slope=0.123)) is None


def test_gains_are_those_of_the_documentation_of_pytorch():
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75, "sigmoid": 1, "linear": 1, "gelu": None}
    assert {name: own_gain("torch", pt.activation(name)) for name in gains} == pytest.approx(gains)
    assert own_gain("torch", pt.activation("leaky_relu", slope=0.5)) == pytest.approx(math.sqrt(2 / 1.25))
    assert own_gain("jax", pt.activation("tanh")) is None


def test_what_cannot_be_written_is_one_line():
    with pytest.raises(pt.UnsupportedError, match="code is written for mlp, not for residual"):
        snippet(initialise("relu", "residual"), "torch")
    with pytest.raises(pt.UnsupportedError, match="sigmoid is not critical"):
        snippet(initialise("sigmoid"), "torch")
