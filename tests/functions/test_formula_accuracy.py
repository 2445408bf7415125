"""Derivatives of drawn and of swelling formulas against Taylor arithmetic with many digits."""

from __future__ import annotations

import math
import operator
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pertheory.averages.code import code_function
from pertheory.averages.plan import PieceCode
from pertheory.functions.activation import activation
from pertheory.functions.taylor import derivatives

#: Near 0 (where sums of Taylor terms are used), and elsewhere.
PLACES = (-1.3, 0.004, 0.7, 2.5)
#: Rounding in units of the sum of the absolute values of the terms; arguments are rounded as well, hence some more.
ROUNDING = 1e-12

#: Smooth everywhere and of moderate size, so that arguments do not spoil the comparison.
OUTER = [
    "tanh({})",
    "sin({})",
    "cos({})",
    "erf({})",
    "exp(-({})^2)",
    "1/(1+exp(-({})))",
    "log(1+exp({}))",
    "sqrt(1+({})^2)",
    "1/(2+cos({}))",
    "tan(sin({})/2)",
    "(2+sin({}))^1.5",
    "(exp(sin({})) - 1)",
    "cosh(sin({}))",
]
smooth = st.recursive(
    st.sampled_from(["x", "x/2", "2*x", "(x - 1)", "(1 + x^2/4)"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(OUTER), inner).map(lambda t: t[0].format(t[1])),
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"(({t[0]}){t[1]}({t[2]}))/2"),
        st.tuples(inner, st.integers(2, 5)).map(lambda t: f"(({t[0]})/2)^{t[1]}"),
    ),
    max_leaves=8,
)

SHARED = [
    "tanh(x+" * 20 + "x" + ")" * 20,
    "tanh(1+x*" * 12 + "x" + ")" * 12,
    "*".join(f"tanh({n}*x/8)" for n in range(1, 30)),
    "+".join(f"tanh({n}*x)" for n in range(1, 40)),
    "(x+sin(x)+cos(x)+exp(x)+tanh(x))^7/5000",
    "((sin(x)+2)*(cos(x)+x)*(tanh(x)+3)*(erf(x)-x)*(exp(x/2)+1)*(x-2))",
    "sin((x+1/4)^40/1e17)",
    "exp(-(x+sin(x)+cos(2*x)+x^2+tanh(x)+x^3/9)^2)",
    "*".join(f"(1+x/{n})^{n}" for n in range(1, 20)),
]


def check(text: str, most: int) -> None:
    """The values, the orders one by one, agree with the witness to the rounding error that the terms suggest."""
    function = replace(activation(text))
    points = np.array(PLACES)
    found = function.tabulate(points, range(most + 1))
    sizes = function.tabulate(points, range(most + 1), absolute=True)
    with mpmath.workdps(60):
        for n, place in enumerate(PLACES):
            exact = derivatives(function, 0, mpmath.mpf(place), most)
            for order in range(most + 1):
                error = abs(mpmath.mpf(found[order][n]) - exact[order])
                assert error <= ROUNDING * max(sizes[order][n], 1.0), (place, order)


@given(smooth.filter(lambda text: len(text) < 300))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_drawn_formulas_agree_with_taylor_arithmetic(text: str) -> None:
    check(text, 4)


@pytest.mark.parametrize("text", SHARED, ids=range(len(SHARED)))
def test_formulas_with_shared_parts_agree_with_taylor_arithmetic(text: str) -> None:
    assert any(kind in ("shared", "factor") for kind in kinds(text))
    check(text, 5)


def kinds(text: str) -> set[str]:
    """Kinds of the generators of a formula and of five derivatives."""
    ring, _ = replace(activation(text)).polynomials(0, 5)
    return {ring.variable(index)[0] for index in range(1, ring.size[0] + 1)}


def test_ordinary_activations_share_nothing() -> None:
    """What is multiplied out is printed in C as it always was; what cancels is not, but algebra sees through it."""
    for text in ("tanh", "gelu", "gelu_tanh", "swish", "mish", "softplus", "squareplus", "x*exp(-x^2)*(1 + x^2)^3"):
        assert not kinds(text) & {"shared", "factor"}
    ring, (polynomial,) = activation("x*exp(-x^2)*(1 + x)^3").polynomials(0, 0)
    assert "shared" in {ring.variable(index)[0] for index in range(1, ring.size[0] + 1)}
    assert sorted(ring.expanded(polynomial).values()) == [1, 1, 3, 3]
    assert activation("(x - 1)^2*(x + 2)/2").coefficients == (1.0, -1.5, 0.0, 0.5)


@pytest.mark.parametrize(
    "text", ["1e16*(x-1)^2", "1e16*(x-1)*(1-x)*3", "exp(-(1e8*(x-1))^2)", "1/(1+1e16*(x-1)^2*(x+1)^4)", "(x-1)^9*(x-2)"]
)
def test_formulas_keep_the_digits_of_the_form_that_was_written(text: str) -> None:
    """Next to the peak derivatives have all their digits, in C as well; multiplied out, the values had none."""
    function = replace(activation(text))
    points = np.array([1 + 2.0**-26, 1 - 3 * 2.0**-30])
    found = function.tabulate(points, range(3))
    (code,) = code_function("s", function, (0, 1, 2)).pieces
    with mpmath.workdps(60):
        for n, place in enumerate(points.tolist()):
            exact, printed = derivatives(function, 0, mpmath.mpf(place), 2), carried_out(code, place)
            for order in range(3):
                for value in (found[order][n], printed[order]):
                    assert abs(mpmath.mpf(value) - exact[order]) <= 1e-14 * abs(exact[order])


def carried_out(code: PieceCode, x: float) -> list[float]:
    """The results of straight-line code, as C has them."""
    done: list[float] = []
    known = {"add": operator.add, "multiply": operator.mul, "exp": math.exp, "reciprocal": lambda u: 1 / u}
    for operation, operands, number in code.instructions:
        given = [done[n] for n in operands]
        if operation in ("x", "constant"):
            done.append(x if operation == "x" else number)
        else:
            done.append(number * given[0] if operation == "scale" else known[operation](*given))
    return [done[n] for n in code.results]


def test_the_size_of_shared_terms_is_that_of_what_they_hold() -> None:
    """sin(x)^2 - sin(x)^2 cos(x)^2 - sin(x)^4 cancels as much if it is shared; its size says so."""
    text = "(sin(x)^2 - sin(x)^2*cos(x)^2 - sin(x)^4 + 1e-3*tanh(x))^9"
    function = replace(activation(text))
    size = function.tabulate(np.array([0.7]), [0], absolute=True)[0][0]
    s, c, t = np.sin(0.7), np.cos(0.7), np.tanh(0.7)
    terms, left = s**2 + s**2 * c**2 + s**4 + 1e-3 * t, 1e-3 * t
    assert size == pytest.approx(9 * left**8 * terms + left**9, rel=1e-9)  # a power has its exponent times the error
