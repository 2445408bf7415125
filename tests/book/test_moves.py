"""Verdicts go through the engine: a weight changed in any of the six moves is seen in at least three chapters."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

import pytest

from pertheory.book import engine
from pertheory.book.chapters import chapters
from pertheory.book.check import check, select
from pertheory.derive import layer


def doubled_weight(original):
    """Move 1: a weight brings twice its variance."""

    def pair(rule, sublayer, kind):
        for joins in original(rule, sublayer, kind):
            yield tuple(
                join._replace(factor=join.factor._replace(coefficient=join.factor.coefficient * 2))
                if join.name == "weight W"
                else join
                for join in joins
            )

    return pair


def one_derivative_too_many(original):
    """Move 2: a line with derivatives has one more."""

    def refine(kind, chosen):
        for sites in original(kind, chosen):
            lines = tuple((line[0], line[1] + 1) if line is not None and line[1] else line for line in sites.lines)
            yield sites._replace(lines=lines)

    return refine


def never_on_one_neuron(original):
    """Move 3: the arrangement in which sites share a neuron is lost."""

    def coincide(kind, standing, sites, budget):
        for arrangement in original(kind, standing, sites, budget):
            if arrangement.cost == 0:
                yield arrangement

    return coincide


def wrong_symmetry_factor(original):
    """Move 4: legs are weighted by a third more."""

    def fill(groups, neurons, budget, room):
        for filling in original(groups, neurons, budget, room):
            yield filling._replace(weight=filling.weight * Fraction(4, 3) if budget else filling.weight)

    return fill


def nothing_hangs_together(original):
    """Move 5: diagrams that are held together by a tensor are taken to fall apart."""
    return lambda parts, homes, filling: original(parts, homes, filling) and not filling.pure


def orbit_counted_once(original):
    """Move 6: the images of a diagram under the symmetry are counted twice."""

    def orbits(items, group, key):
        return [(item, stabilizer, images * 2) for item, stabilizer, images in original(items, group, key)]

    return orbits


CHANGES = {
    "pair": doubled_weight,
    "refine": one_derivative_too_many,
    "coincide": never_on_one_neuron,
    "fill": wrong_symmetry_factor,
    "connects": nothing_hangs_together,
    "orbits": orbit_counted_once,
}


def order(item):
    """Chapters that state recursions first: they are quick to decide."""
    chapter, equation = item
    return chapter.name not in ("4", "8", "9", "11"), chapter.name, equation.kind != "recursion"


@pytest.fixture
def forget():
    engine.clear()
    yield
    engine.clear()


@pytest.mark.parametrize("move", CHANGES)
def test_a_changed_move_fails_in_three_chapters(move, monkeypatch, forget):
    monkeypatch.setattr(layer, move, CHANGES[move](getattr(layer, move)))
    failed: set[str] = set()
    for _, one in groupby(sorted(select(chapters()), key=order), key=lambda item: item[0].name):
        for item in one:
            (result,) = check([item])
            if not result.as_expected and not result.equation.unchecked:
                failed.add(result.chapter.name)
                break  # on to the next chapter
        if len(failed) == 3:
            break
    monkeypatch.undo()
    assert len(failed) == 3, f"only chapters {sorted(failed)} notice a change of {move}"
