"""Functions that are hardly ever different from zero, functions that grow, and variances whose powers underflow.

Averages of all of these are far below roots of mean squares, or products of what they are made of: zero must not pass
for one of them.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pertheory.averages.gaussian import GaussianAverages
from pertheory.functions.activation import activation
from tests.run.one_factor import covariance, exact


def request(*orders: int | tuple[int, ...]) -> tuple[tuple[int, tuple[tuple[str, int], ...]], ...]:
    factors = [order if isinstance(order, tuple) else (order,) for order in orders]
    return tuple((0, tuple(("s", order) for order in factor)) for factor in factors)


@pytest.mark.parametrize(
    ("name", "order", "spread", "rho", "inputs"),
    [
        ("softshrink", 0, 0.03, 0.8, 2),
        ("softshrink", 1, 0.05, 0.3, 2),
        ("softshrink", 1, 0.05, 0.8, 3),
        ("softshrink", 0, 0.05, 0.8, 4),
        ("hard_shrink", 1, 0.05, 0.8, 2),
        ("hard_shrink", 1, 0.05, 0.3, 3),
        ("max(0,x-4)", 0, 0.4, 0.8, 3),
        ("max(0,x-4)", 1, 0.4, 0.8, 4),
    ],
)
@pytest.mark.filterwarnings("error")
def test_far_dead_zones_have_small_averages_not_none(
    name: str, order: int, spread: float, rho: float, inputs: int
) -> None:
    averages = GaussianAverages({"s": activation(name)}, distinct=True)
    (found,) = averages(covariance(spread, rho, inputs), [request(*[order] * inputs)])
    wanted = exact(name, order, spread, rho, inputs)
    assert 0 < wanted < 1e-20
    assert found[tuple(range(inputs))] == pytest.approx(wanted, rel=1e-9, abs=0)


def test_where_the_weight_of_four_inputs_lies_beyond_a_lattice_it_is_not_taken_for_the_average() -> None:
    """<s' s' s' s'> of softshrink: the shared direction is looked at to 12 deviations, the weight lies at 11.5."""
    from pertheory.averages.methods.smeared import Smearing

    own = Smearing({"s": activation("softshrink")}).prepare(np.zeros(4), covariance(0.05, 0.3, 4))
    assert own is not None
    found = own.average(((("s", 1),),) * 4)
    assert abs(found.value - exact("softshrink", 1, 0.05, 0.3, 4)) <= found.error


@pytest.mark.filterwarnings("error")
def test_rare_pairs_among_many_inputs_are_what_they_are_alone() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((8, 5))
    k = x @ x.T / np.outer(*[np.linalg.norm(x, axis=1)] * 2)
    function, wanted = activation("max(0,x-4)"), [request(0, 0), request(1, 1)]
    many = GaussianAverages({"s": function}, distinct=True)(k, wanted)
    for i, j in itertools.combinations(range(8), 2):
        few = GaussianAverages({"s": function}, distinct=True)(k[np.ix_([i, j], [i, j])], wanted)
        for one, two in zip(many, few, strict=True):
            assert one[i, j] == pytest.approx(two[0, 1], rel=1e-8, abs=0)


@pytest.mark.parametrize("variance", [1.0, 9.0, 25.0])
@pytest.mark.parametrize("rho", [-0.95, -0.5, 0.5, 0.9])
@pytest.mark.parametrize("inputs", [2, 3])
def test_functions_that_grow_have_the_error_that_is_estimated(variance: float, rho: float, inputs: int) -> None:
    """exp(x) - 1: exponentials of sums of inputs, one for each set of them."""
    if rho < 0 and inputs > 2:
        rho /= 3.0
    k = covariance(math.sqrt(variance), rho, inputs)
    averages = GaussianAverages({"s": activation("exp(x)-1")}, rtol=1e-6)
    (found,) = averages(k, [request(*[0] * inputs)])
    value, scale = (
        sum(
            sign ** (inputs - sum(choice)) * math.exp(np.array(choice) @ k @ np.array(choice) / 2)
            for choice in itertools.product((0, 1), repeat=inputs)
        )
        for sign in (-1, 1)
    )
    assert averages.worst_error < 1e-6
    assert abs(found[tuple(range(inputs))] - value) <= 10 * (averages.worst_error + 1e-14) * scale


@pytest.mark.parametrize("variance", [1e-60, 1e-150, 1e-250, 1e-300])
@pytest.mark.filterwarnings("error")
def test_a_delta_times_powers_of_tiny_variances_is_what_homogeneity_says(variance: float) -> None:
    """< s'' s (s s) > of relu goes with the variance: the density with its root, and three halves of it are left."""
    averages = GaussianAverages({"s": activation("relu")}, distinct=True)
    (one,), (found,) = (averages(scale * covariance(1.0, 0.3, 3), [request(2, 0, (0, 0))]) for scale in (1.0, variance))
    assert found[0, 1, 2] == pytest.approx(one[0, 1, 2] * variance, rel=1e-12, abs=0)


def test_what_underflows_before_it_meets_a_large_density_is_warned_of() -> None:
    averages = GaussianAverages({"s": activation("selu")}, distinct=True)
    with pytest.warns(UserWarning, match="estimated relative error inf"):
        averages(1e-250 * covariance(1.0, 0.3, 3), [request(2, 0, (0, 0))])
