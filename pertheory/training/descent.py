"""One step of gradient descent on the trees of contracted derivatives.

A step moves the parameters by -eta lambda dz/dtheta times the error, once for every training sample and output
neuron. By Taylor's expansion an observable X changes by grafting leaves: k leaves on any of its vertices carry
(-eta)^k / k! and the error of each leaf. The trees are the engine's `Observable`; nothing else is known about z, H,
dH and the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import factorial
from typing import NamedTuple

from pertheory.rulebook.observable import LABELS, SHAPES, Observable, parse_observable

#: trees up to this size have a mean, or a correlation with a preactivation, of order 1/n; larger ones come later
LARGEST = 4


class Grafted(NamedTuple):
    """A tree after a step.

    Attributes:
        coefficient: without the power of eta.
        leaves: the new vertices, each with an error; eta comes once for each.
        shape: its name, "z", "H", "dH", "ddH_I" or "ddH_II".
        labels: its vertices in the order of that name.
    """

    coefficient: Fraction
    leaves: tuple[str, ...]
    shape: str
    labels: tuple[str, ...]


def size_of(shape: str) -> int:
    """The number of vertices of a named tree."""
    return len(SHAPES[shape][1]) + 1


def step(tree: Observable) -> Iterator[Grafted]:
    """What a tree becomes in one step, up to trees of `LARGEST` vertices.

    Args:
        tree: a connected observable.

    Equation:
        The steps of z, H and dH in the book's chapter on the end of training, "inf.z step" and so on in rules/book.
    """
    size = len(tree.labels)
    fresh = [label for label in LABELS if label.isalpha() and label not in tree.labels]
    for count in range(LARGEST - size + 1):
        leaves = tuple(fresh[:count])
        coefficient = Fraction((-1) ** count, factorial(count))
        for places in product(range(size), repeat=count):
            edges = tree.edges + tuple((place, size + number) for number, place in enumerate(places))
            grown = Observable(tree.labels + leaves, edges, ("z",) * (size + count))
            yield Grafted(coefficient, leaves, *named(grown))


def named(tree: Observable) -> tuple[str, tuple[str, ...]]:
    """The name of a tree of up to four vertices, and its vertices in the order of the name."""
    text = str(tree)
    read, _ = parse_observable(text)
    return text[: text.index("(")], read.labels
