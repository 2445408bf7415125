"""Training as a chain of events: every way in which an output, or the tangent kernel, comes about at order 1/n.

One step of training acts on a product of trees and errors factor by factor, and on a tree by grafting leaves; each leaf
brings an error. An error that is not touched is damped, as at infinite width. Products that are of higher order in
1/sqrt(n) are dropped, so that few are left, and the step maps each to itself and to later ones only: what stands after
T steps is a sum over chains of events, with the sum over the times of the events as a factor (`times.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import count, product
from operator import mul
from typing import NamedTuple, TypeAlias

from pertheory.rulebook.observable import LABELS, build
from pertheory.training.descent import LARGEST, size_of, step
from pertheory.training.formula import Object

#: powers of 1/sqrt(n) that are kept
HIGHEST = 2

Factors: TypeAlias = tuple[Object, ...]


class Chain(NamedTuple):
    """A chain of events.

    Attributes:
        coefficient: of the grafted leaves.
        stages: the errors that there are between events, from the first stage to the last.
        idle: the errors that are not touched in the step of an event, for all events.
        leaves: the errors that came with leaves.
    """

    coefficient: Fraction
    stages: tuple[tuple[str, ...], ...]
    idle: tuple[str, ...]
    leaves: tuple[str, ...]


class Grown(NamedTuple):
    """A product at the start of training, and how it enters what stands at the end.

    Attributes:
        factors: trees, mean kernels ``Theta`` and errors ``r``, all at the start; ``H`` is the fluctuation of the
            tangent kernel. Labels other than those outside are modes of the training set, in which Theta is diagonal.
        chains: the ways that lead there; their sum over times is its coefficient, a function of the modes.
    """

    factors: Factors
    chains: tuple[Chain, ...]

    @property
    def order(self) -> int:
        """The power of 1/sqrt(n) with which it begins."""
        return order_of(self.factors)

    @property
    def modes(self) -> str:
        """Its modes, in the order in which its factors name them."""
        labels = dict.fromkeys(label for item in self.factors for label in item.labels)
        return "".join(label for label in labels if not label.isdigit())


def order_of(factors: Factors) -> int:
    """The power of 1/sqrt(n) with which a product of trees and errors begins.

    The tangent kernel fluctuates at 1/sqrt(n). A larger tree has, alone or together with an output, an even number
    2p of vertices, and a cumulant of order n^-(p-1).
    """
    sizes = [size_of(item.name) for item in factors if item.name not in ("r", "Theta")]
    return sum(size - 1 if size < 3 else 2 * ((size + 1) // 2 - 1) for size in sizes)


@lru_cache(maxsize=64)
def grown(shape: str, outside: str, most: int = LARGEST) -> tuple[Grown, ...]:
    """All that an observable at the end of training is made of, to order 1/n.

    Args:
        shape: "z", "H", or another tree.
        outside: its labels, digits.
        most: the largest number of leaves that come in one step: 1 for gradient flow.
    """
    fresh = (f"{number}'" for number in count())
    start: Factors = (Object(shape, tuple(outside)),)
    waiting = [(start, Chain(Fraction(1), (_errors(start),), (), ()))]
    found: dict[Factors, list[Chain]] = {}
    while waiting:
        factors, chain = waiting.pop()
        named, own = _named(factors, chain)
        found.setdefault(named, []).append(own)
        for coefficient, later, idle, leaves in _events(factors, most, fresh):
            stages = (*chain.stages, _errors(later))
            longer = Chain(chain.coefficient * coefficient, stages, chain.idle + idle, chain.leaves + leaves)
            waiting.append((later, longer))
    return tuple(Grown(factors, tuple(chains)) for factors, chains in found.items())


class _Change(NamedTuple):
    """What becomes of a factor in a step."""

    coefficient: Fraction
    factors: Factors
    idle: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


def _events(factors: Factors, most: int, fresh: Iterator[str]) -> Iterator[_Change]:
    """What a step makes of a product, besides itself.

    A flow has no two events at once: what happens in one step at two factors is of second order in its length.
    """
    for choice in product(*([_rest(item), *_changes(item, most, fresh)] for item in factors)):
        later = tuple(item for change in choice for item in change.factors)
        leaves = tuple(leaf for change in choice for leaf in change.leaves)
        if leaves and order_of(later) <= HIGHEST and len(leaves) <= most:
            idle = tuple(label for change in choice for label in change.idle)
            yield _Change(reduce(mul, [change.coefficient for change in choice]), later, idle, leaves)


def _rest(item: Object) -> _Change:
    return _Change(Fraction(1), (item,), item.labels if item.name == "r" else ())


def _changes(item: Object, most: int, fresh: Iterator[str]) -> Iterator[_Change]:
    if item.name == "Theta":
        return
    shape = "z" if item.name == "r" else item.name
    for coefficient, number, name, places in _grafted(shape, most):
        leaves = tuple(next(fresh) for _ in range(number))
        labels = (*item.labels, *leaves)
        errors = tuple(Object("r", (leaf,)) for leaf in leaves)
        tree = Object(name, tuple(labels[place] for place in places))
        yield _Change(coefficient, (tree, *errors), (), leaves)
        if name == "H" and item.name != "r":  # between modes Theta is diagonal and damps: no event
            yield _Change(coefficient, (Object("Theta", tree.labels), *errors), (), leaves)


@lru_cache(maxsize=64)
def _grafted(shape: str, most: int) -> tuple[tuple[Fraction, int, str, tuple[int, ...]], ...]:
    """Leaves grafted onto a tree: coefficient, how many, the new tree, and which vertex is where in it."""
    labels = LABELS[: size_of(shape)]
    found = []
    for coefficient, leaves, name, at in step(build(shape, labels)):
        if 0 < len(leaves) <= most:
            everything = (*labels, *leaves)
            found.append((coefficient, len(leaves), name, tuple(everything.index(label) for label in at)))
    return tuple(found)


def _errors(factors: Factors) -> tuple[str, ...]:
    return tuple(item.labels[0] for item in factors if item.name == "r")


def _named(factors: Factors, chain: Chain) -> tuple[Factors, Chain]:
    """Both with the modes called a, b, .. in the order in which the trees name them."""
    trees = sorted((item for item in factors if item.name != "r"), key=lambda item: item.name != "Theta")
    letters = iter("abcdefgh")
    new: dict[str, str] = {}
    for item in trees:
        for label in item.labels:
            if label not in new:
                new[label] = label if label.isdigit() else next(letters)

    def rename(labels: Sequence[str]) -> tuple[str, ...]:
        return tuple(new[label] for label in labels)

    errors = sorted(rename(_errors(factors)))
    renamed = [item._replace(labels=rename(item.labels)) for item in trees]
    stages = tuple(tuple(sorted(rename(stage))) for stage in chain.stages)
    return (
        (*renamed, *(Object("r", (label,)) for label in errors)),
        Chain(chain.coefficient, stages, rename(chain.idle), rename(chain.leaves)),
    )
