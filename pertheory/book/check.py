"""Decides equations: the stated form must hold, and a printed form with a slip must fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from pertheory.book.deciders import DECIDERS
from pertheory.book.equation import Chapter, Equation
from pertheory.book.verdict import ERRATUM, MISMATCH, UNCHECKED, VERIFIED, Verdict, unchecked
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.progress import check_progress
from pertheory.progress import progress as shown_progress
from pertheory.rulebook.files import nearest
from pertheory.text import plural
from pertheory.typeset.write import APPROXIMATION

log = logging.getLogger("pertheory.book")


class Result(NamedTuple):
    """An equation with what was found."""

    chapter: Chapter
    equation: Equation
    verdict: Verdict

    def __repr__(self) -> str:
        expected = "as expected" if self.as_expected else f"expected {self.equation.status}"
        return f"Result({self.equation.number}: {self.verdict.status}, {expected})"

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one that the file expects."""
        return self.verdict.status == self.equation.status


def decide(equation: Equation) -> Verdict:
    """The verdict on one equation.

    Raises:
        RuleError: it, or its file, is wrong; names file and line.
    """
    if equation.unchecked:
        return unchecked(equation.unchecked)
    found = _decide(equation, equation.statement)
    if found.status != VERIFIED:
        return replace(found, note=_join(found.note, equation.note))
    notes = [APPROXIMATION if equation.rule.closure == "pairs" else "", equation.note]
    for form, name in ((equation.printed, "printed"), (equation.restated, "restated")):
        if form:
            other = _decide_slip(equation, form)
            if other.status == UNCHECKED:
                return unchecked(f"the {name} form could not be decided: {other.note}")
            if other.status == VERIFIED:
                return Verdict(MISMATCH, found.method, 0.0, f"the {name} form, said to have a slip, holds as well")
            notes.append(f"{name} form: {other.note}")
    return replace(found, status=ERRATUM if equation.printed else VERIFIED, note=_join(found.note, *notes))


def _decide(equation: Equation, form: str) -> Verdict:
    try:
        return DECIDERS[equation.kind].decide(equation, form)
    except (ArithmeticError, UnsupportedError) as error:
        return unchecked(str(error) or "the two sides cannot be computed")
    except InputError as error:
        raise equation.wrong(error) from None


def _decide_slip(equation: Equation, form: str) -> Verdict:
    """As `_decide`; a form that reads well but has an index too many or too few says nothing and is not decided."""
    try:
        return _decide(equation, form)
    except RuleError as error:
        equation.parsed(form)  # a typing error in the file is no slip of the book
        reason = str(error).removeprefix(f"{equation.place}: equation {equation.number}: ")
        return unchecked(f"it has no meaning ({reason})")


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def check(
    equations: Iterable[tuple[Chapter, Equation]], progress: Callable[[Equation], None] | bool | None = None
) -> list[Result]:
    """Decide several equations.

    Args:
        equations: with the chapter of each.
        progress: True shows how far it is, False never; by default it is shown where a person works with this Python
            and it takes more than two seconds. Or a function, called before each.
    """
    found: list[Result] = []
    waiting = list(equations)
    show = False if callable(progress) else check_progress(progress)
    with shown_progress(f"checking {plural(len(waiting), 'equation')}", show) as report:
        for chapter, equation in waiting:
            if callable(progress):
                progress(equation)
            found.append(Result(chapter, equation, decide(equation)))
            log.debug("equation %s: %s", equation.number, found[-1].verdict.status)
            report(len(found), len(waiting))
    return found


def select(
    book: Iterable[Chapter], chapter: str | Sequence[str] = (), number: str | Sequence[str] = ()
) -> list[tuple[Chapter, Equation]]:
    """The equations of some chapters, or those with some numbers, or all, in the order of the book.

    Args:
        book: all chapters.
        chapter: one or several; none for all.
        number: one or several; none for all. With chapters they have to be in one of these.

    Raises:
        InputError: there is none; names what there is.
    """
    names = [chapter] if isinstance(chapter, str) and chapter else list(chapter)
    numbers = [number] if isinstance(number, str) and number else list(number)
    everything = [(own, equation) for own in book for equation in own.equations]
    known = {own.name for own, _ in everything}
    for name in names:
        if name not in known:
            raise InputError(f"no chapter {name!r}; {nearest(name, known)}")
    chosen = [(own, equation) for own, equation in everything if not names or own.name in names]
    there = [equation.number for _, equation in chosen]
    for wanted in numbers:
        if wanted not in there:
            elsewhere = [own.name for own, equation in everything if equation.number == wanted]
            if elsewhere:
                raise InputError(
                    f"no equation {wanted!r} in chapter {', '.join(names)}; it is in chapter {elsewhere[0]}"
                )
            raise InputError(f"no equation {wanted!r}; {nearest(wanted, there)}")
    return [(own, equation) for own, equation in chosen if not numbers or equation.number in numbers]
