"""What emitted C says of its averages and what is true: the reference grid, close and opposite inputs, steep functions.

    python -m tests.emit.judged_averages            everything, a quarter of an hour on one core
    python -m tests.emit.judged_averages relu6 tanh  the grid and the scans of these functions

The tests run a part of it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import mpmath
import numpy as np

from benchmarks.scan import GAPS, NAMES, REQUESTS, SPREADS, apart, covariance
from pertheory.averages.request import Request
from pertheory.functions.activation import Activation, activation
from tests.emit.single_averages import Found, SingleAverages, pattern_of
from tests.reference.gaussian_averages import cases

#: Below this the values of the grid are rounding of its 300 bits.
EMPTY = 1e-70
ROUNDING = 4e-16
#: Functions of a slope, with the place where they are steep.
STEEP = {
    "tanh": ("tanh({}*x)", 0.0),
    "erf": ("erf({}*x)", 0.0),
    "sigmoid": ("1/(1+exp(-{}*x))", 0.0),
    "softplus": ("log(1+exp({}*x))", 0.0),
    "swish": ("x/(1+exp(-{}*x))", 0.0),
    "gelu": ("x*(1+erf({}*x))/2", 0.0),
    "gaussian": ("exp(-({}*x)^2)", 0.0),
    "tanh elsewhere": ("tanh({}*(x-2.5))", 2.5),
    "needle": ("x+exp(-({}*(x-1.2345))^2)", 1.2345),
}
ORDERS = ((0, 0), (1, 1), (0, 2), (0, 0, 1, 1), (1, 1, 1, 1), (0,), (1,))


class Judged(NamedTuple):
    """An average: what it is, what C says, and how wrong that is, relative to its scale."""

    what: str
    found: Found
    wrong: float


def request(*factors: Sequence[int]) -> Request:
    """A request by the orders of the derivatives at each input."""
    return tuple((0, tuple(("s", order) for order in orders)) for orders in factors)


def grid(which: str, name: str, every: int = 1) -> Iterator[Judged]:
    """The reference grid, ``smooth`` or ``kinked``, of one function."""
    own = [case for case in cases(which) if case.function == name][::every]
    averages = SingleAverages(name, [(case.request, pattern_of(case.covariance)) for case in own])
    for case in own:
        found = averages(case.request, case.covariance)
        with mpmath.workdps(30):
            wrong = float(abs(mpmath.mpf(case.value) - mpmath.mpf(found.value)))
        if case.scale > EMPTY:
            yield Judged(f"{case.kind} {name} {case.text} {case.covariance}", found, wrong / case.scale)


def scan(name: str, gaps: Sequence[float] = GAPS, spreads: Sequence[float] = SPREADS) -> Iterator[Judged]:
    """Pairs of inputs, the nearly parallel and the nearly opposite, against panels in rotated variables."""
    averages = SingleAverages(name, [(own, ((0, 1), False)) for own in REQUESTS])
    functions = (("s", activation(name)),)
    for spread in spreads:
        for rho in (sign * (1 - gap) for gap in gaps for sign in (1, -1)):
            for own in REQUESTS:
                found = averages(own, covariance(spread, rho).tolist())
                yield Judged(f"{name} {own} {spread} {rho!r}", found, apart(functions, own, spread, rho, found.value))


def slopes(form: str, place: float, steepness: Iterable[float]) -> Iterator[Judged]:
    """One input, spread times slope from 1e-3 to 1e6, against panels that shrink towards a place."""
    for slope in steepness:
        name = form.format(slope)
        function = activation(name)
        averages = SingleAverages(name, [(request(orders), ((0,), False)) for orders in ORDERS])
        for spread in (10.0**power / slope for power in range(-3, 7)):
            for orders in ORDERS:
                found = averages(request(orders), [[spread * spread]])
                value, scale = _integral(function, orders, spread, place)
                # of what lies farther out than any rule looks nothing is left
                yield Judged(f"{name} {orders} {spread}", found, abs(found.value - value) / max(scale, 1e-15))


def _integral(function: Activation, orders: Sequence[int], spread: float, place: float) -> tuple[float, float]:
    """A one-dimensional average and that of the absolute value."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    steps = np.geomspace(1e-10, 40, 50)
    ends = np.unique(np.concatenate([place / spread + steps, place / spread - steps, np.linspace(-38, 38, 77)]))
    low, high = ends[:-1, None], ends[1:, None]
    x = (low + high) / 2 + (high - low) / 2 * nodes
    weight = (high - low) / 2 * weights * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    seen = weight.max(axis=1) > 1e-40
    tables = function.tabulate(spread * x[seen], set(orders))
    terms = np.prod([tables[order] for order in orders], axis=0) * weight[seen]
    return math.fsum(terms.ravel()), math.fsum(np.abs(terms).ravel())


def is_bounded(row: Judged) -> bool:
    """Whether the estimate covers the error; an average that is refused claims nothing."""
    return row.wrong <= row.found.error + ROUNDING or math.isinf(row.found.error)


def summary(rows: Iterable[Judged], allowed: float) -> str:
    """What share of errors is bounded, what is warned of, and what is wrong without a warning."""
    found = list(rows)
    silent = [row for row in found if not row.wrong <= allowed and row.found.status == 0]
    bounded = sum(is_bounded(row) for row in found)
    text = (
        f"{len(found)} averages, {100 * bounded / len(found):.2f}% bounded, {sum(r.found.status != 0 for r in found)} "
        f"warned, {len(silent)} wrong by more than {allowed:g} and silent"
    )
    return "".join([text, *(f"\n      {row}" for row in silent[:3])])


def main() -> None:
    """Print a line for each function."""
    chosen = set(sys.argv[1:])
    for which in ("smooth", "kinked"):
        for name in dict.fromkeys(case.function for case in cases(which)):
            if not chosen or name in chosen:
                print(f"grid, {which}: {name}: {summary(grid(which, name), 1e-7)}", flush=True)
    for name in NAMES:
        if not chosen or name in chosen:
            print(f"pairs: {name}: {summary(scan(name), 1e-8)}", flush=True)
    for name, (form, place) in STEEP.items():
        if not chosen or name in chosen:
            print(f"steep: {name}: {summary(slopes(form, place, (0.01, 1, 1000)), 1e-9)}", flush=True)


if __name__ == "__main__":
    main()
