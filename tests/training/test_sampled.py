"""Networks that are trained, against the prediction; two outputs, and what couples them."""

from __future__ import annotations

import numpy as np
import pytest

import pertheory as pt
from tests.training.sampling import Networks, Task, extrapolated, sampled

NETWORK = {name: getattr(Task, name) for name in ("activation", "depth", "C_b", "C_W", "lambda_b", "lambda_W")}
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


def test_the_spectrum_of_the_tangent_kernel():
    """How others repel its two largest eigenvalues, one for each output, and the expansion parameter in the end."""
    task = Task()
    found = pt.trained(pt.theory("mlp", order=1), **vars(task) | {"steps": "inf"})
    top = pt.theory("mlp", ["H"], order=0).compile()(np.array(task.train), **NETWORK)[3]["Theta"]
    theta, modes = np.linalg.eigh(top)
    theta, modes = np.repeat(theta, 2), np.kron(modes, np.eye(2))
    estimates = {}
    for width, count in ((32, 8000), (64, 4000), (128, 2000)):
        rows = []
        for seed in range(count // 500):
            networks = Networks(task, width, 500, np.random.default_rng([width, seed]))
            kernel = networks.kernel()[:, :2, :, :2].reshape(500, 4, 4)
            turned = modes.T @ kernel @ modes
            own = np.einsum("rii->ri", turned)[:, -2:].mean(axis=1)  # of which the mean is Theta + H{1}/n
            highest = np.linalg.eigvalsh(kernel)[:, -2:].mean(axis=1) - own
            off = (turned - np.diag(theta)) / np.sqrt(np.outer(theta, theta))
            rows.append(np.concatenate([highest[:, None], (off @ off).reshape(500, 16)], axis=1))
        table = width * np.concatenate(rows)
        estimates[width] = table.mean(axis=0), np.cov(table.T) / len(table)
    values, errors = extrapolated(estimates, powers=1)
    shift = -found.eta_max.parts["AB"] * theta[-1] ** 2 / 2
    assert abs(values[0] - shift) < 4 * errors[0]
    assert abs(shift) > 4 * errors[0]
    largest = np.linalg.eigvalsh(values[1:].reshape(4, 4))[-1]
    assert largest == pytest.approx(found.expansion, abs=6 * errors[1:].max())
    assert found.expansion > 10 * errors[1:].max()
