"""Entropy and mutual information of outputs, and the ratio of depth to width at which it is largest."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

import pertheory as pt
from pertheory.algebra.polynomial import Polynomial
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.infer.aspect import aspect
from pertheory.infer.information import entropy, mutual_information, substituted


def symbol(name):
    return Polynomial.symbol(name, Fraction(1))


M, V, ALL = symbol("m"), symbol("v"), symbol("n_L")


def test_the_entropy_to_third_order_does_not_know_the_third_cumulant():
    assert entropy(1) == 0
    assert entropy(2) == M * (M + 2) * V**2 / -16
    assert entropy(3) == M * (M + 2) * (M + 8) * V**3 / 48


def test_the_information_of_halves_to_third_order():
    assert mutual_information(2) == ALL**2 * V**2 / 32
    assert mutual_information(3) == ALL**2 * V**3 * (3 * ALL + 20) / -192


def test_the_next_order_knows_six_points_and_not_eight():
    """What is linear in the fourth cumulant is orthogonal to all that it could be multiplied by."""
    names = {name for powers in entropy(4).terms for name, _ in powers}
    assert names == {"m", "v", "v_3"}


class LogNormal:
    """Outputs with a common scale that is log-normal with mean 1: entropies by quadrature."""

    def __init__(self, variance):
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        width = np.sqrt(np.log1p(variance))
        self.scales, self.weights = np.exp(width * nodes - width**2 / 2), weights / weights.sum()
        self.cumulants = {"v": variance, "v_3": variance**3 + 3 * variance**2}

    def shift(self, outputs):
        """The entropy of some outputs beyond that of a Gaussian: minus the relative entropy."""
        grid = np.linspace(-60, 8, 3001)  # in log t; spectrally exact, because everything dies out
        t = np.exp(grid)[:, None]
        logs = -t / (2 * self.scales) - outputs / 2 * np.log(self.scales)
        ratio = logsumexp(logs + t / 2, axis=1, b=self.weights)[:, None]
        volume = outputs / 2 * np.log(t / 2) - gammaln(outputs / 2)
        density = np.exp(volume - t / 2 + ratio)
        return -float(np.sum(density * ratio)) * (grid[1] - grid[0])


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_what_is_left_of_the_exact_entropy_falls_with_the_fifth_power(outputs):
    left = []
    for variance in (0.01, 0.02):
        exact = LogNormal(variance)
        values = exact.cumulants | {"m": outputs}
        left.append(exact.shift(outputs) - sum(number(entropy(order), values) for order in (2, 3, 4)))
    assert left[1] / left[0] == pytest.approx(32, rel=0.25)


def number(polynomial, values):
    for name, value in values.items():
        polynomial = substituted(polynomial, name, Polynomial({(): value}))
    return float(polynomial.coefficient())


@pytest.mark.parametrize(
    ("activation", "nu", "best"),
    [
        ("linear", 2, (0.0870, 0.0690, 0.0400)),
        ("relu", 5, (0.0348, 0.0276, 0.0160)),
        ("tanh", 2 / 3, (0.2609, 0.2069, 0.1200)),
    ],
)
def test_the_best_ratio_of_depth_to_width(activation, nu, best):
    """Numbers of the book's formula, 4/((20 + 3 n_L) nu)."""
    for outputs, r in zip((1, 3, 10), best, strict=True):
        found = aspect(activation, outputs=outputs)
        assert found.nu == pytest.approx(nu, rel=1e-12)
        assert found.r == pytest.approx(r, abs=5e-5)


def test_the_best_ratio_is_where_the_information_to_its_third_power_is_largest():
    found = aspect("relu", outputs=4, width=1000)
    values = dict(found.information)
    r = np.linspace(0.5, 1.5, 2001) * found.r
    assert r[np.argmax(values[2] * r**2 + values[3] * r**3)] == pytest.approx(found.r, rel=1e-3)
    assert found.depth == pytest.approx(1000 * found.r)


def test_next_orders_from_log_normal_scales():
    """The scale of a deep ReLU network is a product of independent factors: 3 v^2 for its third cumulant, and v is
    exp(nu r) - 1, so that it departs from nu r by nu r/2."""
    found = aspect("relu", outputs=2)
    assert found.nu_6 == pytest.approx(3 * found.nu**2)
    assert found.drift == pytest.approx(found.nu * found.r / 2)


def test_the_maximum_belongs_to_the_series_and_not_to_the_network():
    """Log-normal scales are what deep ReLU networks tend to at fixed r: what halves know of each other only grows.

    Where the series to its third power has its maximum, half of the information is missing in it.
    """
    found = aspect("relu", outputs=4)
    exact = []
    for r in (found.r, 2 * found.r, 4 * found.r):
        outputs = LogNormal(np.expm1(found.nu * r))
        exact.append(2 * outputs.shift(2) - outputs.shift(4))
    assert exact[0] < exact[1] < exact[2]
    cubic = sum(value * found.r**power for power, value in found.information if power < 4)
    assert cubic == pytest.approx(exact[0] / 2, rel=0.1)


def test_residual_networks_are_less_fluctuating():
    """nu = (1 - gamma^2) [5 (1 - gamma^2) + ..] of the block with two matrices, ReLU, gamma = 1/2."""
    found = aspect("relu", "residual")
    assert found.nu == pytest.approx(0.75 * (7 * 0.75 + 1))
    assert aspect("relu", "residual", gamma=0.25).nu == pytest.approx(0.9375 * (7 * 0.9375 + 0.25))


def test_rules_in_which_outputs_are_not_joined_in_pairs_are_refused():
    with pytest.raises(RuleError, match="not sound"):
        aspect("relu", "skip")
    with pytest.warns(UserWarning, match="pairs"), pytest.raises(UnsupportedError, match="kept to pairs"):
        aspect("relu", pt.network("skip", "pairs"))


def test_what_has_no_best_ratio_is_refused():
    with pytest.raises(UnsupportedError, match="no critical point"):
        aspect("sigmoid")
    with pytest.raises(InputError, match="C_W of mlp is fixed by criticality at 2"):
        aspect("relu", C_W=2)
    with pytest.raises(InputError, match="outputs"):
        aspect("relu", outputs=0)
