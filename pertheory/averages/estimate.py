"""What methods are given, and what every method hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from pertheory.algebra.terms import Lines
from pertheory.averages.grids import Functions
from pertheory.averages.quadrature import Array
from pertheory.averages.request import Request
from pertheory.functions.activation import Activation

Atom: TypeAlias = tuple[Lines, ...]
#: Averages, bounds of their errors and scales, shape (3, atoms, sets); see `Estimate`.
Found: TypeAlias = Array
Mask: TypeAlias = NDArray[np.bool_]

#: What one operation may lose, relative to the size of its terms.
ROUNDING = 1e-15
#: Conditional variances below this fraction of a variance are rounding: the variables are collinear.
COLLINEAR = 3e-15


class Estimate(NamedTuple):
    """An average, a bound of its error, and the scale that the error is compared with.

    The scale of an average is that of the absolute value of what is averaged. An error that a method cannot vouch for
    is infinite.
    """

    value: float
    error: float
    scale: float

    @property
    def relative(self) -> float:
        """The error relative to the scale."""
        return self.error / self.scale if self.scale else 0.0 if self.error == 0 else float("inf")


@dataclass(frozen=True)
class Wanted:
    """What methods are made for.

    Attributes:
        functions: activations by name.
        rtol: relative error to aim at.
        kinked: that of averages of functions with kinks.
    """

    functions: Mapping[str, Activation]
    rtol: float
    kinked: float

    @cached_property
    def frozen(self) -> Functions:
        """The functions, sorted by name."""
        return tuple(sorted(self.functions.items()))

    @cached_property
    def pieced(self) -> frozenset[str]:
        """The names of the functions with kinks."""
        return frozenset(name for name, function in self.functions.items() if not function.is_smooth)


Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """What is made of requests once; the last ones are known again by identity, since hashes of requests take long."""

    def __init__(self, make: Callable[[Mapping[int, Request]], Made]) -> None:
        self._make = make
        self._known: dict[tuple[tuple[int, Request], ...], Made] = {}
        self._last: tuple[Mapping[int, Request], Made] | None = None

    def __call__(self, requests: Mapping[int, Request]) -> Made:
        """What was made of these; nobody may change them any more."""
        if self._last is None or self._last[0] is not requests:
            key = tuple(requests.items())
            if key not in self._known:
                self._known[key] = self._make(requests)
            self._last = requests, self._known[key]
        return self._last[1]


class Task(NamedTuple):
    """Averages of some atoms over the same inputs.

    Attributes:
        atoms: one product for each input.
        k: covariances, shape (sets, inputs, inputs); methods for several inputs are given one set at a time.
        kept: what methods have prepared or found out for these variables.
        mean: of the variables; None where functions are smooth and it is zero.
        exact: their covariance as fractions, where there is a mean.
    """

    atoms: Sequence[Atom]
    k: Array
    kept: dict[str, Any]
    mean: Array | None = None
    exact: Sequence[Sequence[Fraction]] = ()


class Whole(NamedTuple):
    """The averages of one request at all inputs, or all pairs of them.

    Attributes:
        values: one axis for each factor; NaN where nothing was wanted.
        worst: the largest error relative to the scale, of those that are not weak.
        weak: entries that another method should average; None if there are none.
        errors: bounds of the errors of these, as far as there are any.
        made: how many were averaged.
    """

    values: Array
    worst: float
    weak: Mask | None
    errors: Array | None
    made: int


class Method(Protocol):
    """A method, made for some functions and with the bound of its row; the file of its class says how it works."""

    def average(self, task: Task) -> Found | None:
        """Average; None where the method does not apply, or where another is sure to be faster.

        Raises:
            UnsupportedError: functions grow too fast, or it would take too many points.
        """


class WholeMethod(Protocol):
    """A method for all inputs at once."""

    def average(self, covariance: Array, requests: Mapping[int, Request], distinct: bool) -> Mapping[int, Whole]:
        """Average those of the requests to which the method applies; see `GaussianAverages` for `distinct`."""
