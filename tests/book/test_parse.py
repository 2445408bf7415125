"""What the notation says, and what is refused, with line, column and reason."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pertheory.book import syntax
from pertheory.book.parse import Words, parse_expression, parse_statement
from pertheory.errors import InputError

WORDS = Words(frozenset({"C_b", "C_W", "lambda_b", "lambda_W"}), (("Omega", 2), ("chi", 0)))


def expression(text, one=False):
    return parse_expression(text, WORDS, one)


def test_primes_and_orders_name_the_same_derivative():
    assert expression("<s''_1 z_b1>") == syntax.Average((syntax.Product((syntax.Line(2, "1"), syntax.Zed("b1"))),))
    assert expression("<s^(2)_1 z_b1>") == expression("<s''_1 z_b1>")


def test_division_takes_one_factor():
    quarter = (syntax.Number(Fraction(1)), syntax.Power(syntax.Number(Fraction(4)), -1))
    assert expression("1/4 C_W") == syntax.Product((*quarter, syntax.Symbol("C_W")))
    assert expression("1/(4 C_W)") == syntax.Product(
        (quarter[0], syntax.Power(syntax.Product((syntax.Number(Fraction(4)), syntax.Symbol("C_W"))), -1))
    )


def test_a_raised_index_is_no_exponent():
    assert expression("K^(b1,c1)") == syntax.Component("K", 0, False, 0, ("b1", "c1"), True)
    assert expression("K(1,2)^2") == syntax.Power(syntax.Component("K", 0, False, 0, ("1", "2"), False), 2)


def test_layers_and_orders_of_tensors():
    assert expression("G{1}'(1,2)") == syntax.Component("G", 1, True, 0, ("1", "2"), False)
    assert expression("H[2](1,2)") == syntax.Component("H", 0, False, 2, ("1", "2"), False)
    assert expression("H(1,2) [3]") == syntax.Product(
        (syntax.Component("H", 0, False, 0, ("1", "2"), False), syntax.Number(Fraction(3)))
    )


def test_derivatives_abbreviations_and_cumulants():
    assert expression("<d_b1 Omega(1,2) ; s_1>") == syntax.Average(
        (syntax.Derivative("b1", syntax.Call("Omega", ("1", "2"))), syntax.Line(0, "1"))
    )


def test_a_single_input_needs_no_labels():
    assert expression("V K^2 chi", one=True) == syntax.Product(
        (
            syntax.Component("V", 0, False, 0, ("x",) * 4, False),
            syntax.Power(syntax.Component("K", 0, False, 0, ("x", "x"), False), 2),
            syntax.Call("chi", ()),
        )
    )
    assert isinstance(expression("d/dK[<s s>]", one=True), syntax.Slope)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("W'(1,2,3,4) = 0", "W has 1 labels, not 4"),
        ("X(1,2) = 0", "unknown name 'X'"),
        ("Thet(1,2) = 0", "nearest: Theta"),
        ("V(1,2) = 0", "V has 4 labels, not 2"),
        ("V(1,2,3,4)", "expected '=' and another side, found the end"),
        ("V(1,2,3,4) = <s_1 s_2", "expected '>' that closes the average, found the end"),
        ("V(1,2,3,4) = (C_W", "expected ')' that closes '('"),
        ("V(1,2,3,4) = C_W ]", "found ']'"),
        ("V(1,2,3,4) = C_W^", "expected a whole exponent"),
        ("V(1,2,3,4) = C_W^99", "an exponent up to 12"),
        ("V(1,2,3,4) = <s>", "s needs the label of a sample"),
        ("V(1,2,3,4) = <s'^(2)_1>", "primes or an order"),
        ("V(1,2,3,4) = 1 + * 2", "expected a factor, found '*'"),
        ("V(1,2,3,4) = $", "character '$' is not part of the notation"),
        ("K{1}(1,2) = 0", "K is the leading order"),
        ("V(1,2,3,4) = K^2", "expected the 2 labels of K"),
        ("H[0](1,2) = 0", "layers count from 1"),
        ("V'^(1,2,3,4) = 0", "cannot be raised"),
        ("V(1,2,3,4) = d/dK[1]", "single input"),
        ("V(1,2,3,4) = __import__('os')", "not part of the notation"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError) as error:
        parse_statement(text, WORDS)
    assert message in str(error.value)
    assert "line 1, column " in str(error.value)


def test_an_error_shows_its_line():
    with pytest.raises(InputError, match=r"line 2, column 5: unknown name 'Y'.*: \+ >>>Y\(1\)"):
        parse_statement("V'(1,2,3,4) = C_W\n  + Y(1)", WORDS)


def test_deep_and_long_text_costs_nothing():
    with pytest.raises(InputError, match="nested"):
        expression("(" * 500)
    with pytest.raises(InputError, match="at most 4000"):
        expression("C_W " * 2000)
