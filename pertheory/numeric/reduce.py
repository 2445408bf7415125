"""Products of derivatives of a kinked function at one variable: which are finite, and what they stand for.

Beyond its first jump a derivative of a kinked function is a delta function, and products of such lines mean
the limit of a kink that is rounded ever more sharply. Integration by parts against the Gaussian turns every
product into a normal form: ordinary functions, or one delta times powers of the step that it is the
derivative of. What cannot be brought there (two deltas at one point) is kept as it is, so that it may
cancel between the terms of one average; what is left in the end is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from pertheory.errors import UnsupportedError
from pertheory.numeric.atoms import IDENTITY, Product, differentiate
from pertheory.rulebook.activation import Activation

#: One product per variable, and the exponents of the inverse covariance's entries, upper triangle by rows.
Term: TypeAlias = tuple[tuple[Product, ...], tuple[int, ...]]

MAX_TERMS = 20_000


class Divergent(ArithmeticError):
    """The average is infinite or depends on how the kink is rounded; the text is the reason."""


def singular_lines(product: Product, functions: Mapping[str, Activation]) -> list[tuple[int, str, int]]:
    """Return ``(excess, name, order)`` of the lines that contain deltas, the most singular last.

    The excess counts derivatives beyond the first jump: 1 is a delta, 2 its derivative.
    """
    found = []
    for name, order in product:
        first = None if name == IDENTITY else functions[name].jump_order
        if first is not None and order > first:
            found.append((order - first, name, order))
    return sorted(found)


def is_tied(product: Product, functions: Mapping[str, Activation]) -> bool:
    """Say whether no integration by parts helps: the most singular line appears more than once."""
    lines = singular_lines(product, functions)
    return len(lines) > 1 and lines[-1][0] == lines[-2][0]


def _reducible(product: Product, functions: Mapping[str, Activation]) -> tuple[str, int] | None:
    """Return the line to integrate by parts, None for a normal form and for a tie."""
    lines = singular_lines(product, functions)
    if not lines or is_tied(product, functions):
        return None
    excess, name, order = lines[-1]
    for other, other_order in product:
        first = None if other in (IDENTITY, name) else functions[other].jump_order
        if first is not None and other_order >= first:
            raise UnsupportedError("a delta of one kinked function times a step of another has no definite value")
    return (name, order) if excess > 1 else None


def _entry(a: int, b: int, size: int) -> int:
    """Position of an entry of the inverse covariance in a `Term`."""
    low, high = sorted((a, b))
    return low * size - low * (low - 1) // 2 + high - low


def _by_parts(term: Term, slot: int, line: tuple[str, int]) -> list[tuple[Term, Fraction]]:
    """Integrate a line by parts; powers of the line one order lower are part of the total derivative."""
    products, inverse = term
    size = len(products)
    lower = (line[0], line[1] - 1)
    count = products[slot].count(lower)
    rest = tuple(item for item in products[slot] if item not in (line, lower))
    primitive = (lower,) * (count + 1)
    weight = Fraction(-1, count + 1)
    results: list[tuple[Term, Fraction]] = []

    def put(product: Product, where: int, lines: Product) -> tuple[Product, ...]:
        changed = list(products)
        changed[slot] = tuple(sorted((*product, *primitive)))
        changed[where] = tuple(sorted((*changed[where], *lines)))
        return tuple(changed)

    for derived, multiplicity in differentiate(rest):
        results.append(((put(derived, slot, ()), inverse), weight * multiplicity))
    for other in range(size):
        exponents = list(inverse)
        exponents[_entry(slot, other, size)] += 1
        moved = put(rest, other, ((IDENTITY, 0),))
        results.append(((moved, tuple(exponents)), -weight))
    return results


def reduce_terms(terms: Mapping[tuple[Product, ...], int], functions: Mapping[str, Activation]) -> dict[Term, Fraction]:
    """Bring a sum of products at distinct variables to normal forms and ties, equal ones collected.

    Args:
        terms: coefficients by product of every variable.
        functions: activations by name.

    Raises:
        UnsupportedError: a delta of one function meets a step of another.
    """
    size = len(next(iter(terms)))
    zero = (0,) * (size * (size + 1) // 2)
    pending: dict[Term, Fraction] = {(products, zero): Fraction(c) for products, c in terms.items()}
    done: dict[Term, Fraction] = {}
    while pending:
        if len(pending) + len(done) > MAX_TERMS:
            raise UnsupportedError(f"more than {MAX_TERMS} terms in the integration by parts of a kinked average")
        # the most singular first, so that equal terms meet before they are expanded again
        term = max(
            pending,
            key=lambda t: sum(e for product in t[0] for e, _, _ in singular_lines(product, functions)),
        )
        coefficient = pending.pop(term)
        if coefficient == 0:
            continue
        for slot, product in enumerate(term[0]):
            line = _reducible(product, functions)
            if line is not None:
                for new, weight in _by_parts(term, slot, line):
                    pending[new] = pending.get(new, Fraction(0)) + coefficient * weight
                break
        else:
            done[term] = done.get(term, Fraction(0)) + coefficient
    return {term: coefficient for term, coefficient in done.items() if coefficient}


def check_tie(product: Product, functions: Mapping[str, Activation]) -> None:
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
            text = " ".join(name + ("'" * order if order < 4 else f"^({order})") for name, order in product)
            what = "is infinite" if power < 0 else "depends on how the kink is rounded"
            raise Divergent(f"<{text}> {what}: several deltas meet at the kink x = {position:g}")
