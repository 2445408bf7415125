"""Averages of several outputs, against sums in which every Kronecker delta of neurons is written out."""

from __future__ import annotations

from functools import lru_cache
from string import ascii_letters

import numpy as np
import pytest

from pertheory.training import moments as module
from pertheory.training.arithmetic import FLOATS
from pertheory.training.averages import random_tensor
from pertheory.training.moments import PART, Moments, averaged, correlated, memory_needed
from pertheory.training.times import Descent, Flow

MODES, TESTS, OUTPUTS = 2, 2, 3
DRAW = np.random.default_rng(11)
THETA, TARGETS = DRAW.normal(size=(TESTS, MODES)), DRAW.normal(size=(MODES, OUTPUTS))
EIGENVALUES = np.array([1.3, 0.5])
COURSES = {
    "descent": Descent(EIGENVALUES, np.full(MODES, 0.7), steps=4),
    "flow": Flow(EIGENVALUES, np.ones(MODES), time=1.5),
    "end": Descent(EIGENVALUES, np.full(MODES, 0.7)),
}


@lru_cache
def tensors(kind, order):
    return random_tensor(kind, MODES + TESTS, f"moments {order}", FLOATS)


def written_out(moments, term, outside):
    """A term with a letter for the sample and one for the neuron of every label, and a delta for every pair."""
    labels = sorted({label for item in (*term.fixed, *term.cumulants) for label in item.labels})
    sample = dict(zip(labels, ascii_letters, strict=False))
    neuron = dict(zip(labels, ascii_letters[26:], strict=False))
    operands, equal = [], np.eye(OUTPUTS)

    def put(array, letters):
        operands.extend([array, [ascii_letters.index(letter) for letter in letters]])

    for item in term.fixed:
        if item.name == "Theta":
            put(THETA, [sample[label] for label in item.labels])
            put(equal, [neuron[label] for label in item.labels])
        else:
            put(TARGETS, [sample[item.labels[0]], neuron[item.labels[0]]])
    for item in term.cumulants:
        cut = tuple(slice(MODES, None) if label.isdigit() else slice(MODES) for label in item.labels)
        put(tensors(item.kind, item.order).transpose(item.vertex_of)[cut], [sample[label] for label in item.labels])
        for a, b in item.ties:
            put(equal, [neuron[a], neuron[b]])
    for own in term.grown:
        put(moments.weight(own).array.value, [sample[label] for label in own.modes])
    wanted = [ascii_letters.index(own[label]) for label in outside for own in (sample, neuron)]
    return term.sign * np.einsum(*operands, wanted, optimize="greedy")


@pytest.mark.parametrize("name", COURSES)
def test_means_and_changes_of_the_kernel(name):
    moments = Moments(COURSES[name], tensors, THETA, TARGETS)
    for shape, outside in (("z", "0"), ("H", "01")):
        terms = averaged(shape, outside, moments.course.most)
        found, expected = moments.total(terms, outside), {}
        for term in terms:
            expected[term.part] = expected.get(term.part, 0.0) + written_out(moments, term, outside)
        assert set(found) == set(expected)
        for part, array in expected.items():
            whole = np.broadcast_to(found[part], array.shape)
            assert np.allclose(whole, array, rtol=1e-11, atol=1e-11)
            assert np.abs(array).max() > 1e-2


@pytest.mark.parametrize("name", COURSES)
def test_covariances(name):
    """With the terms in which outputs have changed places."""
    moments = Moments(COURSES[name], tensors, THETA, TARGETS)
    found, expected = moments.covariance(), {}
    for term in correlated(moments.course.most):
        array = written_out(moments, term, "01")
        if term.grown[0].order > term.grown[1].order:
            array = array + array.transpose(2, 3, 0, 1)
        expected[PART(term)] = expected.get(PART(term), 0.0) + array
    assert set(found) == set(expected) == {"leading", "G1", "H1", "DF", "AB", "PQ", "RSTU"}
    for part, array in expected.items():
        assert np.allclose(found[part], array, rtol=1e-11, atol=1e-11)
        assert np.abs(array).max() > 1e-2
        assert np.allclose(array, array.transpose(2, 3, 0, 1), atol=1e-11)


@pytest.mark.parametrize("name", COURSES)
def test_blocks_of_modes_do_not_change_the_answer(name, monkeypatch):
    """Of seven modes: all at once, one by one, and blocks of which the last is smaller."""
    draw = np.random.default_rng(3)
    values, turn = np.linspace(0.2, 1.3, 7), np.random.default_rng(4).normal(size=(2, 9, 9))
    course = {"descent": Descent(values, np.full(7, 0.7), steps=4), "flow": Flow(values, np.ones(7), time=1.5)}.get(
        name, Descent(values, np.full(7, 0.7))
    )
    arrays = {}

    def tensor(kind, order):
        if (kind, order) not in arrays:
            arrays[kind, order] = draw.normal(size=(9,) * kind.size)
        return arrays[kind, order]

    own = Moments(course, tensor, turn[0, :2, :7], turn[1, :7, :OUTPUTS])
    expected = own.predicted()
    for block in (1, 7**3, 3 * 7**3, 5 * 7**3):
        monkeypatch.setattr(module, "BLOCK", block)
        for one, other in zip(own.predicted(), expected, strict=True):
            assert set(one) == set(other)
            for part, array in other.items():
                assert np.allclose(one[part], array, rtol=0, atol=1e-12 * np.abs(array).max())


def test_memory_is_that_of_five_tensors_and_what_grows_more_slowly(monkeypatch):
    """R, S, T, U over modes and one that is turned; what there is besides grows with the third power of the inputs."""
    monkeypatch.setattr(module, "BLOCK", 0)
    large, larger = memory_needed(1000, 4), memory_needed(2000, 8)
    assert 5 * 8 * 1004**4 < large < 1.2 * 5 * 8 * 1004**4
    assert larger < 16 * large
