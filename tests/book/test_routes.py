"""The two routes: the canonical form (Stein's lemma) and the exact number (none) say the same, and both can say no."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pertheory.algebra.dual import dual
from pertheory.book.canonical import KERNEL, Mono, average
from pertheory.book.compare import write_term
from pertheory.book.indices import check_indices, open_dummies
from pertheory.book.parse import Words, parse_expression, parse_statement
from pertheory.book.point import Point
from pertheory.book.route_numeric import NumericRoute
from pertheory.book.route_symbolic import SymbolicRoute
from pertheory.errors import InputError
from pertheory.rulebook.network import network

WORDS = Words(frozenset({"C_b", "C_W", "lambda_b", "lambda_W"}), ())
SAMPLES = {"1": 0, "2": 1, "3": 2}
RULE = network("mlp")


def canonical(text, one=False):
    samples = {"x": 0} if one else SAMPLES
    return SymbolicRoute(RULE, samples, one).side(parse_expression(text, WORDS, one))


def number(text, one=False, seed="routes"):
    samples = {"x": 0} if one else SAMPLES
    node = parse_expression(text, WORDS, one)
    open_dummies(node)
    return NumericRoute(RULE, samples, Point(len(samples), seed)).side(node).value


def as_text(poly, one=False):
    labels = ["x"] if one else ["1", "2", "3"]
    return "\n".join(write_term(mono, c, labels) for mono, c in poly.items()) or "0"


@pytest.mark.parametrize(
    "text",
    [
        "<z_1 z_2>",
        "<z_1 z_2 z_3 z_1 s_2>",
        "<s_1 s_2 (z_1 z_3 - K(1,3))> Theta(1,2)",
        "<z_1 s_1 ; z_2 s_2 ; z_3>",
        "<d_1 (z_1 z_1 s_1 s'_2)>",
        "<d_2 d_2 (s_1 s_2)>",
        "V^(b1,b2,b3,b4) <s_1 (z_b1 z_b2 - K(b1,b2))> <s_2 z_b3 s_3 z_b4>",
        "D(b1,b2,1,2) <d_b1 d_b2 (s_1 s_2 s_3)>",
        "K^(b1,c1) F(c1,1,b2,2) <z_b1 s_1> K^(b2,c2) <z_c2 s'_3>",
        "K(b1,b2) K^(b1,c1) K^(b2,c2) <(z_c1 z_c2 - K(c1,c2)) s_1 s_1>",
        "V'(1,2,3,1)",
    ],
)
def test_the_canonical_form_has_the_same_value_as_the_formula(text):
    assert number(as_text(canonical(text))) == number(text) != 0


@pytest.mark.parametrize("text", ["<z z z z s s>", "(1/K <z s' s>)^2", "<s s (z^4/K^2 - 6 z^2/K + 3)> V/K^2", "F'"])
def test_the_canonical_form_of_a_single_input_has_the_same_value(text):
    assert number(as_text(canonical(text, True), True), True) == number(text, True) != 0


def test_slopes_in_the_kernel_agree():
    text = "d/dK[<s s>^2 K^-1 + <z s'> Theta]"
    node = parse_expression(text, WORDS, True)
    value = NumericRoute(RULE, {"x": 0}, Point(1, "slope", KERNEL)).side(node).value
    assert number(as_text(canonical(text, True), True), True, "slope") == value != 0


def test_what_cannot_be_removed_is_kept():
    left = canonical("V(b1,b2,1,2) K^(b1,b2)")
    (mono,) = left
    assert mono.inverses
    assert left == canonical("K^(c1,c2) V(c2,c1,2,1)") != canonical("V(1,1,1,2)")
    assert number("V(b1,b2,1,2) K^(b1,b2)") == number("V(1,2,c1,c2) K^(c1,c2)")


def test_a_closed_loop_counts_the_samples():
    assert number("K(b1,b2) K^(b1,b2)") == 3
    assert canonical("K(b1,b2) K^(b1,b2)") == {Mono(scalars=(("samples", 1),)): Fraction(1)}


def test_stein_by_hand():
    # <z_1 z_2 s_3> = K_12 <s_3> + K_13 K_23 <s''_3>
    assert canonical("<z_1 z_2 s_3>") == canonical("K(1,2) <s_3> + K(1,3) K(2,3) <s''_3>")
    assert average({}, False) == {}


def test_moments_are_sums_over_pairings():
    point = Point(2, "moments")
    (a, b), (_, c) = [[entry.value for entry in row] for row in point.kernel]
    assert point.moment((4, 0)) == dual(3 * a**2)
    assert point.moment((2, 2)) == dual(a * c + 2 * b**2)
    assert point.moment((3, 1)) == dual(3 * a * b)
    assert point.moment((1, 2)) == dual(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("V'(1,2,3,4) = V(b1,2,3,4)", "free index b1"),
        ("V'(1,2,3,4) = V(1,2,3,5) <s_4>", "free index 5 stands on one side only"),
        ("V'(1,2,3,4) = V(1,2,3,3)", "free index 4 stands on one side only"),
        ("V'(1,2,3,4) = V(b1,2,3,4) K(b1,1) <z_b1>", "b1 stands 3 times"),
        ("V'(1,2,3,4) = V(b1,b1,3,4) <s_1 s_2>", "b1 stands twice in one factor"),
        ("V'(1,2,3,4) = (V(b1,2,3,4) <z_b1>) (V(b1,2,3,4) <z_b1>)", "b1 is summed twice in one product"),
        ("V'(1,2,3,4) = (V(b1,2,3,4) <z_b1>) <z_b1> G{1}(b1,1)", "b1 is summed twice in one product"),
        ("V'(1,2,3,4) = V^(b1,2,3,4) <s_1 (z_b1 - 1)>", "unbalanced sum: index b1"),
        ("V'(1,2,3,4) = (<z_c1 s_1> K^(c1,1))^2", "index c1 stands in a power"),
    ],
)
def test_indices_that_do_not_match_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        check_indices(parse_statement(text, WORDS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s_1 <s_2>", "outside an average"),
        ("<s_1 <s_2>>", "an average stands inside an average"),
        ("1/(1 + C_W)", "behind a division sign"),
        ("delta(1,2)", "no meaning in this kind"),
    ],
)
def test_what_means_nothing_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        canonical(text)
