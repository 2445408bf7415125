"""Functions that are hardly ever different from zero, functions that grow, and variances whose powers underflow.

Averages of all of these are far below roots of mean squares, or products of what they are made of: zero must not pass
for one of them.
"""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from scipy.special import ndtr

from pertheory.averages.account import Account
from pertheory.averages.choose import Chooser
from pertheory.averages.estimate import Task, Wanted
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.methods.pairs import pair_averages
from pertheory.averages.methods.product_panels import ProductPanels
from pertheory.averages.quadrature import density, panels
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
@pytest.mark.parametrize("steep", [1e4, 1e8, 1e12, 1e16])
@pytest.mark.parametrize("rho", [0.0, 0.6, -0.9, 0.99])
def test_narrow_peaks_at_two_inputs_have_gaussian_integrals(rho: float, steep: float) -> None:
    """exp(-c (x - 1)^2) at both: a Gaussian integral. No grid finds such a peak; zero once passed for it."""
    k = 1.3 * np.array([[1.0, rho], [rho, 1.0]])
    averages = GaussianAverages({"s": activation(f"exp(-{steep:g}*(x-1)^2)")})
    (found,) = averages(k, [request(0, 0)])
    smeared = k + np.eye(2) / (2 * steep)
    wanted = math.exp(-np.linalg.solve(smeared, np.ones(2)).sum() / 2) / (2 * steep * math.sqrt(np.linalg.det(smeared)))
    assert found[0, 1] == pytest.approx(wanted, rel=1e-9, abs=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("power", "place", "size"), [(8, "3.1", 1.0), (20, "0.31", 0.01), (41, "3.1", 1.0), (41, "3.1", 9.0)]
)
def test_half_a_polynomial_keeps_the_digits_of_its_values(power: int, place: str, size: float) -> None:
    """max(0,x) (x - c)^n: half-line moments with many digits sum to the average; in doubles they cancel."""
    averages = GaussianAverages({"s": activation(f"max(0,x)*(x-{place})^{power}")})
    (found,) = averages(np.array([[size]]), [request(0)])
    with mpmath.workdps(80):
        moments = (
            mpmath.mpf(2 * size) ** (mpmath.mpf(n) / 2) * mpmath.gamma((n + 1) / mpmath.mpf(2))
            for n in range(1, power + 2)
        )
        terms = (
            mpmath.binomial(power, n) * (-mpmath.mpf(place)) ** (power - n) * moment for n, moment in enumerate(moments)
        )
        wanted = mpmath.fsum(terms) / (2 * mpmath.sqrt(mpmath.pi))
    assert found[0] == pytest.approx(float(wanted), rel=1e-13, abs=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [9.0, 16.0])
@pytest.mark.parametrize("rho", [0.9, 0.99, -0.5])
def test_functions_that_grow_are_followed_to_where_both_do(size: float, rho: float) -> None:
    """<x+ y+ e^(x+y)> is e^m <x+ y+> about the mean m = K (1 + rho), a variable at a time."""
    averages = GaussianAverages({"s": activation("max(0,x)*exp(x)")}, distinct=True)
    (found,) = averages(size * np.array([[1.0, rho], [rho, 1.0]]), [request(0, 0)])
    mean, spread = size * (1 + rho), math.sqrt(size)
    own = spread * math.sqrt(1 - rho**2)
    x, weights = panels(np.linspace(0, mean + 12 * spread, 200))
    other = mean + rho * (x - mean)
    inner = other * ndtr(other / own) + own * density(other / own)
    wanted = math.exp(mean) * float((x * inner * density((x - mean) / spread) / spread) @ weights)
    assert found[0, 1] == pytest.approx(wanted, rel=1e-11, abs=0)


@pytest.mark.filterwarnings("error")
def test_a_kink_below_all_numbers_is_none() -> None:
    """exp(-1e16) is zero, and so is every jump at zero."""
    (kinked,), (smooth,) = (
        GaussianAverages({"s": activation(f"{front}exp(-1e16*(x-1)^2)")})(np.eye(1), [request(0)])
        for front in ("max(0,x)*", "x*")
    )
    assert kinked[0] == pytest.approx(smooth[0], rel=1e-12, abs=0)


@pytest.mark.parametrize("slope", [3.0, 1e3, 1e6])
@pytest.mark.parametrize("rho", [0.5, -0.95])
def test_panels_of_two_inputs_give_the_arcsine_law(rho: float, slope: float) -> None:
    """<erf(a x) erf(a y)> at variance 2 and of its slopes, as panels have them."""
    function = activation("erf(a*x)", a=slope)
    method = ProductPanels(Wanted({"s": function}, 1e-9, 1e-8), 0.1)
    k = np.array([[2.0, 2 * rho], [2 * rho, 2.0]])
    found = method.average(Task([((("s", 0),),) * 2, ((("s", 1),),) * 2], k[None], {}))
    assert found is not None
    power = 1 + 4 * slope**2
    sine = 4 * rho * slope**2 / power
    wanted = np.array([2 / math.pi * math.asin(sine), 4 * slope**2 / (math.pi * power * math.sqrt(1 - sine**2))])
    values, errors, _ = found[:, :, 0]
    assert (np.abs(values - wanted) <= np.maximum(errors, 1e-15 * np.abs(wanted))).all()
    assert (errors <= 1e-9 * np.abs(wanted)).all()


@pytest.mark.parametrize("rho", [0.0, 0.7, -0.99])
def test_panels_of_two_inputs_end_at_kinks(rho: float) -> None:
    """The arc-cosine kernels of ReLU, and max(0,x) e^x against panels in rotated variables."""
    wanted = Wanted({"s": activation("relu"), "t": activation("max(0,x)*exp(x)")}, 1e-9, 1e-8)
    size, angle = 1.5, math.acos(rho)
    k = size * np.array([[1.0, rho], [rho, 1.0]])
    atoms = [((line,), (line,)) for line in (("s", 0), ("s", 1), ("t", 0), ("t", 1))]
    found = ProductPanels(wanted, 0.1).average(Task(atoms, k[None], {}, np.zeros(2)))
    assert found is not None
    values, errors, scales = found[:, :, 0]
    exact = [size / (2 * math.pi) * (math.sin(angle) + (math.pi - angle) * rho), (math.pi - angle) / (2 * math.pi)]
    spread = np.full(1, math.sqrt(size))
    requests = [tuple((0, product) for product in atom) for atom in atoms[2:]]
    other = pair_averages(wanted.frozen, requests, np.array([rho]), (spread, spread))
    exact += other[0][:, 0].tolist()
    # the formulas cancel, and the other method has errors too
    bounds = errors + np.array([4e-16, 4e-16, *(other[1] * other[2])[:, 0]])
    assert (np.abs(values - exact) <= bounds).all()
    assert (errors <= 1e-12 * scales).all()


@pytest.mark.filterwarnings("ignore")
def test_what_is_infinite_or_missed_has_an_infinite_error() -> None:
    """Overflow at one input; three inputs with a peak between all points of the sums."""
    wanted = Wanted({"s": activation("x^4"), "t": activation("exp(-1e16*(x-1)^2)")}, 1e-9, 1e-8)
    chooser = Chooser(wanted, Account(wanted.functions))
    one = np.array([[0]])
    value, error, _ = chooser.plain(np.full((1, 1, 1), 1e300), one, [((("s", 0),),)])[:, 0, 0]
    assert np.isinf([value, error]).all()
    k = np.eye(3)[None] + 0.1
    value, error, scale = chooser.plain(k, np.array([[0, 1, 2]]), [((("t", 0),),) * 3])[:, 0, 0]
    wanted = 1e-24 * (0.5**1.5) * math.exp(-1.5 / 1.3) / math.sqrt(1.3)
    assert abs(value - wanted) <= error
    assert error > 1e-9 * scale


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
