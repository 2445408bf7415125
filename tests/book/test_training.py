"""Predictions of the book against training that is carried out."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from pertheory.algebra.linear import PRIME
from pertheory.book.chapters import book_folder, read_chapter
from pertheory.book.check import decide
from pertheory.book.formulas import formula_of
from pertheory.book.kinds.training import abbreviations_of, prediction_of
from pertheory.book.parse import Words, parse_expression
from pertheory.book.verdict import MISMATCH, VERIFIED
from pertheory.errors import InputError, RuleError
from pertheory.training.arithmetic import FLOATS, RESIDUES, DualArray
from pertheory.training.state import Objects, mean_kernel, random_state
from pertheory.training.steps import after_a_step

FILE = read_chapter(book_folder() / "chinf_training.toml")
EQUATION = {equation.number: equation for equation in FILE.equations}


def prediction(state):
    """Where training ends, as the book's formula says."""
    known = abbreviations_of(EQUATION["inf.154"])
    return Objects(state, known).evaluate(prediction_of(EQUATION["inf.154"], "0"), "0")


def test_training_that_ends_after_a_few_steps_ends_where_the_formula_says():
    """With eta Theta = 1 on the training set, errors are of first order after a step, and gone after two."""
    state = random_state("ends")
    theta = state.theta.copy()
    theta[:2, :2] = RESIDUES.solve(RESIDUES.array(state.eta * RESIDUES.identity(2)), RESIDUES.identity(2))
    mean = mean_kernel(theta, state.neurons, RESIDUES).value
    state = replace(state, theta=theta, kernel=DualArray(mean, state.kernel.slope))
    expected, now = prediction(state), state
    for _ in range(3):
        now = after_a_step(now)
    for error, target in zip(now.outputs, state.targets, strict=True):
        assert not ((error - target)[:2] % PRIME).any()
    assert (now.outputs.value == expected.value).all()
    assert (now.outputs.slope == expected.slope).all()
    assert expected.slope.any()


def test_training_for_a_long_time_ends_where_the_formula_says():
    """In floating point, with a learning rate like any other; what is of first order comes to rest as well."""
    state = random_state("long", arithmetic=FLOATS)
    factor = np.array([[1.0, 0.2, 0.3], [0.1, 0.9, -0.4], [0.5, 0.3, 0.8]])
    theta = factor @ factor.T
    kernel = DualArray(mean_kernel(theta, state.neurons, FLOATS).value, state.kernel.slope)
    state = replace(state, theta=theta, eta=0.6, kernel=kernel)
    expected, now = prediction(state), state
    for _ in range(400):
        now = after_a_step(now)
    assert np.allclose(now.outputs.value, expected.value, rtol=1e-10, atol=1e-10)
    assert np.allclose(now.outputs.slope, expected.slope, rtol=1e-10, atol=1e-9)


def test_a_step_moves_the_kernel_at_first_order_only():
    state = random_state("moves")
    later = after_a_step(state)
    assert (state.outputs.value != later.outputs.value).all()
    assert later.kernel.slope.tolist() != state.kernel.slope.tolist()
    assert later.kernel.value.tolist() == state.kernel.value.tolist()


def with_statement(equation, statement):
    changed = copy(equation)
    object.__setattr__(changed, "statement", statement)
    return decide(changed).status


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        ("inf.z step", "eta^3/6", "eta^3/3"),
        ("inf.H step", "2 ddH_II", "ddH_II"),
        ("inf.106", "- f(a)", "+ f(a)"),
        ("inf.154", "Z_A(a,b,c,d)", "Z_A(b,a,c,d)"),
        ("inf.154", "Z_IIB", "Z_IB"),
        ("inf.Z_B, gradient descent", "eta/2", "eta"),
        ("inf.Y3", "+ Theta^(3,c)", "- Theta^(3,c)"),
        ("inf.m dNTK", "n_L Q(0,b,a,c)", "Q(0,b,a,c)"),
        ("inf.m ddII", "T(a,0,c,b)", "T(a,0,b,c)"),
    ],
)
def test_a_wrong_coefficient_sign_or_index_is_seen(number, old, new):
    equation = EQUATION[number]
    assert old in equation.statement
    assert decide(equation).status == VERIFIED
    assert with_statement(equation, equation.statement.replace(old, new, 1)) == MISMATCH


@pytest.mark.parametrize(
    ("number", "statement", "message"),
    [
        ("inf.154", "z_T(0) = z_0 - H(0,a) H^(0,b) r(b)", "index a stands in some"),
        ("inf.154", "z_T(0) = z_0 - H^(0,a) r(a)", "training set only"),
        ("inf.154", "z_T(0) = z_0 - Theta^(0,a) r(a)", "training set only"),
        ("inf.154", "z_T(0) = z_0 - V(0,a,b,b) r(a)", "index b stands"),
        ("inf.154", "z_T(0) = z_0 + V(0,a,b,c) r(a) r(b) r(c)", "no meaning"),
        ("inf.154", "2 z_T(0) = z_0", "one object"),
        ("inf.z step", "f(0) = z_0", "z_next"),
        ("inf.m NTK", "m_XY(0) = y(0)", "unknown name"),
        ("inf.m NTK", "yy(0,1) = K(0,1)", "m_NTK"),
        ("inf.Z_A", "sum_I(1) = r(1)", "no abbreviation"),
        ("inf.Z_A", "Z_A(1,2,3,4) = Theta^(1,3) r(2) r(4)", "carry a neuron"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(number, statement, message):
    with pytest.raises(RuleError, match=message):
        with_statement(EQUATION[number], statement)


def test_only_numbers_may_divide():
    words = Words(frozenset({"eta"}), (("r", 1),))
    with pytest.raises(InputError, match="division"):
        formula_of(parse_expression("1/eta r(a)", words))


def test_the_infinite_width_prediction_is_not_the_one_at_finite_width():
    equation = copy(EQUATION["inf.154"])
    object.__setattr__(equation, "statement", "z_T(0) = z_0 - Theta(0,a) Theta^(a,b) r(b)")
    assert decide(equation).status == MISMATCH
    object.__setattr__(equation, "setting", "infinite width")
    assert decide(equation).status == VERIFIED


@pytest.mark.parametrize(
    ("head", "statement", "kind", "message"),
    [
        ("z_T(a,b)", "m_NTK(0) = y(0)", "mean prediction", "z_T has one label, not 2"),
        ("z_T(a)", "covariance(0) = K(0,0)", "mean prediction", "covariance has 2 labels, not 1"),
        ("z_T(a)", "C_4(0,1) = K(0,1) + O(eps^2)", "action", "C_4 has no meaning"),
    ],
)
def test_a_wrong_number_of_labels_is_refused(head, statement, kind, message, tmp_path):
    file = tmp_path / "ch99.toml"
    file.write_text(
        'chapter = "99"\ntitle = "x"\nsymbols = ["eps"]\n'
        'objects = ["y(a)", "m_NTK(a)", "covariance(a)", "C_4(a,b)"]\n'
        f'[definitions]\n"{head}" = "y(a)"\n'
        f'[[equation]]\nnumber = "1"\ntitle = "x"\nsource = "ours"\nkind = "{kind}"\nstatement = "{statement}"\n'
    )
    (equation,) = read_chapter(file).equations
    with pytest.raises(RuleError, match=message):
        decide(equation)


@pytest.mark.parametrize(("objects", "message"), [('"r(a)"', "must be a list"), ('["r(1)"]', "must be of the form")])
def test_wrong_objects_are_refused_with_the_file(objects, message, tmp_path):
    file = tmp_path / "ch99.toml"
    file.write_text(f'chapter = "99"\ntitle = "x"\nobjects = {objects}\n')
    with pytest.raises(RuleError, match=rf"ch99\.toml: objects: .*{message}"):
        read_chapter(file)
