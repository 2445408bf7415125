"""Each kind of rule that is refused, with a small sampled network that shows why: a correlator outside the pair
structure that is not zero, and that vanishes for the sound rules next to it. Seeds are fixed; errors are of the sampled
means."""

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import RuleError

HEAD = """
name = "net"
fields = ["z"]
[hyperparameters]
C_W = 1.5
gamma = 0.5
[parameters.W]
kind = "weight"
variance = "C_W"
{more}
[input]
z = ["W"]
[[sublayers]]
z = [{channels}]
"""
SKIP = '{ identity = true, coefficient = "gamma", of = "z" }, { parameter = "W", function = "s", of = "z" }'
UNMIXED = '{ identity = true, function = "s", of = "z" }, { parameter = "W", function = "id", of = "z" }'
PLAIN = '{ parameter = "W", function = "s", of = "z" }'


def rule_file(tmp_path, channels, more=""):
    path = tmp_path / "net.toml"
    path.write_text(HEAD.format(channels=channels, more=more))
    return path


def refused(path, reason):
    with pytest.raises(RuleError, match=reason):
        pt.network(path)
    with pytest.warns(UserWarning, match=f"approximation.*{reason}"):
        rule = pt.network(path, closure="pairs")
    assert rule.closure == "pairs"
    assert pt.derive(rule, "V").to_text().startswith("# approximation")
    assert pt.derive(rule, "V").to_json()["closure"] == "pairs"


def mean(samples):
    samples = np.asarray(samples)
    return samples.mean(), samples.std() / np.sqrt(len(samples))


def relu(z):
    return np.maximum(z, 0)


def second_layer(kind, n, networks, rng, gamma=0.5, c_w=1.5):
    """Preactivations (networks, n) at layer 2 from a Gaussian first layer of variance 1."""
    z = rng.standard_normal((networks, n))
    weights = rng.standard_normal((networks, n, n)) * np.sqrt(1 / n)
    if kind == "skip":
        return gamma * z + np.einsum("bij,bj->bi", weights, relu(z)) * np.sqrt(c_w)
    if kind == "unmixed":
        return relu(z) + np.einsum("bij,bj->bi", weights, z)
    if kind == "residual":
        inner = np.einsum("bij,bj->bi", rng.standard_normal((networks, n, n)) * np.sqrt(1 / n), z)
        return gamma * z + np.einsum("bij,bj->bi", weights, relu(inner)) * np.sqrt(c_w)
    assert kind == "projection"
    passed = np.einsum("bij,bj->bi", rng.standard_normal((networks, n, n)) * np.sqrt(1 / n), z)
    return gamma * passed + np.einsum("bij,bj->bi", weights, relu(z)) * np.sqrt(c_w)


def odd_block(z):
    """n * E[z_i z_j^2] for i != j, averaged over all pairs: no pairing of three vertices exists."""
    n = z.shape[1]
    squares = (z**2).sum(1)
    return mean(n * (z.sum(1) * squares - (z**3).sum(1)) / (n * (n - 1)))


def test_a_skip_around_a_nonlinear_function_correlates_an_odd_number_of_vertices(tmp_path):
    """n E[z_i z_j^2] = gamma C_W <z relu(z)^2> = 0.5 * 1.5 * 2/sqrt(2 pi) at layer 2, for i != j."""
    refused(rule_file(tmp_path, SKIP), "not sound: 'z' is passed on")
    rng = np.random.default_rng(1)
    value, error = odd_block(second_layer("skip", 16, 60_000, rng))
    exact = 0.5 * 1.5 * 2 / np.sqrt(2 * np.pi)
    assert abs(value - exact) < 4.5 * error
    assert value > 10 * error
    for sound in ("residual", "projection"):
        value, error = odd_block(second_layer(sound, 16, 60_000, rng))
        assert abs(value) < 4.5 * error
        assert error < exact / 10


def test_a_nonlinear_function_passed_on_makes_each_neuron_non_gaussian_at_infinite_width(tmp_path):
    """z' = relu(z) + W z: the third cumulant of one neuron stays finite however wide the network is."""
    refused(rule_file(tmp_path, UNMIXED), "not sound: the function 's' of 'z' is passed on")
    rng = np.random.default_rng(2)
    for n in (8, 32):
        z = second_layer("unmixed", n, 8_000, rng)
        centred = z - 1 / np.sqrt(2 * np.pi)
        value, error = mean((centred**3).mean(1))
        # the third cumulant of relu(z), and 3 cov(relu(z), z^2) / n from the variance of (W z)_i
        exact = (0.5 + 3 / n) / np.sqrt(2 * np.pi) + 2 / (2 * np.pi) ** 1.5
        assert abs(value - exact) < 4.5 * error
        assert value > 10 * error


def test_parameters_that_are_not_gaussian_join_four_vertices_in_the_first_layer_already(tmp_path):
    """Uniform W of variance 1/n_0: n_0 kappa(z,z,z,z) = -6/5 mean(x^4), a block of four at order 1/n_0."""
    path = rule_file(tmp_path, PLAIN)
    path.write_text(path.read_text().replace('kind = "weight"', 'kind = "weight"\ndistribution = "uniform"'))
    refused(path, "not sound: 'uniform' parameters have a fourth cumulant")
    rng = np.random.default_rng(3)
    x = np.array([1.0, -0.5, 2.0, 1.5])
    bound = np.sqrt(3 / len(x))
    z = rng.uniform(-bound, bound, (2_000_000, len(x))) @ x
    variance = (x @ x) / len(x)
    value, error = mean(len(x) * (z**4 - 3 * variance**2))
    assert abs(value + 1.2 * np.mean(x**4)) < 4.5 * error
    assert value < -10 * error
    gaussian = rng.standard_normal((2_000_000, len(x))) @ x / np.sqrt(len(x))
    value, error = mean(len(x) * (gaussian**4 - 3 * variance**2))
    assert abs(value) < 4.5 * error


def sampled_vertex(kind, n, depth, chunks, rng):
    """n * (E[z_i^2 z_j^2] - E[z_i^2]^2) for i != j at a layer, all layers of width n, at criticality."""
    squares, pairs = [], []
    for _ in range(chunks):
        z = rng.standard_normal((10_000, n))
        for _ in range(depth - 1):
            weights = rng.standard_normal((10_000, n, n)) * np.sqrt(1 / n)
            source = z
            if kind == "residual":
                inner = rng.standard_normal((10_000, n, n)) * np.sqrt(1 / n)
                source = np.einsum("bij,bj->bi", inner, z)
            z = 0.5 * z + np.sqrt(1.5) * np.einsum("bij,bj->bi", weights, relu(source))
        square = (z**2).sum(1)
        squares.append(square / n)
        pairs.append((square**2 - (z**4).sum(1)) / (n * (n - 1)))
    value, error = mean(n * np.concatenate(pairs))
    return value - n * np.mean(squares) ** 2, error


def test_pairs_only_misses_the_vertex_of_a_skip_and_gets_that_of_a_residual_block(tmp_path):
    """ReLU, gamma = 1/2, C_W = 3/2, K = 1, layer 3, width 24."""
    with pytest.warns(UserWarning, match="approximation"):
        rule = pt.network(rule_file(tmp_path, SKIP), closure="pairs")
    couplings = {"C_W": [1.0, 1.5, 1.5], "gamma": 0.5}
    pairs_only = pt.theory(rule, "V").compile(inputs="one")([[1.0]], "relu", 3, **couplings)[3]["V"].item()
    assert pairs_only == pytest.approx(7.125)
    state = pt.theory("residual", "V", order=3).compile(inputs="one")([[1.0]], "relu", 3, **couplings)[3]
    assert state["V"].item() == pytest.approx(9.375)  # 2 nu, nu = (1 - g^2)(7 (1 - g^2) + 4 g^2) = 4.6875
    exact = state["V"].item() + state["V{1}"].item() / 24 + state["V{2}"].item() / 24**2
    rng = np.random.default_rng(4)
    skip, skip_error = sampled_vertex("skip", 24, 3, 8, rng)
    assert skip > pairs_only + 4.5 * skip_error  # 8.8 in wide networks
    block, block_error = sampled_vertex("residual", 24, 3, 8, rng)
    assert abs(block - exact) < 4.5 * block_error
    assert block_error < 0.05 * exact
