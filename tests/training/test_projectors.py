"""The generated projectors are the book's Z, and a slip in what generates them, or averages with them, is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from math import inf
from operator import mul
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.book.chapters import book_folder, read_chapter
from pertheory.book.check import decide
from pertheory.book.kinds.training import abbreviations_of
from pertheory.book.verdict import VERIFIED
from pertheory.rulebook.observable import tree_symmetries
from pertheory.training import averages, growth, moments
from pertheory.training.arithmetic import FLOATS
from pertheory.training.state import Objects, random_state
from pertheory.training.times import Descent, Flow

FILE = read_chapter(book_folder() / "chinf_training.toml")
ETA, EIGENVALUES = 0.37, np.array([1.4, 0.6])
#: the tree of each projector; 0 is the test input
TREES = {
    "Z_A": ("dH", "a0b"),
    "Z_B": ("dH", "0ab"),
    "Z_IA": ("ddH_I", "a0bc"),
    "Z_IB": ("ddH_I", "0abc"),
    "Z_IIA": ("ddH_II", "ab0c"),
    "Z_IIB": ("ddH_II", "0abc"),
}
CACHES = (growth.grown, growth._grafted, moments.averaged, moments.correlated, averages._pairings)


@pytest.fixture(autouse=True)
def fresh():
    """Nothing derived with a slip in it stays."""
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def books(name):
    """The book's projector over modes, from its file, at a diagonal Theta."""
    start = random_state("projectors", arithmetic=FLOATS)
    state = replace(start, eta=ETA, theta=np.diag([*EIGENVALUES, 1.0]))
    array = Objects(state, abbreviations_of(FILE.equations[0])).defined(name).value
    half = list(range(array.ndim // 2))
    return np.einsum(array, half * 2, half)


def symmetric(name, items):
    """Weights of a tree at labels, summed over its symmetries: what does not depend on how it was written."""
    shape, labels = TREES[name]
    total = 0.0
    for own, modes, weight in items:
        for order in tree_symmetries(shape):
            seen = [own[i] for i in order]
            if seen.index("0") == labels.index("0"):
                total = total + weight.transpose([modes.index(letter) for letter in seen if letter != "0"])
    return total


def generated(name, course):
    """The weights of all products that hold the tree, at the end of training."""
    found = [own for own in growth.grown("z", "0", course.most) if own.factors[0].name == TREES[name][0]]
    return symmetric(name, [(own.factors[0].labels, own.modes, course.coefficient(own)) for own in found])


def books_symmetric(name):
    labels = TREES[name][1]
    return symmetric(name, [(labels, labels.replace("0", ""), books(name))])


def descent():
    return Descent(EIGENVALUES, np.full(2, ETA), steps=inf)


@pytest.mark.parametrize("name", TREES)
def test_the_books_projectors_are_generated(name):
    expected = books_symmetric(name)
    assert np.allclose(generated(name, descent()), expected, rtol=1e-12)
    assert np.abs(expected).min() > 1e-2


def test_projectors_of_other_algorithms():
    """Gradient flow is eta = 0 in the book's formulas; a leap of second order grafts all leaves at once."""
    h = EIGENVALUES
    both, three = h[:, None] * h, h[:, None, None] * h[:, None] * h
    flow = Flow(h, np.ones(2))
    assert np.allclose(generated("Z_A", flow), 1 / both - 1 / (h * (h[:, None] + h)), rtol=1e-12)  # Y2 for eta = 0
    leap = Descent(h, 1 / h, steps=inf)
    assert not generated("Z_A", leap).any()
    assert np.allclose(generated("Z_B", leap), 2 * 1 / (2 * both))  # two symmetries
    assert not generated("Z_IA", leap).any()
    assert np.allclose(generated("Z_IB", leap), 6 * -1 / (6 * three))
    assert not generated("Z_IIA", leap).any()
    assert not generated("Z_IIB", leap).any()


def wrong_projectors():
    return [name for name in TREES if not np.allclose(generated(name, descent()), books_symmetric(name), rtol=1e-9)]


def undecided():
    """What the checker does not verify any more."""
    numbers = ("inf.154", "inf.Z_B, gradient descent")
    return [own.number for own in FILE.equations if own.number in numbers and decide(own).status != VERIFIED][::-1]


def test_a_slip_in_grafting_is_noticed(monkeypatch):
    """Leaves that come together without 1/k!."""
    right = growth.step

    def slipped(tree):
        return (
            item._replace(coefficient=(-1) ** len(item.leaves) * abs(item.coefficient) ** 0) for item in right(tree)
        )

    assert not undecided()
    monkeypatch.setattr(growth, "step", slipped)
    growth.grown.cache_clear()
    growth._grafted.cache_clear()
    assert set(wrong_projectors()) >= {"Z_B", "Z_IB", "Z_IA", "Z_IIB"}
    assert undecided() == ["inf.154", "inf.Z_B, gradient descent"]


@pytest.mark.parametrize("slip", ["idle", "rate"])
def test_a_slip_in_a_time_sum_is_noticed(slip, monkeypatch):
    """An error that is not damped in the step of an event; one that is damped as in gradient flow."""
    if slip == "idle":
        monkeypatch.setattr(Descent, "rate", lambda self, errors: reduce(mul, [1 - own for own in errors], 1.0))
        monkeypatch.setattr(Descent, "idle", lambda self, decay: np.ones_like(decay))
    else:
        monkeypatch.setattr(Descent, "rate", lambda self, errors: 1 - sum(errors, np.zeros(())))
    assert undecided() == ["inf.154", "inf.Z_B, gradient descent"]
    assert set(wrong_projectors()) >= {"Z_A", "Z_B", "Z_IA", "Z_IIA"}


@pytest.mark.parametrize("tree", ["H", "dH", "ddH_II"])
def test_a_slip_in_counting_cumulants_is_noticed(tree, monkeypatch):
    """One pairing of the vertices of one kind of tree is left out."""
    right = averages._pairings.__wrapped__

    def slipped(names, fields):
        found = right(names, fields)
        return found[:-1] if tree in names and len(found) > 1 else found

    known = json.loads((Path(__file__).parent / "trained.json").read_text(encoding="utf-8"))
    setting = {key: known[key] for key in ("train", "targets", "test", "eta")} | known["network"]
    theory, run = pt.theory("mlp", order=1), known["runs"][0]
    part = {"H": "AB", "dH": "PQ", "ddH_II": "RSTU"}[tree]

    def deviation():
        found = pt.trained(theory, steps=run["steps"], **setting)
        return max(
            abs(getattr(found, name).parts[part].item() - run["theory"][name][part]) for name in ("mean", "covariance")
        )

    assert deviation() < 1e-9
    for cache in CACHES[:4]:
        cache.cache_clear()
    monkeypatch.setattr(averages, "_pairings", slipped)
    assert deviation() > 1e-3
