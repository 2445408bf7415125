"""Averages of smooth functions that change within a small part of the spread of their variables.

To a Gaussian variable of a large variance a saturating function is a step, and a trapezoid rule in standard normal
variables must follow the step: its points are as many as the spread is wide, once for every direction. The methods
for kinks do without: each variable's own noise smears the step (`methods/smeared.py`), and only
one-dimensional integrals see it, on panels that are made so narrow there that every product of derivatives is
resolved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import Atom, Wanted
from pertheory.averages.grids import Functions
from pertheory.averages.methods.mehler import pair_points
from pertheory.averages.methods.own_noise import Table
from pertheory.averages.methods.smeared import Smearing
from pertheory.averages.methods.splitting import split
from pertheory.averages.methods.sums import Once, Sums
from pertheory.averages.quadrature import Array
from pertheory.errors import UnsupportedError

#: The error to aim at, as a part of what is wanted.
TARGET = 0.1
#: Terms of a series are followed to exp(-DIGITS) where costs are compared.
DIGITS = 33.0
#: Error of the integral over a panel, relative to that over all of them, above which the panel is halved.
RESOLVED = 1e-13
#: Most times that a panel is halved.
HALVINGS = 12
#: Standard deviations that panels cover when they are made.
REACH = 8.0


class Wide(Sums):
    """Averages over two to four inputs of large variances.

    Args:
        wanted: functions and errors to aim at.
        bound: points of Mehler's sums that take as long as one unit of what a split costs, by the number of inputs.
    """

    def __init__(self, wanted: Wanted, bound: Mapping[int, float]) -> None:
        super().__init__(wanted, bound)
        self._smearings: dict[tuple[Lines, ...], Smearing] = {}

    def sum(self, covariance: Array, atoms: Sequence[Atom], refine: float) -> Once | None:
        """Average atoms; None where Mehler's sums are faster, and where the inputs have (nearly) no own noise."""
        if not covariance.diagonal().all() or self.degree(atoms) is not None or not self._pays(covariance, atoms):
            return None
        products = tuple(sorted({product for atom in atoms for product in atom}))
        if products not in self._smearings:
            self._smearings[products] = Smearing(
                self._functions, TARGET * self._rtol, lambda limit: cuts(self._frozen, products, limit)
            )
        try:
            sums = self._smearings[products].prepare(np.zeros(len(covariance)), covariance)
        except UnsupportedError:  # grows too fast for a table that serves all products
            return None
        if sums is None:
            return None
        values, errors, scales = np.array([sums.average(atom) for atom in atoms]).T
        return values, np.divide(errors, scales, out=np.zeros_like(errors), where=scales > 0), scales, True

    def _pays(self, covariance: Array, atoms: Sequence[Atom]) -> bool:
        """Whether to split is faster."""
        lines = {line for atom in atoms for product in atom for line in product}
        points = pair_points(self._frozen, covariance, tuple((line,) for line in sorted(lines)))
        sigma = np.sqrt(covariance.diagonal())
        found = split(covariance / np.outer(sigma, sigma), DIGITS)
        return found is not None and points > self._bound[len(covariance)] * found.cost


@lru_cache(maxsize=256)
def cuts(functions: Functions, products: tuple[Lines, ...], limit: float) -> tuple[float, ...]:
    """Cut [-limit, limit] so that panels resolve averages of products over a variable that is as wide as that."""
    found: tuple[float, ...] = ()
    for _ in range(HALVINGS):
        table = Table(functions, (-limit, limit), limit, 2 * limit, found)
        panels = table.part(0.0, limit / REACH, REACH)
        wide = np.zeros(len(panels.masses), dtype=bool)
        for product in products:
            peaks, errors = table.rough(product)
            wide |= errors * panels.masses > RESOLVED * float(peaks @ panels.masses)
        if not wide.any():
            break
        edges = table.edges
        found = (*found, *((edges[:-1] + edges[1:])[wide] / 2).tolist())
    return found
