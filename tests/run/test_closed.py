"""Closed forms, which are derived from the formulas, against quadrature on random and on singular covariances."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from pertheory.averages.closed_forms import closed_codes
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.methods.closed import LOST, evaluate, relative_errors
from pertheory.errors import RuleError
from pertheory.functions.activation import activation
from tests.run.one_average import smooth_averages

ORDERS = [
    ((0,), (0,)),
    ((0,), (1,)),
    ((1, 2), (0,)),
    ((0,), (2,)),
    ((0, 1),),
    ((0, 0),),
    ((1, 2),),
    ((1,),),
]


def covariance(size: int, seed: int, rank: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, rank))
    return 0.8 * root @ root.T / rank


def closed(name: str, k: np.ndarray, *parts: tuple) -> tuple[float, float] | None:
    """The value of a closed form and the bound of its rounding error, where there is one that keeps its digits."""
    request = tuple((0, part) for part in parts)
    functions = tuple({"s": activation(name), "e": activation("erf")}.items())
    form = closed_codes((request,), functions).get(len(parts))
    if form is None:
        return None
    value, error = evaluate(form.code, k[:1, 0], k[:1, -1], k[-1:, -1])[:, :1, 0]
    return (float(value[0]), float(error[0])) if relative_errors(value, error)[0] <= LOST else None


@pytest.mark.parametrize("name", ["sin", "cos", "exp", "gaussian", "erf", "gelu", "sin(2*x)", "x^2*exp(-x^2/2)"])
@pytest.mark.parametrize("rank", [1, 2, 5])
def test_closed_forms_agree_with_quadrature(name: str, rank: int) -> None:
    functions = {"s": activation(name)}
    used = 0
    for number, orders in enumerate(ORDERS):
        k = covariance(len(orders), 10 * rank + number, rank)
        products = tuple(tuple(("s", order) for order in sorted(part)) for part in orders)
        exact = closed(name, k, *products)
        if exact is None:  # two waves or error functions at one input, or digits would be lost
            continue
        used += 1
        values, errors = smooth_averages(functions, k, [products])
        size = abs(values[0]) + 1e-3
        assert exact[0] == pytest.approx(values[0], abs=max(1e-11, 10 * errors[0]) * size)
    assert used >= 4


def test_powers_of_the_identity_are_allowed_besides() -> None:
    k = covariance(2, 3, 2)
    functions = {"s": activation("gaussian"), "e": activation("erf")}
    for products in [
        ((("id", 0), ("id", 0), ("s", 0)), (("s", 0),)),
        ((("e", 0), ("id", 0)), (("e", 1), ("id", 0), ("id", 0))),
    ]:
        exact = closed("gaussian", k, *products)
        values, _ = smooth_averages(functions, k, [products])
        assert exact is not None
        assert exact[0] == pytest.approx(values[0], rel=1e-11)


def test_error_functions_at_one_and_two_inputs_are_arcsines() -> None:
    k = covariance(2, 4, 2)
    s = (("e", 0),)
    both = 2 / math.pi * math.asin(2 * k[0, 1] / math.sqrt((1 + 2 * k[0, 0]) * (1 + 2 * k[1, 1])))
    assert closed("sin", k, s, s) == (pytest.approx(both, rel=1e-14), pytest.approx(0, abs=1e-14))
    one = 2 / math.pi * math.asin(2 * k[0, 0] / (1 + 2 * k[0, 0]))
    assert closed("sin", k[:1, :1], (*s, *s)) == (pytest.approx(one, rel=1e-14), pytest.approx(0, abs=1e-14))


def test_sine_of_small_variances_keeps_its_digits() -> None:
    found = closed("sin", 1e-12 * np.eye(1), (("s", 0), ("s", 0)))
    assert found is not None
    assert found[0] == pytest.approx(1e-12 * (1 - 1e-12), rel=1e-15)


def test_there_is_none_for_others_and_none_where_it_overflows() -> None:
    assert closed("tanh", np.eye(1), (("s", 0),)) is None
    assert closed("exp", 1e4 * np.eye(1), (("s", 0),)) is None


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu"])
def test_kernels_of_the_relu_family_are_arc_cosine_kernels(name: str) -> None:
    s = activation(name)
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


def test_a_rule_file_cannot_claim_a_closed_form(tmp_path: Path) -> None:
    """Only the formula counts: a claim of another one would be believed and wrong."""
    path = tmp_path / "odd.toml"
    path.write_text('name = "odd"\nclosed_form = "sin"\nformula = "sin(2*x)"\n')
    with pytest.raises(RuleError, match="closed_form"):
        activation(str(path))
    path.write_text('name = "odd"\nformula = "sin(2*x)"\n')
    ((found,),) = GaussianAverages({"s": activation(str(path))})(np.eye(1), [((0, (("s", 0), ("s", 0))),)])
    assert found == pytest.approx((1 - math.exp(-8)) / 2, rel=1e-15)


@pytest.mark.parametrize("name", ["relu", "abs", "erf", "gaussian", "exp", "sin", "cos", "gelu"])
def test_a_few_pairs_in_plain_numbers_are_what_many_are_in_arrays(name: str) -> None:
    line = (0, (("s", 0),))
    form = closed_codes(((line, line), ((0, (("s", 1),)),) * 2), (("s", activation(name)),))[2]
    a, k, b = np.array([[1.0, 0.3, 2.0], [0.5, -0.4999, 0.5], [1e-3, 1e-3, 1e-3], [4.0, 0.0, 0.25]]).T
    few, many = evaluate(form.code, a, k, b), evaluate(form.code, *(np.tile(x, 5) for x in (a, k, b)))
    np.testing.assert_allclose(few[0], many[0][:, :4], rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(few[1], many[1][:, :4], rtol=1.0, atol=1e-300)  # bounds, of the same size
