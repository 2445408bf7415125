"""`pt.average`: numbers, closed forms against the numeric room, cumulants, bad input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import sympy
from scipy.special import voigt_profile

import pertheory as pt

K = [[1.3, 0.4, -0.2], [0.4, 0.9, 0.3], [-0.2, 0.3, 1.1]]
A, B, C = sympy.symbols("a b c", positive=True)
POINT = {A: 1.3, B: 0.9, C: 0.4}

#: on one input: polynomials and exponentials between any kinks, error functions
ALONE = [
    "relu",
    "leaky_relu",
    "abs",
    "elu",
    "selu",
    "relu6",
    "hard_tanh",
    "hard_swish",
    "softshrink",
    "x3",
    "erf",
    "gelu",
]
ALONE += ["gaussian", "sin", "cos", "exp", "max(0,x-1)*x", "exp(-x^2)*x", "sinh(x)"]
#: on two inputs
PAIRS = ["relu", "leaky_relu", "abs", "x3", "erf", "gelu", "gaussian", "sin", "cos", "exp", "x*exp(x)"]


@pytest.mark.parametrize("name", ALONE)
def test_closed_forms_on_one_input_are_the_numbers(name: str) -> None:
    found = 0
    for text in ("s s", "s' s'", "z s s'", "d^2 (s s)", "d^2 (s' s')", "s s''", "s ; s", "s s ; s s"):
        try:
            closed = pt.average(text, A, name)
        except (pt.UnsupportedError, pt.DivergentAverageError):
            continue
        found += 1
        assert float(closed.subs(POINT)) == pytest.approx(pt.average(text, 1.3, name), rel=1e-9, abs=1e-13), text
    assert found >= 5


@pytest.mark.parametrize("name", PAIRS)
def test_closed_forms_on_two_inputs_are_the_numbers(name: str) -> None:
    found = 0
    matrix = np.array([[1.3, 0.4], [0.4, 0.9]])
    for text in (
        "s_1 s_2",
        "s'_1 s'_2",
        "s''_1 s_2",
        "s_1 s'_1 s'_2 s_2",
        "s_1 ; s_2",
        "s_1 s_1 ; s_2 s_2",
        "z_1 s_1 s_2",
    ):
        try:
            closed = pt.average(text, [[A, C], [C, B]], name)
        except (pt.UnsupportedError, pt.DivergentAverageError):
            continue
        found += 1
        assert float(closed.subs(POINT)) == pytest.approx(pt.average(text, matrix, name), rel=1e-9, abs=1e-13), text
    assert found >= 4


def test_powers_and_waves_have_closed_forms_at_any_number_of_inputs() -> None:
    x, y, z = sympy.symbols("x y z")
    matrix = sympy.Matrix([[A, x, y], [x, B, z], [y, z, C]])
    wick = pt.average("z_1 z_1 z_2 z_3", matrix)
    assert sympy.expand(wick - A * z - 2 * x * y) == 0
    for name in ("x2", "sin", "exp"):
        closed = pt.average("s_1 s_2 s'_3", matrix, name)
        numbers = {A: 1.3, B: 0.9, C: 1.1, x: 0.4, y: -0.2, z: 0.3}
        assert float(closed.subs(numbers)) == pytest.approx(pt.average("s_1 s_2 s'_3", K, name), rel=1e-10, abs=1e-14)


def test_what_the_book_says_of_relu_and_erf() -> None:
    """A_2 and A_4 of a rectified linear unit; the arcsine kernel of the error function (Williams)."""
    assert pt.average("s s", A, "relu") == A / 2
    assert pt.average("s s s s", A, "relu") == sympy.Rational(3, 2) * A**2
    assert sympy.simplify(pt.average("s s", A, "erf") - 2 / sympy.pi * sympy.asin(2 * A / (1 + 2 * A))) == 0


def test_a_text_without_numbers_over_a_matrix_is_an_array() -> None:
    found = pt.average("s s ; s'", K, "exp")
    assert found.shape == (3, 3)
    for i, j in ((0, 0), (0, 2), (2, 1)):
        text = f"s_{i + 1} s_{i + 1} ; s'_{j + 1}"
        assert found[i, j] == pytest.approx(pt.average(text, K, "exp"), rel=1e-12)
    closed = pt.average("s ; s", [[A, C], [C, B]], "exp")
    assert closed.shape == (2, 2)
    assert sympy.simplify(closed[0, 1] - sympy.exp((A + B) / 2) * (sympy.exp(C) - 1)) == 0


def test_a_cumulant_is_what_is_left_of_products_of_averages() -> None:
    text = "s_1 ; s_2 ; s_3"
    one, two, three = (pt.average(f"s_{i}", K, "exp") for i in (1, 2, 3))
    pairs = [pt.average(f"s_{i} s_{j}", K, "exp") for i, j in ((1, 2), (1, 3), (2, 3))]
    whole = pt.average("s_1 s_2 s_3", K, "exp")
    expected = whole - pairs[0] * three - pairs[1] * two - pairs[2] * one + 2 * one * two * three
    assert pt.average(text, K, "exp") == pytest.approx(expected, rel=1e-10)


def test_several_functions_and_parameters() -> None:
    assert pt.average("s t'", 1.0, {"s": "x2", "t": "x3"}) == pytest.approx(9.0)
    assert pt.average("s s", 1.0, "leaky_relu", slope=0.5) == pytest.approx(0.625)


def test_numbers_of_the_book_at_criticality() -> None:
    """gelu at its critical point: chi_perp = C_W <s' s'> = 1."""
    assert 1.98305826 * pt.average("s' s'", 3.5615528, "gelu") == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("s ; ", 1.0), "a product without factors"),
        (("t", 1.0), "for others give a mapping"),
        (("t", 1.0, {"s": "tanh"}), "no activation is given for 't'"),
        (("s_3", [[1, 0], [0, 1]]), "has input 3; K has 2"),
        (("s_0", 1.0), "has input 0; K has 1"),
        (("s_1 s", 1.0), "number all factors, or none"),
        (("s s", [[1, 2]]), "a number or a square matrix"),
        (("s s", "1.0"), "numbers or sympy expressions"),
        (("s s", [[A, B], [C, A]], "relu"), "must be symmetric"),
        (("s s", -1.0), "variance"),
        (("s'^2", 1.0), "is no factor such as s"),
        (("s^(99)", 1.0), "at most 12 derivatives"),
        (("d^2 (s_1 s_2)", [[1, 0], [0, 1]]), "needs all factors at one input"),
        (("", 1.0), "an average is a text"),
        ((3, 1.0), "an average is a text"),
        (("__import__('os')", 1.0), "is no factor"),
        (("s s", A), "<s s> of s = tanh has no closed form"),
        (("s s", 1.0, "no_such"), "unknown activation"),
        (("s' s' s'' s''", A, "relu"), "several deltas meet"),
    ],
)
def test_bad_input_is_one_line(given: tuple[object, ...], words: str) -> None:
    with pytest.raises(pt.PertheoryError, match=words) as caught:
        pt.average(*given)
    assert "\n" not in str(caught.value)


def test_closed_forms_of_kinks_hold_at_every_size() -> None:
    """A sum over pieces may cancel far from the kinks; the formula itself does not: the numbers are close at any K."""
    closed = pt.average("s s", A, "softshrink")
    values = [float(sympy.N(closed.subs(A, size), 40)) for size in (0.01, 0.1, 1, 10, 100)]
    assert all(a < b for a, b in pairwise(values))
    assert values[0] == pytest.approx(pt.average("s s", 0.01, "softshrink"), rel=1e-8)


def test_what_is_no_number_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="several deltas"):
        assert np.isnan(pt.average("s'' s''", 1.0, "relu"))
    with pytest.warns(UserWarning, match="overflows"):
        assert np.isinf(pt.average("s", 1e300, "x^4"))
    assert pt.average("s s", 1e308, "tanh") == pytest.approx(1.0)


@pytest.mark.filterwarnings("error")
def test_what_is_next_to_the_largest_numbers_is_a_number() -> None:
    """<s s> of ReLU is K/2, and for two inputs the kernel is homogeneous: no unit on the way may overflow."""
    assert pt.average("s s", 1e308, "relu") == 5e307
    assert pt.average("s s", 1.7e308, "abs(x)") == pytest.approx(1.7e308, rel=1e-14)
    pair = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert pt.average("s_1 s_2", 1e308 * pair, "relu") == pytest.approx(1e308 * pt.average("s_1 s_2", pair, "relu"))


@pytest.mark.filterwarnings("error")
def test_a_narrow_peak_is_the_number_that_its_area_gives() -> None:
    """Voigt's profile and areas of peaks of width 1e-8; the formulas would cancel if they were multiplied out."""
    density, voigt = np.exp(-0.5) / np.sqrt(2 * np.pi), np.pi * 1e-8 * voigt_profile(1.0, 1.0, 1e-8)
    peak = "1/(1+1e16*(x-1)^2)"
    assert pt.average("s", 1.0, peak) == pytest.approx(voigt, rel=1e-12)
    assert pt.average("s s", 1.0, peak) == pytest.approx(np.pi / 2 * 1e-8 * density, rel=1e-9)
    assert pt.average("s", 1.0, f"{peak} + 1/(1+1e16*(x+1)^2)") == pytest.approx(2 * voigt, rel=1e-12)
    for text in ("exp(-1e16*(x-1)^2)", "exp(-(1e8*(x-1))^2)", "exp(-1e16*(1-x)*(1-x))"):
        assert pt.average("s", 1.0, text) == pytest.approx(np.sqrt(np.pi) * 1e-8 * density, rel=1e-12)


def test_peaks_that_doubles_hardly_hold_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="estimated relative error"):
        value = pt.average("s", 1.0, "exp(-1e24*(x-1)^2)")
    assert value == pytest.approx(np.sqrt(np.pi / 2 / np.pi / 1e24) * np.exp(-0.5), rel=1e-6)


@pytest.mark.parametrize(
    "covariance", [float("inf"), float("nan"), [[1.0, float("nan")], [float("nan"), 1.0]], 10**400]
)
def test_a_covariance_is_finite(covariance: object) -> None:
    with pytest.raises(pt.InputError, match="K must"):
        pt.average("s", covariance, "relu")


def test_an_input_without_variance_has_no_closed_form() -> None:
    for covariance in (sympy.Integer(0), sympy.Matrix([[0, 0], [0, A]])):
        with pytest.raises(pt.UnsupportedError, match="variance"):
            pt.average("s s", covariance, "relu")
