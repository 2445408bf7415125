"""Reading gaussian_averages_*.json, and the program's value and error estimate of one average at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pertheory.averages.atoms import Request, atoms
from pertheory.averages.closed import ClosedAverages
from pertheory.averages.gaussian import _representatives
from pertheory.averages.kinked import Divergent, KinkedAverages
from pertheory.averages.methods.orthants import Moment
from pertheory.averages.methods.trapezoid import SmoothAverages
from pertheory.averages.quadrature import Array, check_covariance
from pertheory.errors import UnsupportedError
from pertheory.rulebook.activation import Activation, activation

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One average: factor i of the request stands at input i.

    Attributes:
        kind: class of the case, such as ``chain``.
        function: name or formula of the activation.
        covariance: over the inputs.
        request: what is averaged.
        text: the request as it stands in the file.
        value: its value, as text of 25 digits.
        scale: the average of its absolute value (or a near thing, see the generator).
    """

    kind: str
    function: str
    covariance: tuple[tuple[float, ...], ...]
    request: Request
    text: str
    value: str
    scale: float


def read_request(text: str) -> Request:
    """Read ``legs:orders legs:orders ...``."""
    parts = [factor.split(":") for factor in text.split()]
    return tuple((int(legs), tuple(("s", int(order)) for order in orders)) for legs, orders in parts)


def cases(which: str) -> Iterator[Case]:
    """All cases of ``smooth`` or ``kinked``."""
    for group in json.loads((HERE / f"gaussian_averages_{which}.json").read_text())["groups"]:
        covariance = tuple(map(tuple, group["covariance"]))
        for text, (value, scale) in group["averages"].items():
            yield Case(group["class"], group["function"], covariance, read_request(text), text, value, float(scale))


@lru_cache(maxsize=1024)
def _terms(request: Request, pattern: tuple[int, ...]) -> tuple[tuple[int, tuple], ...]:
    return atoms(request, pattern)


def _prepared(covariance: object, request: Request) -> tuple[Array, list[int], tuple[tuple[int, tuple], ...]]:
    k = check_covariance(np.array(covariance))
    same = _representatives(k)
    distinct = sorted(set(same))
    return k, distinct, _terms(request, tuple(distinct.index(i) for i in same))


def kinked_average(functions: Mapping[str, Activation], covariance: object, request: Request) -> Moment:
    """Return one average of kinked functions with the estimate of its absolute error and its scale.

    Raises:
        UnsupportedError: the average is refused, or diverges.
    """
    k, distinct, terms = _prepared(covariance, request)
    try:
        return KinkedAverages(functions, k).moment(
            [
                (tuple((i, part) for i, part in zip(distinct, parts, strict=True) if part), count)
                for count, parts in terms
            ]
        )
    except Divergent as error:
        raise UnsupportedError(str(error)) from None


def smooth_average(functions: Mapping[str, Activation], covariance: object, request: Request) -> tuple[float, float]:
    """Return one average of smooth functions and its relative error estimate, as `GaussianAverages` makes it."""
    k, distinct, terms = _prepared(covariance, request)
    value = worst = 0.0
    for count, parts in terms:
        closed = ClosedAverages(functions, k)
        exact = closed.average(tuple((i, part) for i, part in zip(distinct, parts, strict=True) if part))
        if exact is not None:
            value, worst = value + count * exact, max(worst, getattr(closed, "worst_error", 0.0))
            continue
        smooth = SmoothAverages(functions, 1e-9)
        (found,), (error,) = smooth.averages(k[np.ix_(distinct, distinct)], [parts])
        value, worst = value + count * found, max(worst, float(error))
    return value, worst


@lru_cache(maxsize=256)
def function(name: str) -> Activation:
    """An activation by name."""
    return activation(name)
