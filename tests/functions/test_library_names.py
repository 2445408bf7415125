"""Activations by the names of other programs, against the definitions and defaults in their documentation."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable

import numpy as np
import pytest

from pertheory.errors import InputError
from pertheory.functions.activation import activation
from pertheory.rulebook.files import rules_folder

X = np.array([-9.0, -3.5, -2.2, -0.7, -0.3, 0.0, 0.2, 0.6, 1.7, 2.9, 5.5, 8.0])
Function = Callable[[np.ndarray], np.ndarray]


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def sparse_plus(x: np.ndarray) -> np.ndarray:
    return np.where(x <= -1, 0.0, np.where(x >= 1, x, (x + 1) ** 2 / 4))


ERF = np.vectorize(math.erf)
DEFINITIONS: dict[str, Function] = {
    "torch.nn.ReLU": lambda x: np.maximum(x, 0),
    "torch.nn.LeakyReLU": lambda x: np.where(x > 0, x, 0.01 * x),
    "torch.nn.ELU": elu,
    "torch.nn.SELU": lambda x: 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717),
    "torch.nn.CELU": elu,
    "torch.nn.GELU": lambda x: x / 2 * (1 + ERF(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "torch.nn.SiLU": lambda x: x * sigmoid(x),
    "jax.nn.swish": lambda x: x * sigmoid(x),
    "torch.nn.Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "torch.nn.Softplus": lambda x: np.log1p(np.exp(x)),
    "torch.nn.Sigmoid": sigmoid,
    "torch.nn.Tanh": np.tanh,
    "torch.nn.Hardtanh": lambda x: np.clip(x, -1, 1),
    "jax.nn.hard_tanh": lambda x: np.clip(x, -1, 1),
    "torch.nn.ReLU6": relu6,
    "torch.nn.Hardsigmoid": lambda x: relu6(x + 3) / 6,
    "jax.nn.hard_sigmoid": lambda x: relu6(x + 3) / 6,
    "torch.nn.Hardswish": lambda x: x * relu6(x + 3) / 6,
    "jax.nn.hard_silu": lambda x: x * relu6(x + 3) / 6,
    "torch.nn.Softsign": lambda x: x / (1 + np.abs(x)),
    "jax.nn.soft_sign": lambda x: x / (1 + np.abs(x)),
    "torch.nn.Tanhshrink": lambda x: x - np.tanh(x),
    "torch.nn.Softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "torch.nn.Hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "torch.nn.LogSigmoid": lambda x: -np.log1p(np.exp(-x)),
    "jax.nn.log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "jax.nn.squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "jax.nn.sparse_plus": sparse_plus,
    "jax.nn.sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "jax.nn.identity": lambda x: x,
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "erf": ERF,
    "gaussian": lambda x: np.exp(-x * x),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_names_of_the_libraries_mean_their_functions(name: str) -> None:
    np.testing.assert_allclose(activation(name).derivative(0)(X), DEFINITIONS[name](X), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("elu", {"alpha": 0.5}, lambda x: elu(x, 0.5)),
        ("celu", {"alpha": 2.0}, lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2))),
        ("softplus", {"beta": 3.0}, lambda x: np.log1p(np.exp(3 * x)) / 3),
        ("swish", {"beta": 0.5}, lambda x: x * sigmoid(0.5 * x)),
        ("squareplus", {"b": 1.0}, lambda x: (x + np.sqrt(x * x + 1)) / 2),
        ("softshrink", {"lambda": 0.25}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.25, 0)),
        ("leaky_relu", {"slope": 0.2}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ],
)
def test_parameters_have_their_meaning(name: str, parameters: dict[str, float], expected: Function) -> None:
    np.testing.assert_allclose(activation(name, **parameters).derivative(0)(X), expected(X), rtol=1e-13, atol=1e-15)
    assert activation(name, **parameters) != activation(name)


def leaky(slope: float) -> Function:
    return lambda x: np.where(x > 0, x, slope * x)


def gelu(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + ERF(x / math.sqrt(2)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


#: The same in every program that has them; names in lower case without underscores.
EVERYWHERE: dict[str, Function] = {
    "abs": np.abs, "absolute": np.abs, "celu": elu, "cos": np.cos, "elu": elu, "erf": ERF, "exp": np.exp,
    "expit": sigmoid, "exponential": np.exp, "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "hardsigmoid": lambda x: relu6(x + 3) / 6, "hardsilu": lambda x: x * relu6(x + 3) / 6,
    "hardswish": lambda x: x * relu6(x + 3) / 6, "hardtanh": lambda x: np.clip(x, -1, 1), "identity": lambda x: x,
    "linear": lambda x: x, "logistic": sigmoid, "logsigmoid": lambda x: -np.log1p(np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))), "relu": lambda x: np.maximum(x, 0), "relu6": relu6,
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772), "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x), "sin": np.sin, "softplus": lambda x: np.log1p(np.exp(x)),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), "softsign": lambda x: x / (1 + np.abs(x)),
    "sparseplus": sparse_plus, "sparsesigmoid": lambda x: np.clip((x + 1) / 2, 0, 1), "square": np.square,
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2, "swish": lambda x: x * sigmoid(x), "tanh": np.tanh,
    "tanhshrink": lambda x: x - np.tanh(x),
}  # fmt: skip
#: Where programs differ, by their documentation: torch.nn.PReLU(init=0.25), flax.linen.PReLU(negative_slope_init=0.01),
#: keras.layers.PReLU(alpha_initializer="Zeros"), gelu(approximate=True) of JAX and keras.ops.
APART: dict[str, Function] = {
    ".prelu": leaky(0.25),
    "torch.nn.LeakyReLU": leaky(0.01), "torch.nn.PReLU": leaky(0.25), "torch.nn.GELU": gelu,
    "torch.nn.functional.leaky_relu": leaky(0.01), "torch.nn.functional.gelu": gelu,
    "jax.nn.leaky_relu": leaky(0.01), "jax.nn.gelu": gelu_tanh,
    "flax.linen.leaky_relu": leaky(0.01), "flax.linen.PReLU": leaky(0.01), "flax.linen.gelu": gelu_tanh,
    "tf.nn.leaky_relu": leaky(0.2), "tf.nn.gelu": gelu,
    "keras.activations.leaky_relu": leaky(0.2), "keras.activations.gelu": gelu,
    "keras.layers.LeakyReLU": leaky(0.3), "keras.layers.PReLU": leaky(0.0),
    "keras.ops.leaky_relu": leaky(0.2), "keras.ops.gelu": gelu_tanh,
}  # fmt: skip
FRAMEWORKS = tomllib.loads((rules_folder() / "frameworks.toml").read_text())["frameworks"]
NAMES = [(own["prefixes"][0], name) for own in FRAMEWORKS for name in [*own.get("same", []), *own.get("differs", {})]]


@pytest.mark.parametrize(("prefix", "name"), NAMES)
def test_the_prefix_decides(prefix: str, name: str) -> None:
    expected = APART.get(f"{prefix}.{name}") or EVERYWHERE[name.lower().replace("_", "")]
    found = activation(f"{prefix}.{name}".removeprefix("."))
    np.testing.assert_allclose(found.derivative(0)(X), expected(X), rtol=1e-13, atol=1e-15)


def test_every_name_that_differs_is_known() -> None:
    assert set(APART) <= {f"{prefix}.{name}" for prefix, name in NAMES}


@pytest.mark.parametrize("prefix", [prefix for own in FRAMEWORKS for prefix in own["prefixes"][1:] if prefix != "nn"])
def test_other_prefixes_of_a_program_mean_the_same(prefix: str) -> None:
    for own in FRAMEWORKS:
        if prefix in own["prefixes"]:
            for name in [*own.get("same", []), *own.get("differs", {})]:
                full = activation(f"{own['prefixes'][0]}.{name}")
                assert activation(f"{prefix}.{name}") == full


@pytest.mark.parametrize(
    ("name", "same"), [("nn.ReLU", "relu"), ("nn.relu", "relu"), ("nn.LeakyReLU", "leaky_relu"), ("nn.GELU", "gelu")]
)
def test_a_short_prefix_is_taken_where_all_that_have_it_agree(name: str, same: str) -> None:
    assert activation(name) == activation(same)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nn.gelu", "write one of flax.linen.gelu, tf.nn.gelu"),
        ("nn.PReLU", "write one of torch.nn.PReLU, flax.linen.PReLU"),
        ("nn.leaky_relu", "write one of"),
        ("torch.nn.RReLU", "random; write leaky_relu"),
        ("torch.nn.functional.prelu", "no default; write leaky_relu"),
        ("torch.nn.Softmax", "torch.nn has no 'Softmax'"),
        ("torch.nn.gelu", "nearest: GELU"),
        ("foo.tanh", "no program 'foo'; write tanh"),
        ("jax.nnn.gelu", "nearest: jax.nn"),
        ("x.__class__", "no program 'x'"),
    ],
)
def test_a_name_of_no_program_or_of_several_is_refused_with_what_to_write(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        activation(name)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_parameters_replace_the_defaults_of_a_program() -> None:
    assert activation("keras.layers.LeakyReLU", slope=0.2) == activation("tf.nn.leaky_relu")
