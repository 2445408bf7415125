"""Terms of a recursion: exact coefficients times couplings, tensors and Gaussian averages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from pertheory.algebra.monomial import Powers
from pertheory.graphs.tensor import TensorType

Line = tuple[str, int]  # (function, derivative order)
Lines = tuple[Line, ...]  # sorted


class Factor(NamedTuple):
    """What a Gaussian average holds at one sample: ``d^legs / dz^legs`` of the product of the lines.

    Attributes:
        sample: the slot whose sample it is, in the order of the tensor's canonical slots.
        legs: derivatives of the product as a whole (0 where only one line stands at the sample).
        lines: the functions with their derivative orders.
    """

    sample: int
    legs: int
    lines: Lines


class Average(NamedTuple):
    """A Gaussian average: the field it is over, and what stands at each sample (samples ascending)."""

    field: str
    factors: tuple[Factor, ...]


class Component(NamedTuple):
    """A component of a tensor of the layer below: type, own order, and the sample slot in each canonical slot."""

    kind: TensorType
    order: int
    slots: tuple[int, ...]


class Term(NamedTuple):
    """Everything of a term but its coefficient; terms with equal values are added up."""

    order: int
    couplings: Powers
    width_power: int
    tensors: tuple[Component, ...]
    averages: tuple[Average, ...]

    def __repr__(self) -> str:
        couplings = "".join(f"{name}^{power} " for name, power in self.couplings)
        return f"Term(order {self.order}: {couplings}{len(self.tensors)} tensors, {len(self.averages)} averages)"


Terms = dict[Term, Fraction]


def add_terms(parts: Iterable[tuple[Term, Fraction]]) -> Terms:
    """The sum, with terms that cancel left out."""
    total: Terms = {}
    for term, coefficient in parts:
        known = total.get(term)
        total[term] = coefficient if known is None else known + coefficient
    return {term: coefficient for term, coefficient in total.items() if coefficient}


def sorted_terms(terms: Terms) -> Iterator[tuple[Term, Fraction]]:
    """The terms in a fixed order: by order of 1/n, then tensors, then averages."""
    for term in sorted(terms, key=lambda t: (t.order, t.width_power, len(t.tensors), t)):
        yield term, terms[term]
