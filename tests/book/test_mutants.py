"""A verified formula with one slip fails: coefficients, indices, primes, signs, names, exponents."""

from __future__ import annotations

import pytest

from pertheory.book import route_explicit
from pertheory.book.chapters import chapters
from pertheory.book.check import select
from pertheory.book.equation import Equation
from pertheory.book.verdict import ERRATUM, VERIFIED
from tests.book.mutants import Survey, drawn

#: mutants of each equation of which one of each kind is decided
DRAWN = 12
POSED = [equation for _, equation in select(chapters()) if equation.status in (VERIFIED, ERRATUM)]


def one_of_each_kind(equation: Equation) -> Survey:
    """Of the mutants drawn one of each kind that can be decided; if there is none, the first of all that can be."""
    found, kinds = Survey(), set()
    for place, mutant in enumerate(drawn(equation)):
        if place >= DRAWN and kinds:
            break
        if mutant.kind not in kinds and found.add(equation, mutant):
            kinds.add(mutant.kind)
    return found


@pytest.mark.parametrize("equation", POSED, ids=lambda equation: equation.number)
def test_a_slip_is_seen(equation):
    """A slip of each kind in each formula; long formulas of chapter 8 and the end of training cost 1-3 s each.

    What is refused or cannot be decided was not tried, and an equation of which no mutant can be decided is not
    verified. Every mutant is decided by both routes, as the formula itself is: that the routes agree is proven as well.
    The survey of all mutants is ``python -m tests.book.mutants``; its result stands in docs/book.md.
    """
    found = one_of_each_kind(equation)
    assert found.split == []
    assert found.survivors(equation) == []
    assert found.killed


def test_couplings_that_differ_in_name_differ_in_value():
    """Of (11.24) one value was drawn twice, so that C_W could stand for lambda_W by the second route."""
    for equation in (equation for equation in POSED if equation.kind in ("forward", "first layer")):
        values = [value for _, value in route_explicit.couplings(equation)]
        assert len(set(values)) == len(values) > 0
