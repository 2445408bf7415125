"""From requests to atoms: Leibniz's rule and the grouping of factors by the input that they sit at.

A *line* is ``(function, derivative order)``, a *product* a sorted tuple of lines at one variable, and an
*atom* one product per distinct input. Every average is a sum of atoms with integer coefficients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from functools import lru_cache
from itertools import product as cartesian
from typing import TypeAlias

from pertheory.algebra.terms import Line, Lines
from pertheory.averages.request import Request

Factor: TypeAlias = tuple[int, Lines]

#: The name that always means the identity function z.
IDENTITY = "id"


def tidy(lines: Iterable[Line]) -> Lines | None:
    """Sort the lines of a product and evaluate derivatives of the identity; None for zero."""
    kept = []
    for name, order in lines:
        if name == IDENTITY and order:
            if order > 1:
                return None
            continue
        kept.append((name, order))
    return tuple(sorted(kept))


@lru_cache(maxsize=100_000)
def differentiate(lines: Lines) -> tuple[tuple[Lines, int], ...]:
    """Apply Leibniz's rule once: the terms of d/dz of a product with their multiplicities."""
    terms: Counter[Lines] = Counter()
    for line, count in Counter(lines).items():
        rest = list(lines)
        rest.remove(line)
        term = tidy((*rest, (line[0], line[1] + 1)))
        if term is not None:
            terms[term] += count
    return tuple(sorted(terms.items()))


@lru_cache(maxsize=100_000)
def expand(legs: int, lines: Lines) -> tuple[tuple[Lines, int], ...]:
    """Return the terms of the derivative of order `legs` of a product, with multiplicities.

    Example:
        >>> expand(2, (("s", 0), ("s", 0)))
        (((('s', 0), ('s', 2)), 2), ((('s', 1), ('s', 1)), 2))
    """
    terms: dict[Lines, int] = {lines: 1}
    for _ in range(legs):
        following: Counter[Lines] = Counter()
        for term, count in terms.items():
            for derived, weight in differentiate(term):
                following[derived] += count * weight
        terms = dict(following)
    return tuple(sorted(terms.items()))


@lru_cache(maxsize=100_000)
def atoms(request: Request, pattern: tuple[int, ...]) -> tuple[tuple[int, tuple[Lines, ...]], ...]:
    """Expand one entry of a request.

    Args:
        request: the factors.
        pattern: for each factor the slot of its input; slots count distinct inputs from 0.

    Returns:
        ``(coefficient, product of every slot)`` pairs, equal ones collected.
    """
    slots = max(pattern, default=-1) + 1
    totals: Counter[tuple[Lines, ...]] = Counter()
    expansions = []
    for legs, lines in request:
        start = tidy(lines)
        expansions.append(() if start is None else expand(legs, start))
    for choice in cartesian(*expansions):
        coefficient = 1
        gathered: list[list[Line]] = [[] for _ in range(slots)]
        for slot, (lines, count) in zip(pattern, choice, strict=True):
            coefficient *= count
            gathered[slot].extend(lines)
        totals[tuple(tuple(sorted(lines)) for lines in gathered)] += coefficient
    return tuple((coefficient, atom) for atom, coefficient in sorted(totals.items()))


def uses(request: Request, names: Container[str]) -> bool:
    """Whether one of some functions occurs in a request."""
    return any(line[0] in names for _, lines in request for line in lines)


def show_request(request: Request) -> str:
    """Write a request as text for messages, such as ``<d^2(s s) s'>``."""

    def line(name: str, order: int) -> str:
        return name + ("'" * order if order < 4 else f"^({order})")

    parts = []
    for legs, lines in request:
        body = " ".join(line(*item) for item in lines) or "1"
        parts.append(f"d^{legs}({body})" if legs > 1 else f"d({body})" if legs else body)
    return f"<{' | '.join(parts)}>"
