"""What became of averages: which method made how many, the worst estimate, what is infinite, what to warn of."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pertheory.averages.atoms import show_request
from pertheory.averages.quadrature import Array
from pertheory.averages.request import Request
from pertheory.functions.activation import Activation


@dataclass(frozen=True)
class Divergence:
    """An average that is infinite or undefined: the request, the inputs of the entry and why.

    Attributes:
        undefined: it has no value because an input has no variance and is at a kink; all else in it is finite.
    """

    request: Request
    inputs: tuple[int, ...]
    reason: str
    undefined: bool = False


@dataclass
class Tally:
    """What a method has done for a kind of average."""

    averages: int = 0
    points: int = 0
    worst: float = 0.0


class Asked(NamedTuple):
    """A call.

    Attributes:
        covariance: of different inputs.
        requests: what is averaged.
        distinct: only entries whose axes all carry different inputs are wanted.
        names: the numbers that the caller knows the inputs by.
    """

    covariance: Array
    requests: tuple[Request, ...]
    distinct: bool
    names: Sequence[int]

    def show(self, request: int, inputs: Sequence[int]) -> str:
        """An entry as text."""
        own = list(dict.fromkeys(inputs))
        names = tuple(self.names[i] for i in inputs)
        k = self.covariance[np.ix_(own, own)].tolist()
        return f"{show_request(self.requests[request])} at inputs {names}, K = {k}"


class _Weak(NamedTuple):
    """An average whose estimated error is too large."""

    error: float
    absolute: float
    allowed: float
    place: str


class Account:
    """Of one `GaussianAverages`.

    Attributes:
        divergences: what was infinite or undefined so far.
        worst: the largest error estimate so far, relative to the scale of the average.
        evaluated: how many averages were made so far.
        used: by kind and method what was done.
    """

    def __init__(self, functions: Mapping[str, Activation]) -> None:
        self._counted = [function for function in functions.values() if hasattr(function, "points")]
        self._points = 0
        self._weak: list[_Weak] = []
        self.divergences: list[Divergence] = []
        self.worst = 0.0
        self.evaluated = 0
        self.used: dict[tuple[str, str], Tally] = {}

    def start(self) -> None:
        """Begin a call: what is to be warned of is that of one."""
        self._weak = []

    def note(self, kind: str, method: str, averages: int, worst: float) -> None:
        """Write down what a method has done."""
        tally = self.used.setdefault((kind, method), Tally())
        tally.averages += averages
        if self._counted:
            points = sum(function.points for function in self._counted)
            tally.points += points - self._points
            self._points = points
        tally.worst = max(tally.worst, worst)

    def seen(self, errors: Array | float) -> float:
        """Keep the worst, and return that of these."""
        worst = errors if isinstance(errors, float) else float(errors.max(initial=0.0))
        self.worst = max(self.worst, worst)
        return worst

    def judge(
        self, asked: Asked, request: int, inputs: Sequence[int], relative: float, absolute: float, allowed: float
    ) -> None:
        """Note an entry whose error is too large."""
        self._weak.append(_Weak(relative, absolute, allowed, asked.show(request, inputs)))

    def warn(self) -> None:
        """One warning a call: the worst average, and how many others there are."""
        if not self._weak:
            return
        worst = max(self._weak, key=lambda weak: weak.error)
        more = f", the worst of {len(self._weak)} such estimates" if len(self._weak) > 1 else ""
        warnings.warn(
            f"{worst.place}: estimated relative error {worst.error:.1e} (absolute {worst.absolute:.1e}) "
            f"is above {worst.allowed:.1e}{more}",
            stacklevel=3,
        )
