"""Averages with smeared kinks, against exact orthants, one-dimensional integrals of mpmath and nested panels."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from pertheory.averages.methods.nested import NestedAverages, edges_of
from pertheory.averages.methods.smeared import Smearing
from pertheory.averages.methods.splitting import split
from pertheory.functions.activation import activation
from tests.reference.orthant_moments import OrthantMoments
from tests.run.one_average import one_average

pytestmark = pytest.mark.filterwarnings("error")


def random_correlation(size: int, rng: np.random.Generator) -> np.ndarray:
    root = rng.normal(size=(size, size + 3))
    if rng.random() < 0.5:
        root = np.abs(root)
    k = root @ root.T
    sigma = np.sqrt(k.diagonal())
    return k / np.outer(sigma, sigma)


def lines(*orders: int) -> tuple[tuple[tuple[str, int], ...], ...]:
    return tuple((("s", order),) for order in orders)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_split_is_the_correlation_again(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(20):
        c = random_correlation(size, rng)
        found = split(c, 30.0)
        assert found is not None
        noise = np.diag(found.spreads**2)
        a, b = found.pair
        noise[a, b] = noise[b, a] = found.ratio * found.spreads[a] * found.spreads[b]
        np.testing.assert_allclose(found.loadings @ found.loadings.T + noise, c, atol=1e-13)
        assert found.loadings.shape[1] == (2 if size == 4 else 1)
        assert np.linalg.eigvalsh(noise)[0] > 0


def test_a_singular_correlation_is_not_split() -> None:
    assert split(np.ones((2, 2)), 30.0) is None
    assert split(np.array([[1, 0.6, 0.8], [0.6, 1, 0], [0.8, 0, 1.0]]), 30.0) is None


# ------------------------------------------------------------------- exact values


@pytest.mark.parametrize("size", [2, 3, 4])
def test_errors_from_exact_orthants_are_small_and_what_is_estimated(size: int) -> None:
    # ReLU at zero mean has exact moments; here its kink is smeared like any other
    rng = np.random.default_rng(10 + size)
    ratios = []
    for _ in range(20):
        k = random_correlation(size, rng) * rng.uniform(0.1, 10)
        smeared = Smearing({"s": activation("relu")}).prepare(np.zeros(size), k)
        if smeared is None:
            continue
        exact = OrthantMoments(k)
        for _ in range(3):
            orders = rng.integers(0, 2, size=size).tolist()
            found = smeared.average(lines(*orders))
            true = exact(tuple((1 - order, 1) for order in orders)).value
            error = abs(found.value - true)
            assert error <= 1e-11 * found.scale
            ratios.append(found.error / max(error, 1e-15 * found.scale))
    assert len(ratios) >= 40
    assert np.mean(np.array(ratios) >= 1 - 1e-12) >= 0.98
    assert np.median(ratios) < 100


def elu_given(m: mpmath.mpf, s: mpmath.mpf, order: int) -> mpmath.mpf:
    """<elu(m + s xi)> and <elu'(m + s xi)> for standard normal xi."""
    tail = mpmath.exp(m + s * s / 2) * mpmath.ncdf(-m / s - s)
    if order:
        return tail + mpmath.ncdf(m / s)
    return tail - mpmath.ncdf(-m / s) + m * mpmath.ncdf(m / s) + s * mpmath.npdf(m / s)


def hard_tanh_given(m: mpmath.mpf, s: mpmath.mpf, order: int) -> mpmath.mpf:
    a, b = (-1 - m) / s, (1 - m) / s
    inside = mpmath.ncdf(b) - mpmath.ncdf(a)
    if order:
        return inside
    return 1 - mpmath.ncdf(b) - mpmath.ncdf(a) + m * inside - s * (mpmath.npdf(b) - mpmath.npdf(a))


@pytest.mark.parametrize(("name", "given"), [("elu", elu_given), ("hard_tanh", hard_tanh_given)])
@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_equally_correlated_inputs_agree_with_one_dimensional_integrals(name, given, correlation) -> None:
    # z_i = sqrt(k c) y + sqrt(k (1 - c)) xi_i: given y the inputs are independent
    variance = 2.0
    k = variance * (correlation * np.ones((4, 4)) + (1 - correlation) * np.eye(4))
    functions = {"s": activation(name)}
    with mpmath.workdps(18):
        shared, own = (
            mpmath.sqrt(variance * mpmath.mpf(correlation)),
            mpmath.sqrt(variance * (1 - mpmath.mpf(correlation))),
        )
        for orders in [(0, 1, 1, 0), (1, 0, 1), (0, 0)]:
            exact = mpmath.quad(
                lambda y, o=orders: mpmath.fprod(given(shared * y, own, n) for n in o) * mpmath.npdf(y),
                [-9, -3, 0, 3, 9],
            )
            found = one_average(functions, k, [(tuple(enumerate(lines(*orders))), 1)]).value
            assert found == pytest.approx(float(exact), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("variance", [1e-12, 1e-4, 1.0, 1e4])
def test_hard_tanh_at_two_inputs_for_variances_of_sixteen_decades(variance: float) -> None:
    rho = 0.6
    k = variance * np.array([[1, rho], [rho, 1]])
    with mpmath.workdps(30):
        s = mpmath.sqrt(variance)
        own = s * mpmath.sqrt(1 - mpmath.mpf(rho) ** 2)
        corner = 1 / s
        points = sorted({-14, -5, -1, 0, 1, 5, 14, *(float(x) for x in (-corner, corner) if corner < 14)})

        def outer(x: mpmath.mpf, order: int) -> mpmath.mpf:
            z = s * x
            value = mpmath.mpf(abs(z) < 1) if order else min(max(z, -1), 1)
            return value * hard_tanh_given(rho * z, own, order) * mpmath.npdf(x)

        for order in (0, 1):
            exact = float(mpmath.quad(lambda x, o=order: outer(x, o), points))
            found = one_average({"s": activation("hard_tanh")}, k, [(tuple(enumerate(lines(order, order))), 1)])
            assert found.value == pytest.approx(exact, rel=1e-10)
            assert found.relative < 1e-9


# ------------------------------------------------------------------- other methods


#: Nested panels take a minute on three inputs of functions that are more than polynomials and exponentials.
AGREE = [
    *((name, size) for name in ("hard_tanh", "elu") for size in (1, 2, 3)),
    *((name, size) for name in ("max(0, x)*tanh(x)", "tanh(x) + abs(x - 1)") for size in (1, 2)),
]


@pytest.mark.parametrize(("name", "size"), AGREE)
def test_smeared_kinks_agree_with_nested_panels_at_any_mean(name: str, size: int) -> None:
    rng = np.random.default_rng(size)
    functions = {"s": activation(name)}
    for mean in (np.zeros(size), rng.normal(size=size)):
        k = random_correlation(size, rng)
        smeared, nested = Smearing(functions).prepare(mean, k), NestedAverages(functions, mean, k)
        assert smeared is not None
        for orders in [(0, 0, 1), (1, 0, 0), (1, 1, 1)]:
            one, other = smeared.average(lines(*orders[:size])), nested.average(lines(*orders[:size]))
            assert abs(one.value - other.value) <= 3e-12 * other.scale
            assert abs(one.value - other.value) <= one.error + 30 * other.error
            assert one.scale == pytest.approx(other.scale, rel=0.5)


def test_a_variable_that_shares_nothing_with_the_others_is_a_factor() -> None:
    functions = {"s": activation("hard_swish")}
    mean, k = np.array([-1.5, -2.25, -1.125]), np.array([[192.0, 0.0, 0.0], [0.0, 112.0, 56.0], [0.0, 56.0, 220.0]])
    both, alone, rest = (
        Smearing(functions).prepare(mean[part], k[part, part]) for part in (slice(3), slice(1), slice(1, 3))
    )
    assert both is not None
    assert alone is not None
    assert rest is not None
    expected = alone.average(lines(2)).value * rest.average(lines(0, 1)).value
    found = both.average(lines(2, 0, 1))
    assert abs(found.value - expected) <= 2 * found.error
    assert found.error < 1e-11 * found.scale


def test_more_accuracy_is_there_for_the_asking() -> None:
    k = random_correlation(4, np.random.default_rng(5))
    values, errors = [], []
    for rtol in (1e-3, 1e-13):
        found = one_average({"s": activation("hard_tanh")}, k, [(tuple(enumerate(lines(0, 1, 1, 0))), 1)], rtol)
        values.append(found.value)
        errors.append(found.relative)
    assert errors[1] < 1e-12 < errors[0] < 1e-3
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def test_what_panels_do_not_resolve_shows_in_the_estimate() -> None:
    # the table is made for the function and its first derivative; high derivatives are rough
    rough = Smearing({"s": activation("max(0, x)*tanh(30*x)")}).prepare(np.zeros(1), np.eye(1))
    assert rough is not None
    assert rough.average(lines(6)).error > 1e3 * rough.average(lines(0)).error / rough.average(lines(0)).scale


def test_cuts_end_where_values_are_rounding() -> None:
    # exp(x) - 1 at x = 1e-9 has seven digits
    assert len(edges_of((("s", activation("elu")),), 2.0**-30)) < 20


@pytest.mark.parametrize("sigma", [1.0, 100.0, 3000.0])
def test_what_happens_close_to_a_kink_is_seen_from_far_away(sigma: float) -> None:
    # <elu''> has exp on the left side only: exp(v/2) Phi(-sigma); at sigma = 3000 a thousandth of what is looked at
    with mpmath.workdps(30):
        s = mpmath.mpf(sigma)
        exact = float(mpmath.exp(s * s / 2) * mpmath.erfc(s / mpmath.sqrt(2)) / 2)
    found = one_average({"s": activation("elu")}, np.array([[sigma**2]]), [(((0, (("s", 2),)),), 1)])
    assert found.value == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(("size", "apart"), [(3, 1e-1), (3, 1e-3), (4, 3e-2)])
def test_close_inputs_have_their_exact_orthants(size: int, apart: float) -> None:
    # correlations of 1 - apart: little noise, so that every patch of points has panels of its own
    c = random_correlation(size, np.random.default_rng(23))
    k = 2.0 * ((1 - apart) + apart * c)
    smeared = Smearing({"s": activation("relu")}).prepare(np.zeros(size), k)
    assert smeared is not None
    exact = OrthantMoments(k)
    for orders in [(0,) * size, (1,) * size, (1, 0, 0, 1)[:size]]:
        found = smeared.average(lines(*orders))
        true = exact(tuple((1 - order, 1) for order in orders)).value
        assert found.value == pytest.approx(true, rel=1e-11)
        assert abs(found.value - true) <= found.error <= 1e-9 * found.scale
