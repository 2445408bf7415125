"""Activations from sympy expressions: the same function, through our own grammar."""

import numpy as np
import pytest
import sympy
from sympy import Float, Rational, Symbol, cosh, erf, exp, log, pi, sin, sqrt, symbols, tanh

import pertheory as pt

x, y, beta = symbols("x y beta")
POINTS = np.linspace(-2.1, 2.3, 23)


@pytest.mark.parametrize(
    ("expression", "parameters"),
    [
        (tanh(x), {}),
        (tanh(y), {}),
        (x * (1 + erf(x / sqrt(2))) / 2, {}),
        (sympy.Max(0, x) ** 2, {}),
        (sympy.Max(x, -1, x / 3) - sympy.Min(x, 1) + sympy.Abs(x), {}),
        (2**x / (1 + 2**x), {}),
        (1 / cosh(x) ** 2, {}),
        (x / (1 + exp(-beta * x)), {"beta": 2}),
        (-Rational(1, 3) * x**3 - x + Float("0.25") - pi * x**2, {}),
        (exp(x) * sympy.E, {}),
        (sqrt(1 + x**2) - log(2 + sin(x)), {}),
        ((1 + x**2) ** Rational(-3, 2), {}),
        (x * exp(-(x**2)), {}),
    ],
    ids=str,
)
def test_it_is_the_function_of_the_expression(expression, parameters):
    function = pt.activation(expression, **parameters)
    variable = x if x in expression.free_symbols else y
    for order in range(3):
        if function.kinks and order:
            break
        exact = sympy.diff(expression, variable, order).subs({beta: 2})
        expected = [float(exact.subs(variable, Float(repr(float(point)))).evalf()) for point in POINTS]
        np.testing.assert_allclose(function.derivative(order)(POINTS), expected, rtol=1e-12, atol=1e-13)


def test_it_is_taken_wherever_an_activation_is():
    theory = pt.theory("mlp", "V", order=1)
    model = theory.compile()
    rows = [[1.0, 0.5], [0.2, -1.0]]
    assert model(rows, x * tanh(x), 3)[3] == model(rows, "x*tanh(x)", 3)[3]
    assert model(rows, x * tanh(beta * x), 3, parameters={"beta": 0.5})[3] == model(
        rows, "x*tanh(x*beta)", 3, parameters={"beta": 0.5}
    )[3] or np.allclose(
        model(rows, x * tanh(beta * x), 3, parameters={"beta": 0.5})[3]["V"],
        model(rows, "x*tanh(x*beta)", 3, parameters={"beta": 0.5})[3]["V"],
        rtol=1e-12,
    )
    assert model(rows, {"s": tanh(x)}, 3)[3] == model(rows, "tanh(x)", 3)[3]
    assert theory.texts("c", activation=tanh(x)) == theory.texts("c", activation="tanh(x)")
    assert pt.activation(pt.activation("tanh")) == pt.activation("tanh")


class Mine(sympy.Function):
    """Somebody's own function, of a name that the grammar has."""


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (sympy.atan(x), r"atan\(x\) is not part of a formula; there are abs, cos"),
        (sympy.Heaviside(x), "Heaviside"),
        (sympy.Piecewise((0, x < 0), (x, True)), "Piecewise.*pieces go into a rule file"),
        (sympy.Function("tanh")(x), r"tanh\(x\) is not part of a formula"),
        (type("tanh", (Mine,), {})(x), r"tanh\(x\) is not part of a formula"),
        (sympy.I * x, "ImaginaryUnit"),
        (sympy.oo, "Infinity"),
        (sympy.nan, "NaN"),
        (sympy.Integral(tanh(x), x), "Integral"),
        (x > 0, "StrictGreaterThan"),
        (x + beta * y, "has the symbols beta, x, y; an activation is a function of one"),
        (y + beta, "has the symbols beta, y"),
        (Symbol("__import__('os')") + x, "has the symbols"),
        (x**y, "has the symbols x, y"),
        (x**100, "exponents must lie between"),
    ],
    ids=str,
)
def test_what_is_no_formula_is_refused_in_a_line(expression, words):
    with pytest.raises(pt.InputError, match=words) as caught:
        pt.activation(expression)
    assert "\n" not in str(caught.value)


def test_an_odd_name_of_the_only_symbol_is_just_the_variable():
    assert pt.activation(tanh(Symbol("my x;\n"))) == pt.activation("tanh(x)")


def test_depth_is_bounded():
    deep = x
    for _ in range(200):
        deep = sympy.Add(sympy.Pow(deep, Rational(1, 3), evaluate=False), 1, evaluate=False)
    with pytest.raises(pt.InputError, match="nested"):
        pt.activation(deep)
