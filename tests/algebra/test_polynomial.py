"""Sums over keys, polynomials in symbols, power series and joint cumulants obey the laws of what they stand for."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pertheory.algebra.polynomial import Polynomial, add_sums, multiply_sums
from pertheory.algebra.series import TaylorSeries
from pertheory.graphs.partitions import joint_cumulant

SMALL = st.integers(-4, 4).map(Fraction)
SERIES = st.lists(SMALL, min_size=4, max_size=4).map(TaylorSeries)


@st.composite
def polynomials(draw):
    x, y = (Polynomial.symbol(name, Fraction(1)) for name in "xy")
    return sum((draw(SMALL) * x**i * y**j for i in range(3) for j in range(2)), Polynomial({}))


def at(polynomial, **point):
    return sum(c * math.prod(point[name] ** power for name, power in powers) for powers, c in polynomial.terms.items())


@given(polynomials(), polynomials(), SMALL, SMALL)
def test_polynomials_are_functions(a, b, x, y):
    for combined, expected in (
        (a + b, at(a, x=x, y=y) + at(b, x=x, y=y)),
        (a * b, at(a, x=x, y=y) * at(b, x=x, y=y)),
        (2 - a / 3, 2 - at(a, x=x, y=y) / 3),
        (a**2, at(a, x=x, y=y) ** 2),
    ):
        assert at(combined, x=x, y=y) == expected


def test_a_polynomial_is_equal_to_its_constant_and_divides_by_constants():
    x = Polynomial.symbol("x", Fraction(1))
    assert x - x == 0
    assert (x * 0 + 3) / Polynomial({(): Fraction(2)}) == Fraction(3, 2)
    assert (3 * x + 1).coefficient(("x", 1)) == 3
    assert not (x * 0)


def test_keys_that_are_left_out():
    a = {0: 1, 1: 2}
    assert multiply_sums(a, a, lambda i, j: i + j if i + j < 2 else None) == {0: 1, 1: 4}
    assert add_sums(a, {1: -2}, {5: 1}) == {0: 1, 1: 0, 5: 1}


@given(SERIES, SERIES)
def test_series_multiply_and_divide(a, b):
    assert a * b == b * a
    assert (a + b) * (a - b) == a * a - b * b
    if b.coefficients[0]:
        assert (a / b) * b == a
        assert b**-2 * b * b == TaylorSeries.constant(Fraction(1), 3)


@given(SERIES)
def test_exponential_and_logarithm_are_inverse(a):
    without = a - a.coefficients[0]
    assert without.exponential().logarithm() == without
    assert without.exponential().derivative().below(3) == (without.derivative() * without.exponential()).below(3)


def test_the_lowest_power():
    assert TaylorSeries([0, 0, 3]).lowest == 2
    assert TaylorSeries([0, 0]).lowest is None


@pytest.mark.parametrize("order", range(1, 6))
def test_cumulants_of_a_poisson_variable_are_its_mean(order):
    """All of them: moments are Touchard's polynomials, sums of Stirling numbers."""
    mean = Fraction(3, 2)

    def stirling(n, k):
        if n == k:
            return 1
        return 0 if k == 0 or k > n else k * stirling(n - 1, k) + stirling(n - 1, k - 1)

    def moment(block):
        return sum(stirling(len(block), k) * mean**k for k in range(len(block) + 1))

    assert joint_cumulant(order, moment, Fraction) == mean
