"""Decides equations: the stated form must hold, and a printed form with a slip must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from pertheory.book.chapters import Chapter, Equation
from pertheory.book.verdict import ERRATUM, MISMATCH, UNCHECKED, VERIFIED, Verdict, kinds, unchecked
from pertheory.errors import InputError
from pertheory.rulebook.files import nearest


class Result(NamedTuple):
    """An equation with what was found."""

    chapter: Chapter
    equation: Equation
    verdict: Verdict

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one that the file expects."""
        return self.verdict.status == self.equation.status


def decide(equation: Equation) -> Verdict:
    """The verdict on one equation."""
    if equation.unchecked:
        return unchecked(equation.unchecked)
    decider = kinds()[equation.kind]
    found = decider(equation, equation.statement)
    if found.status != VERIFIED:
        return replace(found, note=_join(found.note, equation.note))
    for form, name in ((equation.printed, "printed"), (equation.restated, "restated")):
        if form:
            other = decider(equation, form)
            if other.status == UNCHECKED:
                return unchecked(f"the {name} form could not be decided: {other.note}")
            if other.status == VERIFIED:
                return Verdict(MISMATCH, found.method, 0.0, f"the {name} form, said to have a slip, holds as well")
    return replace(found, status=ERRATUM if equation.printed else VERIFIED, note=_join(found.note, equation.note))


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def check(
    equations: Iterable[tuple[Chapter, Equation]], progress: Callable[[Equation], None] | None = None
) -> list[Result]:
    """Decide several equations.

    Args:
        equations: with the chapter of each.
        progress: is called before each.
    """
    found = []
    for chapter, equation in equations:
        if progress is not None:
            progress(equation)
        found.append(Result(chapter, equation, decide(equation)))
    return found


def select(book: Iterable[Chapter], chapter: str = "", number: str = "") -> list[tuple[Chapter, Equation]]:
    """The equations of a chapter, or the one with a number, or all.

    Raises:
        InputError: there is none; names what there is.
    """
    everything = [(own, equation) for own in book for equation in own.equations]
    chosen = [(own, equation) for own, equation in everything if chapter in ("", own.name)]
    if chapter and not chosen:
        raise InputError(f"no chapter {chapter!r}; {nearest(chapter, {own.name for own, _ in everything})}")
    found = [(own, equation) for own, equation in chosen if number in ("", equation.number)]
    if not found:
        raise InputError(f"no equation {number!r}; {nearest(number, [equation.number for _, equation in chosen])}")
    return found
