"""Networks that are trained, against the prediction; two outputs, and what couples them."""

from __future__ import annotations

import numpy as np

import pertheory as pt
from tests.training.sampling import Networks, Task, extrapolated, sampled

LINEAR = Task(activation="linear", C_b=0.0, C_W=1.0, lambda_b=0.0, test=((0.5, 0.5, -0.9),), steps=4)


def test_deep_linear_networks():
    """Quadratic fit in 1/n, widths 16 to 256; proves the averages, neuron loops and couplings of outputs included."""
    pairs = {16: 5000, 32: 4000, 64: 2000, 128: 400, 256: 100}
    estimates = {n: sampled(LINEAR, n, count, seed=n, batch=100) for n, count in pairs.items()}
    values, errors = extrapolated(estimates)
    theory = LINEAR.predicted()
    assert (np.abs(values - theory) < 4 * errors).all()
    assert (np.abs(theory) > 4 * errors)[[0, 2, 4]].all()


def test_a_prediction_without_a_part_is_seen():
    """Without A B, or without P Q, no network of width 64 would agree."""
    values, covariance = sampled(LINEAR, 64, 2000, seed=5)
    theory = LINEAR.predicted()
    error = np.sqrt(np.diag(covariance)) + np.abs(theory) / 16  # and the next order
    assert (np.abs(values - theory) < 4 * error).all()
    for left in (("PQ", "RSTU"), ("AB", "RSTU")):
        assert (np.abs(values - LINEAR.predicted(left)) > 4 * error).any()


def test_the_kernel_of_the_hidden_layer():
    """n times its change in trained tanh networks, widths 16 to 64, and a straight line in 1/n."""
    task, estimates = Task(), {}
    theory = pt.trained(pt.theory("mlp", order=1), **vars(task)).hidden_change().first.ravel()
    for width, count in ((16, 4000), (32, 3000), (64, 1500)):
        changes = np.concatenate([hidden_changes(task, width, 250, seed) for seed in range(count // 250)])
        estimates[width] = width * changes.mean(axis=0), width**2 * np.cov(changes.T) / len(changes)
    values, errors = extrapolated(estimates, powers=1)
    assert (np.abs(values - theory) < 4 * errors + np.abs(theory) / 10).all()
    assert (theory > 2 * errors).any()


def hidden_changes(task, width, count, seed):
    """The change of s(z_a) s(z_b), averaged over neurons, both signs of the last layer together; (count, M^2)."""
    one = Networks(task, width, count, np.random.default_rng([width, seed]))
    total = 0.0
    for network in (one, one.flipped()):
        for sign in (-1, 1):
            features = network.forward(np.array(task.test))[1][-1]
            total = total + sign * features.transpose(0, 2, 1) @ features / width
            for _ in range(task.steps * (sign < 0)):
                network.step()
    return total.reshape(count, -1) / 2
