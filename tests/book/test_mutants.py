"""A verified formula with one slip fails: coefficients, indices, primes, signs, names, exponents."""

from __future__ import annotations

import random

import pytest

from pertheory.book.chapters import chapters
from pertheory.book.check import select
from pertheory.book.deciders import DECIDERS
from pertheory.book.equation import Equation
from pertheory.book.verdict import ERRATUM, VERIFIED
from pertheory.errors import PertheoryError
from tests.book.mutants import mutants

#: mutants drawn of each equation, of which the first of each kind is tried; the draw is fixed by its number
DRAWN = 12
POSED = [equation for _, equation in select(chapters()) if equation.status in (VERIFIED, ERRATUM)]


def survivors(equation: Equation, count: int) -> tuple[int, list[str]]:
    """How many mutants were tried, and what was changed in those that still hold."""
    left, _, right = equation.statement.partition("=")
    everything = list(mutants(right))
    drawn = random.Random(equation.number).sample(everything, min(count, len(everything)))
    chosen = {kind: (text, change) for text, change, kind in reversed(drawn)}
    alive = []
    for text, change in chosen.values():
        try:
            verdict = DECIDERS[equation.kind].decide(equation, f"{left}={text}")
        except PertheoryError:
            continue  # refused: an index stands alone, a name has no meaning there
        assert "disagree" not in verdict.note, (equation.number, change)
        if verdict.status == VERIFIED:
            alive.append(change)
    return len(chosen), alive


#: mutants that are the same formula, because dummies can be renamed
EQUIVALENT = {
    "8.H{1}": {"(b1,1,b2,2) -> (b1,2,b2,1)"},  # F_1324 = F_2413
    "inf.H step": {"(0,1;a,b) -> (1,0;a,b)"},  # both leaves carry an error
    "inf.106": {"(1,2,a,b) -> (2,1,a,b)"},  # the bracket is symmetric in its labels, as X_II is in its pairs
    "inf.109": {f"(1,2,3,a,b,c) -> {other}" for other in ("(2,1,3,a,b,c)", "(3,2,1,a,b,c)", "(1,3,2,a,b,c)")},
    "inf.m DeltaNTK": {  # A_(12)(34) = A_(34)(12) and B_1324 = B_3142 between labels that Theta^(a,b) exchanges
        "(0,a,b,c) -> (c,a,b,0)",
        "(0,b,a,c) -> (c,b,a,0)",
        "(0,c,a,b) -> (c,0,a,b)",
    },
    "10.114": {"3 -> 4"},  # at dTheta_1 = 0 the remainder is even smaller than stated
}


#: formulas without a number, an index or a name that has another of its kind
NOTHING_TO_CHANGE = {"E[Obs] = <Obs>", "E_1[Obs] = <Obs>"}


@pytest.mark.parametrize("equation", POSED, ids=lambda equation: equation.number)
def test_a_slip_is_seen(equation):
    """A slip of each kind in each formula; long formulas of chapter 8 and the end of training cost 1-3 s each.

    Every mutant is decided by both routes, as the formula itself is: that the routes agree is proven as well.
    """
    tried, alive = survivors(equation, DRAWN)
    assert tried or equation.statement in NOTHING_TO_CHANGE or equation.statement.endswith("= 0")
    same = EQUIVALENT.get(equation.number, set())
    assert [change for change in alive if change.partition(" at ")[0] not in same] == []
