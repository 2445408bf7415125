"""Two-point averages of kinked functions over spreads and correlations, by one method against another.

Inputs that nobody scaled, and inputs that are almost one or almost opposite, are where averages of kinked functions go
wrong. Every cell of the scan is one spread and one correlation; what `GaussianAverages` says is compared with panels in
rotated variables (`pertheory/averages/methods/pairs.py`), which do not care how close inputs are, and which are cut at
the kinks. It uses these itself only for functions that are steep at large spreads besides their kink, as elu is: for
those ball arithmetic is the judge (tests/reference).

    python -m benchmarks.scan            all cells: a few minutes
    python -m benchmarks.scan --coarse   those that the tests run
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.grids import Functions
from pertheory.averages.methods.pairs import pair_averages
from pertheory.averages.request import Request
from pertheory.functions.activation import activation

NAMES = (
    "relu",
    "leaky_relu",
    "abs",
    "relu6",
    "hard_tanh",
    "hard_sigmoid",
    "hard_swish",
    "elu",
    "selu",
    "celu",
    "softshrink",
    "sparse_sigmoid",
)
#: Powers of two, from a hundredth to a thousand: covariances then have their correlations exactly.
SPREADS = (2.0**-7, 2.0**-3, 1.0, 2.0**3, 2.0**7, 2.0**10)
GAPS = (0.9, 0.5, *(10.0**-n for n in range(1, 13)))
REQUESTS = tuple(((0, (("s", order),)),) * 2 for order in (0, 1))


class Cell(NamedTuple):
    """One average of the scan.

    Attributes:
        name: of the function.
        order: of the derivative.
        spread: standard deviation of the first input; that of the second is half of it.
        rho: the correlation.
        error: difference of the methods relative to the scale, less four times what the other one says of its own.
        estimate: what is said of the error.
        warned: whether there was a warning.
    """

    name: str
    order: int
    spread: float
    rho: float
    error: float
    estimate: float
    warned: bool


def scan(names: Sequence[str], spreads: Sequence[float], gaps: Sequence[float]) -> Iterator[Cell]:
    """Every cell: all functions, spreads, and correlations of either sign."""
    for name in names:
        functions = (("s", activation(name)),)
        for spread in spreads:
            for rho in (sign * (1 - gap) for gap in gaps for sign in (1, -1)):
                yield from _cells(name, functions, spread, rho)


def _cells(name: str, functions: Functions, spread: float, rho: float) -> Iterator[Cell]:
    k = covariance(spread, rho)
    for order, request in enumerate(REQUESTS):
        averages = GaussianAverages(dict(functions), distinct=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (found,) = averages(k, [request])
        error = apart(functions, request, spread, rho, float(found[0, 1]))
        yield Cell(name, order, spread, rho, error, averages.worst_error, bool(caught))


def covariance(spread: float, rho: float) -> NDArray[np.float64]:
    """Of two inputs, the second of which has half the spread of the first."""
    own = np.array([spread, spread / 2])
    return np.outer(own, own) * np.array([[1.0, rho], [rho, 1.0]])


def apart(functions: Functions, request: Request, spread: float, rho: float, found: float) -> float:
    """How far an average is from the one by panels, see `Cell.error`."""
    own = np.array([spread]), np.array([spread / 2])
    values, errors, scales = pair_averages(functions, [request], np.array([rho]), own)
    away, scale = abs(found - float(values[0, 0])), float(scales[0, 0])
    return away / scale - 4 * float(errors[0, 0]) if scale else 0.0 if away == 0 else float("inf")


def main() -> None:
    """Print what went wrong, and how often there was a warning."""
    coarse = "--coarse" in sys.argv
    cells = list(scan(NAMES, SPREADS[::2] if coarse else SPREADS, GAPS[::3] if coarse else GAPS))
    wrong = [cell for cell in cells if cell.error > 1e-8 and not cell.warned]
    warned = [cell for cell in cells if cell.warned]
    for cell in sorted(wrong, key=lambda cell: -cell.error)[:20]:
        print("silent", cell)
    for cell in warned[:20]:
        print("warned", cell)
    print(f"{len(cells)} averages, {len(wrong)} wrong without a warning, {len(warned)} with one")


if __name__ == "__main__":
    main()
