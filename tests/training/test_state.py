"""What objects mean, what a step does and what sums over steps are: against loops over samples, neurons and steps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from pertheory.algebra.linear import PRIME
from pertheory.errors import InputError
from pertheory.training.arithmetic import FLOATS, RESIDUES, DualArray
from pertheory.training.contraction import Labelled, contract
from pertheory.training.formula import Contraction, Object, renamed
from pertheory.training.state import Objects, mean_kernel, random_state, symmetric
from pertheory.training.steps import after_a_step, stepped, sums_over_steps

STATE = random_state("state")
OBJECTS = Objects(STATE, {})


def formula(*factors, coefficient=1):
    return (Contraction(Fraction(coefficient), tuple(Object(name, tuple(labels)) for name, labels in factors)),)


def test_errors_are_outputs_minus_targets():
    error, output, target = (OBJECTS(Object(name, ("0",))).array.value for name in "rzy")
    assert ((error + target - output) % PRIME == 0).all()
    assert (output == STATE.outputs.value).all()


def test_letters_run_over_the_training_set_and_digits_over_all_samples():
    kernel = OBJECTS(Object("H", ("0", "a"))).array.value
    assert kernel.shape == (3, 2, 2, 2)
    assert (kernel == STATE.kernel.value[:, :2]).all()


@pytest.mark.parametrize("name", ["H", "Theta", "X", "Y"])
def test_what_is_known_on_the_training_set_only_is_not_taken_elsewhere(name):
    known = Objects(STATE, {"Y": (("a", "b"), formula(("Theta", "ab")))})
    inverse = name in ("H", "Theta")
    known(Object(name, ("a", "b"), inverse))
    with pytest.raises(InputError, match="training set only"):
        known(Object(name, ("0", "b"), inverse))


def test_an_abbreviation_may_not_be_defined_by_itself():
    with pytest.raises(InputError, match="defined by itself"):
        Objects(STATE, {"Y": (("a", "b"), formula(("Y", "ab")))})(Object("Y", ("a", "b")))


def test_a_product_is_a_sum_over_samples_and_neurons():
    """dH(0;a,b) r(a) r(b), written out."""
    found = OBJECTS.evaluate(formula(("dH", "0ab"), ("r", "a"), ("r", "b"), coefficient=3), "0")
    tree, error = STATE.trees["dH"].slope, STATE.outputs.value - STATE.targets.value
    for sample, neuron in product(range(3), range(2)):
        total = sum(
            tree[sample, a, b, neuron, i, j] * error[a, i] * error[b, j] for a, b, i, j in product(range(2), repeat=4)
        )
        assert found.slope[sample, neuron] == 3 * total % PRIME
        assert not found.value[sample, neuron]


def test_a_closed_loop_of_equal_neurons_counts_them():
    matrix = RESIDUES.constant(np.arange(9, dtype=object).reshape(3, 3))
    loop = [Labelled(matrix, ("a", "b"), (), (("a", "b"),)), Labelled(matrix, ("b", "a"), (), (("a", "b"),))]
    found = contract(RESIDUES, 1, loop, (), 5, neurons=True)
    assert found.value == 5 * int(np.trace(matrix.value @ matrix.value))
    assert contract(RESIDUES, 1, loop, (), 5, neurons=False).value * 5 == found.value


def test_an_outer_label_that_stands_nowhere_is_refused():
    with pytest.raises(InputError, match="label 1"):
        OBJECTS.evaluate(formula(("z", "0")), "01")


def test_terms_of_a_sum_carry_the_same_neurons():
    with pytest.raises(InputError, match="same neurons"):
        OBJECTS.evaluate(formula(("z", "0")) + formula(("Theta", "00")), "0")


def test_renaming_dummies_changes_nothing():
    one = formula(("H", "0a"), ("r", "a"))
    other = renamed(one, lambda label: {"a": "k"}.get(label, label))
    for left, right in zip(OBJECTS.evaluate(one, "0"), OBJECTS.evaluate(other, "0"), strict=True):
        assert (left == right).all()


def test_random_trees_have_the_symmetries_of_their_shape():
    star, path = STATE.trees["ddH_I"].slope, STATE.trees["ddH_II"].slope
    assert (star == star.transpose(0, 2, 3, 1, 4, 6, 7, 5)).all()
    assert (path == path.transpose(1, 0, 3, 2, 5, 4, 7, 6)).all()
    assert (path != path.transpose(0, 1, 3, 2, 4, 5, 7, 6)).any()
    matrix = symmetric(np.arange(9).reshape(3, 3), "H")
    assert (matrix == matrix.T).all()


def test_both_arithmetics_make_the_same_step():
    """A state of small fractions, once as residues and once in floating point."""
    draw = np.random.default_rng(5)
    whole = {name: draw.integers(-4, 5, size=(3,) * k + (2,) * k) for name, k in (("H", 2), ("dH", 3))}

    def made(arithmetic):
        numbers = np.vectorize(lambda x: arithmetic.number(Fraction(int(x), 8)), otypes=[object])
        theta = arithmetic.array(numbers(symmetric(np.arange(9).reshape(3, 3), "H")))
        kernel = arithmetic.array(numbers(symmetric(whole["H"], "H")))
        tree = arithmetic.array(numbers(symmetric(whole["dH"], "dH")))
        start = random_state("any", arithmetic=arithmetic)
        return replace(
            start,
            eta=arithmetic.number(Fraction(1, 3)),
            theta=theta,
            outputs=arithmetic.constant(arithmetic.array(numbers(np.arange(6).reshape(3, 2)))),
            targets=arithmetic.constant(arithmetic.array(numbers(np.ones((3, 2))))),
            kernel=DualArray(mean_kernel(theta, 2, arithmetic).value, kernel),
            trees={
                **{name: DualArray(*(0 * part for part in old)) for name, old in start.trees.items()},
                "dH": DualArray(0 * tree, tree),
            },
        )

    exact, close = (stepped(made(arithmetic), "z") for arithmetic in (RESIDUES, FLOATS))
    scale = (8 * 3) ** 4  # clears all denominators
    for residues, floats in zip(exact, close, strict=True):
        clear = [(int(x) * scale) % PRIME for x in residues.flat]
        signed = [x - PRIME if x > PRIME // 2 else x for x in clear]
        assert np.allclose(np.array(signed, dtype=float), floats.ravel() * scale, rtol=1e-12)


def test_at_infinite_width_errors_decay_by_the_same_factor_in_every_step():
    state = replace(STATE, kernel=mean_kernel(STATE.theta, 2, RESIDUES))
    later = after_a_step(state)
    before, after = ((s.outputs.value - s.targets.value)[:2] for s in (state, later))
    assert ((after - state.power(1) @ before) % PRIME == 0).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_sum_over_all_steps_repeats_itself_a_step_later(count):
    whole = STATE.time_sum(count).reshape(2**count, 2**count)
    one = RESIDUES.identity(2**count)
    assert (whole == (STATE.eta * one + STATE.power(count) @ whole) % PRIME).all()


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_sum_over_some_steps_is_carried_out(steps):
    direct = 0 * RESIDUES.identity(4)
    term = STATE.eta * RESIDUES.identity(4)
    for _ in range(steps):
        direct, term = (direct + term) % PRIME, STATE.power(2) @ term % PRIME
    assert (STATE.time_sum(2, steps).reshape(4, 4) == direct).all()


def test_a_long_sum_is_the_sum_over_all_steps():
    theta = np.array([[1.0, 0.3, 0.1], [0.3, 0.8, 0.2], [0.1, 0.2, 0.9]])
    state = replace(random_state("floats", arithmetic=FLOATS), theta=theta, eta=0.7)
    assert np.allclose(state.time_sum(2), state.time_sum(2, 300), rtol=1e-12)


def test_sums_over_steps_are_those_of_the_steps():
    """Against errors that decay by U, and a driven variable followed by hand."""
    state = replace(STATE, kernel=mean_kernel(STATE.theta, 2, RESIDUES))
    moments = list(sums_over_steps(state, state.kernel.value, 3, "sources"))
    total, error = 0, (state.outputs.value - state.targets.value)[:2]
    for moment in moments:
        assert (moment.error == error % PRIME).all()
        assert (moment.errors[0] == total % PRIME).all()
        total, error = total + state.eta * error, state.power(1) @ error
    last = moments[-1]
    square = sum(state.eta * np.einsum("ai,bj->abij", m.error, m.error) for m in moments[:-1])
    assert (last.errors[1] == square % PRIME).all()
    # what is driven is the sum of its sources less what the kernel took away
    taken = np.einsum("ab,bi->ai", state.trained, last.drives)
    assert (last.driven == (last.sources - taken) % PRIME).all()
