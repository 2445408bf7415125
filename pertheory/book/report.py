"""Results as text: a table by chapter, or one equation in detail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from pertheory.book import engine, syntax
from pertheory.book.check import Result
from pertheory.book.equation import BOOK, CONSEQUENCE, GROUPS, OURS, Equation
from pertheory.book.kinds.posterior import information_text, posterior_text
from pertheory.book.latex import statement_latex
from pertheory.book.verdict import ERRATUM, MISMATCH, STATUSES, VERIFIED
from pertheory.errors import PertheoryError

#: kinds that are decided by the expansion of posteriors and entropies, with what writes it
EXPANDED: Mapping[str, Callable[[Equation], str]] = {"posterior": posterior_text, "information": information_text}
#: kinds that start from a step of gradient descent
ON_TRAINING = ("gradient step", "training sum", "trained", "mean prediction")


def table(results: Sequence[Result]) -> str:
    """One line an equation, a total for each chapter and for all."""
    lines: list[str] = []
    for chapter, own in groupby(results, key=lambda result: result.chapter):
        found = list(own)
        lines.append(f"chapter {chapter.name}: {chapter.title}")
        for result in found:
            verdict, equation = result.verdict, result.equation
            number = equation.number + ("" if equation.certain else " ?")
            note = f"  {verdict.note}" if verdict.note else ""
            unexpected = "" if result.as_expected else f"  (was {equation.status})"
            lines.append(f"  {number:<9} {verdict.status:<9} {verdict.method:<8} {equation.title}{unexpected}{note}")
            lines += [f"{'':<22}{row}" for row in verdict.difference]
        lines.append(f"  {_total(found)}")
        lines.append("")
    names = {BOOK: "equations of the book, each once", CONSEQUENCE: "consequences and repeats of them", OURS: "ours"}
    counts = totals(results)
    for group, name in names.items():
        numbered = counts[group]["numbered"]
        more = f"; {numbered} of the decided under a number that is certain" if numbered else ""
        lines.append(f"{name}: {_total([r for r in results if r.equation.group == group])}{more}")
    lines.append(f"all: {_total(results)}")
    return "\n".join(lines)


def totals(results: Sequence[Result]) -> Mapping[str, Mapping[str, int]]:
    """For each group of equations how many have which status, and how many hold under a number that is certain."""
    found = {group: {**dict.fromkeys(STATUSES, 0), "numbered": 0} for group in GROUPS}
    for result in results:
        own = found[result.equation.group]
        own[result.verdict.status] += 1
        own["numbered"] += result.equation.is_numbered and result.verdict.status in (VERIFIED, ERRATUM)
    return found


def _total(results: Sequence[Result]) -> str:
    counts = Counter(result.verdict.status for result in results)
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]) or "nothing"


def detail(result: Result) -> str:
    """An equation: the statement in LaTeX, what the engine derives, the verdict and how it came about."""
    equation, verdict = result.equation, result.verdict
    number = equation.number + ("" if equation.certain else " (number not certain)")
    lines = [f"({number}) {equation.title}", f"  chapter   {result.chapter.name}: {result.chapter.title}"]
    lines.append(f"  source    {equation.source}" + (f", follows ({equation.follows})" if equation.follows else ""))
    lines.append(f"  kind      {equation.kind or 'none'}")
    if equation.setting:
        lines.append(f"  setting   {equation.setting}")
    for name, form in (("stated", equation.statement), ("printed", equation.printed), ("restated", equation.restated)):
        if form:
            lines += [f"  {name}", *_indent(form), *_indent(_latex(equation, form))]
    lines += _derivation(equation)
    method = f" ({verdict.method})" if verdict.method else ""
    lines.append(f"  verdict   {verdict.status}{method}" + ("" if result.as_expected else f", was {equation.status}"))
    if verdict.status == MISMATCH:
        lines.append(f"  residual  {verdict.residual:.3g} (relative, at a random point)")
    if verdict.note:
        lines.append(f"  note      {verdict.note}")
    if verdict.difference:
        lines += ["  left minus right", *_indent("\n".join(verdict.difference))]
    return "\n".join(lines)


def _latex(equation: Equation, form: str) -> str:
    """The form in LaTeX; forms with a grammar of their own (definitions) are shown as text only."""
    try:
        return statement_latex(equation.parsed(form))
    except PertheoryError:
        return ""


def _derivation(equation: Equation) -> list[str]:
    """What the engine derives for every tensor of the layer above in the statement; for training what a step does."""
    from pertheory.book.formulas import written_step
    from pertheory.book.visit import walk
    from pertheory.recursion import derive

    if equation.kind in ON_TRAINING:
        return ["  derived", *_indent("\n".join(written_step(shape) for shape in ("z", "H", "dH")))]
    if equation.kind in EXPANDED:
        return ["  derived", *_indent(EXPANDED[equation.kind](equation))]
    try:
        statement = equation.read(equation.statement)
    except PertheoryError:
        return []
    lines: list[str] = []
    seen: set[tuple[str, int]] = set()
    for side in statement.sides:
        for node in walk(side):
            if (
                isinstance(node, syntax.Component)
                and _is_derived(equation, node)
                and (node.name, node.order) not in seen
            ):
                seen.add((node.name, node.order))
                name = f"{engine.tensor_named(node.name).name}{{{node.order}}}"
                lines += ["  derived", *_indent(derive(equation.rule, name).to_text())]
    return lines


def _is_derived(equation: Equation, node: syntax.Component) -> bool:
    """Whether the engine's recursion decides about a tensor: that of the layer above, or any of a solution.

    Statements at one layer (insertions) take the tensors as they are.
    """
    return node.up or node.layer == 2 or (equation.one and bool(equation.setting))


def _indent(text: str) -> list[str]:
    return [f"    {row}" for row in text.strip().splitlines()]
