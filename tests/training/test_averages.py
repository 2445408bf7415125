"""Averages over initialisations, against loops over pairings and Kronecker deltas of neurons."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from pertheory.algebra.linear import PRIME
from pertheory.errors import InputError
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.tensors import find_tensor
from pertheory.training.averages import Ensemble, parts, random_tensor
from pertheory.training.formula import Contraction, Object
from pertheory.training.state import Objects, random_state

NEURONS = 3
STATE = random_state("averages", NEURONS)
PAIR, VERTEX = pure_type(1)[0], pure_type(2)[0]
NAMED = {find_tensor(name)[0].kind for name in ("V", "A", "B", "D", "F", "P", "Q")} | {PAIR}


def tensors(kind):
    return random_tensor(kind, 3, "tensors") if kind in NAMED else None


def named(name):
    tensor = find_tensor(name)[0]
    return tensors(tensor.kind).transpose(tensor.slots)


ENSEMBLE = Ensemble(Objects(STATE, {}), tensors)


def formula(*factors, coefficient=1):
    items = (Object(name.removesuffix("^"), tuple(labels), name.endswith("^")) for name, labels in factors)
    return (Contraction(Fraction(coefficient), tuple(items)),)


@pytest.mark.parametrize("order", [0, 1])
def test_a_product_of_outputs_is_pairs_and_then_a_vertex(order):
    """z(0) z(a) z(b) z(c) y(a) y(b) y(c) against a loop over samples, neurons and pairings."""
    term = formula(("z", "0"), ("z", "a"), ("z", "b"), ("z", "c"), ("y", "a"), ("y", "b"), ("y", "c"))
    found = ENSEMBLE.average(term, "0", order, ()).value
    kernel, vertex, target = tensors(PAIR), tensors(VERTEX), STATE.targets.value
    for sample, neuron in product(range(3), range(NEURONS)):
        total = 0
        for a, b, c in product(range(2), repeat=3):
            for i, j, k in product(range(NEURONS), repeat=3):
                at, on = (sample, a, b, c), (neuron, i, j, k)
                for (p, q), (r, s) in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
                    if on[p] == on[q] and on[r] == on[s]:
                        joint = vertex[at[p], at[q], at[r], at[s]]
                        value = joint if order else kernel[at[p], at[q]] * kernel[at[r], at[s]]
                        total += value * target[a, i] * target[b, j] * target[c, k]
        assert found[sample, neuron] == total % PRIME


def test_fluctuations_of_the_kernel_come_in_pairs():
    """H^(a,b) y(b) to order 1/n: Theta^ (A, B) Theta^ Theta^ y with closed loops of neurons."""
    found = ENSEMBLE.average(formula(("Theta", "0a"), ("H^", "ab"), ("y", "b")), "0", 1, ("H",)).value
    inverse, theta, target = STATE.inverse, STATE.theta, STATE.targets.value
    A, B = named("A"), named("B")
    for sample, neuron in product(range(3), range(NEURONS)):
        total = 0
        for a, c, d, e, f, b in product(range(2), repeat=6):
            chain = theta[sample, a] * inverse[a, c] * inverse[d, e] * inverse[f, b]
            # d and e are on one neuron, and so are c and the outside, f and b
            total += chain * (A[c, d, e, f] + B[c, e, d, f] + NEURONS * B[c, f, d, e]) * target[b, neuron]
        assert found[sample, neuron] == total % PRIME


def test_a_differential_correlates_with_an_output():
    """dH(0;a,b) r(a) r(b): the tree with one of the outputs, times minus the other target."""
    found = ENSEMBLE.average(formula(("dH", "0ab"), ("r", "a"), ("r", "b")), "0", 1, ("dH",)).value
    P, Q, target = named("P"), named("Q"), STATE.targets.value
    for sample, neuron in product(range(3), range(NEURONS)):
        total = 0
        for a, b, i, j in product(range(2), range(2), range(NEURONS), range(NEURONS)):
            for at, on, rest in ((a, i, target[b, j]), (b, j, target[a, i])):
                cumulant = (neuron == on) * (i == j) * P[sample, a, b, at]
                cumulant += (neuron == i) * (j == on) * Q[sample, a, b, at]
                cumulant += (neuron == j) * (i == on) * Q[sample, b, a, at]
                total -= cumulant * rest
        assert found[sample, neuron] == total % PRIME


def test_the_covariance_is_that_of_the_outputs():
    shifted = [
        formula(("z", at)) + formula(("Theta", at + dummy), ("Theta^", dummy + other), ("z", other), coefficient=-1)
        for at, dummy, other in (("0", "a", "b"), ("1", "c", "d"))
    ]
    found = ENSEMBLE.covariance(*shifted, "01").value
    kernel = tensors(PAIR)
    project = STATE.theta[:, :2] @ STATE.inverse
    expected = kernel - project @ kernel[:2] - kernel[:, :2] @ project.T + project @ kernel[:2, :2] @ project.T
    assert (found == expected % PRIME).all()


def test_only_the_wanted_trees_are_taken():
    both = formula(("dH", "0ab"), ("r", "a"), ("r", "b")) + formula(("z", "0"))
    assert {tree.name for part in parts(both) for tree in part.random} == {"z", "dH"}
    with pytest.raises(InputError, match="no term"):
        ENSEMBLE.average(both, "0", 1, ("ddH_I",))
