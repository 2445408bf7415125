"""Code that builds a perceptron with the numbers of an `Initialisation`, for PyTorch, JAX, Flax and Keras.

All that goes into the code are numbers and names out of our own tables. What a user wrote never does: an activation
that a program has no name for is an argument of the function.
"""

from __future__ import annotations

import math
from string import Template

from pertheory.errors import UnsupportedError
from pertheory.initialise.frameworks import FRAMEWORKS, code
from pertheory.initialise.record import Initialisation

_CONSTANTS = """
WIDTH, DEPTH = $width, $depth
WEIGHT_STD, BIAS_STD = $weight_std, $bias_std  # of weights times sqrt(fan-in), of biases
INPUT_RMS = $input_rms  # root mean square of the components of an input
RATES = (  # of the biases and of the weights times the fan-in, a layer each, for a global rate of 1
$rates
)
"""

_TORCH = '''
import torch
from torch import nn
$constants

def network(inputs, outputs, activation$activation):
    """A perceptron at criticality."""
    sizes, layers = [inputs, *[WIDTH] * (DEPTH - 1), outputs], []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, std=WEIGHT_STD / fan_in**0.5)
        nn.init.normal_(linear.bias, std=BIAS_STD)
        layers += [linear, activation]
    return nn.Sequential(*layers[:-1])


def groups(model, rate=1.0):
    """Parameter groups for torch.optim.SGD."""
    found = []
    for linear, (bias, weight) in zip((part for part in model if isinstance(part, nn.Linear)), RATES):
        found.append({"params": [linear.bias], "lr": rate * bias})
        found.append({"params": [linear.weight], "lr": rate * weight / linear.in_features})
    return found
'''

_JAX = '''
from functools import partial

import jax
import jax.numpy as jnp
$constants

def init(key, inputs, outputs):
    """The parameters of a perceptron at criticality, (weights, biases) a layer."""
    sizes = [inputs, *[WIDTH] * (DEPTH - 1), outputs]
    parameters = []
    for own, fan_in, fan_out in zip(jax.random.split(key, DEPTH), sizes, sizes[1:]):
        for_weight, for_bias = jax.random.split(own)
        weight = WEIGHT_STD / fan_in**0.5 * jax.random.normal(for_weight, (fan_in, fan_out))
        parameters.append((weight, BIAS_STD * jax.random.normal(for_bias, (fan_out,))))
    return parameters


def network(parameters, x, activation$activation):
    """The outputs for a batch of inputs."""
    for weight, bias in parameters[:-1]:
        x = activation(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def step(parameters, gradients, rate=1.0):
    """A step of gradient descent."""
    return [
        (weight - rate * own_weight / len(weight) * to_weight, bias - rate * own_bias * to_bias)
        for (weight, bias), (to_weight, to_bias), (own_bias, own_weight) in zip(parameters, gradients, RATES)
    ]
'''

_FLAX = '''
from collections.abc import Callable
from functools import partial

import jax
from flax import linen as nn
$constants

class Network(nn.Module):
    """A perceptron at criticality."""

    outputs: int
    activation: Callable$field

    @nn.compact
    def __call__(self, x):
        weights = nn.initializers.variance_scaling(WEIGHT_STD**2, "fan_in", "normal")
        biases = nn.initializers.normal(BIAS_STD)
        for layer in range(DEPTH):
            size = WIDTH if layer < DEPTH - 1 else self.outputs
            x = nn.Dense(size, kernel_init=weights, bias_init=biases, name=f"layer{layer}")(x)
            x = self.activation(x) if layer < DEPTH - 1 else x
        return x


def step(parameters, gradients, rate=1.0):
    """A step of gradient descent on what Network.init made."""
    own = dict(parameters["params"])
    for layer, (bias, weight) in enumerate(RATES):
        name = f"layer{layer}"
        scale = {"bias": rate * bias, "kernel": rate * weight / len(own[name]["kernel"])}
        own[name] = {key: own[name][key] - scale[key] * gradients["params"][name][key] for key in scale}
    return {"params": own}
'''

_KERAS = '''
import keras
$constants

def network(inputs, outputs, activation$activation):
    """A perceptron at criticality."""
    weights = keras.initializers.VarianceScaling(WEIGHT_STD**2, "fan_in", "untruncated_normal")
    biases = keras.initializers.RandomNormal(stddev=BIAS_STD)
    hidden = [
        keras.layers.Dense(WIDTH, activation, kernel_initializer=weights.clone(), bias_initializer=biases.clone())
        for _ in range(DEPTH - 1)
    ]
    last = keras.layers.Dense(outputs, kernel_initializer=weights.clone(), bias_initializer=biases.clone())
    return keras.Sequential([keras.Input((inputs,)), *hidden, last])


def scaled(model, gradients):
    """Gradients in the order of model.trainable_variables, times the learning rates; for keras.optimizers.SGD."""
    found = []
    for layer, (bias, weight) in zip(model.layers, RATES):
        found += [weight / layer.kernel.shape[0], bias]
    return [own * gradient for own, gradient in zip(found, gradients)]
'''

_TEMPLATES = {"torch": _TORCH, "jax": _JAX, "flax": _FLAX, "keras": _KERAS}


def snippet(found: Initialisation, framework: str) -> str:
    """Code for a perceptron with these numbers.

    Raises:
        UnsupportedError: another network than a perceptron, or nothing is critical.
    """
    criticality = found.criticality
    if criticality.network.name != "mlp":
        raise UnsupportedError(f"code is written for mlp, not for {criticality.network.name}; take its numbers")
    if found.gain is None or found.bias_std is None:
        raise UnsupportedError(f"{criticality.name} is not critical: there are no numbers to write code with")
    called = code(framework, criticality.activation)
    constants = Template(_CONSTANTS).substitute(
        width=found.width,
        depth=found.depth,
        weight_std=repr(found.gain),
        bias_std=repr(found.bias_std),
        input_rms=repr(math.sqrt(found.mean_square)),
        rates="\n".join(f"    ({own.bias!r}, {own.weight!r})," for own in found.layers),
    )
    default, field = (f"={called}", f" = {called}") if called else ("", "")
    text = Template(_TEMPLATES[framework]).substitute(constants=constants, activation=default, field=field)
    head = f"# {FRAMEWORKS[framework].entry.partition(',')[0]}: critical initialisation by pertheory\n"
    if not (called and called.startswith("partial(")):
        text = text.replace("from functools import partial\n", "")
    return head + text.strip("\n") + "\n"
