"""Networks that are trained, against the prediction; two outputs, and what couples them."""

from __future__ import annotations

import numpy as np

from tests.training.sampling import Task, extrapolated, sampled

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
