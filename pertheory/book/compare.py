"""Are the sides of a statement equal? By canonical form and, as a second route, as exact numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from pertheory.algebra.polynomial import add_into
from pertheory.book import engine, syntax
from pertheory.book.canonical import DUMMY, KERNEL, Mono, Poly
from pertheory.book.equation import Equation
from pertheory.book.indices import check_indices
from pertheory.book.point import Point
from pertheory.book.route_numeric import NumericRoute
from pertheory.book.route_symbolic import SymbolicRoute
from pertheory.book.syntax import ONE_INPUT, Statement
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, VERIFIED, Verdict
from pertheory.book.visit import walk
from pertheory.typeset.components import written

SHOWN = 12


def compare(equation: Equation, statement: Statement) -> Verdict:
    """Decide whether all sides of a statement are equal.

    Args:
        equation: where it stands.
        statement: abbreviations written out.
    """
    names = check_indices(statement)
    samples = {ONE_INPUT: 0} if statement.one or not names else {label: at for at, label in enumerate(names)}
    route = SymbolicRoute(equation.rule, samples, statement.one)
    first, *others = [route.side(side) for side in statement.sides]
    differences = (add_into(dict(first), other, -1) for other in others)
    numeric = has_simple_slopes(statement)
    residual = largest_residual(equation, statement, samples) if numeric else 0.0
    difference: Poly = next(filter(None, differences), {})
    return verdict(difference, residual, BOTH if numeric else SYMBOLIC, samples)


def verdict(difference: Poly, residual: float, method: str, labels: Iterable[str]) -> Verdict:
    """Equal if neither route sees a difference; the routes must agree."""
    if not difference and not residual:
        return Verdict(VERIFIED, method)
    note = f"the sides differ by {len(difference)} terms"
    if method == BOTH and bool(difference) != bool(residual):
        note = "the two routes disagree: " + ("only the numbers differ" if residual else "only the terms differ")
    return Verdict(MISMATCH, method, residual or 1.0, note, tuple(write(difference, list(labels))))


def relative(a: Fraction, b: Fraction) -> float:
    """The relative difference of two numbers; 0 only if they are equal."""
    return float(Fraction(abs(a - b)) / Fraction(max(abs(a), abs(b)))) if a != b else 0.0


def largest_residual(equation: Equation, statement: Statement, samples: Mapping[str, int]) -> float:
    """The largest relative difference between the sides at a random point; 0 if they are exactly equal."""
    slopes = {node.variable for node in walk(*statement.sides) if isinstance(node, syntax.Slope)}
    variable = KERNEL if any(engine.tensor_named(name).kind == KERNEL for name in slopes) else None
    route = NumericRoute(equation.rule, samples, Point(len(samples), f"{equation.number} 0", variable))
    first, *others = [route.side(side).value for side in statement.sides]
    return max(relative(first, other) for other in others)


def has_simple_slopes(statement: Statement) -> bool:
    """Whether no derivative with respect to K stands in another one, which exact numbers do not know."""
    slopes = [node for node in walk(*statement.sides) if isinstance(node, syntax.Slope)]
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
