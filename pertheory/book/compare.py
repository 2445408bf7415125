"""Are the sides of a statement equal? By canonical form and, as a second route, as exact numbers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from pertheory.book import engine
from pertheory.book.canonical import DUMMY, KERNEL, Mono, Poly, add
from pertheory.book.chapters import Equation
from pertheory.book.exact import Evaluator, Point
from pertheory.book.expand import Expander
from pertheory.book.indices import check_indices
from pertheory.book.syntax import Slope, Statement
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, VERIFIED, Verdict
from pertheory.book.visit import walk
from pertheory.typeset.components import written

#: random points of the second route; a wrong formula that agrees at one would be a coincidence of exact rationals
POINTS = 1
SHOWN = 12


def compare(
    equation: Equation, statement: Statement, marks: frozenset[str] = frozenset(), numeric: bool = True
) -> Verdict:
    """Decide whether all sides of a statement are equal.

    Args:
        equation: where it stands.
        statement: abbreviations written out.
        marks: marks that the canonical form may hold.
        numeric: whether the second route is tried; nested slopes close it.
    """
    names = check_indices(statement)
    samples = {label: number for number, label in enumerate(names)} or {"x": 0}
    if statement.one:
        samples = {"x": 0}
    expander = Expander(equation.rule, samples, statement.one, marks)
    sides = [expander.side(side) for side in statement.sides]
    for side in sides[1:]:
        difference = add(dict(sides[0]), side, -1)
        if difference:
            break
    numeric = numeric and has_simple_slopes(statement)
    residual = largest_residual(equation, statement, samples) if numeric else 0.0
    return verdict(difference, residual, BOTH if numeric else SYMBOLIC, list(samples))


def verdict(difference: Poly, residual: float, method: str, labels: list[str]) -> Verdict:
    """Equal if neither route sees a difference; the routes must agree."""
    if not difference and not residual:
        return Verdict(VERIFIED, method)
    note = f"the sides differ by {len(difference)} terms"
    if method == BOTH and bool(difference) != bool(residual):
        note = "the two routes disagree: " + ("only the numbers differ" if residual else "only the terms differ")
    return Verdict(MISMATCH, method, residual or 1.0, note, tuple(write(difference, labels)))


def largest_residual(equation: Equation, statement: Statement, samples: dict[str, int]) -> float:
    """The largest relative difference between the sides at random points; 0 if they are exactly equal."""
    slopes = {node.variable for side in statement.sides for node in walk(side) if isinstance(node, Slope)}
    variable = KERNEL if any(engine.tensor_named(name).kind == KERNEL for name in slopes) else None
    worst = 0.0
    for number in range(POINTS):
        point = Point(len(samples), f"{equation.number} {number}", variable)
        evaluator = Evaluator(equation.rule, samples, point)
        first, *others = [evaluator.side(side).value for side in statement.sides]
        for other in others:
            if first != other:
                size = max(abs(first), abs(other))
                worst = max(worst, float(Fraction(abs(first - other)) / Fraction(size)))
    return worst


def has_simple_slopes(statement: Statement) -> bool:
    """Whether no derivative with respect to K stands in another one, which exact numbers do not know."""
    slopes = [node for side in statement.sides for node in walk(side) if isinstance(node, Slope)]
    in_kernel = [slope for slope in slopes if engine.tensor_named(slope.variable).kind == KERNEL]
    return not any(inner in in_kernel for outer in in_kernel for inner in walk(outer.of))


def write(poly: Poly, labels: list[str]) -> Iterator[str]:
    """The terms of a sum as text, in the notation of the files."""
    ordered = sorted(poly.items(), key=lambda item: (len(item[0].tensors), item[0]))
    for mono, coefficient in ordered[:SHOWN]:
        yield write_term(mono, coefficient, labels)
    if len(ordered) > SHOWN:
        yield f"... and {len(ordered) - SHOWN} more"


def write_term(mono: Mono, coefficient: Fraction, labels: list[str]) -> str:
    """One term as text."""

    def label(number: int) -> str:
        if number >= DUMMY:
            return f"b{number - DUMMY + 1}"
        return labels[number]

    def at(number: int) -> str:
        return "" if labels == ["x"] else f"_{label(number)}"

    def line(sample: int, order: int) -> str:
        return f"s{chr(39) * order if order < 4 else f'^({order})'}{at(sample)}"

    def slots(numbers: tuple[int, ...]) -> str:
        return "" if labels == ["x"] else f"({','.join(label(n) for n in numbers)})"

    parts = [] if abs(coefficient) == 1 and mono != Mono() else [str(abs(coefficient))]
    parts += [name if power == 1 else f"{name}^{power}" for name, power in mono.scalars]
    for kind, order, numbers in mono.tensors:
        tensor, own, order_of_slots = written(kind, order, numbers)
        name = tensor.leading if tensor.leading and own == 0 else tensor.name + (f"{{{own}}}" if own else "")
        parts.append(name + slots(order_of_slots))
    parts += [f"K^{slots(pair)}" for pair in mono.inverses]
    parts += [f"{name}({','.join(label(n) for n in numbers)})" for name, numbers in mono.marks]
    parts += ["<" + " ".join(line(*entry) for entry in lines) + ">" for lines in mono.averages]
    parts += [line(*entry) for entry in mono.lines] + [f"z{at(sample)}" for sample in mono.zeds]
    return ("- " if coefficient < 0 else "+ ") + " ".join(parts)


__all__ = ["compare", "verdict", "write", "write_term"]
