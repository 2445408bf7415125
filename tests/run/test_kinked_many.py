"""Two-point averages of kinked functions over many inputs: against one pair at a time and closed forms."""

from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from pertheory.averages.closed_forms import closed_codes
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.methods.closed import LOST, determinant, evaluate, relative_errors
from pertheory.averages.methods.kinked_pairs import KinkedPairs
from pertheory.averages.methods.pairs import pair_averages
from pertheory.functions.activation import activation
from tests.reference.orthant_moments import OrthantMoments
from tests.run.one_average import one_average

pytestmark = pytest.mark.filterwarnings("error")


def f(*orders: int, legs: int = 0) -> tuple[int, tuple[tuple[str, int], ...]]:
    return legs, tuple(("s", order) for order in orders)


def covariance(size: int, closeness: float, seed: int = 0) -> np.ndarray:
    """Inputs of different sizes whose correlations are between closeness and one."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size + 4))
    k = root @ root.T
    sigma = np.sqrt(k.diagonal())
    scale = rng.uniform(0.5, 2, size=size)
    return (closeness + (1 - closeness) * k / np.outer(sigma, sigma)) * np.outer(scale, scale)


def one_pair(name: str, k: np.ndarray, orders: tuple[int, int]) -> float:
    terms = [(tuple((i, (("s", order),)) for i, order in enumerate(orders)), 1)]
    return one_average({"s": activation(name)}, k, terms).value


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "hard_tanh", "max(0, x)*tanh(x)", "max(0, x)^2 - x"])
@pytest.mark.parametrize("closeness", [0.0, 0.95, 0.9999])
def test_all_pairs_agree_with_one_pair_at_a_time(name: str, closeness: float) -> None:
    k = covariance(7, closeness)
    requests = [(f(0), f(0)), (f(1), f(1)), (f(0), f(1))]
    averages = GaussianAverages({"s": activation(name)}, distinct=True)
    tables = averages(k, requests)
    assert averages.worst_error < 1e-8
    pairs = KinkedPairs((("s", activation(name)),), k)
    assert all(pairs.supports(request) for request in requests)
    if name in ("elu", "hard_tanh", "max(0, x)*tanh(x)"):  # the others have closed forms
        for (_, error, missing), table in zip(pairs.averages(requests), tables, strict=True):
            assert error < 1e-8
            np.testing.assert_array_equal(missing, np.eye(7, dtype=bool))
            np.testing.assert_array_equal(np.isnan(table), missing)
    for (first, second), table in zip(requests, tables, strict=True):
        orders = first[1][0][1], second[1][0][1]
        for i, j in [(0, 1), (1, 0), (2, 5), (6, 3)]:
            expected = one_pair(name, k[np.ix_([i, j], [i, j])], orders)
            assert table[i, j] == pytest.approx(expected, abs=3e-9 * math.sqrt(k[i, i] * k[j, j]))


@pytest.mark.parametrize("gap", [0.5, 1e-3, 1e-8, 1e-13])
@pytest.mark.parametrize("sign", [1, -1])
def test_panels_of_close_pairs_give_the_closed_forms_of_relu(gap: float, sign: int) -> None:
    rho = sign * (1 - gap)
    requests = [(f(0), f(0)), (f(1), f(1))]
    functions = (("s", activation("relu")),)
    values, errors, _ = pair_averages(functions, requests, np.array([rho]), (np.array([1.5]), np.array([0.4])))
    angle = math.acos(rho)
    # Cho and Saul, Kernel methods for deep learning, NIPS 22 (2009)
    exact = [1.5 * 0.4 * (math.sin(angle) + (math.pi - angle) * rho) / (2 * math.pi), (math.pi - angle) / (2 * math.pi)]
    for value, error, true in zip(values[:, 0], errors[:, 0], exact, strict=True):
        assert value == pytest.approx(true, abs=3e-10)
        assert error < 1e-8
    assert abs(values[1, 0] - exact[1]) <= errors[1, 0]


def test_closed_forms_of_half_planes_agree_with_exact_rational_recursion() -> None:
    functions = (("l", activation("min(0, x)")), ("r", activation("max(0, x)")))

    def lines(power: int, step: int) -> tuple[tuple[str, int], ...]:
        """z^power times a step to the right, to the left, or none."""
        name = {1: "r", -1: "l", 0: "id"}[step]
        return (("id", 0),) * power if step == 0 else ((name, 0),) * power or ((name, 1),)

    doubts: dict[float, list[float]] = {0.0: [], 0.999999: [], 1 - 1e-12: []}
    for seed, closeness in enumerate(doubts):
        k = covariance(2, closeness, seed)
        exact = OrthantMoments(k)
        for n, m, step in itertools.product(range(4), range(4), (1, -1, 0)):
            form = closed_codes((((0, lines(n, step)), (0, lines(m, 1))),), functions)[2]
            values, bounds = evaluate(form.code, *(np.array([x]) for x in (k[0, 0], k[0, 1], k[1, 1])))[:, 0]
            true = exact(((n, step), (m, 1)))
            assert values[0] == pytest.approx(true.value, rel=1e-15, abs=bounds[0])
            doubts[closeness].append(bounds[0] / max(true.size, abs(values[0])))
    assert max(doubts[0.0]) < 1e-11
    assert statistics.median(doubts[0.999999]) < 1e-12


@pytest.mark.parametrize("name", ["relu", "max(0, x)^2"])
def test_nearly_opposite_inputs_among_many_keep_their_digits(name: str) -> None:
    """Cho and Saul (2009): what is left of <s s> where two half planes hardly meet."""
    k = covariance(8, 0.3)
    gap = 2.0**-33
    k[1] = k[:, 1] = -(1 - gap) * k[0]
    k[0, 1] = k[1, 0] = -(1 - gap) * k[0, 0]
    k[1, 1] = k[0, 0]
    request = (f(0), f(0))
    rows, columns = np.triu_indices(len(k), 1)
    form = closed_codes((request,), (("s", activation(name)),))[2]
    own = k.diagonal()
    bounded = evaluate(form.code, own[rows], k[rows, columns], own[columns])[:, 0]
    lost = ~(relative_errors(*bounded) <= LOST)
    assert lost[0]
    assert lost.sum() == 1
    found = GaussianAverages({"s": activation(name)})(k, [request])[0]
    with mpmath.workdps(60):
        a, b, c = (mpmath.mpf(x) for x in (k[0, 0], k[0, 1], k[1, 1]))
        angle = mpmath.acos(b / mpmath.sqrt(a * c))
        left, cosine = mpmath.pi - angle, mpmath.cos(angle)
        kernel = mpmath.sin(angle) + left * cosine
        if name != "relu":
            kernel = 3 * mpmath.sin(angle) * cosine + left * (1 + 2 * cosine**2)
        exact = float(mpmath.sqrt(a * c) ** (1 if name == "relu" else 2) * kernel / (2 * mpmath.pi))
    assert 0 < exact < 1e-13
    assert found[0, 1] == pytest.approx(exact, rel=1e-12)
    assert found[1, 0] == found[0, 1]
    (mixed,) = GaussianAverages({"s": activation(name)})(k, [(f(0), f(1))])
    assert mixed[0, 1] == pytest.approx(mixed[1, 0] * math.sqrt(k[0, 0] / k[1, 1]), rel=1e-12)
    assert np.isfinite(mixed).all()


def test_the_determinant_of_close_pairs_keeps_its_digits() -> None:
    a, b, c = 1.1, 1.1 * (1 - 1e-9), 1.1
    exact = Fraction(a) * Fraction(c) - Fraction(b) ** 2
    assert determinant(*(np.array([x]) for x in (a, b, c)))[0] == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("name", ["relu", "elu"])
def test_equal_zero_and_collinear_inputs_among_many(name: str) -> None:
    k = covariance(8, 0.3)
    change = np.eye(8)
    change[5] = 0  # an input of zeros
    change[6] = 2 * change[1]  # a multiple of another
    change[7] = change[2]  # the same again
    k = change @ k @ change.T
    requests = [(f(0), f(0)), (f(1), f(1))] if name == "elu" else [(f(0), f(0))]
    many = GaussianAverages({"s": activation(name)})(k, requests)
    for i, j in [(0, 1), (1, 6), (2, 7), (3, 3), (0, 5), (6, 6)]:
        few = GaussianAverages({"s": activation(name)})(k[np.ix_([i, j], [i, j])], requests)
        for all_pairs, single in zip(many, few, strict=True):
            assert np.isfinite(all_pairs[i, j])
            assert all_pairs[i, j] == pytest.approx(single[0, 1], abs=1e-12)


def test_deltas_are_left_to_the_general_method() -> None:
    pairs = KinkedPairs((("s", activation("relu")),), np.eye(3))
    assert not pairs.supports((f(2), f(0)))
    assert not pairs.supports((f(1, legs=1), f(0)))
    assert not pairs.supports((f(0), f(0), f(0)))
    k = covariance(9, 0.2)
    ((found),) = GaussianAverages({"s": activation("relu")}, distinct=True)(k, [(f(2), f(0))])
    # <delta(z_i) relu(z_j)>: density at zero times half a mean absolute value of what z_j has left
    left = k[4, 4] - k[1, 4] ** 2 / k[1, 1]
    assert found[1, 4] == pytest.approx(math.sqrt(left / (2 * math.pi)) / math.sqrt(2 * math.pi * k[1, 1]), rel=1e-12)
