"""Closed forms against quadrature, on random and on singular covariances."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pertheory.averages.closed import ClosedAverages
from pertheory.averages.methods.trapezoid import SmoothAverages
from pertheory.errors import RuleError
from pertheory.rulebook.activation import activation

ORDERS = [
    ((0,), (0,)),
    ((0,), (1,)),
    ((1, 2), (0,)),
    ((0, 0), (0, 0)),
    ((0,), (0,), (0,)),
    ((0, 1), (1,), (2,)),
    ((0,), (1,), (0,), (2,)),
    ((0,), (0,), (0,), (0,)),
]


def covariance(size: int, seed: int, rank: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, rank))
    return 0.8 * root @ root.T / rank


@pytest.mark.parametrize("name", ["sin", "cos", "exp", "gaussian", "erf"])
@pytest.mark.parametrize("rank", [1, 2, 5])
def test_closed_forms_agree_with_quadrature(name: str, rank: int) -> None:
    functions = {"s": activation(name)}
    used = 0
    for number, orders in enumerate(ORDERS):
        k = covariance(len(orders), 10 * rank + number, rank)
        products = tuple(tuple(("s", order) for order in sorted(part)) for part in orders)
        exact = ClosedAverages(functions, k).average(tuple(enumerate(products)))
        if exact is None:  # zero by symmetry, or digits would be lost
            continue
        used += 1
        values, errors = SmoothAverages(functions, 1e-9).averages(k, [products])
        size = abs(values[0]) + 1e-3
        assert exact == pytest.approx(values[0], abs=max(1e-11, 10 * errors[0]) * size)
    assert used >= 4


def test_powers_of_the_identity_are_allowed_besides() -> None:
    k = covariance(2, 3, 2)
    functions = {"s": activation("sin"), "e": activation("erf")}
    for products in [
        ((("id", 0), ("id", 0), ("s", 0)), (("s", 0),)),
        ((("e", 0), ("id", 0)), (("e", 1), ("id", 0), ("id", 0))),
    ]:
        exact = ClosedAverages(functions, k).average(tuple(enumerate(products)))
        values, _ = SmoothAverages(functions, 1e-9).averages(k, [products])
        assert exact == pytest.approx(values[0], rel=1e-11)


def test_error_functions_at_one_and_two_inputs_are_arcsines() -> None:
    k = covariance(2, 4, 2)
    closed = ClosedAverages({"s": activation("erf")}, k)
    s = (("s", 0),)
    both = 2 / math.pi * math.asin(2 * k[0, 1] / math.sqrt((1 + 2 * k[0, 0]) * (1 + 2 * k[1, 1])))
    assert closed.average(((0, s), (1, s))) == pytest.approx(both, rel=1e-14)
    one = 2 / math.pi * math.asin(2 * k[0, 0] / (1 + 2 * k[0, 0]))
    assert closed.average(((0, (*s, *s)),)) == pytest.approx(one, rel=1e-14)


def test_no_closed_form_is_used_where_digits_are_lost() -> None:
    # <sin sin> at K = 1e-12 as a difference of exponentials keeps four digits
    functions = {"s": activation("sin")}
    assert ClosedAverages(functions, 1e-12 * np.eye(1)).average(((0, (("s", 0), ("s", 0))),)) is None
    assert ClosedAverages({"s": activation("tanh")}, np.eye(1)).average(((0, (("s", 0),)),)) is None
    assert ClosedAverages({"s": activation("exp")}, 1e4 * np.eye(1)).average(((0, (("s", 0),)),)) is None


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu"])
def test_kernels_of_the_relu_family_are_arc_cosine_kernels(name: str) -> None:
    from pertheory.averages.gaussian import GaussianAverages

    s = activation(name)
    assert s.closed_form == "relu"
    left, right = -s.side_values(1, 0.0)[0], s.side_values(1, 0.0)[1]
    for seed in range(5):
        k = covariance(2, seed, 2)
        (found,) = GaussianAverages({"s": s})(k, [((0, (("s", 0),)), (0, (("s", 0),)))])
        norm = math.sqrt(k[0, 0] * k[1, 1])
        total = 0.0
        for a, b in itertools.product((1, -1), repeat=2):  # relu(a z_1) relu(b z_2): Cho and Saul, J_1
            c = a * b * k[0, 1] / norm
            weight = (right if a > 0 else left) * (right if b > 0 else left)
            total += weight * norm * (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / (2 * math.pi)
        assert found[0, 1] == pytest.approx(total, rel=1e-12, abs=1e-14)


def test_an_unknown_family_is_refused(tmp_path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text('name = "odd"\nclosed_form = "sine"\nformula = "sin(x)"\n')
    with pytest.raises(RuleError, match="'closed_form' is 'sine'; known: sin"):
        activation(str(path))
