"""The quadratic model against explicit weights that are trained, and networks as such models."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import InputError

SIZE, FEATURES = 2, 6
DRAW = np.random.default_rng(3)
PHI = DRAW.normal(size=(4, FEATURES)) / 2
PSI = DRAW.normal(size=(4, FEATURES, FEATURES)) / 3
PSI = (PSI + PSI.transpose(0, 2, 1)) / 2
TARGETS = np.array([[0.7, -0.2], [-0.4, 1.1]])
MODEL = pt.QuadraticModel.from_features(PHI, PSI)


def outputs(W, epsilon):
    """W has a row for each output."""
    return PHI @ W.T + epsilon / 2 * np.einsum("ij,ik,ajk->ai", W, W, PSI)


def slopes(W, epsilon):
    """dz_a/dW for each output, (4, outputs, features)."""
    return PHI[:, None] + epsilon * np.einsum("ik,ajk->aij", W, PSI)


def descended(epsilon, eta, steps):
    W = np.zeros((2, FEATURES))
    for _ in range(steps):
        error = (outputs(W, epsilon)[:SIZE] - TARGETS)[:, :, None]
        W = W - eta * np.sum(error * slopes(W, epsilon)[:SIZE], axis=0)
    return outputs(W, epsilon)[SIZE:]


def least(epsilon):
    """The fit of least norm: W is a combination of the slopes, found by iteration."""
    W = np.zeros((2, FEATURES))
    for _ in range(200):
        own = slopes(W, epsilon)[:SIZE].transpose(1, 0, 2)
        missing = TARGETS - outputs(W, epsilon)[:SIZE] + np.einsum("iaj,ij->ai", own, W)
        W = np.stack([row.T @ np.linalg.solve(row @ row.T, missing[:, i]) for i, row in enumerate(own)])
    return outputs(W, epsilon)[SIZE:]


def to_first_order(predict, step=1e-4):
    """Value and slope at epsilon = 0 of what weights predict."""
    return predict(0.0), (predict(step) - predict(-step)) / (2 * step)


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_gradient_descent(steps):
    found = MODEL.trained(TARGETS, eta=0.3, steps=steps)
    for own, explicit in zip(
        (found.leading, found.first), to_first_order(lambda e: descended(e, 0.3, steps)), strict=True
    ):
        assert np.allclose(own, explicit, rtol=1e-6, atol=1e-7)
        assert np.abs(own).max() > 1e-2


def test_the_end_of_training_and_the_least_norm_differ_at_first_order():
    ends = MODEL.trained(TARGETS, eta=0.3, steps=inf), MODEL.minimal_norm(TARGETS)
    explicit = to_first_order(lambda e: descended(e, 0.3, 3000)), to_first_order(least)
    for found, (leading, first) in zip(ends, explicit, strict=True):
        assert np.allclose(found.leading, leading, rtol=1e-7)
        assert np.allclose(found.first, first, rtol=1e-5, atol=1e-7)
    assert np.allclose(ends[0].leading, ends[1].leading)
    assert np.abs(ends[0].first - ends[1].first).max() > 1e-3


def test_a_leap_of_second_order_is_the_books_direct_optimisation():
    """1/2 k^-1 y k^-1 y (mu - k k^-1 mu), without anything else."""
    k, mu = MODEL.kernel, MODEL.meta
    dual = np.linalg.solve(k[:SIZE, :SIZE], TARGETS)
    shift = np.einsum("oab,ai,bi->oi", mu[:, :SIZE, :SIZE], dual, dual) / 2
    expected = shift[SIZE:] - k[SIZE:, :SIZE] @ np.linalg.solve(k[:SIZE, :SIZE], shift[:SIZE])
    assert np.allclose(MODEL.trained(TARGETS, eta=1.0, steps=inf, update="newton").first, expected, rtol=1e-10)


def test_the_effective_kernel_is_that_of_the_slopes_where_training_ends():
    def kernels(epsilon):
        W = np.linalg.pinv(PHI[:SIZE]) @ TARGETS  # to leading order: of least norm
        own = slopes(W.T, epsilon).transpose(1, 0, 2)
        return own @ own.transpose(0, 2, 1)

    leading, first = to_first_order(kernels)
    assert np.allclose(MODEL.effective_kernel(TARGETS), leading + first, rtol=1e-8)


def test_networks_are_quadratic_models_with_these_meta_kernels():
    """Averaged over outputs at initialisation the model predicts what P and Q add to the mean of trained networks."""
    setting = {"activation": "tanh", "depth": 3, "C_b": 0.3, "C_W": 1.7, "lambda_b": 0.4, "lambda_W": 0.9}
    train, test = [[0.8, -0.5, 1.1], [-0.3, 1.2, 0.4]], [[0.5, 0.5, -0.9]]
    theory = pt.theory("mlp", order=1)
    expected = pt.trained(theory, train, TARGETS, test, eta=0.18, steps=9, **setting).mean.parts["PQ"]
    top = theory.compile()(train + test, **setting)[3]
    values, modes = np.linalg.eigh(top["K"])
    total = np.zeros((1, 2))
    for value, mode in zip(values, modes.T, strict=True):  # even and quadratic in z: an average over directions
        for neuron in range(2):
            start = np.sqrt(value) * np.outer(mode, np.eye(2)[neuron])
            for sign in (1, -1):
                model = pt.QuadraticModel.from_network(top, sign * start, 1.0)
                total += model.trained(TARGETS, eta=0.18, steps=9).first / 2
    assert np.allclose(total, expected, rtol=1e-9)
    assert np.abs(expected).min() > 1e-3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: pt.QuadraticModel.from_features(PHI, PHI), "psi must have shape"),
        (lambda: MODEL.trained(TARGETS, eta=9.0), "beyond stability"),
        (lambda: MODEL.trained(np.ones((4, 1)), eta=0.1), "leave no sample of 4"),
        (lambda: MODEL.trained([[1.0], [2.0, 3.0]], eta=0.1), "targets"),
        (lambda: pt.QuadraticModel([[1.0]], [[1.0]]), r"shapes \(D, D\) and \(D, D, D\).*not \(1, 1\) and \(1, 1\)"),
        (lambda: pt.QuadraticModel("k", MODEL.meta), "kernel must be"),
        (lambda: pt.QuadraticModel(MODEL.kernel, MODEL.meta, np.ones((3, 1))), r"outputs must have .* \(4, n_L\)"),
        (lambda: pt.QuadraticModel(MODEL.kernel, MODEL.meta, np.ones((4, 1))).minimal_norm(TARGETS), "columns"),
        (lambda: pt.QuadraticModel(MODEL.kernel, MODEL.meta, np.ones((4, 2))).minimal_norm(TARGETS), "W = 0"),
    ],
)
def test_bad_input_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()


def test_lists_are_arrays():
    model = pt.QuadraticModel(MODEL.kernel.tolist(), MODEL.meta.tolist())
    assert np.array_equal(model.trained(TARGETS, eta=0.1).first, MODEL.trained(TARGETS, eta=0.1).first)
