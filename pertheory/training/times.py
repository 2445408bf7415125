"""Sums over the times of events in training, exactly, as functions of the eigenvalues of the tangent kernel.

Between two events errors are damped, each mode by itself. With rates mu_0 .. mu_m of the stages of a chain of events,
the sum over all times of the events is a divided difference: f[mu_0, .., mu_m] with f(mu) = mu^T for T steps, and
with f(mu) = exp(mu t) for gradient flow. It is an entry of f of the matrix that has the rates on its diagonal and
ones above (Opitz): nothing is subtracted from each other, so that rates may be as close as they like. At the end of
training only mu = 1 is left of f (mu = 0 for flow), and it is a rational function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import ceil, inf, log2
from operator import add, mul
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pertheory.training.descent import LARGEST
from pertheory.training.growth import Chain, Grown

Array: TypeAlias = npt.NDArray[np.float64]
#: an upper triangular matrix, entries by row and column; entries are arrays over modes that broadcast
Triangle: TypeAlias = list[list[Any]]

#: of some modes those over which their axes run, where these are not all
Cut: TypeAlias = Mapping[str, slice]
WHOLE: Cut = MappingProxyType({})
Known: TypeAlias = dict[object, Array]

#: terms of the exponential series of a matrix with entries up to 1/4: what is left is below 1e-18 of it
TERMS = 16


@dataclass(frozen=True)
class Course(ABC):
    """How training goes: by what rule, and for how long.

    Attributes:
        eigenvalues: of the mean tangent kernel on the training set, one a mode.
        rates: with what factor the error of each mode enters a leaf.
    """

    eigenvalues: Array
    rates: Array

    #: the largest number of leaves that come in one step
    most: int = field(default=LARGEST, init=False)

    @abstractmethod
    def rate(self, errors: Sequence[Array]) -> Array:
        """The rate of a stage from the products of rates and eigenvalues of its errors."""

    @abstractmethod
    def idle(self, decay: Array) -> Array:
        """What a step in which an error is not touched makes of it."""

    @abstractmethod
    def divided(self, rates: Sequence[Array]) -> Array:
        """The divided difference at the rates of all stages, the first of which has no error."""

    def coefficient(self, own: Grown, cut: Cut = WHOLE, known: Known | None = None) -> Array:
        """The coefficient of a product at the start of training, an array over its modes or a block of it.

        Args:
            own: the product.
            cut: of its modes.
            known: sums over times that others of the same block have needed; what is new is put there.

        Equation:
            For outputs these are the algorithm projectors of (inf.154) in the eigenbasis, and what of errors is left.
        """
        known = {} if known is None else known
        return sum((self.weight(chain, own.modes, cut, known) for chain in own.chains), np.zeros(()))

    def weight(self, chain: Chain, modes: str, cut: Cut, known: Known) -> Array:
        """The sum over times of a chain of events, with its factors; one axis for each of the modes."""
        idle = self.idle(self.decay)
        single = [(idle, label) for label in chain.idle] + [(self.rates, label) for label in chain.leaves]
        factors = [
            _along(values[cut.get(label, slice(None))], modes.index(label), len(modes)) for values, label in single
        ]
        key = (tuple("".join(sorted(stage)) for stage in chain.stages), modes, *cut)
        if key not in known:
            known[key] = self.over_times(chain.stages, modes, cut)
        factors.append(known[key])  # the largest array last
        factors[0] = chain.coefficient.numerator * factors[0] / chain.coefficient.denominator
        return np.asarray(reduce(mul, factors))

    def over_times(self, stages: Sequence[Sequence[str]], modes: str, cut: Cut = WHOLE) -> Array:
        """The divided difference for the stages of a chain."""
        order = list(dict.fromkeys(label for stage in stages for label in stage))
        place = {label: number for number, label in enumerate(order)}
        key = tuple(tuple(sorted(place[label] for label in stage)) for stage in stages)
        own = [self.decay[cut.get(label, slice(None))] for label in order]
        decays = [_along(values, number, len(order)) for number, values in enumerate(own)]
        found = self.divided([self.rate([decays[number] for number in stage]) for stage in key])
        return np.broadcast_to(found, [len(values) for values in own]).transpose([place[label] for label in modes])

    @property
    def decay(self) -> Array:
        """How much of each error is lost in a step, or in a unit of time."""
        return self.rates * self.eigenvalues


@dataclass(frozen=True)
class Descent(Course):
    """Gradient descent for a number of steps, which may be infinite.

    With rates 1/eigenvalues a step is Newton's, of the second order, with the mean tangent kernel.
    """

    steps: float = inf

    def rate(self, errors: Sequence[Array]) -> Array:
        """What is left of a product of errors after a step."""
        return np.asarray(reduce(mul, [self.idle(decay) for decay in errors], np.ones(())))

    def idle(self, decay: Array) -> Array:
        """1 - eta Theta."""
        return 1 - decay

    def divided(self, rates: Sequence[Array]) -> Array:
        """Of mu^T."""
        if self.steps == inf:
            return np.asarray(1 / reduce(mul, [1 - rate for rate in rates[1:]], np.ones(())))
        return _first_row(_power(_opitz(rates, 1.0), int(self.steps)))


@dataclass(frozen=True)
class Flow(Course):
    """Gradient flow for a time, which may be infinite: in a moment there is one event, and nothing is idle."""

    time: float = inf
    most: int = field(default=1, init=False)

    def rate(self, errors: Sequence[Array]) -> Array:
        """Minus the sum of the eigenvalues."""
        return np.asarray(-sum(errors, np.zeros(())))

    def idle(self, decay: Array) -> Array:
        """One."""
        return np.ones_like(decay)

    def divided(self, rates: Sequence[Array]) -> Array:
        """Of exp(mu t)."""
        if self.time == inf:
            return np.asarray(1 / reduce(mul, [-rate for rate in rates[1:]], np.ones(())))
        largest = max(float(np.max(np.abs(rate))) for rate in rates)
        halvings = max(0, ceil(log2(max(4 * self.time * max(largest, 1.0), 1e-9))))
        short = self.time / 2**halvings
        return _first_row(_power(_exponential(_opitz([short * rate for rate in rates], short)), 2**halvings))


def _along(values: Array, axis: int, axes: int) -> Array:
    """Values of one mode as an array over several."""
    return values.reshape([-1 if own == axis else 1 for own in range(axes)])


def _opitz(rates: Sequence[Array], above: float) -> Triangle:
    """The matrix of divided differences, which do not depend on the order of rates.

    A chain's second stage shares no mode with later ones: that it comes first leaves one entry with all modes.
    """
    rates, size = [*rates[1:2], rates[0], *rates[2:]], len(rates)
    return [[rates[i] if i == j else above * (j == i + 1) for j in range(size)] for i in range(size)]


def _first_row(matrix: Triangle) -> Array:
    return np.asarray(matrix[0][-1])


def _times(a: Triangle, b: Triangle) -> Triangle:
    size = len(a)
    return [[_entry(a[i][i : j + 1], [row[j] for row in b[i : j + 1]]) for j in range(size)] for i in range(size)]


def _entry(row: list[Any], column: list[Any]) -> Any:
    """The sum of products of arrays, or of numbers; those of zero are no work."""
    known = [x * y for x, y in zip(row, column, strict=True) if not (_is_zero(x) or _is_zero(y))]
    return reduce(add, known) if known else 0.0


def _is_zero(entry: Any) -> bool:
    return isinstance(entry, float) and not entry


def _power(matrix: Triangle, exponent: int) -> Triangle:
    """By repeated squaring, from the leading digit on: the other factor is always the matrix, most of which is zero."""
    result = _identity(len(matrix))
    for digit in f"{exponent:b}":
        result = _times(result, result)
        if digit == "1":
            result = _times(result, matrix)
    return result


def _identity(size: int) -> Triangle:
    return [[float(i == j) for j in range(size)] for i in range(size)]


def _exponential(matrix: Triangle) -> Triangle:
    """By its series, in Horner's form."""
    result = _identity(len(matrix))
    for number in range(TERMS, 0, -1):
        product = _times(matrix, result)
        result = [
            [(i == j) + entry / number if i <= j else 0.0 for j, entry in enumerate(row)]
            for i, row in enumerate(product)
        ]
    return result
