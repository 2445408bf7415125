"""Fuzzing of formulas: whatever the text, an activation or one clear line, with little work and little memory.

Work is counted in generators and terms of the rings (`pertheory.functions.derivatives.Ring`), since a limit on time
would depend on the machine; memory is limited by the system.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import textwrap
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pertheory.averages.code import code_function
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.functions.activation import activation
from pertheory.functions.formula import FUNCTIONS
from pertheory.functions.parsing import MAX_LENGTH

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIGNS = "+ - * / ^ ** ( ) , . ' \\"
WORDS = "x pi 0 1 2 3.5 1e3 1e-9 64 99 _ __class__ import lambda e j 0x1 1_0"
PIECES = [*SIGNS.split(), *WORDS.split()]
ODD = ["\n", "\u00b2", "\u2003", "\U0001d465"]
tokens = st.sampled_from([*FUNCTIONS, *PIECES, *ODD])
expressions = st.recursive(
    st.sampled_from(["x", "x", "1", "2", "0.5", "pi", "1e-3", "1e30", "(-3)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda t: f"({t[0]}){t[1]}({t[2]})"),
        st.tuples(inner, st.integers(-70, 70)).map(lambda t: f"({t[0]})^({t[1]})"),
        st.tuples(inner, st.sampled_from(["0.5", "1.5", "(1/3)", "-0.5"])).map(lambda t: f"({t[0]})^{t[1]}"),
        st.tuples(st.sampled_from([f for f, n in FUNCTIONS.items() if n == 1]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["max", "min"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=12,
)


def accept_or_refuse(text: str) -> None:
    """The text is an activation whose value is a number at 0.5, or it is refused in one short line."""
    try:
        function = activation(text)
        value = function.derivative(0)(0.5)
    except (InputError, RuleError, UnsupportedError) as error:  # ".toml" is the path of a file
        message = str(error)
        assert message
        assert "\n" not in message
        assert len(message) < 400
        return
    assert value.shape == ()


@given(st.text(max_size=60))
@FUZZ
def test_any_text(text: str) -> None:
    accept_or_refuse(text)


@given(st.lists(tokens, max_size=25).map("".join))
@FUZZ
def test_any_sequence_of_tokens(text: str) -> None:
    accept_or_refuse(text)


@given(st.lists(tokens, min_size=100, max_size=250).map(" ".join))
@settings(FUZZ, max_examples=30)
def test_long_sequences_of_tokens(text: str) -> None:
    accept_or_refuse(text)


@given(expressions)
@FUZZ
def test_any_well_formed_expression(text: str) -> None:
    with np.errstate(all="ignore"):
        accept_or_refuse(text)


@given(
    st.sampled_from(["(", "-", "abs(", "x^", "x+", "max(0,", "exp(-", "1/(1+", "x*", "sin(x)^2*", "^", "((x)"]),
    st.data(),
)
@FUZZ
def test_anything_repeated(piece: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 2 * MAX_LENGTH // len(piece)))
    closing = data.draw(st.integers(0, count))
    accept_or_refuse(piece * count + "x" + ")" * closing)


#: Formulas of the grammar that swell when they are multiplied out, differentiated or cut into pieces.
SWELLING = [
    "(" * 29 + "x" + "^64)" * 29,
    "((x+1)^64)^64",
    "(x+sin(x)+cos(x)+exp(x)+tanh(x))^64",
    "(sin(x)+cos(x)+erf(x)+tanh(x))^12*(exp(x)+sinh(x)+cosh(x)+1)^12",
    "exp(" * 29 + "x" + ")" * 29,
    "sin(" * 29 + "x" + ")" * 29,
    "tanh(x+" * 20 + "x" + ")" * 20,
    "1/(1+" * 25 + "x^2" + ")" * 25,
    "+".join(["abs(x-1)"] * 50),
    "+".join(f"abs(x-{n})" for n in range(45)),
    "max(0," * 29 + "x" + ")" * 29,
    "*".join(["abs(x)"] * 60),
    "abs(abs(abs(abs(abs(abs(abs(abs(x)-1)-.5)-.25)-.125)-.0625)-.03125)-.015625)",
    "max(x,min(x,max(x,min(x,max(x,min(2*x,max(3*x,min(4*x,0))))))))",
    "x*" * 240 + "x",
    "x^64*" * 99 + "x",
    "1e150*" * 70 + "x",
    "*".join(["tanh(x)"] * 60),
    "*".join(f"tanh({n}*x)" for n in range(1, 40)),
    "+".join(f"tanh({n}*x)" for n in range(1, 40)),
    "(1+x^2)^-64*(1+x^4)^-64",
    "sqrt(1+sqrt(1+sqrt(1+sqrt(1+sqrt(1+sqrt(1+x^2))))))",
    "log(2+sin(log(2+sin(log(2+sin(log(2+sin(x))))))))",
]


#: Most generators and terms that a formula of at most 500 characters may need for three derivatives of all its pieces.
GENERATORS, TERMS = 3_000, 10_000


def size_after(text: str, order: int) -> tuple[int, int]:
    """Generators and terms of all pieces of a formula after so many derivatives; zero where it is refused."""
    try:
        function = replace(activation(text))  # with rings of its own
        sizes = [function.polynomials(part, order)[0].size for part in range(len(function.pieces))]
    except InputError:
        return 0, 0
    return sum(generators for generators, _ in sizes), sum(terms for _, terms in sizes)


@pytest.mark.parametrize("text", SWELLING, ids=range(len(SWELLING)))
def test_swelling_formulas_need_little_work(text: str) -> None:
    generators, terms = size_after(text, 3)
    assert generators <= GENERATORS
    assert terms <= TERMS


@given(expressions)
@FUZZ
def test_no_drawn_formula_needs_much_work(text: str) -> None:
    generators, terms = size_after(text, 3)
    assert generators <= GENERATORS
    assert terms <= TERMS


def test_a_nest_grows_like_a_power_of_its_depth_and_of_the_order() -> None:
    """Twenty tanh inside each other had 87,067 terms at the third derivative when everything was multiplied out."""
    sizes = [size_after("tanh(x+" * depth + "x" + ")" * depth, 3)[1] for depth in (5, 10, 20)]
    assert sizes[2] - sizes[1] <= 3 * (sizes[1] - sizes[0])
    orders = [size_after(SWELLING[6], order)[1] for order in (3, 6, 12)]
    assert orders[1] <= 8 * orders[0]
    assert orders[2] <= 8 * orders[1]


def confined(body: str, megabytes: int) -> subprocess.CompletedProcess[str]:
    """Run Python under a limit of the system on the size of its address space."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(body)],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env={"OPENBLAS_NUM_THREADS": "1", "PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_swelling_formulas_stay_within_memory() -> None:
    """The third derivatives of all of them in one process of 1.5 GB, most of which are libraries."""
    result = confined(
        f"""
        from pertheory.errors import InputError, RuleError, UnsupportedError
        from pertheory.functions.activation import activation
        for text in {SWELLING!r}:
            try:
                activation(text).derivative(3)(0.5)
            except (InputError, RuleError, UnsupportedError) as error:  # ".toml" is the path of a file
                assert "\\n" not in str(error) and len(str(error)) < 400, error
        print("done")
        """,
        megabytes=1500,
    )
    assert (result.returncode, result.stdout.strip()) == (0, "done"), result.stderr[-600:]


def test_the_limit_of_that_process_works() -> None:
    assert confined("x = bytearray(10 << 30)", megabytes=800).returncode != 0


@pytest.mark.parametrize(
    "text", ["x.real", "x.__class__", "x[0]", "os", "open(x)", "print(x)", "getattr(x, x)", "x if 1 else x"]
)
def test_names_and_attributes_of_python_are_unknown(text: str) -> None:
    with pytest.raises(InputError), contextlib.redirect_stdout(None):
        activation(text)


@pytest.mark.parametrize("text", [SWELLING[6], SWELLING[2], SWELLING[7]], ids=["tanh", "power", "fraction"])
def test_straight_line_code_is_as_long_as_the_rings(text: str) -> None:
    function = replace(activation(text))
    code = code_function("s", function, (0, 1, 2, 3))
    _, terms = function.polynomials(0, 3)[0].size
    assert sum(len(piece.instructions) for piece in code.pieces) <= 20 * terms


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("(1e150+x)^12", {}, "beyond the range"),
        ("1e150*x*1e150*x*1e150", {}, "beyond the range"),
        ("abs(x*1e150*1e150*1e150 - 1e-150)*x", {}, "beyond the range|kink"),
        ("max(a*x, 1e150*1e150)", {"a": 5e-324}, "kink beyond the range"),
        ("a*x", {"a": 10**5000}, "beyond 1e308"),
        ("a*x", {"a": -(10**5000)}, "beyond 1e308"),
        ("a*x", {"a": Fraction(10**400)}, "beyond 1e308"),
        ("a^64*x", {"a": 1e308}, "not a finite"),
        ("x^a", {"a": 10**5000}, "beyond 1e308"),
    ],
)
def test_what_is_beyond_floating_point_numbers_is_refused(text: str, parameters: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        activation(text, **parameters).derivative(3)(0.5)
    assert len(str(caught.value)) < 400


def test_what_is_tiny_is_kept_or_zero() -> None:
    assert activation("a*x", a=Fraction(1, 10**5000)).derivative(1)(0.5) == 0
    assert activation("a*x", a=5e-324).derivative(1)(0.5) == 5e-324
    assert activation("a*x", a=1.7e308).derivative(1)(0.5) == 1.7e308


def test_ends_of_pieces_are_finite_numbers_or_infinite(tmp_path: Path) -> None:
    path = tmp_path / "cut.toml"
    path.write_text(
        f'name = "cut"\n[[pieces]]\nfrom = -inf\nto = {10**400}\nformula = "x"\n'
        f'[[pieces]]\nfrom = {10**400}\nto = inf\nformula = "0"\n'
    )
    with pytest.raises(RuleError, match="more than 64 bits"):
        activation(path)
