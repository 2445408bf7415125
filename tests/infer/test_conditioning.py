"""Posteriors of nearly-Gaussian priors against exact ones."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import kv
from scipy.stats import gamma, norm

import pertheory as pt
from pertheory.errors import InputError
from pertheory.infer.conditioning import Conditioned
from tests.infer.exact import Counted

QUANTITIES = ("log_evidence", "mean", "covariance", "outputs_kernel", "last_layer")


@pytest.mark.parametrize(
    ("targets", "evidence", "mean"),
    [([[1.3]], -1.1501479, [-0.4526627]), ([[1.3, -0.4]], -0.5027616, [-0.6861630, 0.2111271])],
)
def test_one_training_input_whose_four_point_tensor_is_a_product(targets, evidence, mean):
    """Numbers from exact integrals over a random scale, computed elsewhere."""
    kernel = np.array([[1, 0.6], [0.6, 1]])
    found = Conditioned(kernel, {(2, 0): 5 * np.einsum("ab,cd->abcd", kernel, kernel)}, targets, noise=0.3)
    assert found.log_evidence(1) == pytest.approx(evidence, abs=6e-8)
    assert found.mean(1)[0] == pytest.approx(mean, abs=6e-8)


class TestCountedKernels:
    """Kernels that take finitely many values at each width: orders 1/n, 1/n^2 and 1/n^3, all tensors full."""

    rng = np.random.default_rng(5)
    roots = rng.normal(size=(3, 3, 3))
    model = Counted(roots[0] @ roots[0].T + np.eye(3), [root @ root.T for root in roots[1:]])
    targets = rng.normal(size=(2, 2))

    @pytest.mark.parametrize(
        ("name", "order"), [*product(QUANTITIES, (1, 2)), ("log_evidence", 3), ("outputs_kernel", 3)]
    )
    def test_what_is_left_of_the_exact_posterior_falls_with_the_next_power(self, name, order):
        """From n to 2 n by a factor 2^(order + 1): a wrong coefficient anywhere would make it fall more slowly."""
        kernel, cumulants = self.model.cumulants()
        found = Conditioned(kernel, cumulants, self.targets, noise=0.1)
        left = []
        for n in (64, 128):
            exact = self.model.exact(n, self.targets, 0.1)[name]
            left.append(np.max(np.abs(exact - sum(getattr(found, name)(k) / n**k for k in range(order + 1)))))
        assert left[0] / left[1] == pytest.approx(2 ** (order + 1), rel=0.12)

    def test_a_tensor_in_slabs_gives_the_same(self, monkeypatch):
        kernel, cumulants = self.model.cumulants()
        whole = Conditioned(kernel, cumulants, self.targets)
        monkeypatch.setattr("pertheory.infer.contraction.WHOLE", 1)
        slabs = Conditioned(kernel, {key: _Handed(array) for key, array in cumulants.items()}, self.targets)
        for name in QUANTITIES[:3]:
            for order in (1, 2):
                assert getattr(slabs, name)(order) == pytest.approx(getattr(whole, name)(order), rel=1e-12)


class _Handed:
    """Hands out slabs of a tensor, and nothing else."""

    def __init__(self, array):
        self._array = array

    def __getitem__(self, sample):
        assert isinstance(sample, int)
        return self._array[sample]


@pytest.mark.parametrize("outputs", [1, 2])
def test_one_input_whose_kernel_is_a_random_scale_converges_as_the_square_of_the_width(outputs):
    """The scale is Gamma distributed with mean 1 and variance v/n; the evidence is a one-dimensional integral.

    What is left after the order 1/n is 1/n^2 times the coefficient of the next order, up to 1/n^4.
    """
    v, target = 1.5, 0.7
    cumulants = {(2, 0): np.full((1,) * 4, v), (3, 0): np.full((1,) * 6, 2 * v**2)}
    found = Conditioned([[1.0]], cumulants, np.full((1, outputs), target), noise=0.2)
    left = []
    for n in (200, 400):
        scale = gamma(n / v, scale=v / n)
        exact = quad(
            lambda g, scale=scale: scale.pdf(g) * norm(0, np.sqrt(g + 0.2)).pdf(target) ** outputs,
            *scale.interval(1 - 1e-13),
            epsabs=1e-13,
            points=[1.0],
        )[0]
        left.append(n**2 * (np.log(exact) - found.log_evidence() - found.log_evidence(1) / n))
    assert 2 * left[1] - left[0] == pytest.approx(found.log_evidence(2), abs=1e-4)
    assert abs(found.log_evidence(2)) > 0.01


@pytest.fixture(scope="module")
def tanh():
    record = json.loads((Path(__file__).parent / "tanh_posterior.json").read_text())
    theory = pt.theory("mlp", ["G", "V", "V6"], order=2)
    options = {"activation": record["activation"], "depth": record["depth"], "C_b": record["C_b"], "C_W": record["C_W"]}
    data = (record["train"], record["targets"], record["test"], record["noise"])
    return record, pt.posterior(theory, *data, **options)


def test_a_tanh_network_agrees_with_another_program(tanh):
    record, found = tanh
    assert found.mean[0] == pytest.approx(np.array(record["mean0"]), abs=1e-7)
    assert found.mean[1] == pytest.approx(np.array(record["mean1"]), abs=1e-7)
    both = np.eye(2)
    assert found.covariance[0][0, :, 0] == pytest.approx(record["cov0"][0][0] * both, abs=1e-7)
    wired = np.array(record["cross1"])
    assert found.covariance[1][0, :, 0] == pytest.approx(record["cov1"][0][0] * both + wired, abs=1e-7)
    assert found.log_evidence[:2] == pytest.approx((record["logev0"], record["logev1"]), abs=1e-7)


def test_a_tanh_network_agrees_with_sampled_hidden_layers(tanh):
    """Within three standard errors, once the term of the order 1/n^2 is taken off as well."""
    record, found = tanh
    for width, drawn in ((64, record["sampled"]["n=64"]), (256, record["sampled"]["n=256"])):
        mean, covariance, evidence = (
            own[1] + own[2] / width for own in (found.mean, found.covariance, found.log_evidence)
        )
        both, wired = covariance[0, :, 0], np.array(drawn["cross"][0]).reshape(2, 2)
        same, error = drawn["cov_same_output"][0] * np.eye(2), drawn["cov_same_output"][1]
        assert np.all(np.abs(mean[0] - drawn["mean"][0]) < 3 * np.array(drawn["mean"][1]))
        assert np.all(np.abs(both - same - wired) < 3 * (error + np.max(drawn["cross"][1])))
        assert abs(evidence - drawn["log_evidence"][0]) < 3 * drawn["log_evidence"][1]


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_deep_linear_network_agrees_with_its_exact_wishart_average(outputs):
    """One input, one hidden layer, no noise: the kernel of the outputs is K times a sum of n squares over n.

    Given the target its density is g^(n/2 - 1 - n_L/2) exp(-n g/(2 K) - y.y/(2 g)), whose mean is a ratio of Bessel
    functions; the posterior mean kernel is compared, and what is left falls as 1/n^2.
    """
    kernel, square = 1.7, 0.8 * outputs
    theory = pt.theory("deep_linear", ["G", "V"], order=1)
    targets = np.full((1, outputs), np.sqrt(square / outputs))
    found = pt.posterior(theory, [[np.sqrt(kernel)]], targets, [[1.0]], activation={}, depth=2)
    first = found.kernel(2)[1][0, 0]
    left = []
    for n in (200, 400):
        index, root = (n - outputs) / 2, np.sqrt(n * square / kernel)
        exact = np.sqrt(square * kernel / n) * kv(index + 1, root) / kv(index, root)
        left.append(n**2 * (exact - kernel - first / n))
    assert left[1] == pytest.approx(left[0], rel=0.05)


def sampled_kernels(record, n, samples, seed):
    """n times the shift of the kernels of layers 2 and 3 by the data, in sampled networks, with standard errors."""
    rng = np.random.default_rng(seed)
    inputs, targets = np.array(record["train"] + record["test"]), np.array(record["targets"])
    kernel = np.broadcast_to(record["C_b"] + record["C_W"] * inputs @ inputs.T / 3, (samples, 3, 3))
    found = []
    for _ in range(2):
        z = np.tanh(rng.normal(size=(samples, n, 3)) @ np.linalg.cholesky(kernel).transpose(0, 2, 1))
        kernel = record["C_b"] + record["C_W"] * np.einsum("sja,sjb->sab", z, z) / n
        found.append(kernel)
    block = kernel[:, :2, :2] + 0.1 * np.eye(2)
    logs = -0.5 * np.einsum("ai,sab,bi->s", targets, np.linalg.inv(block), targets) - np.linalg.slogdet(block)[1]
    weights = np.exp(logs)
    weights = weights / weights.mean() - 1
    products = [weights[:, None, None] * (own - own.mean(0)) for own in found]
    return [(n * own.mean(0), n * own.std(0) / np.sqrt(samples)) for own in products]


def test_the_kernels_of_hidden_layers_move_as_those_of_sampled_networks():
    """Two widths take out the 1/n^2 term: 40,000 networks each, the slowest test here."""
    record = json.loads((Path(__file__).parent / "tanh_posterior.json").read_text())
    theory = pt.theory("mlp", ["G", "V"], order=1)
    options = {"depth": 3, "C_b": record["C_b"], "C_W": record["C_W"]}
    found = pt.posterior(theory, record["train"], record["targets"], record["test"], 0.1, **options)
    one, two = (sampled_kernels(record, n, 40_000, n) for n in (16, 48))
    for layer, ((a, da), (b, db)) in enumerate(zip(one, two, strict=True), 2):
        prior = found.layers[layer - 1].cumulants[1, 1]
        shift = found.kernel(layer)[1] - prior
        error = np.hypot(1.5 * db, 0.5 * da)
        assert np.all(np.abs(1.5 * b - 0.5 * a - shift) < 4 * error + 0.01)
        assert np.max(np.abs(shift)) > 20 * np.max(error)


def test_outputs_wire_together_where_the_fluctuation_is_large():
    """(6.78): the variance of a second output rises where the first is larger than it should be, and falls else."""
    v = 0.5
    for target, sign in ((2.0, 1), (0.3, -1)):
        kernel, four = np.ones((2, 2)), np.full((2,) * 4, v)
        found = Conditioned(kernel + np.diag([0, 1e-9]), {(2, 0): four}, [[target]])
        rise = found.outputs_kernel(1)[1, 1]
        assert rise == pytest.approx((target**2 - 1) * v / 2, rel=1e-6)
        assert np.sign(rise) == sign


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1.0, 1.0], [1.0, 1.0]], {}, [[1.0], [1.0]]), "singular with noise 0"),
        (([[1.0]], {}, [[1.0]], -0.1), "noise is a variance, a finite number from 0, not -0.1"),
        (([[1.0]], {}, [[1.0]], float("nan")), "noise is a variance"),
        (([[1.0]], {}, [[1.0]], [0.1, 0.2]), "an array of shape"),
        (([[1.0]], {}, [1.0]), "one row per input"),
        (([[1.0]], {}, [[np.inf]]), "targets: row 1 holds NaN or infinity"),
        (([[1.0]], {}, [[1.0], [2.0]]), "targets has 2 rows, kernel only 1"),
        (([[1.0, 2.0]], {}, [[1.0]]), "square"),
        (([[1.0, 0.2], [0.1, 1.0]], {}, [[1.0]]), "kernel must be symmetric"),
        (([[np.nan]], {}, [[1.0]]), "kernel holds NaN"),
        (([[1.0, 5.0], [5.0, 1.0]], {}, [[1.0]]), "kernel has the eigenvalue -4"),
        ((np.eye(2), {(3, -1): np.zeros((2,) * 6)}, [[1.0]]), "named by (pairs, order)"),
        ((np.eye(2), {(1, 1): [[0.0, 1.0], [0.0, 0.0]]}, [[1.0]]), "(1, 1) must be symmetric"),
        ((np.eye(2), {(2, 0): np.arange(16.0).reshape((2,) * 4)}, [[1.0]]), "(2, 0) must be symmetric"),
        ((np.eye(2), {(1, 0): np.eye(2)}, [[1.0]]), "named by (pairs, order)"),
        ((np.eye(2), {"V": np.eye(2)}, [[1.0]]), "named by (pairs, order)"),
        ((np.eye(2), {(2, 0): np.ones((2,) * 4)}, [[1e200]]), "leaves the range of doubles"),
        (([[1.0]], {(2, 0): np.ones((1, 1))}, [[1.0]]), r"the cumulant (2, 0) must be an array of shape (1, 1, 1, 1)"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, words):
    with pytest.raises(InputError) as caught:
        Conditioned(*arguments).log_evidence(1)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", [-1, 1.5, "a"])
def test_orders_are_whole_numbers(order):
    found = Conditioned([[1.0]], {(2, 0): np.ones((1,) * 4)}, [[1.0]])
    for quantity in (found.mean, found.covariance, found.log_evidence, found.outputs_kernel):
        with pytest.raises(InputError, match="order must be a whole number from 1"):
            quantity(order)
