"""Actions: a wrong coefficient is seen, and so is an engine whose insertions weigh wrongly."""

from __future__ import annotations

from copy import copy
from fractions import Fraction

import pytest

from pertheory.book import engine
from pertheory.book.chapters import book_folder, read_chapter
from pertheory.book.check import decide
from pertheory.book.verdict import MISMATCH, VERIFIED
from pertheory.derive import layer
from pertheory.errors import RuleError

EQUATION = {equation.number: equation for equation in read_chapter(book_folder() / "ch01.toml").equations}


def changed(number, old, new):
    equation = copy(EQUATION[number])
    assert old in equation.statement
    object.__setattr__(equation, "statement", equation.statement.replace(old, new))
    return equation


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        ("1.45", "+ K(1,4) K(2,3)", "- K(1,4) K(2,3)"),
        ("1.Z", "eps/8", "eps/4"),
        ("1.E2", "eps/2", "eps/3"),
        ("1.E2", "K(1,a) K(2,b) K(c,d)", "K(1,2) K(a,b) K(c,d)"),
        ("1.C4", "- eps", "eps"),
    ],
)
def test_a_wrong_coefficient_or_index_is_seen(number, old, new):
    assert decide(EQUATION[number]).status == VERIFIED
    assert decide(changed(number, old, new)).status == MISMATCH


@pytest.fixture
def lighter_legs(monkeypatch):
    original = layer.fill

    def fill(groups, neurons, budget, room):
        for filling in original(groups, neurons, budget, room):
            yield filling._replace(weight=filling.weight * Fraction(3, 4) if budget else filling.weight)

    engine.clear()
    monkeypatch.setattr(layer, "fill", fill)
    yield
    engine.clear()


def test_insertions_of_the_engine_are_the_perturbation_theory_of_an_action(lighter_legs):
    verdict = decide(EQUATION["1.E2"])
    assert verdict.status == MISMATCH
    assert "insertions" in verdict.note


def test_a_first_order_statement_has_to_say_so():
    with pytest.raises(RuleError, match="remainder"):
        decide(changed("1.E2", "+ O(eps^2)", ""))
