"""Formulas about networks in training: sums of products of named objects at labels, as plain values.

A label stands for a sample and an output neuron at once. Labels that stand twice in a term are summed: letters over the
training set, digits (where they are not on the outside) over all samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from pertheory.errors import InputError
from pertheory.training.arithmetic import Arithmetic, DualArray
from pertheory.training.contraction import Labelled, contract


class Object(NamedTuple):
    """Something with a name at labels; `pertheory/training/state.py` says what names mean.

    Attributes:
        name: such as "z", "H", "dH".
        labels: one for each vertex.
        inverse: whether the inverse on the training set is meant.
    """

    name: str
    labels: tuple[str, ...] = ()
    inverse: bool = False

    def __str__(self) -> str:
        return f"{self.name}({','.join(self.labels)})"


class Contraction(NamedTuple):
    """A number times objects."""

    coefficient: Fraction
    factors: tuple[Object, ...]


Formula: TypeAlias = tuple[Contraction, ...]
#: what names stand for: their labels, and the formula with these on the outside
Abbreviations: TypeAlias = Mapping[str, tuple[tuple[str, ...], Formula]]
Look: TypeAlias = Callable[[Object], Labelled]


def renamed(formula: Formula, new: Callable[[str], str]) -> Formula:
    """A formula with every label changed."""
    return tuple(
        Contraction(coefficient, tuple(item._replace(labels=tuple(map(new, item.labels))) for item in factors))
        for coefficient, factors in formula
    )


def evaluate(
    arithmetic: Arithmetic, formula: Formula, look: Look, outside: Sequence[str], n_L: int, neurons: bool
) -> DualArray:
    """A formula as an array over its outer labels; arguments and errors as for `contract`.

    Args:
        look: the array of an object.
    """
    total: DualArray | None = None
    for coefficient, factors in formula:
        number = arithmetic.number(coefficient)
        part = contract(arithmetic, number, [look(factor) for factor in factors], outside, n_L, neurons)
        total = part if total is None else arithmetic.plus(total, part)
    if total is None:
        raise InputError("an empty sum")
    return total
