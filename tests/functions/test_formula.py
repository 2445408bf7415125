"""The formula parser: what it accepts means what it says, and hostile text is refused cheaply."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pertheory.errors import InputError
from pertheory.functions.activation import activation
from pertheory.functions.formula import show, to_symengine
from pertheory.functions.kinks import sample, split
from pertheory.functions.parsing import MAX_LENGTH, parse


def value(text: str, x: float, **parameters: float) -> float:
    return float(sample(parse(text, parameters), np.array([x]), parameters)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-x^2", -9.0),
        ("(-x)^2", 9.0),
        ("2^3^2*x/x", 512.0),
        ("x**-1", 1 / 3),
        ("x - 1 - 1", 1.0),
        ("x/2/3", 0.5),
        ("1e-2*x + .5", 0.53),
        ("2*-x", -6.0),
        ("pi*x", 3 * math.pi),
        ("max(1, x) + min(1, x) + abs(-x)", 7.0),
        ("tanh(x) + erf(x)", math.tanh(3) + math.erf(3)),
        ("beta*x", 1.5),
    ],
)
def test_precedence_and_functions(text: str, expected: float) -> None:
    assert value(text, 3.0, beta=0.5) == pytest.approx(expected, rel=1e-14)


HOSTILE = [
    "__import__('os')",
    "__import__('os').system('true')",
    "x.__class__",
    "().__class__.__bases__[0]",
    "9**9**9",
    "x^99999999",
    "x^(2^40)",
    "((((x^64)^64)^64)^64)",
    "lambda: 0",
    "lambda x: x",
    "exec(1)",
    "eval(x)",
    "x if x else x",
    "x; x",
    "x = 1",
    "[x]",
    "{x}",
    "'x'",
    "f(x)",
    "x(1)",
    "1e999",
    "9" * 100,
    "(" * 100 + "x" + ")" * 100,
    "-" * 400 + "(",
    "+".join(["x"] * 200),
    "x" * (MAX_LENGTH + 1),
    "x+" * 100_000 + "x",
    "abs(" * 60 + "x" + ")" * 60,
    "x^2^2^2^2^2^2^2^2",
    "x^x",
    "2^x",
    "x\u00b2",
    "\u0661*x",
    "x\x00",
    "",
    "   ",
    "x +",
    "(x",
    "x)",
    "2x",
    "max(x)",
    "sin()",
    "sin + 1",
    "sin x",
    "1/0",
    "x/(1-1)",
    "log(-1)*x",
    "1/x",
    "log(x)",
    "sqrt(x)",
    "tan(x)",
    "abs(x^2 - 1)",
    "max(sin(x), 0)",
    "((x+1)^2*tanh(x)+sin(x)+exp(x)*cos(x))^64",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_and_wrong_formulas_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        activation(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_parser_that_must_not_look_at_python_objects_gets_only_text() -> None:
    with pytest.raises(InputError, match="must be text"):
        parse(42)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "position", "offending"),
    [("x + $", 5, "'$'"), ("x*foo(x)", 3, "'foo'"), ("x ++ )", 6, "')'"), ("x 2", 3, "'2'"), ("1 + y", 5, "'y'")],
)
def test_messages_point_at_the_offending_text(text: str, position: int, offending: str) -> None:
    with pytest.raises(InputError, match=f"at character {position} ") as caught:
        parse(text)
    assert offending in str(caught.value)


@pytest.mark.parametrize("text", ["1000e147*x", "1.25e-149*x", "0.1234567890123456789012345678901234567*x", "1/3*x"])
def test_shown_numbers_are_read_back_exactly(text: str) -> None:
    assert to_symengine(parse(show(parse(text)))) == to_symengine(parse(text))


def test_near_names_are_suggested() -> None:
    with pytest.raises(InputError, match="nearest: tanh"):
        parse("tnh(x)")


@given(st.text(alphabet="x012.()+-*/^, abeginopstqrmlcfhu_$'\"", max_size=30))
@settings(max_examples=300)
def test_random_text_is_a_formula_or_an_input_error(text: str) -> None:
    try:
        node = parse(text)
    except InputError:
        return
    assert parse(show(node)) == parse(show(parse(show(node))))


leaves = st.sampled_from(["x", "2", "0.25", "pi", "a"])
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]}){t[1]}({t[2]})"),
        inner.map(lambda t: f"-({t})"),
        inner.map(lambda t: f"({t})^2"),
        st.tuples(st.sampled_from(["tanh", "sin", "erf", "cos"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
    ),
    max_leaves=6,
)


@given(trees, st.floats(-2, 2))
@settings(max_examples=100)
def test_shown_text_and_symengine_have_the_value_of_the_formula(text: str, x: float) -> None:
    node = parse(text, ["a"])
    direct = float(sample(node, np.array([x]), {"a": 0.5})[0])
    again = float(sample(parse(show(node), ["a"]), np.array([x]), {"a": 0.5})[0])
    assert again == pytest.approx(direct, rel=1e-12, abs=1e-12)
    expression = to_symengine(node, {"a": 0.5}).subs({"x": x})
    assert float(expression.n(53, real=True)) == pytest.approx(direct, rel=1e-9, abs=1e-9)


def test_kinks_of_linear_arguments_are_found() -> None:
    pieces = split(parse("max(0, abs(x - 1) - 2)"), {})
    assert activation("max(0, abs(x - 1) - 2)").kinks == (-1.0, 3.0)
    for x in (-2.5, 0.0, 2.9, 3.5):
        part = next(node for low, high, node in pieces if low <= x < high)
        assert float(sample(part, np.array([x]), {})[0]) == max(0.0, abs(x - 1) - 2)


def test_reading_formulas_does_not_import_the_algebra_packages() -> None:
    code = (
        "import sys; from pertheory.functions.activation import activation; activation('x*tanh(x)').derivative(2)(1.0);"
        "assert not {'symengine', 'sympy', 'networkx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
