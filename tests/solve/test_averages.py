"""Averages of the classes, against Wick's sums, the numeric room and each other."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pertheory.averages.gaussian import GaussianAverages
from pertheory.errors import DivergentAverageError, UnsupportedError
from pertheory.functions.activation import activation
from pertheory.functions.taylor import jet
from pertheory.solve.averages import AtZero, Expanded, Symbols, TwoSlopes, hermite
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.numbers import Doubles, HighPrecision

LINES = [
    (("s", 0), ("s", 0)),
    (("s", 1), ("s", 1)),
    (("s", 0), ("s", 0), ("s", 1), ("s", 1)),
    (("s", 0), ("s", 0), ("s", 0), ("s", 0)),
    (("s", 1), ("s", 1), ("s", 1), ("s", 1)),
    (("s", 1), ("s", 2)),
]
WITH_Z = [*LINES, (("id", 0), ("s", 0)), (("id", 0), ("id", 0), ("s", 0), ("s", 2))]
#: s(z) = 2 z - 3 z^2 + 5 z^3/4 - z^5, as coefficients
QUINTIC = [Fraction(0), Fraction(2), Fraction(-3), Fraction(5, 4), Fraction(0), Fraction(-1)]


def slopes_of(plus, minus, of=Fraction):
    return TwoSlopes(of, {"s": (of(plus), of(minus))})


@pytest.mark.parametrize(("legs", "lines"), list(product(range(5), LINES)))
def test_averages_of_two_slopes_are_those_of_the_numeric_room(legs, lines):
    if (legs + sum(order for _, order in lines)) % 2:
        return  # odd ones are not rational
    exact = slopes_of(1, Fraction(3, 10)).average(Fraction(2), legs, lines)
    numeric = GaussianAverages({"s": activation("leaky_relu", slope=0.3)})(np.array([[2.0]]), [((legs, lines),)])[0]
    assert float(exact) == pytest.approx(numeric.item(), rel=1e-9, abs=1e-12)


def test_averages_that_depend_on_how_a_corner_is_smoothed_are_refused():
    for lines in ((("s", 2), ("s", 2)), (("s", 1), ("s", 3)), (("s", 1), ("s", 1), ("s", 2), ("s", 2))):
        with pytest.raises(DivergentAverageError, match="smoothed"):
            slopes_of(1, 0).average(Fraction(1), 0, lines)


def test_an_average_that_is_odd_is_refused():
    with pytest.raises(UnsupportedError, match="odd in z"):
        slopes_of(1, 0).average(Fraction(1), 0, (("s", 0),))


def test_two_functions_with_slopes_of_their_own():
    both = TwoSlopes(Fraction, {"s": (Fraction(1), Fraction(0)), "t": (Fraction(2), Fraction(3))})
    assert both.average(Fraction(5), 0, (("s", 0), ("t", 0))) == 5  # half of 1 * 2 * K
    with pytest.raises(DivergentAverageError, match="smoothed"):
        both.average(Fraction(5), 0, (("s", 2), ("t", 1)))


def wick(kernel, legs, lines):
    """The average of a polynomial by sums over pairings."""
    inside = {0: Fraction(1)}
    for name, order in lines:
        factor = {1: Fraction(1)} if name == "id" else derived(QUINTIC, order)
        inside = {
            k: sum((u * v for (i, u), (j, v) in product(inside.items(), factor.items()) if i + j == k), Fraction(0))
            for k in {i + j for i, j in product(inside, factor)}
        }
    for _ in range(legs):
        inside = {k - 1: k * v for k, v in inside.items() if k}
    return sum(
        (v * math.prod(range(1, k, 2)) * kernel ** (k // 2) for k, v in inside.items() if k % 2 == 0), Fraction(0)
    )


def derived(coefficients, order):
    return {k - order: math.perm(k, order) * c for k, c in enumerate(coefficients) if c and k >= order}


def quintic():
    return AtZero(Fraction, {"s": [math.factorial(k) * c for k, c in enumerate(QUINTIC)]}, polynomial=True)


@pytest.mark.parametrize("legs", range(4))
@pytest.mark.parametrize("lines", WITH_Z)
def test_expansions_and_symbols_are_exact_for_polynomials(legs, lines):
    kernel = Fraction(7, 3)
    expected = wick(kernel, legs, lines)
    assert Expanded(quintic(), Fraction(0), None).average(kernel, legs, lines) == expected
    series = Expanded(quintic(), Fraction(0), 12)
    coefficients = series.average(series.kernel, legs, lines).coefficients
    assert sum(c * kernel**k for k, c in enumerate(coefficients)) == expected
    symbols = Symbols(Fraction, lambda own: wick(kernel, 0, own))
    assert symbols.average(kernel, legs, lines) == expected


@pytest.mark.parametrize("lines", LINES)
def test_an_expansion_about_any_variance_is_the_same_polynomial(lines):
    start = Fraction(3, 2)
    about = Expanded(Expanded(quintic(), Fraction(0), None), start, 12)
    coefficients = about.average(about.kernel, 1, lines).coefficients
    shift = Fraction(1, 5)
    assert sum(c * shift**k for k, c in enumerate(coefficients)) == wick(start + shift, 1, lines)


def test_derivatives_that_are_not_kept_are_asked_for():
    short = Expanded(AtZero(Fraction, {"s": [Fraction(0), Fraction(1)]}), Fraction(0), 1)
    with pytest.raises(UnsupportedError, match="derivative of order 2 of s"):
        short.average(short.kernel, 2, (("s", 0), ("s", 0)))


def test_hermite_polynomials():
    assert [hermite(n) for n in range(5)] == [[1], [0, 1], [-1, 0, 1], [0, -3, 0, 1], [3, 0, -6, 0, 1]]


# -- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["swish", "gelu", "tanh", "sin", "softplus", "gelu_tanh", "gaussian", "x3"])
@pytest.mark.parametrize("x", [-1.7, 0.4, 2.5])
def test_taylor_arithmetic_gives_the_derivatives(name, x):
    function = activation(name)
    coefficients = jet(function.pieces[0].node, x, 5, dict(function.parameters)).coefficients
    for order, c in enumerate(coefficients):
        expected = float(function.derivative(order)(x))
        assert float(c) * math.factorial(order) == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(("legs", "lines"), list(product(range(3), LINES)))
def test_precise_averages_are_those_of_the_numeric_room(legs, lines):
    precise, doubles = (kind({"s": activation("gelu")}) for kind in (HighPrecision, Doubles))
    with mpmath.workdps(25):
        value = float(precise.average(mpmath.mpf(2), legs, lines))
    assert value == pytest.approx(doubles.average(2.0, legs, lines), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["elu", "selu", "hard_tanh", "relu"])
def test_precise_averages_across_kinks_are_integrals(name):
    # mpmath's own quadrature, between the kinks, of the definition
    function = activation(name)
    precise = HighPrecision({"s": function})
    with mpmath.workdps(25):
        kernel = mpmath.mpf(13) / 10

        def piece(x):
            at = sum(x > kink for kink in function.kinks)
            return jet(function.pieces[at].node, x, 1, dict(function.parameters)).coefficients

        def integral(weight):
            ends = [-mpmath.inf, *function.kinks, mpmath.inf]
            density = mpmath.sqrt(2 * mpmath.pi * kernel)
            return mpmath.quad(lambda x: weight(x) * mpmath.exp(-x * x / (2 * kernel)) / density, ends)

        slopes = integral(lambda x: piece(x)[1] ** 2)
        assert abs(precise.average(kernel, 0, (("s", 1), ("s", 1))) - slopes) < 1e-18
        curved = integral(lambda x: piece(x)[0] ** 2 * (x * x / kernel - 1) / kernel)
        assert abs(precise.average(kernel, 2, (("s", 0), ("s", 0))) - curved) < 1e-18
        with pytest.raises(UnsupportedError, match="jump"):
            precise.average(kernel, 0, (("s", 2), ("s", 0)))


# -- rational functions --------------------------------------------------------------------------------------


def test_rational_functions_by_powers():
    of = RationalFunctions(["x", "y", "z"])
    x, y, z = of.symbols.values()
    value = (x**2 * y + 3 * x - z) / (y + 1)
    assert of.powers(value, "x") == {0: -z / (y + 1), 1: 3 / (y + 1), 2: y / (y + 1)}
    assert of.root(3 * x * y - z, "x") == z / (3 * y)
    assert (of.degree(value, "x"), of.degree(value, "y"), of.valuation(x**2 / y, "x")) == (2, 0, 2)
    assert of.below(value, ("x",), 1) == (3 * x - z) / (y + 1)
    assert of.at(value, {"x": Fraction(1, 2), "y": 2, "z": 0}) == Fraction(2, 3)
    assert of.number(Fraction(2, 3)) == Fraction(2, 3)
    assert (x**2 - y**2) / (2 * x - 2 * y) == (x + y) / 2
    assert ((x * y) / (3 * x * z)).diff(z) == -y / (3 * z**2)
    with pytest.raises(UnsupportedError, match="not linear in x"):
        of.root(x**2 - 1, "x")
    with pytest.raises(ZeroDivisionError):
        of.at(1 / (x - y), {"x": 1, "y": 1})


FIELD = RationalFunctions(["x", "y"])


@st.composite
def quotients(draw):
    x, y = FIELD.symbols.values()

    def polynomial():
        return sum((draw(st.integers(-2, 2)) * x**i * y**j for i in range(3) for j in range(2)), FIELD.number(0))

    below = polynomial()
    return polynomial() / (below if below else x)


@settings(max_examples=60, deadline=None)
@given(quotients(), quotients(), quotients())
def test_rational_functions_are_a_field(a, b, c):
    """Laws hold as equality of values, so every element is in its one lowest form."""
    assert a + b == b + a
    assert (a + b) * c == a * c + b * c
    assert a - b + b == a
    assert (a * b) * c == a * (b * c)
    assert a * Fraction(2, 3) + a / 3 == a
    if b:
        assert a * b / b == a
        assert (a / b) ** 2 == a * a * b**-2
    point = {"x": Fraction(7, 3), "y": Fraction(-11, 5)}
    try:
        values = [FIELD.at(value, point) for value in (a, b, c)]
    except ZeroDivisionError:
        return
    assert FIELD.at(a * b + c, point) == values[0] * values[1] + values[2]
