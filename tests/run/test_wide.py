"""Smooth functions of variables of large variance, against other methods, exact laws and covariances turned by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from pertheory.averages.estimate import Wanted
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.grids import Functions
from pertheory.averages.methods.mehler import Layout, pair_averages
from pertheory.averages.methods.smeared import Smearing
from pertheory.averages.methods.wide import Wide, cuts
from pertheory.functions.activation import activation

pytestmark = pytest.mark.filterwarnings("error")

TANH: Functions = (("s", activation("tanh")),)
CHAIN = np.array([[1, 0.5, 0.25, 0.1], [0.5, 1, 0.4, 0.3], [0.25, 0.4, 1, -0.2], [0.1, 0.3, -0.2, 1]])


def line(*orders: int) -> tuple[tuple[str, int], ...]:
    return tuple(("s", order) for order in orders)


ATOMS = {
    3: [(line(0), line(0), line(0, 0)), (line(1), line(0, 2), line(0)), (line(1), line(1), line(1, 1))],
    4: [(line(0),) * 4, (line(1), line(1), line(0), line(0)), (line(1, 1), line(0, 2), line(1), line(0, 0))],
}


@pytest.mark.parametrize("size", [3, 4])
def test_both_methods_agree_where_both_are_accurate(size: int) -> None:
    # the trapezoid rule shares nothing with the split: neither points nor directions
    k = 9.0 * CHAIN[:size, :size]
    wide = Wide(Wanted(dict(TANH), 1e-9, 1e-8), dict.fromkeys((3, 4), 0.0)).sum(k, ATOMS[size], 1.0)
    other = pair_averages(TANH, k, Layout.of(ATOMS[size]), 1.0)
    assert wide is not None
    assert other is not None
    assert wide[1].max() < 1e-9
    np.testing.assert_allclose(wide[0], other[0], rtol=0, atol=1e-11)


def test_the_fourth_function_constant_leaves_the_average_of_three() -> None:
    # <s^2 + c s'> = c + (1 - c) <s^2> for tanh, s' = 1 - s^2: with c = 1 the fourth variable drops out
    k = 1000.0 * CHAIN
    averages = GaussianAverages(dict(TANH))
    squares, slopes = averages(
        k,
        [
            (*[(0, line(0)), (0, line(1)), (0, line(0)), (0, line(0, 0))],),
            (*[(0, line(0)), (0, line(1)), (0, line(0)), (0, line(1))],),
        ],
    )
    three = averages(k[:3, :3], [((0, line(0)), (0, line(1)), (0, line(0)))])[0]
    scale = 1 / math.sqrt(2 * math.pi * 1000.0)
    assert abs(squares[0, 1, 2, 3] + slopes[0, 1, 2, 3] - three[0, 1, 2]) < 1e-10 * scale


@pytest.mark.parametrize("variance", [256.0, 1e4])
def test_saturated_functions_are_signs_up_to_one_over_the_spread(variance: float) -> None:
    # <sgn sgn sgn sgn> has a closed form where two pairs are independent: (2/pi arcsin)^2
    k = variance * np.array([[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, -0.3], [0, 0, -0.3, 1]])
    found = GaussianAverages(dict(TANH))(k, [((0, line(0)),) * 4, ((0, line(0)),) * 2])
    assert found[0][0, 1, 2, 3] == pytest.approx(found[1][0, 1] * found[1][2, 3], rel=1e-10)
    signs = (2 / math.pi) ** 2 * math.asin(0.6) * math.asin(-0.3)
    assert found[0][0, 1, 2, 3] == pytest.approx(signs, rel=2 / math.sqrt(variance))


def test_the_average_of_one_is_one_where_an_input_is_independent_of_three_others() -> None:
    k = 9.0 * np.array([[1.0, -0.04, -0.53, 0], [-0.04, 1.0, 0.86, 0], [-0.53, 0.86, 1.0, 0], [0, 0, 0, 1.0]])
    sums = Smearing(dict(TANH), 1e-10).prepare(np.zeros(4), k)
    assert sums is not None
    assert sums.average(((), (), (), ())).value == pytest.approx(1.0, abs=1e-12)


def test_order_of_the_inputs_does_not_matter_at_mixed_sizes() -> None:
    sizes = np.sqrt([1e4, 1e-4, 1.0, 300.0])
    k = CHAIN * np.outer(sizes, sizes)
    request = [((0, line(0)), (0, line(0)), (0, line(1)), (0, line(0, 0)))]
    first = GaussianAverages(dict(TANH))(k, request)[0]
    turn = [2, 0, 3, 1]
    turned = GaussianAverages(dict(TANH))(k[np.ix_(turn, turn)], request)[0]
    np.testing.assert_allclose(turned, first[np.ix_(turn, turn, turn, turn)], rtol=0, atol=1e-11)


def test_panels_are_halved_until_products_of_derivatives_are_resolved() -> None:
    steep = (("s", activation("tanh(x^3)")),)
    plain, fine = cuts(steep, ((),), 256.0), cuts(steep, (line(0, 24),), 256.0)
    assert plain == ()
    assert len(fine) > 5
    assert max(map(abs, fine)) < 100  # where it changes, and nowhere else


def test_what_is_not_reached_is_said() -> None:
    # four inputs of rank three without noise of their own
    root = np.array([[1, 0, 0], [0.3, 1, 0], [0.2, 0.5, 1], [1, -1, 0.7]])
    averages = GaussianAverages(dict(TANH))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (found,) = averages(500.0 * root @ root.T, [((0, line(0)),) * 4])
    assert averages.worst_error > 1e-9  # if it is reached one day, this test should ask for another case
    assert "estimated relative error" in str(caught[0].message)
    drawn = np.tanh(np.sqrt(500.0) * np.random.default_rng(5).normal(size=(400_000, 3)) @ root.T).prod(axis=1)
    spread = drawn.std() / np.sqrt(len(drawn))
    assert abs(found[0, 1, 2, 3] - drawn.mean()) <= averages.worst_error + 5 * spread
