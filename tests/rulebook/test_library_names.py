"""Activations by the names of PyTorch and JAX, against the definitions in those libraries' documentation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pertheory.rulebook.activation import activation

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
