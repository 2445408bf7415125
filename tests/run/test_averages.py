"""Gaussian averages against closed forms, Wick sums and 30-digit quadrature."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pertheory.averages.gaussian import GaussianAverages, Request
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import activation

pytestmark = pytest.mark.filterwarnings("error")


def f(*orders: int, legs: int = 0, name: str = "s") -> tuple[int, tuple[tuple[str, int], ...]]:
    return legs, tuple((name, order) for order in orders)


def averages(name: str, covariance: object, *requests: Request, **parameters: float) -> list[np.ndarray]:
    return GaussianAverages({"s": activation(name, **parameters)})(np.array(covariance, dtype=float), requests)


def random_covariance(size: int, seed: int, scale: float, rank: int | None = None) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, rank or size + 1))
    k = root @ root.T
    return k * scale / np.mean(k.diagonal())


def panelled(reach: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(30)
    edges = np.linspace(-reach, reach, panels + 1)
    half = reach / panels
    return (edges[:-1, None] + half * (x + 1)).ravel(), np.tile(half * w, panels)


def gauss_legendre(covariance: np.ndarray, functions: list, reach: float = 9.0, count: int = 60) -> float:
    """Independent rule: Gauss-Legendre in every dimension of the symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values)
    x, w = np.polynomial.legendre.leggauss(count)
    x, w = reach * x, reach * w * np.exp(-((reach * x) ** 2) / 2) / math.sqrt(2 * math.pi)
    total = 0.0
    for first, weight in zip(x, w, strict=True):
        grid = np.meshgrid(*[x] * (len(covariance) - 1), indexing="ij")
        xi = [np.full(grid[0].shape, first), *grid]
        product = np.ones(grid[0].shape)
        for row, function in zip(root, functions, strict=True):
            product = product * function(sum(c * part for c, part in zip(row, xi, strict=True)))
        for _ in grid:
            product = product @ w
        total += weight * float(product)
    return total


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 0.2, 1.0, 5.0, 30.0, 100.0])
def test_sine_is_a_sum_of_exponentials(scale: float) -> None:
    k = random_covariance(4, 1, scale)
    two, four, mixed = averages("sin", k, (f(0), f(0)), (f(0),) * 4, (f(1), f(0), f(2), f(3)))
    v = k.diagonal()
    exact = np.exp(-(v[:, None] + v) / 2 + np.abs(k)) * np.sign(k) * -np.expm1(-2 * np.abs(k)) / 2
    np.testing.assert_allclose(two, exact, rtol=0, atol=1e-11 * min(1, scale))

    def phases(shifts: list[float]) -> float:  # sin(z + shift) as exponentials of +-i(z + shift)
        total = 0.0
        for signs in itertools.product([1, -1], repeat=4):
            s = np.array(signs)
            total += (np.prod(s) * np.exp(1j * s @ shifts - s @ k @ s / 2) / (2j) ** 4).real
        return float(total)

    half = math.pi / 2
    # the sum itself cancels to its own rounding, so small K is checked on the absolute scale of the terms
    assert four[0, 1, 2, 3] == pytest.approx(phases([0, 0, 0, 0]), abs=1e-11 * min(1, scale**2) + 2e-16)
    assert mixed[0, 1, 2, 3] == pytest.approx(phases([half, 0, 2 * half, 3 * half]), abs=1e-11)


@pytest.mark.parametrize("scale", [1e-6, 0.2, 1.0, 5.0, 30.0])
def test_error_function_follows_the_arcsine_law(scale: float) -> None:
    k = random_covariance(3, 2, scale)
    v = 1 + 2 * k.diagonal()
    exact = 2 / math.pi * np.arcsin(2 * k / np.sqrt(np.outer(v, v)))
    np.testing.assert_allclose(averages("erf", k, (f(0), f(0)))[0], exact, rtol=0, atol=1e-11 * min(1, scale))


def test_exponential_has_its_moment_generating_function() -> None:
    k = random_covariance(4, 3, 1.5)
    found = averages("exp", k, (f(0), f(1), f(2), f(3)))[0][0, 1, 2, 3]
    assert found == pytest.approx(math.exp(k.sum() / 2), rel=1e-10)


def wick(covariance: np.ndarray, indices: tuple[int, ...]) -> float:
    if not indices:
        return 1.0
    first, rest = indices[0], indices[1:]
    return sum(covariance[first, rest[i]] * wick(covariance, rest[:i] + rest[i + 1 :]) for i in range(len(rest)))


def test_polynomials_agree_with_wick_sums() -> None:
    k = random_covariance(4, 4, 0.8)
    square, cube = averages("x2", k, (f(0), f(0), f(1), f(0)))[0], averages("x3", k, (f(0), f(1)))[0]
    for a, b, c, d in [(0, 1, 2, 3), (0, 0, 1, 3), (2, 2, 2, 2), (1, 3, 1, 3)]:
        assert square[a, b, c, d] == pytest.approx(2 * wick(k, (a, a, b, b, c, d, d)) or 0.0, rel=1e-12, abs=1e-13)
        assert cube[a, b] == pytest.approx(3 * wick(k, (a, a, a, b, b)), rel=1e-12, abs=1e-13)
    six = averages("x^2 - x", k, (f(0),) * 6)[0]
    expected = 0.0
    inputs = (0, 1, 2, 3, 1, 0)
    for powers in itertools.product([1, 2], repeat=6):
        legs = tuple(i for i, p in zip(inputs, powers, strict=True) for _ in range(p))
        expected += (-1) ** powers.count(1) * wick(k, legs)
    assert six[inputs] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("correlation", [0.0, 0.3, -0.9, 0.999, -1.0, 1.0])
def test_relu_kernels_are_the_arc_cosine_kernels(correlation: float) -> None:
    k = np.array([[1.0, correlation * 1.5], [correlation * 1.5, 2.25]])
    kernel, slope = averages("relu", k, (f(0), f(0)), (f(1), f(1)))
    angle = math.acos(correlation)
    assert kernel[0, 1] == pytest.approx(
        1.5 * (math.sin(angle) + (math.pi - angle) * correlation) / (2 * math.pi), abs=1e-12
    )
    assert slope[0, 1] == pytest.approx((math.pi - angle) / (2 * math.pi), abs=1e-12)
    np.testing.assert_allclose(kernel.diagonal(), k.diagonal() / 2, rtol=1e-13)


# ------------------------------------------------------------- high precision

TRUE = {
    "tanh": mpmath.tanh,
    "gelu": lambda x: x / 2 * (1 + mpmath.erf(x / mpmath.sqrt(2))),
    "swish": lambda x: x / (1 + mpmath.exp(-x)),
}


def tanh_derivative(order: int, x: mpmath.mpf) -> mpmath.mpf:
    t = mpmath.tanh(x)
    w = 1 - t * t
    return [t, w, -2 * t * w, w * (6 * t * t - 2), w * t * (16 - 24 * t * t)][order]


def mp_average(function: object, variance: float) -> float:
    with mpmath.workdps(30):
        sigma = mpmath.sqrt(mpmath.mpf(variance))
        points = [mpmath.mpf(p) for p in (-14, -6, -3, -1, -0.3, 0, 0.3, 1, 3, 6, 14)]
        return float(mpmath.quad(lambda x: function(sigma * x) * mpmath.npdf(x), points))  # type: ignore[operator]


@pytest.mark.parametrize("variance", [1e-6, 0.2, 1.0, 5.0, 30.0])
def test_one_dimensional_tanh_agrees_with_thirty_digits(variance: float) -> None:
    requests = [(f(0, 0),), (f(1, 1),), (f(2, 0),), (f(0, 0, 0, 0),), (f(4, 0),), (f(0, 0, legs=2),)]
    found = [float(r[0]) for r in averages("tanh", [[variance]], *requests)]
    d = tanh_derivative
    exact = [
        lambda x: d(0, x) ** 2,
        lambda x: d(1, x) ** 2,
        lambda x: d(2, x) * d(0, x),
        lambda x: d(0, x) ** 4,
        lambda x: d(4, x) * d(0, x),
        lambda x: 2 * d(1, x) ** 2 + 2 * d(0, x) * d(2, x),
    ]
    for value, function in zip(found, exact, strict=True):
        assert value == pytest.approx(mp_average(function, variance), rel=1e-10)


@pytest.mark.parametrize("name", ["gelu", "swish"])
@pytest.mark.parametrize("variance", [1e-6, 1.0, 30.0])
def test_one_dimensional_gelu_and_swish_agree_with_thirty_digits(name: str, variance: float) -> None:
    found = averages(name, [[variance]], (f(0, 0),), (f(0),))
    for value, power in zip(found, (2, 1), strict=True):
        exact = mp_average(lambda x, p=power: TRUE[name](x) ** p, variance)
        assert float(value[0]) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize(("scale", "correlation"), [(1e-6, 0.4), (0.2, -0.7), (1.0, 0.95), (5.0, 0.3), (30.0, 0.6)])
def test_two_dimensional_tanh_agrees_with_an_independent_series(scale: float, correlation: float) -> None:
    # Mehler: <F(a) G(b)> = sum_n rho^n / n! <F He_n> <G He_n>, coefficients by 30-digit Gauss-Legendre panels
    k = scale * np.array([[1.0, correlation], [correlation, 1.0]])
    found = averages("tanh", k, (f(0), f(0)))[0][0, 1]
    terms = 400 if abs(correlation) > 0.9 else 80
    x, w = panelled(24.0, 100)
    lower, value = np.zeros_like(x), np.exp(-x * x / 4)  # normalised Hermite functions, stable recursion
    total = 0.0
    for n in range(terms):
        coefficient = float(np.sum(w * np.tanh(np.sqrt(scale) * x) * value * np.exp(-x * x / 4)))
        total += correlation**n * coefficient**2 / math.sqrt(2 * math.pi) ** 2
        lower, value = value, (x * value - math.sqrt(n) * lower) / math.sqrt(n + 1)
    assert found == pytest.approx(total, rel=1e-10)


def test_two_dimensional_tanh_agrees_with_twenty_digits() -> None:
    """<s s''>, kept from mpmath's own quadrature: quad over [-8, 0, 8] squared with 20 digits took six seconds."""
    found = averages("tanh", np.array([[1.0, 0.5], [0.5, 1.5]]), (f(0), f(2)))[0][0, 1]
    assert found == pytest.approx(-0.076145523347606933472, rel=1e-13)


@pytest.mark.parametrize("scale", [0.2, 1.5])
def test_three_distinct_inputs_agree_with_another_rule(scale: float) -> None:
    s = activation("tanh")
    k = random_covariance(3, 5, scale)
    found = averages("tanh", k, (f(0), f(1), f(0, 2)))[0][0, 1, 2]
    functions = [s.derivative(0), s.derivative(1), lambda z: s.derivative(0)(z) * s.derivative(2)(z)]
    exact = gauss_legendre(k, functions, count=60)
    assert found == pytest.approx(exact, abs=1e-11)


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_four_distinct_inputs_agree_with_another_rule(name: str) -> None:
    s = activation(name)
    k = random_covariance(4, 6, 0.4)
    found = averages(name, k, (f(0),) * 4, (f(0), f(1), f(2), f(1)))
    for orders, value in zip([(0, 0, 0, 0), (0, 1, 2, 1)], found, strict=True):
        exact = gauss_legendre(k, [s.derivative(o) for o in orders], reach=7.0, count=48)
        assert value[0, 1, 2, 3] == pytest.approx(exact, abs=1e-10)


# --------------------------------------------------------- singular covariance


def test_repeated_collinear_and_zero_inputs_are_exact() -> None:
    # inputs: z, z again, -2 z, 0
    c = np.array([1.0, 1.0, -2.0, 0.0])
    k = 0.7 * np.outer(c, c)
    two, four = averages("tanh", k, (f(0), f(0)), (f(0), f(2), f(0), f(1)))
    for a, b in itertools.product(range(4), repeat=2):
        exact = mp_average(lambda x, a=a, b=b: mpmath.tanh(c[a] * x) * mpmath.tanh(c[b] * x), 0.7)
        assert two[a, b] == pytest.approx(exact, rel=1e-11, abs=1e-15)
    d = tanh_derivative
    exact = mp_average(lambda x: d(0, x) * d(2, x) * d(0, -2 * x) * d(1, 0 * x), 0.7)
    assert four[0, 1, 2, 3] == pytest.approx(exact, rel=1e-11)
    assert four[3, 3, 3, 3] == 0.0


def test_rank_two_covariance_of_four_inputs_agrees_with_two_variables() -> None:
    directions = np.array([[1.0, 0.0], [0.6, 0.8], [-0.3, 1.1], [1.0, 1.0]])
    k = directions @ directions.T
    found = averages("tanh", k, (f(0),) * 4)[0][0, 1, 2, 3]

    x, w = panelled(10.0, 12)
    w = w * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    z = directions[:, 0, None, None] * x[:, None] + directions[:, 1, None, None] * x
    assert found == pytest.approx(float(w @ np.prod(np.tanh(z), axis=0) @ w), abs=1e-12)


def test_nearly_singular_covariance_is_continuous() -> None:
    k = random_covariance(3, 7, 1.0, rank=2)
    singular = averages("tanh", k, (f(0), f(1), f(0)))[0]
    for bump in (1e-15, 1e-12, 1e-9):
        moved = averages("tanh", k + bump * np.eye(3), (f(0), f(1), f(0)))[0]
        np.testing.assert_allclose(moved, singular, atol=10 * bump + 1e-11)


def test_all_zero_covariance_gives_values_at_zero() -> None:
    a, b = averages("sigmoid", np.zeros((2, 2)), (f(0), f(1)), (f(0, 0, legs=2),))
    np.testing.assert_allclose(a, 0.125)
    np.testing.assert_allclose(b, 0.125)


# ------------------------------------------------------------------------ laws


@given(st.integers(0, 10_000), st.permutations(range(3)))
@settings(max_examples=20)
def test_relabelling_inputs_permutes_the_result(seed: int, order: list[int]) -> None:
    k = random_covariance(3, seed, 0.6)
    request = (f(0), f(2, 1), f(1))
    for name in ("tanh", "swish"):
        plain = averages(name, k, request)[0]
        moved = averages(name, k[np.ix_(order, order)], request)[0]
        np.testing.assert_allclose(moved, plain[np.ix_(order, order, order)], rtol=1e-10, atol=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(["tanh", "gelu", "sin", "x^3 - x"]))
@settings(max_examples=15)
def test_stein_identity(seed: int, name: str) -> None:
    # <z_a F(z_b) G(z_c)> = K_ab <F' G> + K_ac <F G'>
    k = random_covariance(3, seed, 0.9)
    left, first, second = averages(name, k, (f(0, name="id"), f(0, 1), f(0)), (f(0, 1, legs=1), f(0)), (f(0, 1), f(1)))
    right = np.einsum("ab,bc->abc", k, first) + np.einsum("ac,bc->abc", k, second)
    np.testing.assert_allclose(left, right, atol=1e-10 * max(1.0, float(np.abs(right).max())))


def test_four_legs_are_the_leibniz_sum() -> None:
    k = random_covariance(2, 8, 0.5)
    legs, *parts = averages("tanh", k, (f(0, 0, legs=4), f(0)), (f(0, 4), f(0)), (f(1, 3), f(0)), (f(2, 2), f(0)))
    np.testing.assert_allclose(legs, 2 * parts[0] + 8 * parts[1] + 6 * parts[2], atol=1e-12)


def test_two_functions_in_one_average() -> None:
    both = GaussianAverages({"s": activation("sin"), "s2": activation("cos")})
    k = random_covariance(2, 9, 0.7)
    found = both(k, [((0, (("s", 0),)), (0, (("s2", 1),))), ((0, (("s", 0),)), (0, (("s", 0),)))])
    np.testing.assert_allclose(found[0], -found[1], atol=1e-13)


# ---------------------------------------------------------------------- kinks


@pytest.mark.parametrize("variance", [0.3, 2.0])
def test_relu_single_input_values(variance: float) -> None:
    density = 1 / math.sqrt(2 * math.pi * variance)
    cases: dict[Request, float] = {
        (f(0, 0),): variance / 2,
        (f(1, 1),): 0.5,
        (f(0, 0, 0, 0),): 1.5 * variance**2,
        (f(0, 0, legs=2),): 1.0,
        (f(0, 0, legs=4),): 0.0,  # <s^2 He_4> / K^2
        (f(0, 0, 0, 0, legs=4),): 12.0,  # half of d^4 z^4
        (f(1, 1, legs=2),): 0.0,
        (f(1, legs=1),): density,
        (f(2, 1),): density / 2,
        (f(2, 1, 1),): density / 3,
        (f(2, 0),): 0.0,
        (f(3, 0, 0),): 0.0,
        (f(0, 0, legs=2), f(0, 0)): variance,  # (2 s'^2 + 2 s s'') s^2
        (f(0, 0, legs=2), f(0, 0, legs=2)): 2.0,
        (f(0), f(0, name="id")): variance / 2,
    }
    average = GaussianAverages({"s": activation("relu")})
    found = average(np.array([[variance]]), list(cases))
    for request, value, expected in zip(cases, found, cases.values(), strict=True):
        assert value.ravel()[0] == pytest.approx(expected, rel=1e-12, abs=1e-13), request
    assert average.divergences == []


def test_leaky_relu_and_abs_single_input_values() -> None:
    leaky = averages("leaky_relu", [[1.5]], (f(0, 0),), (f(2, 1),), (f(0, 0, 0, 0),), slope=0.2)
    density = 1 / math.sqrt(2 * math.pi * 1.5)
    expected = [1.5 * (1 + 0.04) / 2, density * (1 - 0.04) / 2, 3 * 1.5**2 * (1 + 0.2**4) / 2]
    assert [float(v[0]) for v in leaky] == pytest.approx(expected, rel=1e-12)
    found = averages("abs", [[1.5]], (f(0),), (f(2, 1),), (f(2, 1, 1),))
    assert [float(v[0]) for v in found] == pytest.approx(
        [math.sqrt(3 / math.pi), 0.0, 2 / 3 * density], rel=1e-12, abs=1e-14
    )


def test_kinks_away_from_zero_agree_with_thirty_digits() -> None:
    found = averages("hard_tanh", [[0.8]], (f(0, 0),), (f(0, 0, legs=2),), (f(3, 0, 0),), (f(2, 0),))
    sigma = mpmath.sqrt(mpmath.mpf("0.8"))
    with mpmath.workdps(30):

        def mean(function: object) -> float:
            points = [-14 * sigma, -1, 0, 1, 14 * sigma]
            return float(mpmath.quad(lambda z: function(z) * mpmath.npdf(z, 0, sigma), points))  # type: ignore[operator]

        def clip(z: mpmath.mpf) -> mpmath.mpf:
            return max(-1, min(1, z))

        bell = float(mpmath.npdf(1, 0, sigma))
        exact = [
            mean(lambda z: clip(z) ** 2),
            mean(lambda z: clip(z) ** 2 * (z**2 / sigma**4 - 1 / sigma**2)),
            # -<s''((s^2)' - s^2 z / K)> with s'' = delta(z + 1) - delta(z - 1); filled in below
            0.0,
            -2 * bell,
        ]
    # s'' s s' at each kink is s times half the jump of s'^2: -1/2 at both; then the part with z
    exact[2] = -(2 * (-0.5 * bell) * 2) + (-1 * 1 / 0.8 - 1 / 0.8) * bell
    assert [float(v[0]) for v in found] == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(
    "request_",
    [(f(2, 2),), (f(2), f(2)), (f(3, 1),), (f(4, 0),), (f(2, 2, 0),)],
    ids=["s2s2", "two axes", "s3s1", "s4s0", "rounding"],
)
def test_divergent_averages_are_nan_with_a_reason(request_: Request) -> None:
    average = GaussianAverages({"s": activation("relu")})
    assert math.isnan(average(np.array([[1.0]]), [request_])[0].ravel()[0])
    (record,) = average.divergences
    assert record.request == request_
    assert record.inputs == (0,) * len(request_)
    assert "kink" in record.reason


def test_only_the_coincident_entries_of_a_divergent_request_are_nan() -> None:
    k = np.array([[1.0, 0.4], [0.4, 2.0]])
    average = GaussianAverages({"s": activation("relu")})
    (found,) = average(k, [(f(2), f(2))])
    assert math.isnan(found[0, 0])
    assert math.isnan(found[1, 1])
    assert found[0, 1] == pytest.approx(1 / (2 * math.pi * math.sqrt(np.linalg.det(k))), rel=1e-12)
    assert {record.inputs for record in average.divergences} == {(0, 0), (1, 1)}


def test_two_input_deltas_follow_from_differentiating_the_kernel() -> None:
    # d/dK_ab <F_a G_b> = <F'_a G'_b>, checked by a central difference
    def at(c: float, *request: object) -> float:
        return float(averages("leaky_relu", [[1.0, c], [c, 1.7]], request)[0][0, 1])  # type: ignore[arg-type]

    step = 1e-4
    for first, second in [((0,), (0,)), ((0, 0), (1,)), ((1,), (1,)), ((0, 0), (0, 0))]:
        slope = (at(0.3 + step, f(*first), f(*second)) - at(0.3 - step, f(*first), f(*second))) / (2 * step)
        direct = at(0.3, f(*first, legs=1), f(*second, legs=1))
        assert direct == pytest.approx(slope, rel=1e-6)


def test_zero_variance_at_a_kink() -> None:
    average = GaussianAverages({"s": activation("relu")})
    kernel, slope = average(np.array([[0.0, 0.0], [0.0, 1.0]]), [(f(0), f(0)), (f(1), f(0))])
    np.testing.assert_allclose(kernel, [[0, 0], [0, 0.5]], atol=1e-14)
    assert math.isnan(slope[0, 1])
    assert "x = 0" in average.divergences[0].reason


def test_corners_of_curved_pieces_are_integrated_piece_by_piece() -> None:
    found = averages("elu", [[2.0, 1.0], [1.0, 2.0]], (f(0, 0),), (f(0), f(0)))
    with mpmath.workdps(20):
        sigma = mpmath.sqrt(2)

        def elu(z: mpmath.mpf) -> mpmath.mpf:
            return z if z > 0 else mpmath.expm1(z)

        exact = mpmath.quad(lambda z: elu(z) ** 2 * mpmath.npdf(z, 0, sigma), [-18, -4, 0, 4, 18])
    assert float(found[0][0]) == pytest.approx(float(exact), rel=1e-11)
    z, w2 = panelled(18.0, 20)  # an edge at the kink
    value = np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
    joint = np.exp(-(2 * z[:, None] ** 2 - 2 * z[:, None] * z + 2 * z**2) / 6) / (2 * math.pi * math.sqrt(3))
    assert found[1][0, 1] == pytest.approx(float((w2 * value) @ joint @ (w2 * value)), rel=1e-10)


# --------------------------------------------------------------------- refusals


def test_limits_are_refused_with_a_reason() -> None:
    with pytest.raises(UnsupportedError, match="5 distinct"):
        averages("tanh", np.eye(5), (f(0),) * 5)
    with pytest.raises(UnsupportedError, match="kinked activation at 5 distinct"):
        averages("relu", np.eye(5), (f(0),) * 5)
    with pytest.raises(UnsupportedError, match="grows so fast"):
        averages("exp(x^2)", [[1.0]], (f(0),))


@pytest.mark.parametrize(
    ("covariance", "reason"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "semidefinite"),
        ([[1.0, 0.5], [0.2, 1.0]], "symmetric"),
        ([[-1.0]], "negative"),
        ([[math.nan]], "finite"),
        ([1.0, 2.0], "square"),
    ],
)
def test_wrong_covariances_are_refused(covariance: list, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        averages("tanh", covariance, (f(0), f(0)))


def test_unknown_function_name_is_refused() -> None:
    with pytest.raises(InputError, match="unknown function 't'"):
        averages("tanh", [[1.0]], (f(0, name="t"),))
    with pytest.raises(InputError, match="identity"):
        GaussianAverages({"id": activation("tanh")})


def test_an_estimate_above_the_tolerance_warns() -> None:
    average = GaussianAverages({"s": activation("sin(1000000*x)*tanh(x)")})
    with pytest.warns(UserWarning, match="estimated relative error"):
        average(np.array([[1.0]]), [(f(0), f(0))])
    assert average.worst_error > 1e-9
