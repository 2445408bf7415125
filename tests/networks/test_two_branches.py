"""A user's own rule: z' = b + Ws s(z) + Wt t(z), two parallel branches with activations of their own."""

import numpy as np
import pytest

import pertheory as pt

RULE = """
name = "branches"
title = "Two parallel branches"
fields = ["z"]

[hyperparameters]
C_b = 0.1
C_s = 0.7
C_t = 0.9
lambda_b = 0.2
lambda_s = 0.4
lambda_t = 1.1

[parameters.b]
kind = "bias"
variance = "C_b"
learning_rate = "lambda_b"

[parameters.Ws]
kind = "weight"
variance = "C_s"
learning_rate = "lambda_s"

[parameters.Wt]
kind = "weight"
variance = "C_t"
learning_rate = "lambda_t"

[input]
z = ["b", "Ws", "Wt"]

[[sublayers]]
z = [
    { parameter = "b" },
    { parameter = "Ws", function = "s", of = "z" },
    { parameter = "Wt", function = "t", of = "z" },
]
"""
X = [[1.0, 0.4, -0.3], [0.2, -1.0, 0.6]]


@pytest.fixture
def rule(tmp_path):
    path = tmp_path / "branches.toml"
    path.write_text(RULE)
    return pt.network(path)


def test_two_equal_branches_are_one_network_with_added_variances_and_rates(rule):
    both = pt.theory(rule, "all", 1).compile()(X, {"s": "tanh", "t": "tanh"}, 3)
    one = pt.theory("mlp", "all", 1).compile()(X, "tanh", 3, C_b=0.1, C_W=1.6, lambda_b=0.2, lambda_W=1.5)
    assert set(both[3]) == set(one[3])
    for key, array in one[3].items():
        np.testing.assert_allclose(both[3][key], array, rtol=1e-9, atol=1e-9 * np.abs(array).max())
        assert np.abs(array).max() > 0


def test_the_branches_are_interchangeable(rule):
    model = pt.theory(rule, "all", 1).compile()
    one = model(X, {"s": "tanh", "t": "sin"}, 3)
    swapped = model(X, {"s": "sin", "t": "tanh"}, 3, C_s=0.9, C_t=0.7, lambda_s=1.1, lambda_t=0.4)
    for key, array in one[3].items():
        np.testing.assert_allclose(swapped[3][key], array, rtol=1e-10, atol=1e-13)


def sampled(n, networks, rng):
    """Conditional means over the last layer: the kernel and the NTK of both inputs, for each network of depth 3.

    Derivatives by the chain rule, neuron by neuron; no perturbation theory.
    """
    x = np.array(X)
    size = x.shape[1]
    functions = ((0.7, 0.4, np.tanh, lambda z: 1 / np.cosh(z) ** 2), (0.9, 1.1, np.sin, np.cos))
    draw = rng.standard_normal
    z = np.sqrt(0.1) * draw((networks, n, 1)) + np.einsum(
        "bik,ak->bia", np.sqrt(1.6 / size) * draw((networks, n, size)), x
    )
    tangent = (0.2 + 1.5 * (x @ x.T)[0, 1] / size) * np.broadcast_to(np.eye(n), (networks, n, n))
    for last in (False, True):
        kernel = 0.1 + sum(c * (f(z[:, :, 0]) * f(z[:, :, 1])).mean(1) for c, _, f, _ in functions)
        own = 0.2 + sum(rate * (f(z[:, :, 0]) * f(z[:, :, 1])).mean(1) for _, rate, f, _ in functions)
        if last:
            diagonal = np.einsum("bjj->bj", tangent)
            slope = sum(c * df(z[:, :, 0]) * df(z[:, :, 1]) for c, _, _, df in functions)
            return kernel, own + (slope * diagonal).mean(1)
        new = np.sqrt(0.1) * draw((networks, n, 1))
        jacobians = [0.0, 0.0]
        for c, _, f, df in functions:
            weights = np.sqrt(c / n) * draw((networks, n, n))
            new = new + weights @ f(z)
            for a in (0, 1):
                jacobians[a] = jacobians[a] + weights * df(z[:, None, :, a])
        tangent = jacobians[0] @ tangent @ np.swapaxes(jacobians[1], 1, 2)
        tangent[:, np.arange(n), np.arange(n)] += own[:, None]
        z = new


def test_different_branches_agree_with_sampled_networks(rule):
    """Means of kernel and NTK, and the variances V and their covariance D, at layer 3 and width 12, to order 1/n^2."""
    n, chunks = 12, 15
    rng = np.random.default_rng(5)
    parts = [sampled(n, 8_000, rng) for _ in range(chunks)]
    kernel, tangent = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    state = pt.theory(rule, ["G", "H", "V", "D"], order=2).compile()(X, {"s": "tanh", "t": "sin"}, 3)[3]

    def series(name, slots, orders):
        return sum(state[name + (f"{{{k}}}" if k else "")][slots] / n**k for k in orders)

    def agrees(samples, theory, cut):
        error = samples.std() / np.sqrt(len(samples))
        assert abs(samples.mean() - theory) < 4.5 * error + cut
        return error

    agrees(kernel, series("G", (0, 1), (0, 1, 2)), 0.0)
    agrees(tangent, series("H", (0, 1), (0, 1, 2)), 0.0)
    dk, dt = kernel - kernel.mean(), tangent - tangent.mean()
    for samples, name in ((n * dk * dk, "V"), (n * dk * dt, "D")):
        leading = state[name][0, 1, 0, 1]
        value = series(name, (0, 1, 0, 1), (0, 1))
        error = agrees(samples, value, abs(leading) / n**2)  # the next order is left out
        assert error < abs(leading) / 20
        assert abs(value) > 10 * error
