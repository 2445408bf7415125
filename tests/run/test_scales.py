"""Averages of inputs that nobody scaled: slopes and spreads over nine decades, steps, needles, inputs of zeros."""

from __future__ import annotations

import itertools
import math
import warnings

import mpmath
import numpy as np
import pytest
from scipy import integrate

import pertheory as pt
from pertheory.averages import choose
from pertheory.averages.account import Account
from pertheory.averages.choose import TABLE
from pertheory.averages.estimate import Wanted
from pertheory.averages.gaussian import GaussianAverages
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation, activation
from pertheory.functions.steep import steep_places


def f(*orders: int, legs: int = 0) -> tuple[int, tuple[tuple[str, int], ...]]:
    return legs, tuple(("s", order) for order in orders)


def direct(function: Activation, sigma: float, orders: tuple[int, ...]) -> float:
    """The average of a product of derivatives at one input, by adaptive integration between powers of four."""
    derivatives = [function.derivative(order) for order in orders]
    ends = np.unique(np.concatenate([[0.0], *([s * 4.0**n for n in range(-4, 15)] for s in (-1, 1))]))
    ends = np.unique(np.concatenate([ends, sigma * np.linspace(-12, 12, 49)]))
    ends = ends[np.abs(ends) <= 12 * sigma]

    def integrand(z: float) -> float:
        value = math.exp(-0.5 * (z / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        return value * math.prod(float(derivative(z)) for derivative in derivatives)

    parts = itertools.pairwise(ends.tolist())
    with warnings.catch_warnings():  # of rounding, where the integrand is nearly nothing
        warnings.simplefilter("ignore")
        return math.fsum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in parts)


@pytest.mark.parametrize("name", ["tanh", "erf", "sigmoid", "softplus", "swish", "gelu", "gaussian"])
@pytest.mark.parametrize("sigma", [1e-3, 0.1, 10.0, 1e3, 1e6])
@pytest.mark.filterwarnings("error")
def test_averages_at_one_input_are_right_from_a_thousandth_to_a_million(name: str, sigma: float) -> None:
    function = activation(name)
    wanted = [(0, 0), (1, 1), (1,)]
    averages = GaussianAverages({"s": function})
    found = averages(np.array([[sigma**2]]), [(f(*orders),) for orders in wanted])
    for orders, (value,) in zip(wanted, found, strict=True):
        exact = direct(function, sigma, orders)
        assert value == pytest.approx(exact, rel=1e-9, abs=1e-17 if name == "gaussian" else 0)  # <s'> of it is zero
    assert averages.worst_error < 1e-9


@pytest.mark.filterwarnings("error")
def test_what_happens_between_samples_is_found_where_the_formula_says() -> None:
    """A step of a thousandth at 2.5 under a Gaussian of K = 754: 4/3 of its slope times the density there."""
    variance, slope = 754.0, 1000.0
    at = math.exp(-(2.5**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    averages = GaussianAverages({"s": activation("tanh(1000*(x-2.5))")})
    both, one = averages(np.array([[variance]]), [(f(1, 1),), (f(1),)])
    assert both[0] == pytest.approx(4 / 3 * slope * at, rel=1e-8)
    assert one[0] == pytest.approx(2 * at, rel=1e-8)


@pytest.mark.filterwarnings("error")
def test_a_needle_is_seen() -> None:
    averages = GaussianAverages({"s": activation("x + exp(-1000000*(x-1.2345)^2)")})
    ((found,),) = averages(np.eye(1), [(f(1, 1),)])
    # <(1 + n')^2> for n' = -2 a u exp(-a u^2): <n'^2> is the integral of it times the density, to second order in u
    with mpmath.workdps(30):
        a, c = mpmath.mpf(10) ** 6, mpmath.mpf("1.2345")
        slope = lambda u: -2 * a * u * mpmath.exp(-a * u * u)  # noqa: E731
        exact = 1 + mpmath.quad(
            lambda u: (2 * slope(u) + slope(u) ** 2) * mpmath.npdf(c + u), [x * 1e-3 for x in range(-9, 10)]
        )
    assert found == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize(
    ("formula", "place", "width"),
    [
        ("tanh(1000*(x-2.5))", 2.5, 1e-3),
        ("x + exp(-1000000*(x-1.25)^2)", 1.25, 1e-3),
        ("1/(1 + 10000*(x+3)^2)", -3.0, 1e-2),
        ("log(1 + exp(50*x - 20))", 0.4, 0.02),
        ("tanh(100*sinh(x-1))", 1.0, 0.01),
    ],
)
def test_steep_places_are_read_off_the_formula(formula: str, place: float, width: float) -> None:
    narrowest = steep_places(activation(formula))[0]
    assert narrowest.place == pytest.approx(place, abs=width / 10)
    assert narrowest.width == pytest.approx(width, rel=0.5)


@pytest.mark.parametrize("sigma", [1e3, 1e5])
@pytest.mark.parametrize("rho", [0.5, 0.999, -1 + 1e-6])
def test_steps_of_two_inputs_are_what_signs_are(sigma: float, rho: float) -> None:
    """<s' s'> of tanh at large spreads: four times the density at zero; <s s> less than an arcsine away."""
    averages = GaussianAverages({"s": activation("tanh")})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signs, slopes = averages(sigma**2 * np.array([[1, rho], [rho, 1]]), [(f(0), f(0)), (f(1), f(1))])
    spread = sigma * math.sqrt(1 - rho * rho)
    density = 1 / (2 * math.pi * sigma * spread)
    assert slopes[0, 1] == pytest.approx(4 * density, rel=5 / spread**2)
    assert signs[0, 1] == pytest.approx(2 / math.pi * math.asin(rho), abs=3 / spread)


@pytest.mark.filterwarnings("error")
def test_erf_of_large_and_close_inputs_is_an_arcsine() -> None:
    k = np.array([[1e6, 1299869.87], [1299869.87, 1689999.66]])
    averages = GaussianAverages({"s": activation("erf")})
    (found, slopes) = averages(k, [(f(0), f(0)), (f(1), f(1))])
    with mpmath.workdps(30):
        a, b, c = (mpmath.mpf(float(x)) for x in (k[0, 0], k[1, 1], k[0, 1]))
        whole = (1 + 2 * a) * (1 + 2 * b) - 4 * c**2
        exact = 2 / mpmath.pi * mpmath.atan2(2 * c, mpmath.sqrt(whole)), 4 / (mpmath.pi * mpmath.sqrt(whole))
    assert found[0, 1] == pytest.approx(float(exact[0]), rel=1e-12)
    assert slopes[0, 1] == pytest.approx(float(exact[1]), rel=1e-12)


def test_derivatives_at_nearly_equal_inputs_are_finite_and_their_digits_told() -> None:
    """<delta delta> of 1 - rho = 8e-16, seven units of rounding: its value, and how far to trust it."""
    k = np.array([[1, 1 - 8e-16], [1 - 8e-16, 1]])
    averages = GaussianAverages({"s": activation("relu")}, distinct=True)
    with pytest.warns(UserWarning, match="estimated relative error"):
        (found,) = averages(k, [(f(2), f(2))])
    with mpmath.workdps(30):
        exact = 1 / (2 * mpmath.pi * mpmath.sqrt(1 - mpmath.mpf(k[0, 1]) ** 2))
    assert found[0, 1] == pytest.approx(float(exact), rel=1e-12)
    assert 0.1 < averages.worst_error < 10
    assert not averages.divergences


def test_four_inputs_in_a_plane_have_errors_of_their_size() -> None:
    root = np.random.default_rng(0).normal(size=(4, 2))
    averages = GaussianAverages({"s": activation("relu")}, distinct=True)
    requests = [
        tuple(f(order) for order in orders) for orders in ((0, 0, 0, 0), (1, 1, 0, 0), (1, 1, 1, 1), (2, 2, 0, 0))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        averages(root @ root.T / 2, requests)
    assert averages.worst_error < 1e-8


# ------------------------------------------------------------------- inputs of zeros

ROWS = [[0.0, 0.0], [1.0, 0.5], [0.2, -1.0]]


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu", "relu6", "selu"])
def test_what_a_row_of_zeros_shares_with_others_is_zero(name: str) -> None:
    """Its slope at the kink has no value, and counts for nothing: what it multiplies vanishes with the input."""
    model = pt.theory("mlp", order=0).compile()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = model(ROWS, name, 4, C_b=0.0, lambda_b=0.0, C_W=1.5)
    limit = model([[1e-9 * x for x in ROWS[1]], *ROWS[1:]], name, 4, C_b=0.0, lambda_b=0.0, C_W=1.5)
    for layer in range(1, 5):
        for key in ("G", "H"):
            assert not run[layer][key][0].any()
            np.testing.assert_allclose(run[layer][key][1:, 1:], limit[layer][key][1:, 1:], rtol=1e-12)
            assert np.abs(limit[layer][key][0]).max() < 1e-7
    assert not run.divergences


def test_where_it_counts_there_is_no_number_and_a_warning() -> None:
    """With biases that learn, Theta(0, b) is lambda_b plus a multiple that depends on the direction of the limit."""
    model = pt.theory("mlp", order=0).compile()
    with pytest.warns(UserWarning, match="NaN, because .* no value at its kink x = 0"):
        run = model(ROWS, "relu", 3, C_b=0.0, lambda_b=0.4, C_W=1.5)
    assert np.isnan(run[3]["H"][0]).all()
    assert np.isfinite(run[3]["H"][1:, 1:]).all()
    assert run[3]["G"][0, 0] == 0.0
    assert any("no value" in reason for reason in run.divergences)


def test_a_row_of_zeros_to_the_order_of_one_over_n_is_the_limit_of_small_rows() -> None:
    model = pt.theory("mlp", order=1).compile()
    options = {"C_b": 0.0, "lambda_b": 0.0, "C_W": 1.5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = model(ROWS[:2], "relu", 3, **options)
        near = model([[1e-6, 2e-6], ROWS[1]], "relu", 3, **options)
    for key in ("V", "F", "D", "G{1}", "H{1}"):
        array, other = run[3][key], near[3][key]
        touched = np.zeros(array.shape, dtype=bool)
        for axis in range(array.ndim):
            touched[(slice(None),) * axis + (0,)] = True
        definite = np.isfinite(array)
        assert definite[~touched].any()
        np.testing.assert_allclose(array[definite], other[definite], atol=1e-5)


# ------------------------------------------------------------------- which method it was


@pytest.mark.parametrize("name", ["tanh", "relu", "hard_tanh", "exp", "tanh(1000*x)", "max(0, x)*tanh(100*x)"])
def test_every_method_that_is_used_is_in_the_table(name: str) -> None:
    root = np.random.default_rng(3).normal(size=(4, 6))
    averages = GaussianAverages({"s": activation(name)}, distinct=True)
    requests = [(f(0, 0),), (f(0), f(0)), (f(0), f(1), f(0)), (f(0),) * 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        averages(root @ root.T / 6, requests)
    rows = {(row.kind, row.method) for row in TABLE}
    assert averages.account.used
    assert set(averages.account.used) <= rows


@pytest.mark.parametrize(("name", "kind"), [("tanh", choose.SMOOTH), ("softshrink", choose.KINKS)])
def test_the_table_is_what_runs(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one of the rows of a kind alone: its method and no other, and the same average within its estimate."""
    k = np.array([[3.0, 1.0], [1.0, 2.0]])
    atom = ((("s", 0), ("s", 1)), (("s", 0),))

    def found() -> tuple[np.ndarray, set[str]]:
        functions = {"s": activation(name)}
        account = Account(functions)
        values = choose.Chooser(Wanted(functions, 1e-9, 1e-8), account).plain(k[None], np.arange(len(k))[None], [atom])
        return values[:, 0, 0], {method for _, method in account.used}

    (value, error, scale), _ = found()
    tried = []
    for row in choose.ROWS[kind]:
        monkeypatch.setitem(choose.ROWS, kind, [row])
        try:
            own, used = found()
        except UnsupportedError:  # it passes this one over
            continue
        assert used == {choose.TABLE[row].method}
        assert abs(own[0] - value) <= own[1] + error + 1e-14 * scale
        tried += used
    assert len(tried) >= 2


def test_a_run_can_say_what_averaged_what() -> None:
    layers = pt.theory("mlp", order=0).compile().layers(ROWS[1:], "tanh", 2, counted=True)
    list(layers)
    head, *rows = layers.explanation().splitlines()
    assert head.split("  ")[0] == "averages of"
    assert {row.split("  ")[0] for row in rows} <= {row.kind for row in TABLE}
    assert all(sum(part.isdigit() and int(part) > 0 for part in row.split()) >= 2 for row in rows)  # averages, points


def test_a_steep_place_inside_a_wide_one_and_on_the_grid_is_found() -> None:
    """What C is told: sinh changes over one, tanh over a hundredth at the same place, where the search has a point."""
    assert (1.0, 0.01) in [(round(x, 9), round(w, 9)) for x, w, _ in steep_places(activation("tanh(100*sinh(x-1))"))]


# ------------------------------------------------------------------- variances near the smallest numbers


@pytest.mark.parametrize("name", ["relu", "abs", "relu6", "selu", "tanh", "erf"])
@pytest.mark.parametrize("power", [-100, -512, -600, -1000])
def test_averages_scale_with_variances_whose_products_underflow(name: str, power: int) -> None:
    """At small variances a function is what it is at zero: averages at one of them give those at all others."""
    k = np.array([[1.0, 0.3, -0.9], [0.3, 2.0, 0.2], [-0.9, 0.2, 1.0]])
    requests = [(f(0), f(0)), (f(1), f(1)), (f(0, 0),)]
    found, small = (GaussianAverages({"s": activation(name)})(k * 2.0**p, requests) for p in (-80, power))
    for n, scale in enumerate([2.0 ** (power + 80), 1.0, 2.0 ** (power + 80)]):
        np.testing.assert_allclose(small[n], found[n] * scale, rtol=1e-8)


def test_a_covariance_of_the_smallest_numbers_is_a_covariance() -> None:
    k = 5e-324 * np.array([[2.0, 1.0], [1.0, 2.0]])
    (found,) = GaussianAverages({"s": activation("x")})(k, [(f(0), f(0))])
    np.testing.assert_array_equal(found, k)
