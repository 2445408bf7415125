"""Products of derivatives of a kinked function at one variable: which are finite, and what they stand for.

Beyond its first jump a derivative of a kinked function is a delta function, and products of such lines mean
the limit of a kink that is rounded ever more sharply. Taking out total derivatives turns every product into
derivatives of normal forms: ordinary functions, or one delta times powers of the step that it is the
derivative of. What cannot be brought there (two deltas at one point) is kept as it is, so that it may
cancel between the terms of one average; what is left in the end is infinite. A normal form is a
*distribution*: an ordinary function that is smooth between the kinks, and deltas with their derivatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TypeAlias

from pertheory.algebra.terms import Lines
from pertheory.averages.atoms import IDENTITY, differentiate
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation

Functions: TypeAlias = Mapping[str, Activation]
#: For every variable the order of a total derivative and the product under it.
Term: TypeAlias = tuple[tuple[int, Lines], ...]

MAX_TERMS = 20_000


class Divergent(ArithmeticError):
    """The average is infinite or depends on how the kink is rounded; the text is the reason."""


class Undefined(Divergent):
    """The average has no value, because an input is always at a kink; all else in it is finite."""


@dataclass(frozen=True)
class Distribution:
    """An ordinary function plus deltas at one variable.

    Attributes:
        regular: products with their coefficients; lines mean their values between the kinks.
        deltas: weights by ``(position, order)``; order 0 is a delta, order 1 its derivative.
    """

    regular: tuple[tuple[Lines, float], ...]
    deltas: tuple[tuple[tuple[float, int], float], ...] = ()


def singular_lines(product: Lines, functions: Functions) -> list[tuple[int, str, int]]:
    """Return ``(excess, name, order)`` of the lines that contain deltas, the most singular last.

    The excess counts derivatives beyond the first jump: 1 is a delta, 2 its derivative.
    """
    found = []
    for name, order in product:
        first = None if name == IDENTITY else functions[name].jump_order
        if first is not None and order > first:
            found.append((order - first, name, order))
    return sorted(found)


def is_tied(product: Lines, functions: Functions) -> bool:
    """Say whether no integration by parts helps: the most singular line appears more than once."""
    lines = singular_lines(product, functions)
    return len(lines) > 1 and lines[-1][0] == lines[-2][0]


def _reducible(product: Lines, functions: Functions) -> tuple[str, int] | None:
    """Return the line to take a derivative out of, None for a normal form and for a tie."""
    lines = singular_lines(product, functions)
    if not lines or is_tied(product, functions):
        return None
    excess, name, order = lines[-1]
    for other, other_order in product:
        first = None if other in (IDENTITY, name) else functions[other].jump_order
        if first is not None and other_order >= first and set(functions[other].kinks) & set(functions[name].kinks):
            raise UnsupportedError("a delta of one kinked function times a step of another has no definite value")
    return (name, order) if excess > 1 else None


def _take_out(product: Lines, line: tuple[str, int]) -> list[tuple[int, Lines, Fraction]]:
    """Write a product as a total derivative and a rest; powers of the line one order lower belong to it.

    Returns:
        ``(order of the total derivative, product, coefficient)``.
    """
    lower = (line[0], line[1] - 1)
    count = product.count(lower)
    rest = tuple(item for item in product if item not in (line, lower))
    primitive = (lower,) * (count + 1)
    weight = Fraction(1, count + 1)
    results = [(1, tuple(sorted((*rest, *primitive))), weight)]
    for derived, multiplicity in differentiate(rest):
        results.append((0, tuple(sorted((*derived, *primitive))), -weight * multiplicity))
    return results


def reduce_terms(terms: Mapping[tuple[Lines, ...], float], functions: Functions) -> dict[Term, float]:
    """The terms of `reduced` with coefficients in double precision."""
    return {term: float(coefficient) for term, coefficient in reduced(terms, functions).items()}


def reduced(terms: Mapping[tuple[Lines, ...], float], functions: Functions) -> dict[Term, Fraction]:
    """Bring a sum of products at distinct variables to normal forms and ties, equal ones collected.

    Args:
        terms: coefficients by product of every variable.
        functions: activations by name.

    Raises:
        UnsupportedError: a delta of one function meets a step of another.
    """
    # coefficients are small integers, or multiples of values at zero variance, whose doubles are fractions too
    pending: dict[Term, Fraction] = {tuple((0, p) for p in products): Fraction(c) for products, c in terms.items()}
    done: dict[Term, Fraction] = {}
    while pending:
        if len(pending) + len(done) > MAX_TERMS:
            raise UnsupportedError(f"more than {MAX_TERMS} terms in the reduction of a kinked average")
        # the most singular first, so that equal terms meet before they are expanded again
        term = max(
            pending,
            key=lambda t: sum(e for _, product in t for e, _, _ in singular_lines(product, functions)),
        )
        coefficient = pending.pop(term)
        if coefficient == 0:
            continue
        for slot, (legs, product) in enumerate(term):
            line = _reducible(product, functions)
            if line is not None:
                for more, lines, weight in _take_out(product, line):
                    new = (*term[:slot], (legs + more, lines), *term[slot + 1 :])
                    pending[new] = pending.get(new, Fraction(0)) + coefficient * weight
                break
        else:
            done[term] = done.get(term, Fraction(0)) + coefficient
    return {term: coefficient for term, coefficient in done.items() if coefficient}


def distribution(legs: int, product: Lines, functions: Functions) -> Distribution:
    """Return what a derivative of a normal form is.

    Raises:
        Divergent: the product is infinite, or depends on the rounding.
    """
    if is_tied(product, functions):
        check_tie(product, functions)
    result = Distribution(((product, 1),), tuple(_deltas(product, functions)))
    for _ in range(legs):
        result = derivative(result, functions)
    return result


def derivative(given: Distribution, functions: Functions) -> Distribution:
    """Differentiate a distribution: where the ordinary part jumps, a delta comes in."""
    regular: dict[Lines, float] = {}
    deltas = {(position, order + 1): weight for (position, order), weight in given.deltas}
    for product, coefficient in given.regular:
        for position, jump in _jumps(product, functions):
            deltas[position, 0] = deltas.get((position, 0), 0) + coefficient * jump
        for derived, count in differentiate(product):
            regular[derived] = regular.get(derived, 0) + coefficient * count
    return Distribution(tuple(regular.items()), tuple((key, weight) for key, weight in deltas.items() if weight))


def sides(product: Lines, position: float, functions: Functions) -> tuple[float, float]:
    """Return the limits of the ordinary part of a product from the left and from the right."""
    pairs = [
        (position, position) if name == IDENTITY else functions[name].side_values(order, position)
        for name, order in product
    ]
    return prod(left for left, _ in pairs), prod(right for _, right in pairs)


def value_at(product: Lines, position: float, functions: Functions) -> float:
    """Evaluate an ordinary product at a point.

    Raises:
        Divergent: it jumps there.
    """
    left, right = sides(product, position, functions)
    if abs(left - right) > 1e-12 * (abs(left) + abs(right)):
        raise Divergent(f"{show(product)} has no value at its kink x = {position:g}, and the variance there is zero")
    return (left + right) / 2


def _jumps(product: Lines, functions: Functions) -> list[tuple[float, float]]:
    """Return ``(position, jump)`` of the ordinary part of a product."""
    names = {name for name, _ in product} - {IDENTITY}
    found = []
    for kink in sorted({kink for name in names for kink in functions[name].kinks}):
        left, right = sides(product, kink, functions)
        if abs(right - left) > 1e-13 * max(abs(left), abs(right)):
            found.append((kink, right - left))
    return found


def _deltas(product: Lines, functions: Functions) -> list[tuple[tuple[float, int], float]]:
    """Return the deltas of a product in normal form.

    The limit of a rounded kink gives ``s'' g(s') = delta * integral of g over the jump``.
    """
    lines = singular_lines(product, functions)
    if len(lines) != 1:
        return []
    _, name, order = lines[0]
    function, below = functions[name], (name, order - 1)
    count = product.count(below)
    rest = tuple(line for line in product if line not in (below, (name, order)))
    found = []
    for kink in function.kinks:
        left, right = function.side_values(order - 1, kink)
        weight = (right ** (count + 1) - left ** (count + 1)) / (count + 1) * sides(rest, kink, functions)[0]
        if weight:
            found.append(((kink, 0), weight))
    return found


def show(product: Lines) -> str:
    """Write a product as text for messages."""
    return " ".join(name + ("'" * order if order < 4 else f"^({order})") for name, order in product)


def check_tie(product: Lines, functions: Functions) -> None:
    """Accept a tied product only where its neighbourhood of the kink contributes nothing.

    Rounded over a width e, a line scales as a power of e near the kink; so does the contribution of the kink.

    Raises:
        Divergent: the power is not positive.
    """
    names = {name for _, name, _ in singular_lines(product, functions)}
    for position in sorted({kink for name in names for kink in functions[name].kinks}):
        power = 1
        for name, order in product:
            if name == IDENTITY:
                power += position == 0
                continue
            function = functions[name]
            first = function.jump_order
            if first is None or position not in function.kinks:
                continue
            if order > first:
                power += first - order
            else:
                leading = order
                while leading < first and not any(function.side_values(leading, position)):
                    leading += 1
                power += leading - order
        if power <= 0:
            what = "is infinite" if power < 0 else "depends on how the kink is rounded"
            raise Divergent(f"<{show(product)}> {what}: several deltas meet at the kink x = {position:g}")
