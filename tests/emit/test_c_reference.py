"""Emitted averages are right or warn: a part of what `tests.emit.judged_averages` runs in whole."""

import shutil
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from pertheory.averages.gaussian import GaussianAverages
from pertheory.functions.activation import activation
from tests.emit.judged_averages import STEEP, Judged, grid, is_bounded, request, scan, slopes
from tests.emit.single_averages import SingleAverages

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
PAIR = ((0, 1), False)


def silent(rows: list[Judged], allowed: float) -> list[Judged]:
    return [row for row in rows if not row.wrong <= allowed and row.found.status == 0]


@pytest.mark.parametrize(
    ("which", "name", "every"), [("smooth", "tanh", 3), ("kinked", "relu6", 1), ("kinked", "relu", 1)]
)
def test_estimates_bound_the_errors_on_the_reference_grid(which: str, name: str, every: int) -> None:
    rows = list(grid(which, name, every))
    missed = [row for row in rows if not is_bounded(row)]
    assert len(missed) <= 0.005 * len(rows), missed
    assert silent(rows, 1e-7) == []
    assert sum(row.found.status != 0 for row in rows) <= 0.01 * len(rows)


def test_estimates_bound_the_errors_of_functions_that_grow_cancel_or_have_poles() -> None:
    names = ("exp", "x3", "sin(3*x)+x/2", "tanhshrink", "log_sigmoid", "1/(1+x^2)")  # a library each, a second
    rows = [row for name in names for row in grid("smooth", name, 60)]
    assert [row for row in rows if not is_bounded(row)] == []
    assert silent(rows, 1e-7) == []


@pytest.mark.filterwarnings("ignore:.*estimated relative error")
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("tanhshrink", lambda x: x - mpmath.tanh(x)),
        ("x-sin(x)", lambda x: x - mpmath.sin(x)),
        ("1-cos(x)", lambda x: 1 - mpmath.cos(x)),
        ("log(1+x^2)", lambda x: mpmath.log(1 + x * x)),
        ("log(1+exp(x))-log(2)-x/2", lambda x: mpmath.log(1 + mpmath.exp(x)) - mpmath.log(2) - x / 2),
    ],
)
def test_what_a_formula_cancels_is_told(name: str, function: Callable[[mpmath.mpf], mpmath.mpf]) -> None:
    """<s s> at one input, by mpmath with 60 digits, at spreads from where nearly all cancels to where nothing does."""
    own = request((0, 0))
    averages = SingleAverages(name, [(own, ((0,), False))])
    for sigma in 4.0 ** np.array([-12, -9, -6, -4, -2, -1, 0, 1]):
        with mpmath.workdps(60):
            size = function(mpmath.mpf(sigma)) ** 2
            ends = [-14, -4, -1, 0, 1, 4, 14]
            right = size * mpmath.quad(lambda z: function(sigma * z) ** 2 / size * mpmath.npdf(z), ends)  # noqa: B023
        found = averages(own, [[sigma**2]])
        wrong = float(abs(found.value / right - 1))
        assert wrong <= found.error + 4e-16
        assert wrong <= 1e-9 or found.status != 0
        numpy = GaussianAverages({"s": activation(name)})
        (value,) = numpy(np.array([[sigma**2]]), [own])
        assert float(abs(value.item() / right - 1)) <= numpy.worst_error + 4e-16


@pytest.mark.parametrize("name", ["relu6", "sparse_sigmoid"])
def test_pairs_are_right_however_close_or_opposite(name: str) -> None:
    rows = list(scan(name, (0.5, 1e-4, 1e-7, 1e-12), (2.0**-3, 1.0, 2.0**10)))
    assert silent(rows, 1e-8) == []
    assert sum(row.found.status != 0 for row in rows) <= 0.01 * len(rows)


@pytest.mark.parametrize("name", ["tanh", "tanh elsewhere"])
def test_steep_functions_of_one_input_are_right(name: str) -> None:
    form, place = STEEP[name]
    rows = list(slopes(form, place, (0.01, 1000)))
    assert silent(rows, 1e-9) == []
    assert [row for row in rows if row.found.status] == []


def test_steep_functions_of_two_inputs_are_the_closed_forms() -> None:
    own = {orders: request(orders, orders) for orders in ((0,), (1,))}
    averages = SingleAverages("erf(1000*x)", [(r, PAIR) for r in own.values()])
    for spread in 10.0 ** np.arange(-6, 4):
        for correlation in (0.3, -0.9, 1 - 1e-6, -1 + 1e-9):
            k = [[spread**2, correlation * spread**2], [correlation * spread**2, spread**2]]
            with mpmath.workdps(40):
                a, b = 1e6 * mpmath.mpf(k[0][0]), 1e6 * mpmath.mpf(k[0][1])
                right = {
                    (0,): 2 / mpmath.pi * mpmath.asin(2 * b / (1 + 2 * a)),
                    (1,): 4e6 / mpmath.pi / mpmath.sqrt((1 + 2 * a) ** 2 - 4 * b * b),
                }
            for orders, value in right.items():
                found = averages(own[orders], k)
                assert found.status == 0
                assert found.value == pytest.approx(float(value), rel=1e-9)


def test_a_needle_in_the_formula_is_found() -> None:
    """<s'^2> of x + exp(-1e6 (x - 1.2345)^2) at variance 1, by mpmath with 25 digits."""
    name, own = "x+exp(-1000000*(x-1.2345)^2)", request((1, 1))
    with mpmath.workdps(25):
        ends = [mpmath.mpf("1.2345") + k * mpmath.mpf("1e-3") for k in (-9, -3, -1, 0, 1, 3, 9)]
        slope = lambda x: -2e6 * (x - mpmath.mpf("1.2345")) * mpmath.exp(-1e6 * (x - mpmath.mpf("1.2345")) ** 2)  # noqa: E731
        right = 1 + mpmath.quad(lambda x: (2 * slope(x) + slope(x) ** 2) * mpmath.npdf(x), ends)
    found = SingleAverages(name, [(own, ((0,), False))])(own, [[1.0]])
    assert found.status == 0
    assert found.value == pytest.approx(float(right), rel=1e-9)


def test_oscillations_everywhere_are_resolved_or_told() -> None:
    """<s s> of sin(w x) tanh(x) at variance 1 is half of <tanh tanh>, for there is no frequency 2 w in that."""
    own = request((0, 0))
    with mpmath.workdps(20):
        half = float(mpmath.quad(lambda z: mpmath.tanh(z) ** 2 * mpmath.npdf(z), [-12, 0, 12]) / 2)
    found = SingleAverages("sin(1000*x)*tanh(x)", [(own, ((0,), False))])(own, [[1.0]])
    assert found.status == 0
    assert found.value == pytest.approx(half, rel=1e-12)
    found = SingleAverages("sin(1000000*x)*tanh(x)", [(own, ((0,), False))])(own, [[1.0]])
    assert found.status != 0
    assert abs(found.value - half) <= found.error * half
