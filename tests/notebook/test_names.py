"""Names that a user gives to tensors."""

import re

import numpy as np
import pytest

import pertheory as pt
from pertheory.rulebook.tensors import find_tensor

SIX = "dH(0;1,2) z(3) z(4) z(5) @ 03,12,45"


def test_a_name_is_used_wherever_the_tensor_is_written():
    rule = pt.network("mlp")
    before = pt.derive(rule, SIX)
    named = pt.name("X", SIX, title="a tensor of mine")
    after = pt.derive(rule, "X")
    assert after.terms == before.terms
    assert after.to_text().startswith("X'(0,1,2,3,4,5){0} =")
    assert re.search(r"\^3 \(n/n_prev\)\^2 X\([b0-5,]+\) <", after.to_text())
    assert "X^{(\\ell+1)\\{0\\}}_{0 1 2 3 4 5}" in after.to_latex()
    record = after.to_json()
    assert record["tensor"] == "X"
    assert record["names"] == {"X": SIX}
    assert str(pt.describe("X")).startswith("X: a tensor of mine\n")
    assert find_tensor(SIX)[0] == named
    assert "X" in pt.theory(rule, "X")


def test_without_names_of_users_the_record_is_what_it_was():
    assert "names" not in pt.derive("mlp", "V").to_json()


def test_what_was_written_before_does_not_hide_the_name():
    """Texts, states and models that were made before a name was given know it afterwards."""
    text = "H(1,2) H(3,4) z(5) z(6) @ 15,26,34"
    theory = pt.theory("mlp", text)
    model = theory.compile()
    old = model([[1.0, 0.5], [0.2, -1.0]], "tanh", 2)
    assert "[z(1) z(2) H(3,4) H(5,6) @ 15,26,34](" in theory[text].to_text()
    array = old[2][text]
    pt.name("Y", text)
    assert re.search(r"\)\^2 Y\([b1-6,]+\) <", theory["Y"].to_text())
    assert "15,26,34" not in theory["Y"].to_text()
    assert np.array_equal(old[2]["Y"], array)
    assert np.array_equal(model([[1.0, 0.5], [0.2, -1.0]], "tanh", 2)[2]["Y"], array)
    assert np.array_equal(theory.compile()([[1.0, 0.5], [0.2, -1.0]], "tanh", 2)[2]["Y"], array)
    other_order = "H(1,2) H(3,4) z(6) z(5) @ 15,26,34"
    assert np.array_equal(old[2][other_order], array.swapaxes(4, 5))


def test_slots_stand_in_the_order_in_which_the_user_named_the_labels():
    text = "z(5) H(4,1) z(2) z(3) z(6) @ 54,12,36"
    state = pt.theory("mlp", text).compile()([[1.0, 0.5], [0.2, -1.0]], "tanh", 3)[3]
    array = state[text]
    pt.name("Y", text)
    assert pt.describe("Y").record["slots"] == list("541236")
    named = pt.theory("mlp", "Y").compile()([[1.0, 0.5], [0.2, -1.0]], "tanh", 3)[3]
    assert np.allclose(named["Y"], array, rtol=1e-12, atol=0)
    assert named.at("Y", z=(0, 1, 0, 1), H=(0, 1)) == named["Y"][0, 0, 1, 1, 0, 1]


def test_words_of_a_language_are_names_but_not_in_code():
    pt.name("lambda", SIX)
    texts = pt.theory("mlp", "lambda").texts("numpy")
    for text in texts.values():
        compile(text, "emitted", "exec")
    assert "\\mathrm{lambda}" in pt.derive("mlp", "lambda").to_latex()


def test_the_same_name_again_is_no_error_and_all_others_are():
    named = pt.name("X", SIX)
    assert pt.name("X", SIX) == named
    assert pt.name("X", pt.dH(0, 1, 2) * pt.z(3) * pt.z(4) * pt.z(5), [(0, 3), (1, 2), (4, 5)]) == named
    with pytest.raises(pt.InputError, match=r"the name X is taken: it is dH\(0;1,2\)"):
        pt.name("X", "z(1) z(2) z(3) z(4) H(5,6) H(7,8) @ 12,34,56,78")
    with pytest.raises(pt.InputError, match="has a name: it is X = dH"):
        pt.name("Y", SIX)


@pytest.mark.parametrize(
    ("name", "what", "words"),
    [
        ("X", "z(1) z(2) H(3,4) @ 13,24", r"has a name: it is F = z\(1\) z\(2\) H\(3,4\) @ 13,24"),
        ("V", SIX, "the name V is taken"),
        ("Theta", SIX, "the name Theta is taken"),
        ("NTK", SIX, "the name NTK is taken"),
        ("mlp", SIX, "the name mlp is taken: it is a network"),
        ("tanh", SIX, "the name tanh is taken: it is an activation"),
        ("z", SIX, "the name z is taken"),
        ("all", SIX, "the name all is taken"),
        ("b1", SIX, "the name b1 is taken"),
        ("n", SIX, "the name n is taken"),
        ("X_1", SIX, "'X_1' is not a name of a tensor"),
        ("2X", SIX, "'2X' is not a name"),
        ("X\n", SIX, "is not a name"),
        ("\\input", SIX, "is not a name"),
        (5, SIX, "5 is not a name"),
        ("X", "z(1) z(2)", "needs its pairs"),
        ("X", "z(1) z(2) @ 13", "'3' is not in the observable"),
        ("X", 7, "a tensor is a name"),
    ],
)
def test_what_is_no_name_or_is_taken_is_refused_in_a_line(name, what, words):
    with pytest.raises(pt.InputError, match=words) as caught:
        pt.name(name, what)
    assert "\n" not in str(caught.value)
