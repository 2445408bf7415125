"""Sampled networks of depth 30 with the numbers of `initialise`, in NumPy alone: what is promised is what happens."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf, expit

from pertheory.initialise.numbers import initialise

WIDTH, DEPTH, NETWORKS = 400, 30, 16


def gelu(z):
    share = (1 + erf(z / np.sqrt(2))) / 2
    return z * share, share + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def swish(z):
    share = expit(z)
    return z * share, share * (1 + z * (1 - share))


FUNCTIONS = {
    "tanh": lambda z: (np.tanh(z), 1 / np.cosh(z) ** 2),
    "relu": lambda z: (np.maximum(z, 0), (z > 0).astype(z.dtype)),
    "gelu": gelu,
    "swish": swish,
}
#: of the standard deviation of the weights
FACTORS = (0.9, 1.0, 1.1)


@pytest.fixture(scope="module")
def changes():
    """The root mean squares of signals and of gradients, last layer over first and first over last, by name and factor.

    All cases share the random matrices, and each is a row of what goes through them.
    """
    found = {name: initialise(name, width=WIDTH, depth=DEPTH) for name in FUNCTIONS}
    cases = [(name, factor) for name in FUNCTIONS for factor in FACTORS]
    weight = np.array([found[name].gain * factor for name, factor in cases])[:, None] / np.sqrt(WIDTH)
    bias = np.array([found[name].bias_std for name, _ in cases])[:, None]
    # what tanh keeps are small signals; at zero every signal is one, and all fall as a power
    squares = [found[name].kept if name == "tanh" else found[name].mean_square for name, _ in cases]
    generator = np.random.default_rng(7)
    signals, gradients = np.zeros((2, len(cases))), np.zeros((2, len(cases)))
    for _ in range(NETWORKS):
        x = generator.normal(size=WIDTH)
        z = np.sqrt(squares)[:, None] * x / np.sqrt((x**2).mean())
        matrices, slopes = [], []
        for layer in range(DEPTH):
            if layer:
                pairs = [FUNCTIONS[name](row) for (name, _), row in zip(cases, z, strict=True)]
                z = np.array([value for value, _ in pairs])
                slopes.append(np.array([slope for _, slope in pairs]))
            matrices.append(generator.normal(size=(WIDTH, WIDTH)).astype(np.float32))
            z = weight * (z.astype(np.float32) @ matrices[-1]) + bias * generator.normal(size=WIDTH)
            if layer in (0, DEPTH - 1):
                signals[int(layer > 0)] += (z**2).mean(axis=1)
        back = np.ones(len(cases))[:, None] * generator.normal(size=WIDTH)
        gradients[0] += (back**2).mean(axis=1)
        for matrix, slope in zip(matrices[:0:-1], slopes[::-1], strict=True):
            back = slope * (weight * (back.astype(np.float32) @ matrix.T))
        gradients[1] += (back**2).mean(axis=1)
    sizes = np.sqrt([signals[1] / signals[0], gradients[1] / gradients[0]])
    return {case: tuple(sizes[:, number]) for number, case in enumerate(cases)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_recommended_numbers_keep_signals_and_gradients(changes, name):
    assert changes[name, 1.0] == pytest.approx((1, 1), abs=0.2)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_tenth_beside_them_does_not(changes, name, factor):
    assert max(abs(size - 1) for size in changes[name, factor]) > 0.2


def sampled_kernels(found, count, seed):
    """The tangent kernel of one output of sampled networks, with the learning rates of the record."""
    function = FUNCTIONS[found.criticality.activation.name]
    generator = np.random.default_rng(seed)
    n = found.width
    z, activity, slopes, matrices = None, np.full((count, n), np.sqrt(found.mean_square)), [], []
    activities = []
    for _ in range(found.depth):
        if z is not None:
            activity, slope = function(z)
            slopes.append(slope)
        activities.append((activity**2).mean(axis=1))
        matrices.append(found.gain / np.sqrt(n) * generator.normal(size=(count, n, n)))
        z = np.einsum("si,sij->sj", activity, matrices[-1]) + found.bias_std * generator.normal(size=(count, n))
    back = np.zeros((count, n))
    back[:, 0] = 1
    total = np.zeros(count)
    for layer in range(found.depth, 0, -1):
        rates = found.layers[layer - 1]
        total += (back**2).sum(axis=1) * (rates.bias + rates.weight * activities[layer - 1])
        if layer > 1:
            back = slopes[layer - 2] * np.einsum("sj,sij->si", back, matrices[layer - 1])
    return total


@pytest.mark.parametrize(("name", "exact"), [("relu", True), ("gelu", False), ("tanh", False)])
def test_the_tangent_kernel_of_sampled_networks_is_one_and_varies_as_told(name, exact):
    """Mean 1 and the relative variance (A + 2 B)/(n Theta^2), to the next order in 1/n."""
    found = initialise(name, width=40, depth=4)
    kernels = np.concatenate([sampled_kernels(found, 500, seed) for seed in range(8)])
    error = kernels.std() / np.sqrt(len(kernels))
    # the mean of ReLU without biases has no corrections
    assert kernels.mean() == pytest.approx(1, abs=4 * error + (0 if exact else 0.02))
    assert kernels.var() == pytest.approx(found.ntk_fluctuation, rel=0.2)
