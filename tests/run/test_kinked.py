"""Kinked activations on up to four distinct inputs, against independent routes and laws."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from pertheory.averages.atoms import atoms
from pertheory.averages.gaussian import GaussianAverages, Request
from pertheory.averages.methods.nested import NestedAverages
from pertheory.averages.methods.orthants import four_signs
from pertheory.functions.activation import activation
from tests.reference.orthant_moments import OrthantMoments
from tests.run.one_average import one_average

pytestmark = pytest.mark.filterwarnings("error")


def f(*orders: int, legs: int = 0, name: str = "s") -> tuple[int, tuple[tuple[str, int], ...]]:
    return legs, tuple((name, order) for order in orders)


def averages(name: str, covariance: object, *requests: Request, **parameters: float) -> list[np.ndarray]:
    return GaussianAverages({"s": activation(name, **parameters)})(np.array(covariance, dtype=float), requests)


def random_covariance(size: int, seed: int, rank: int | None = None) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, rank or size + 1))
    k = root @ root.T
    return k / np.mean(k.diagonal())


def entry(name: str, k: np.ndarray, *factors: tuple, **parameters: float) -> float:
    """The entry with the first factor at input 0, the second at input 1, and so on."""
    slots = range(len(factors))
    terms = [(tuple(zip(slots, parts, strict=True)), c) for c, parts in atoms(tuple(factors), tuple(slots))]
    terms = [(tuple((i, part) for i, part in atom if part), c) for atom, c in terms]
    return one_average({"s": activation(name, **parameters)}, np.asarray(k), terms).value


# -------------------------------------------------------------------- orthants


def orthant4(covariance: list[list[Fraction]]) -> float:
    """Probability that four variables of variance one are all positive: pairs are arcsines."""
    pairs = sum(math.asin(float(covariance[i][j])) for i, j in itertools.combinations(range(4), 2))
    return 1 / 16 + pairs / (8 * math.pi) + four_signs(covariance)


def equal(correlation: float) -> list[list[Fraction]]:
    return [[Fraction(1) if i == j else Fraction(correlation) for j in range(4)] for i in range(4)]


def test_orthants_of_four_equally_correlated_variables() -> None:
    # correlation 1/2: 1/5 (one of five exchangeable variables is the smallest); correlation 0: 1/16
    assert orthant4(equal(0.5)) == pytest.approx(1 / 5, abs=1e-15)
    assert orthant4(equal(0.0)) == pytest.approx(1 / 16, abs=1e-15)


@pytest.mark.parametrize("correlation", [0.3, 0.99, 1 - 1e-7, 1 - 1e-12])
def test_orthants_of_four_equally_correlated_variables_agree_with_thirty_digits(correlation: float) -> None:
    with mpmath.workdps(30):
        # z_i = sqrt(c) y + sqrt(1-c) e_i, so P = <Phi(y sqrt(c/(1-c)))^4>
        c = mpmath.mpf(correlation)
        a = mpmath.sqrt(c / (1 - c))
        points = sorted({-14, 14, 0, *(s * 10 ** (-p / 2) for p in range(-1, 14) for s in (-1, 1))})
        exact = mpmath.quad(lambda y: mpmath.ncdf(a * y) ** 4 * mpmath.npdf(y), points)
    assert orthant4(equal(correlation)) == pytest.approx(float(exact), abs=2e-13)


@pytest.mark.parametrize("seed", [1, 2])
def test_signs_of_four_variables_sum_to_the_polynomial_average(seed: int) -> None:
    k = random_covariance(4, seed)
    moments = OrthantMoments(k)
    total = sum(moments(tuple((1, sign) for sign in signs)).value for signs in itertools.product([1, -1], repeat=4))
    assert total == pytest.approx(k[0, 1] * k[2, 3] + k[0, 2] * k[1, 3] + k[0, 3] * k[1, 2], abs=1e-13)


# -------------------------------------------------- two methods, the same number


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "abs"])
@pytest.mark.parametrize("orders", [(0, 1, 1), (0, 0, 0), (0, 0, 1, 1), (1, 1, 1, 1)])
def test_orthants_agree_with_nested_panels(name: str, orders: tuple[int, ...]) -> None:
    k = random_covariance(len(orders), 3)
    found = entry(name, k, *(f(order) for order in orders))
    panels = NestedAverages({"s": activation(name)}, np.zeros(len(k)), k)
    other = panels.average(tuple((("s", order),) for order in orders))
    assert found == pytest.approx(other.value, abs=1e-9 * other.scale)


@pytest.mark.parametrize("name", ["hard_tanh", "elu", "relu"])
def test_three_inputs_agree_with_nested_quadrature_of_high_precision(name: str) -> None:
    s = activation(name)
    k = random_covariance(3, 4)
    found = entry(name, k, f(0), f(1), f(0))
    # condition on z_2 and z_0; Gauss-Legendre with an end at every kink, 24 nodes, other order of the variables
    order = [1, 2, 0]
    root = np.linalg.cholesky(k[np.ix_(order, order)])
    x, w = np.polynomial.legendre.leggauss(24)

    def cut(mean: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
        ends = sorted({-9.0, 9.0, -3.0, 3.0, 0.0, *(float(np.clip((c - mean) / spread, -9, 9)) for c in s.kinks)})
        pairs = [((a + b) / 2 + (b - a) / 2 * x, (b - a) / 2 * w) for a, b in itertools.pairwise(ends)]
        nodes, weights = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return nodes, weights * np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi)

    total = 0.0
    for a, wa in zip(*cut(0.0, root[0, 0]), strict=True):
        first = float(s.derivative(1)(root[0, 0] * a))
        if first == 0:
            continue
        nodes_b, weights_b = cut(root[1, 0] * a, root[1, 1])
        second = s.derivative(0)(root[1, 0] * a + root[1, 1] * nodes_b)
        for b, wb in zip(nodes_b, weights_b * second, strict=True):
            nodes, weights = cut(root[2, 0] * a + root[2, 1] * b, root[2, 2])
            inner = float(s.derivative(0)(root[2, 0] * a + root[2, 1] * b + root[2, 2] * nodes) @ weights)
            total += wa * wb * first * inner
    assert found == pytest.approx(total, abs=1e-8)


# ------------------------------------------------------------------------ laws


@pytest.mark.parametrize("size", [2, 3, 4])
def test_relu_plus_its_mirror_image_is_abs_and_minus_it_is_the_identity(size: int) -> None:
    functions = {"s": activation("relu"), "m": activation("max(0, -x)"), "a": activation("abs")}
    k = random_covariance(size, 5)
    rest = [f(0) if n % 2 else f(1) for n in range(size - 1)]
    requests = [(f(0, name=name), *rest) for name in ("s", "m", "a", "id")]
    relu, mirror, both, identity = GaussianAverages(functions)(k, requests)
    np.testing.assert_allclose(relu + mirror, both, atol=1e-13)
    np.testing.assert_allclose(relu - mirror, identity, atol=1e-13)


@pytest.mark.parametrize("name", ["leaky_relu", "hard_tanh", "elu"])
@pytest.mark.parametrize("orders", [(0, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1, 0)])
def test_differentiating_by_the_covariance_raises_two_lines(name: str, orders: tuple[int, ...]) -> None:
    # Price: d/dK_01 <F_0 G_1 ..> = <F'_0 G'_1 ..>, with deltas where the lines jump
    k = (random_covariance(len(orders), 6) + np.eye(len(orders))) / 2
    step = 2e-3 if name == "leaky_relu" else 4e-3
    change = np.zeros_like(k)
    change[0, 1] = change[1, 0] = step
    factors = [f(order) for order in orders]
    values = [entry(name, k + n * change, *factors) for n in (-3, -2, -1, 1, 2, 3)]
    slope = float(np.dot([-1, 9, -45, 45, -9, 1], values)) / (60 * step)
    raised = [f(orders[0] + 1), f(orders[1] + 1), *factors[2:]]
    assert entry(name, k, *raised) == pytest.approx(slope, abs=2e-7)


@pytest.mark.parametrize("name", ["relu", "hard_tanh"])
def test_differentiating_by_a_variance_raises_one_line_twice(name: str) -> None:
    # d/dK_00 <F_0 ..> = <F''_0 ..>/2: derivatives of deltas
    k = random_covariance(3, 7)
    step, change = 4e-3, np.diag([4e-3, 0, 0])
    for order in (1, 2):
        factors = [f(order), f(0), f(1)]
        values = [entry(name, k + n * change, *factors) for n in (-3, -2, -1, 1, 2, 3)]
        slope = float(np.dot([-1, 9, -45, 45, -9, 1], values)) / (60 * step)
        assert entry(name, k, f(order + 2), *factors[1:]) / 2 == pytest.approx(slope, abs=1e-6)


def test_combined_lines_at_one_of_four_inputs() -> None:
    # s s = z^2 step(z), so d^4(s s) = 2 delta': with the others conditioned on z_0 = 0
    k = random_covariance(4, 8)
    found = entry("relu", k, f(0, 0, legs=4), f(0), f(1), f(0))
    delta = [entry("relu", k, f(3), *rest) for rest in [(f(0), f(1), f(0))]]  # s''' = delta'
    assert found == pytest.approx(2 * delta[0], abs=1e-13)
    assert entry("relu", k, f(0, 0, legs=2), f(0), f(1), f(0)) == pytest.approx(
        2 * entry("relu", k, f(1), f(0), f(1), f(0)), abs=1e-13
    )


# ----------------------------------------------------------- collinear, singular


@pytest.mark.parametrize("ratio", [2.0, -0.7])
def test_collinear_inputs_are_one_variable(ratio: float) -> None:
    c = np.array([1.0, ratio])
    k = 1.3 * np.outer(c, c)
    for name, corners in [("relu", [0.0]), ("hard_tanh", [-1.0, 1.0]), ("elu", [0.0])]:
        s = activation(name)
        cuts = sorted({-12.0, 12.0, *corners, *(x / ratio for x in corners)})
        x, w = np.polynomial.legendre.leggauss(60)
        for orders in [(0, 0), (1, 0), (1, 1), (0, 1)]:
            total = 0.0
            for a, b in itertools.pairwise(cuts):
                z = (a + b) / 2 + (b - a) / 2 * x
                value = s.derivative(orders[0])(z) * s.derivative(orders[1])(ratio * z)
                total += (b - a) / 2 * float(w @ (value * np.exp(-z * z / 2.6))) / math.sqrt(2 * math.pi * 1.3)
            assert entry(name, k, f(orders[0]), f(orders[1])) == pytest.approx(total, abs=1e-12)


def test_deltas_at_collinear_inputs_are_finite_where_nothing_jumps() -> None:
    k = np.outer([1.0, 2.0], [1.0, 2.0])
    bell = 1 / math.sqrt(2 * math.pi)
    assert entry("relu", k, f(2), f(0)) == 0.0
    # delta(z - 1) and delta(z + 1) of hard_tanh against clip(2 z) = +-1 there: -delta(z-1) + delta(z+1)
    expected = -2 * bell * math.exp(-0.5)
    assert entry("hard_tanh", k, f(2), f(0)) == pytest.approx(expected, rel=1e-12)
    # deltas at different places never meet
    assert entry("hard_tanh", k, f(2), f(2)) == 0.0
    average = GaussianAverages({"s": activation("relu")})
    ((found),) = average(k, [(f(2), f(1))])
    assert math.isnan(found[0, 1])
    assert "kink" in average.divergences[0].reason


@pytest.mark.parametrize(("name", "orders"), [("relu", (0, 0, 0)), ("relu", (1, 0, 1)), ("elu", (1, 0, 1))])
def test_rank_two_covariance_of_three_inputs_is_the_limit(name: str, orders: tuple[int, ...]) -> None:
    """Dependent inputs are the limit of nearly dependent ones, which take panels and seconds; elu with its steps."""
    k = random_covariance(3, 9, rank=2)
    values = [entry(name, k + bump * np.eye(3), *(f(o) for o in orders)) for bump in (0.0, 1e-10)]
    assert values[0] == pytest.approx(values[1], abs=2e-5)
    panels = NestedAverages({"s": activation(name)}, np.zeros(3), k + 1e-9 * np.eye(3))
    products = tuple((("s", o),) for o in orders)
    direct = one_average({"s": activation(name)}, k + 1e-9 * np.eye(3), [(tuple(enumerate(products)), 1)]).value
    assert direct == pytest.approx(panels.average(products).value, abs=1e-8)


def test_relabelling_four_inputs_permutes_the_result() -> None:
    k = random_covariance(4, 10)
    order = [2, 0, 3, 1]
    request = (f(0), f(2), f(1), f(0, 1))
    plain = averages("leaky_relu", k, request)[0]
    moved = averages("leaky_relu", k[np.ix_(order, order)], request)[0]
    np.testing.assert_allclose(moved, plain[np.ix_(*[order] * 4)], atol=1e-13)


def test_one_over_a_subnormal_variance_is_infinite_and_no_error() -> None:
    """<delta''> = -1 / (K sqrt(2 pi K)); a kernel that falls from layer to layer gets there (found by a campaign)."""
    average = GaussianAverages({"s": activation("relu")})
    (found,) = average.alone(np.array([1e-310, 0.5]), [((4, (("s", 0),)),)])
    assert found[0] == -math.inf
    assert found[1] == pytest.approx(-1 / (0.5 * math.sqrt(math.pi)), rel=1e-14)
