"""Activations: derivatives against high-precision Taylor series, kinks, names, and wrong rule files."""

from __future__ import annotations

import math
from pathlib import Path

import mpmath
import numpy as np
import pytest

from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.functions.activation import activation
from pertheory.functions.catalogue import catalogue
from pertheory.rulebook.files import check_keys, read_toml, rules_folder

pytestmark = pytest.mark.filterwarnings("error")

TRUE = {
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sin": mpmath.sin,
    "gelu": lambda x: x / 2 * (1 + mpmath.erf(x / mpmath.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3))),
    "swish": lambda x: x / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gaussian": lambda x: mpmath.exp(-x * x),
    "mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "sin(tanh(x)/2) + sqrt(1 + x^2)": lambda x: mpmath.sin(mpmath.tanh(x) / 2) + mpmath.sqrt(1 + x * x),
    "exp(x)/(1 + exp(x))^2": lambda x: mpmath.exp(x) / (1 + mpmath.exp(x)) ** 2,
    "log(2 + cos(x))*sinh(x)/cosh(x)": lambda x: mpmath.log(2 + mpmath.cos(x)) * mpmath.tanh(x),
    "tan(sin(x))/(2 + x^2)^1.5": lambda x: mpmath.tan(mpmath.sin(x)) / (2 + x * x) ** mpmath.mpf("1.5"),
}


@pytest.mark.parametrize("name", TRUE)
def test_derivatives_to_order_eight_agree_with_forty_digits(name: str) -> None:
    points = np.array([-6.0, -2.1, -0.7, -0.03, 0.0, 0.4, 1.3, 3.0, 8.0])
    function = activation(name)
    with mpmath.workdps(40):
        series = [mpmath.taylor(TRUE[name], mpmath.mpf(float(x)), 8) for x in points]
    for order in range(9):
        exact = np.array([float(row[order] * mpmath.factorial(order)) for row in series])
        error = np.abs(function.derivative(order)(points) - exact).max() / np.abs(exact).max()
        assert error < 1e-13, order


@pytest.mark.parametrize(
    "name", ["tanh", "swish", "gelu", "softplus", "sigmoid", "mish", "erf", "gaussian", "gelu_tanh"]
)
def test_nothing_overflows_far_out(name: str) -> None:
    far = np.array([-1e4, -800.0, -700.0, -40.0, 40.0, 700.0, 800.0, 1e4])
    for order in range(9):
        values = activation(name).derivative(order)(far)
        assert np.isfinite(values).all()
        if order >= 2:
            assert np.abs(values).max() < 1e-10


def test_tails_keep_their_relative_accuracy() -> None:
    x = 30.0
    assert float(activation("tanh").derivative(1)(x)) == pytest.approx(4 * math.exp(-2 * x), rel=1e-13)
    assert float(activation("swish").derivative(0)(-x)) == pytest.approx(-x * math.exp(-x), rel=1e-12)


@pytest.mark.parametrize("name", sorted(path.stem for path in (rules_folder() / "activations").glob("*.toml")))
def test_every_rule_file_loads_and_differentiates(name: str) -> None:
    function = activation(name)
    assert function.name == name
    x = np.linspace(-2.0, 2.0, 5) + 0.1
    step = 1e-5
    slope = (function.derivative(0)(x + step) - function.derivative(0)(x - step)) / (2 * step)
    np.testing.assert_allclose(function.derivative(1)(x), slope, rtol=1e-7, atol=1e-8)
    assert [math.isinf(p) for p in (function.pieces[0].lower, function.pieces[-1].upper)] == [True, True]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("silu", "swish"),
        ("torch.nn.SiLU", "swish"),
        ("jax.nn.gelu", "gelu_tanh"),
        ("ReLU", "relu"),
        ("leaky-relu", "leaky_relu"),
        ("nn.LeakyReLU", "leaky_relu"),
        (" tanh ", "tanh"),
    ],
)
def test_names_as_people_write_them(given: str, name: str) -> None:
    assert activation(given).name == name


def test_no_alias_is_taken_twice() -> None:
    assert set(catalogue()) >= {"relu", "leaky_relu", "tanh", "sin", "erf", "gelu", "swish", "silu", "abs", "linear"}


def test_parameters_replace_defaults_exactly() -> None:
    assert float(activation("leaky_relu").derivative(0)(-1.0)) == -0.01
    assert float(activation("leaky_relu", slope=0.2).derivative(1)(-1.0)) == 0.2
    assert activation("monomial", power=5).coefficients == (0, 0, 0, 0, 0, 1)
    assert float(activation("swish", beta=2).derivative(0)(1.0)) == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-15)
    assert float(activation("a*x^2", a=0.1).derivative(2)(7.0)) == 0.2


def test_kinks_and_jumps() -> None:
    relu = activation("relu")
    assert (relu.kinks, relu.is_smooth, relu.jump_order) == ((0.0,), False, 1)
    assert [relu.jump(order, 0.0) for order in range(3)] == [0.0, 1.0, 0.0]
    np.testing.assert_array_equal(relu.derivative(1)(np.array([-1.0, 0.0, 1.0])), [0, 0, 1])
    assert activation("max(0, x)^2").jump_order == 2
    assert activation("hard_tanh").kinks == (-1.0, 1.0)
    assert activation("hard_tanh").jump(1, 1.0) == -1.0
    assert activation("elu").jump_order == 2
    assert activation("elu", alpha=2).jump(1, 0.0) == -1.0
    assert activation("abs(x)^2").is_smooth
    assert activation("tanh").jump_order is None


def test_polynomials_are_recognised() -> None:
    assert activation("(x + 1)^2 - 2*x").coefficients == (1, 0, 1)
    assert activation("x3").coefficients == (0, 0, 0, 1)
    assert activation("tanh").coefficients is None
    assert activation("relu").coefficients is None


def test_shapes_are_kept() -> None:
    assert activation("tanh").derivative(3)(0.5).shape == ()
    assert activation("relu").derivative(0)(np.ones((2, 3))).shape == (2, 3)


def test_symbolic_form_has_the_value_of_the_function() -> None:
    ((_, _, expression),) = activation("gelu").symbolic()
    assert float(expression.subs({"x": 0.7}).n()) == pytest.approx(float(activation("gelu").derivative(0)(0.7)))


@pytest.mark.parametrize(
    ("name", "parameters", "reason"),
    [
        ("rellu", {}, "nearest: relu"),
        ("leaky_relu", {"slop": 0.1}, "no parameter 'slop' .nearest: slope"),
        ("leaky_relu", {"slope": math.nan}, "not a finite number"),
        ("monomial", {"power": 1000}, "exponents must lie"),
        ("monomial", {"power": -1}, "not defined"),
        ("a*x", {}, "unknown name 'a'"),
    ],
)
def test_wrong_names_and_parameters_are_refused(name: str, parameters: dict[str, float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        activation(name, **parameters)


def test_absurd_orders_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="orders 0 to"):
        activation("tanh").derivative(1000)


GOOD = """name = "mine"
[parameters]
c = 0.5
[[pieces]]
from = -inf
to = "c"
formula = "x"
[[pieces]]
from = "c"
to = inf
formula = "c"
"""


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert activation(path).kinks == (0.5,)
    assert activation(str(path), c=2).kinks == (2.0,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('name = "a"\nformula = x\n', "line 2"),
        ('name = "a"\nformla = "x"\n', "unknown key 'formla'.*did you mean 'formula'"),
        ('formula = "x"\n', "'name' is missing"),
        ('name = "a"\n', "either the key 'formula'"),
        ('name = "a"\nformula = 3\n', "must be text"),
        ('name = "a"\nformula = "x +"\n', "formula: .* at character 4"),
        ('name = "a"\nformula = "1/x"\n', "not defined"),
        ('name = "a"\nclass = "best"\nformula = "x"\n', "unknown key 'class'"),
        ('name = "a"\nformula = "b*x"\n[parameters]\nb = "two"\n', "not a finite number"),
        (GOOD.replace("to = inf", "to = 3"), "must end at inf"),
        (GOOD.replace('from = "c"', "from = 1"), "piece 2 goes from 1.0"),
        (GOOD.replace('to = "c"\n', ""), "piece 1 lacks the key 'to'"),
        (GOOD.replace('to = "c"\n', 'to = "c"\nupto = 1\n'), r"'upto' in \[piece 1\]"),
    ],
)
def test_wrong_rule_files_are_refused_with_file_and_place(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RuleError, match=reason) as caught:
        activation(path)
    assert "wrong.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_rule_errors(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"missing.toml: cannot be read"):
        activation(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RuleError, match="not UTF-8"):
        read_toml(tmp_path / "binary.toml")


def test_check_keys_names_the_table() -> None:
    with pytest.raises(RuleError, match=r"f.toml: unknown key 'b' in \[t\]; allowed: a"):
        check_keys({"b": 1}, ["a"], "f.toml", "t")


@pytest.mark.parametrize(
    "name", ["tanhshrink", "sigmoid", "gelu", "mish", "squareplus", "x - sin(x)", "cos(x) - exp(-x^2/2)"]
)
def test_derivatives_close_to_zero_keep_their_relative_accuracy(name: str) -> None:
    """Where terms cancel (x - tanh(x) is x^3/3) and a network with a small kernel lives."""
    true = {
        "tanhshrink": lambda x: x - mpmath.tanh(x),
        "squareplus": lambda x: (x + mpmath.sqrt(x * x + 4)) / 2,
        "x - sin(x)": lambda x: x - mpmath.sin(x),
        "cos(x) - exp(-x^2/2)": lambda x: mpmath.cos(x) - mpmath.exp(-x * x / 2),
        **TRUE,
    }[name]
    points = np.array([-7e-3, -1e-4, 3e-6, 2e-9])
    with mpmath.workdps(80):
        for order in range(7):
            exact = [mpmath.taylor(true, mpmath.mpf(float(x)), order)[order] * mpmath.factorial(order) for x in points]
            found = activation(name).tabulate(points, [order])[order]
            np.testing.assert_allclose(found, [float(value) for value in exact], rtol=2e-13, atol=1e-40)


def test_the_exponential_linear_unit_does_not_cancel_close_to_zero() -> None:
    assert float(activation("elu").derivative(0)(-1e-9)) == pytest.approx(math.expm1(-1e-9), rel=1e-15)
    assert activation("elu").jump(0, 0.0) == activation("elu").jump(1, 0.0) == 0.0
