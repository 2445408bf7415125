"""Taylor arithmetic on formulas against numerical differentiation of the same functions with many digits."""

from dataclasses import replace

import mpmath
import pytest

from pertheory.errors import UnsupportedError
from pertheory.functions.activation import activation
from pertheory.functions.parsing import parse
from pertheory.functions.taylor import derivatives

FUNCTIONS = {
    "x*tanh(log(1 + exp(x)))": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "sqrt(1 + x^2)": lambda x: mpmath.sqrt(1 + x**2),
    "(2 + x^2)^-2": lambda x: (2 + x**2) ** -2,
    "(2 + x^2)^(3/4)": lambda x: mpmath.root(2 + x**2, 4) ** 3,
    "sinh(x)/cosh(x/2)": lambda x: mpmath.sinh(x) / mpmath.cosh(x / 2),
    "sin(x)*cos(3*x) - tan(sin(x)/2)": lambda x: mpmath.sin(x) * mpmath.cos(3 * x) - mpmath.tan(mpmath.sin(x) / 2),
    "x/2*(1 + erf(x/sqrt(2)))": lambda x: x / 2 * (1 + mpmath.erf(x / mpmath.sqrt(2))),
    "pi*x^3 - exp(-x^2)": lambda x: mpmath.pi * x**3 - mpmath.exp(-(x**2)),
}


@pytest.mark.parametrize("formula", FUNCTIONS)
@pytest.mark.parametrize("place", ["-1.25", "0", "0.7"])
def test_derivatives_agree_with_numerical_differentiation(formula, place):
    with mpmath.workdps(40):
        x = mpmath.mpf(place)
        found = derivatives(activation(formula), 0, x, 6)
        for order, value in enumerate(found):
            other = mpmath.diff(FUNCTIONS[formula], x, order)
            assert abs(value - other) <= mpmath.mpf(10) ** -20 * (1 + abs(other))


def test_each_piece_has_its_own():
    with mpmath.workdps(30):
        elu = activation("elu")
        assert derivatives(elu, 1, 2, 2) == [2, 1, 0]
        assert abs(derivatives(elu, 0, -1, 3)[3] - mpmath.exp(-1)) < mpmath.mpf(10) ** -28


def test_kinks_inside_a_formula_are_refused():
    plain = activation("tanh")
    bent = replace(plain, pieces=(replace(plain.pieces[0], node=parse("abs(x)", {})),))  # as no rule makes it
    with pytest.raises(UnsupportedError, match="no Taylor"):
        derivatives(bent, 0, 1, 1)
