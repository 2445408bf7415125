"""Averages over many inputs at once against closed forms, one pair at a time and 20-digit quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pertheory.averages.choose import TABLE
from pertheory.averages.gaussian import GaussianAverages, Request
from pertheory.averages.methods.mehler import Layout, pair_averages
from pertheory.functions.activation import activation

pytestmark = pytest.mark.filterwarnings("error")


def f(*orders: int, legs: int = 0) -> tuple[int, tuple[tuple[str, int], ...]]:
    return legs, tuple(("s", order) for order in orders)


def random_covariance(size: int, seed: int, scale: float) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, size + 1))
    return root @ root.T * scale / size


PAIRS: list[Request] = [(f(0), f(0)), (f(1), f(1)), (f(3), f(1)), (f(2), f(0)), (f(0, 1, legs=1), f(2, 0))]


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid", "sin", "x^3 - x"])
@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_all_pairs_agree_with_one_pair_at_a_time(name: str, scale: float) -> None:
    (many,) = (row.bound for row in TABLE if row.kind == "two, smooth")
    k = random_covariance(many + 1, 3, scale)
    average = GaussianAverages({"s": activation(name)})
    together = average(k, PAIRS)
    for i, j in [(0, 1), (3, 2), (4, 4)]:
        some = [i, j] if i != j else [i]
        for request, value in zip(PAIRS, together, strict=True):
            alone = average(k[np.ix_(some, some)], [request])[0][0, -1]
            size = np.sqrt(abs(value[i, i] * value[j, j])) + np.abs(value).max()
            assert value[i, j] == pytest.approx(alone, rel=1e-11, abs=1e-11 * size), (request, i, j)


@pytest.mark.parametrize("scale", [1e-4, 0.5, 20.0])
def test_the_arcsine_law_holds_for_forty_inputs(scale: float) -> None:
    k = random_covariance(40, 5, scale)
    v = 1 + 2 * k.diagonal()
    exact = 2 / math.pi * np.arcsin(2 * k / np.sqrt(np.outer(v, v)))
    found = GaussianAverages({"s": activation("erf")})(k, [(f(0), f(0))])[0]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12 * min(1, 10 * scale))


def test_an_average_of_many_inputs_agrees_with_twenty_digits() -> None:
    """The series for all pairs; <s s''> as mpmath's own quadrature has it, which took six seconds."""
    k = random_covariance(6, 8, 1.2)
    k[1, 1], k[4, 4] = 1.4500005301509942, 2.775034645645666
    k[1, 4] = k[4, 1] = -0.5160908505089388
    found = GaussianAverages({"s": activation("tanh")})(k, [(f(0), f(2))])[0][1, 4]
    assert found == pytest.approx(0.034135924834672473635, abs=1e-13)


def test_repeated_collinear_and_zero_inputs_are_exact() -> None:
    # z, z again, -z, 2 z, 0, and another
    loadings = np.array([[1.0, 0], [1.0, 0], [-1.0, 0], [2.0, 0], [0, 0], [0.3, 0.8]])
    k = loadings @ loadings.T * 1.3
    average = GaussianAverages({"s": activation("tanh")})
    two, mixed = average(k, [(f(0), f(0)), (f(1), f(2, 0))])
    z = np.linspace(-11, 11, 2001) * math.sqrt(1.3)
    w = np.exp(-z * z / 2.6) / np.exp(-z * z / 2.6).sum()
    assert two[0, 1] == two[0, 0] == pytest.approx(float(w @ np.tanh(z) ** 2), rel=1e-12)
    assert two[0, 2] == pytest.approx(-two[0, 0], rel=1e-11)
    assert two[1, 3] == pytest.approx(float(w @ (np.tanh(z) * np.tanh(2 * z))), rel=1e-11)
    assert np.all(two[4] == 0)
    np.testing.assert_allclose(mixed[4, [0, 1]], mixed[4, 0], rtol=1e-12)
    assert mixed[0, 1] == mixed[1, 0] == mixed[0, 0]


def test_nearly_collinear_inputs_of_large_variance_are_left_to_the_direct_method() -> None:
    k = 900 * np.array([[1, 0.9999, 0.5, 0], [0.9999, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 1]])
    found = GaussianAverages({"s": activation("sin")})(k, [(f(0), f(0))])[0]
    v = k.diagonal()
    exact = np.exp(-(v[:, None] + v) / 2 + k) / 2 - np.exp(-(v[:, None] + v) / 2 - k) / 2
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-11)


@given(st.integers(0, 10_000), st.permutations(range(5)))
@settings(max_examples=10)
def test_relabelling_inputs_permutes_the_result(seed: int, order: list[int]) -> None:
    k = random_covariance(5, seed, 0.8)
    average = GaussianAverages({"s": activation("tanh")})
    plain, moved = average(k, [(f(0), f(2))])[0], average(k[np.ix_(order, order)], [(f(0), f(2))])[0]
    np.testing.assert_allclose(moved, plain[np.ix_(order, order)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "gelu", "sin"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_error_estimate_of_a_conditional_pair_is_not_too_small(name: str, size: int) -> None:
    functions = (("s", activation(name)),)
    k = random_covariance(size, 11, 0.7) * (0.5 + 0.5 * np.eye(size))
    atoms = [tuple((("s", order),) for order in orders[:size]) for orders in [(0, 0, 0, 0), (2, 1, 1, 0), (3, 1, 1, 1)]]
    layout = Layout.of(atoms)
    found, fine = (pair_averages(functions, k, layout, refine) for refine in (0.8, 2.0))
    assert found is not None
    assert fine is not None
    assert np.all(found[1] < 1e-6)
    assert np.all(np.abs(found[0] - fine[0]) <= 10 * found[1] + 1e-12)


def test_fast_oscillations_are_not_mistaken_for_nothing() -> None:
    # all coefficients of sin at this variance lie far beyond the first hundred
    k = 900 * np.array([[1, 0.999, 0.3], [0.999, 1, 0.3], [0.3, 0.3, 1]])
    functions = (("s", activation("sin")),)
    line = (("s", 0),)
    found = pair_averages(functions, k[:2, :2], Layout.of([(line, line)]), 1.0)
    assert found is None or found[1][0] > 0.1


@pytest.mark.parametrize("seed", [0, 7, 8, 11])
def test_bounds_of_quarter_octaves_that_are_not_good_enough_are_measured_once_more(seed: int) -> None:
    """128 random inputs: a large variance among them would send all pairs to methods that take far longer."""
    table = np.random.default_rng(seed).standard_normal((128, 8))
    average = GaussianAverages({"s": activation("tanh")})
    average(table @ table.T / 8, [(f(0), f(0)), (f(1), f(1))])
    others = [own.averages for (_, method), own in average.account.used.items() if method != "mehler series"]
    assert sum(others) < 50
