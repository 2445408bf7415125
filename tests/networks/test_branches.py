"""A user's own rule, two parallel branches z' = b + Ws s(z) + Wt t(z) with different activations."""

from functools import cache

import numpy as np
import pytest

import pertheory as pt

from .architectures import BRANCHES
from .laws import INPUTS

WIDTH, NETWORKS, BATCH = 16, 24_000, 1_000
COUPLINGS = {"C_b": 0.1, "C_s": 1.1, "C_t": 0.6, "lambda_b": 0.3, "lambda_s": 0.9, "lambda_t": 0.7}


@pytest.fixture
def rule(tmp_path):
    """tanh or whatever the run says, beside a sine that the rule fixes."""
    path = tmp_path / "mine.toml"
    path.write_text(BRANCHES + '[activations]\nt = "sin"\n', encoding="utf-8")
    return pt.network(path)


@cache
def sampled():
    """Three-layer networks: per network G_ab, H_ab of layer 3, and the factor of F, averaged over the last weights.

    Layers 1 and 2 are sampled, forward and backward. Over the parameters of layer 3 the averages are taken by hand:
    z_i is Gaussian with covariance G; H_ii has the mean below; and z_i z_j H_ij, for i != j, contracts the weight in z
    with that in front of the derivative of z, at each of the two neurons.
    """
    random = np.random.default_rng(20240607)
    c, x = COUPLINGS, np.array(INPUTS)
    n, n0 = WIDTH, x.shape[1]
    gram = x @ x.T / n0
    tangent1 = c["lambda_b"] + c["lambda_s"] * gram  # on equal neurons of layer 1
    found = []
    for _ in range(NETWORKS // BATCH):

        def draw(variance, *shape):
            return random.normal(0, np.sqrt(variance), (BATCH, *shape))

        z1 = draw(c["C_b"], 1, n) + np.einsum("skm,am->sak", draw(c["C_s"] / n0, n, n0), x)
        Ws, Wt = draw(c["C_s"] / n, n, n), draw(c["C_t"] / n, n, n)
        s1, t1, ds1, dt1 = np.tanh(z1), np.sin(z1), 1 - np.tanh(z1) ** 2, np.cos(z1)
        z2 = draw(c["C_b"], 1, n) + np.einsum("skj,saj->sak", Ws, s1) + np.einsum("skj,saj->sak", Wt, t1)
        back = Ws[:, None] * ds1[:, :, None] + Wt[:, None] * dt1[:, :, None]  # d z2_ka / d z1_ja
        own = c["lambda_b"] + (c["lambda_s"] * mean(s1, s1) + c["lambda_t"] * mean(t1, t1))
        left = back[:, :, None] * tangent1[:, :, None, None]  # with both samples of the tangent kernel
        tangent2 = left @ np.swapaxes(back, 2, 3)[:, None] + own[..., None, None] * np.eye(n)

        s, t, ds, dt = np.tanh(z2), np.sin(z2), 1 - np.tanh(z2) ** 2, np.cos(z2)
        kernel = c["C_b"] + c["C_s"] * mean(s, s) + c["C_t"] * mean(t, t)
        slope = (c["C_s"] * np.einsum("sak,sbk->sabk", ds, ds) + c["C_t"] * np.einsum("sak,sbk->sabk", dt, dt)) / n
        ntk = c["lambda_b"] + c["lambda_s"] * mean(s, s) + c["lambda_t"] * mean(t, t)
        ntk = ntk + np.einsum("sabk,sabkk->sab", slope, tangent2)
        mixed = c["C_s"] * np.einsum("sak,sbk->sabk", s, ds) + c["C_t"] * np.einsum("sak,sbk->sabk", t, dt)
        right = np.einsum("scdkl,sbdl->scdkb", tangent2, mixed / n, optimize=True)
        found.append((kernel, ntk, np.einsum("sack,scdkb->sacbd", mixed / n, right, optimize=True)))
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def mean(f, g):
    return np.einsum("saj,sbj->sab", f, g) / f.shape[-1]


def assert_close(per_network, theory, sharp):
    """Within 4.5 standard errors in every component; ``sharp`` is the largest of these errors, relative."""
    value, error = per_network.mean(0), per_network.std(0) / np.sqrt(len(per_network))
    assert error.max() < sharp * np.abs(value).max()
    np.testing.assert_array_less(np.abs(value - theory), 4.5 * error)


def test_sampled_networks_of_three_layers(rule):
    """Sampled G, H, V, D and F at layer 3 equal T{0} + T{1}/n; what is left out is of order 1/n^2, n = 16."""
    names = ["G{1}", "H{1}", "V{1}", "D{1}", "F{1}"]
    state = pt.theory(rule, names, order=1).compile()(INPUTS, "tanh", 3, **COUPLINGS)[3]
    theory = {name[0]: state[name[0]] + state[name] / WIDTH for name in names}
    kernel, ntk, mixed = sampled()
    dk, dh = kernel - kernel.mean(0), ntk - ntk.mean(0)
    assert_close(kernel, theory["G"], 0.002)
    assert_close(ntk, theory["H"], 0.002)
    assert_close(WIDTH * np.einsum("sab,scd->sabcd", dk, dk), theory["V"], 0.03)
    assert_close(WIDTH * np.einsum("sab,scd->sabcd", dk, dh), theory["D"], 0.03)
    assert_close(WIDTH * mixed, theory["F"], 0.005)


def test_the_comparison_is_sharp(tmp_path):
    """With the two functions swapped it fails by more than ten standard errors, and without T{1} by more than five."""
    path = tmp_path / "free.toml"
    path.write_text(BRANCHES, encoding="utf-8")
    model = pt.theory(path, ["V", "D", "F"]).compile()
    kernel, ntk, mixed = sampled()
    dk, dh = kernel - kernel.mean(0), ntk - ntk.mean(0)
    found = {"V": np.einsum("sab,scd->sabcd", dk, dk), "D": np.einsum("sab,scd->sabcd", dk, dh), "F": mixed}
    for functions, distance in (({"s": "sin", "t": "tanh"}, 10), ({"s": "tanh", "t": "sin"}, 5)):
        state = model(INPUTS, functions, 3, **COUPLINGS)[3]
        for name, values in found.items():
            error = WIDTH * values.std(0) / np.sqrt(len(values))
            assert np.max(np.abs(WIDTH * values.mean(0) - state[name]) / error) > distance, name


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_two_equal_branches_are_one_perceptron(tmp_path, activation):
    """Ws + Wt is Gaussian with the sum of the variances, and the learning rates add up too."""
    path = tmp_path / "equal.toml"
    path.write_text(BRANCHES.replace('"t"', '"s"'), encoding="utf-8")
    wanted = ["G{1}", "H{1}", "V", "D", "F", "A", "B", "P", "Q"]  # ddNTK of ReLU diverges
    c = COUPLINGS
    both = pt.theory(path, wanted, order=1).compile()(
        INPUTS, activation, 4, **{**c, "C_s": [1.7] + [c["C_s"]] * 3, "lambda_s": [1.6] + [c["lambda_s"]] * 3}
    )
    one = pt.theory("mlp", wanted, order=1).compile()(
        INPUTS, activation, 4, C_b=c["C_b"], C_W=1.7, lambda_b=c["lambda_b"], lambda_W=1.6
    )
    for name, array in one[4].items():
        np.testing.assert_allclose(both[4][name], array, rtol=1e-10, atol=1e-12, err_msg=name)
        assert np.any(array)


def test_the_functions_are_told_apart(rule, tmp_path):
    """Named in the rule or in the call, either way round; a function without an activation is refused."""
    path = tmp_path / "free.toml"
    path.write_text(BRANCHES, encoding="utf-8")
    fixed = pt.theory(rule, "V").compile()(INPUTS, "tanh", 3, **COUPLINGS)[3]["V"]
    model = pt.theory(path, "V").compile()
    free = model(INPUTS, {"s": "tanh", "t": "sin"}, 3, **COUPLINGS)[3]["V"]
    swapped = model(INPUTS, {"s": "sin", "t": "tanh"}, 3, **COUPLINGS)[3]["V"]
    np.testing.assert_array_equal(fixed, free)
    assert np.max(np.abs(swapped - free)) > 0.01
    with pytest.raises(pt.InputError, match=r"function 't'"):
        model(INPUTS, {"s": "tanh"}, 3)
