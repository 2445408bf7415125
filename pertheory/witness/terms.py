"""The terms of a recursion at a point, one after the other: numbers in, a number out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath

from pertheory.algebra.terms import Average, Factor, Terms
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.worker import Node

#: A T{k}: its type and k.
Key = tuple[TensorType, int]


class PointValues(NamedTuple):
    """What the terms of a recursion are evaluated with.

    Attributes:
        average: the value of a Gaussian average whose factors carry inputs.
        component: the value of a component of a tensor below, in canonical slots.
        symbols: values of the hyperparameters.
        ratio: n / n_prev.
    """

    average: Callable[[Average], Any]
    component: Callable[[TensorType, int, tuple[int, ...]], Any]
    symbols: Mapping[str, Any]
    ratio: Any


def evaluate(terms: Terms, inputs: Sequence[int], numbers: PointValues) -> tuple[Any, Any]:
    """The sum of terms whose slot s carries the input ``inputs[s]``, and that of the absolute values."""
    exact = isinstance(numbers.ratio, Fraction)
    total: Any = Fraction(0) if exact else mpmath.mpf(0)
    size = total
    for term, coefficient in terms.items():
        value: Any = coefficient if exact else precise(coefficient)
        for symbol, power in term.couplings:
            value *= numbers.symbols[symbol] ** power
        value *= numbers.ratio**term.width_power
        for kind, order, slots in term.tensors:
            value *= numbers.component(kind, order, canonical_slots(kind, tuple(inputs[s] for s in slots)))
        for average in term.averages:
            factors = tuple(Factor(inputs[f.sample], f.legs, f.lines) for f in average.factors)
            value *= numbers.average(Average(average.field, factors))
        total, size = total + value, size + abs(value)
    return total, size


def precise(value: Any) -> Any:
    """A rational number with many digits."""
    exact = Fraction(value)
    return mpmath.mpf(exact.numerator) / exact.denominator


def by_vertex(node: Node, at: tuple[int, ...]) -> tuple[int, ...]:
    """The inputs of a place in the order of the vertices of the type."""
    if len(at) == 1:
        return at * node.kind.size
    labels = [0] * node.kind.size
    for slot, vertex in enumerate(node.tensor.slots):
        labels[vertex] = at[slot]
    return tuple(labels)


def place_of(at: Sequence[int], inputs: int) -> int:
    """The place of an entry in a dense row-major array."""
    place = 0
    for index in at:
        place = place * inputs + index
    return place


def reader(
    state: Mapping[tuple[Key, tuple[int, ...]], Any],
) -> Callable[[TensorType, int, tuple[int, ...]], Any]:
    """Reads components from a state."""
    return lambda kind, order, slots: state[(kind, order), slots]
