"""Reading gaussian_averages_*.json, and the program's value and error estimate of one average at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pertheory.averages.account import Account
from pertheory.averages.atoms import atoms
from pertheory.averages.choose import KINKED, Chooser
from pertheory.averages.closed_forms import closed_codes
from pertheory.averages.estimate import Estimate, Wanted
from pertheory.averages.gaussian import representatives
from pertheory.averages.methods.closed import LOST, evaluate, relative_errors
from pertheory.averages.quadrature import Array, check_covariance
from pertheory.averages.reduce import Divergent
from pertheory.averages.request import Request
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation, activation
from tests.run.one_average import one_average

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
    same = representatives(k).tolist()
    distinct = sorted(set(same))
    return k, distinct, _terms(request, tuple(distinct.index(i) for i in same))


def kinked_average(functions: Mapping[str, Activation], covariance: object, request: Request) -> Estimate:
    """Return one average of kinked functions with the estimate of its absolute error and its scale.

    Raises:
        UnsupportedError: the average is refused, or diverges.
    """
    k, distinct, terms = _prepared(covariance, request)
    try:
        return one_average(
            functions,
            k,
            [
                (tuple((i, part) for i, part in zip(distinct, parts, strict=True) if part), count)
                for count, parts in terms
            ],
        )
    except Divergent as error:
        raise UnsupportedError(str(error)) from None


def smooth_average(functions: Mapping[str, Activation], covariance: object, request: Request) -> tuple[float, float]:
    """Return one average of smooth functions and its relative error estimate, as `GaussianAverages` makes it."""
    k, distinct, terms = _prepared(covariance, request)
    value = worst = 0.0
    own = k[np.ix_(distinct, distinct)]
    names = tuple(sorted(functions.items()))
    for count, parts in terms:
        form = closed_codes((tuple((0, part) for part in parts),), names).get(len(parts))
        if form is not None:
            ends = own.diagonal()[[0, -1]]
            exact, bound = evaluate(form.code, ends[:1], own[:1, -1], ends[1:])[:, :1, 0]
            if relative_errors(exact, bound)[0] <= LOST:
                value += count * float(exact[0])
                worst = max(worst, float(bound[0]) / (abs(float(exact[0])) or 1.0))
                continue
        chooser = Chooser(Wanted(functions, 1e-9, KINKED), Account(functions))
        found, error, scale = chooser.plain(own[None], np.arange(len(own))[None], [parts])
        value, worst = value + count * float(found[0, 0]), max(worst, float(error[0, 0] / (scale[0, 0] or 1.0)))
    return value, worst


@lru_cache(maxsize=256)
def function(name: str) -> Activation:
    """An activation by name."""
    return activation(name)
