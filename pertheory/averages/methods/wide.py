"""Averages of smooth functions that change within a small part of the spread of their variables.

To a Gaussian variable of a large variance a saturating function is a step, and a trapezoid rule in standard normal
variables must follow the step: its points are as many as the spread is wide, once for every direction. The methods
for kinks do without: each variable's own noise smears the step (`methods/smeared.py`), and only
one-dimensional integrals see it, on panels that are made so narrow there that every product of derivatives is
resolved.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pertheory.averages.atoms import Product
from pertheory.averages.grids import Functions
from pertheory.averages.methods.mehler import Layout, pair_points
from pertheory.averages.methods.own_noise import Table
from pertheory.averages.methods.smeared import Smearing
from pertheory.averages.methods.splitting import split
from pertheory.averages.quadrature import Array
from pertheory.errors import UnsupportedError

#: Points of the other method that take as long as one unit of what a split costs, by the number of inputs.
FAST = {2: 1e3, 3: 150.0, 4: 4e3}
#: Terms of a series are followed to exp(-DIGITS) where costs are compared.
DIGITS = 33.0
#: Error of the integral over a panel, relative to that over all of them, above which the panel is halved.
RESOLVED = 1e-13
#: Most times that a panel is halved.
HALVINGS = 12
#: Standard deviations that panels cover when they are made.
REACH = 8.0


class WideAverages:
    """Averages of atoms over two to four inputs of large variances.

    Args:
        functions: activations by name.
        rtol: the error to aim at, relative to the scale of each average.
    """

    def __init__(self, functions: Functions, rtol: float) -> None:
        self._functions, self._rtol = functions, rtol
        self._smearings: dict[tuple[Product, ...], Smearing] = {}

    def averages(self, inputs: Array, layout: Layout) -> tuple[Array, Array, Array] | None:
        """Average atoms.

        Args:
            inputs: their covariance, one row for each product of an atom.
            layout: the atoms.

        Returns:
            The averages, their errors relative to the scale of each, and the scales; None where the other method is
            faster, and where the inputs have (nearly) no noise of their own.
        """
        covariance = self._chosen(inputs, layout)
        if covariance is None:
            return None
        products = tuple(sorted({product for own in layout.products for product in own}))
        if products not in self._smearings:
            self._smearings[products] = Smearing(
                dict(self._functions), self._rtol, lambda limit: cuts(self._functions, products, limit)
            )
        try:
            sums = self._smearings[products].prepare(np.zeros(len(covariance)), covariance)
        except UnsupportedError:  # grows too fast for a table that serves all products
            return None
        if sums is None:
            return None
        values, errors, scales = np.empty((3, len(layout.index)))
        for n, places in enumerate(layout.index.tolist()):
            atom = [own[k] for own, k in zip(layout.products, places, strict=True)]
            value, error, scale = sums.average(tuple(atom))
            values[n], errors[n], scales[n] = value, error / scale if scale else 0.0, scale
        return values, errors, scales

    def _chosen(self, covariance: Array, layout: Layout) -> Array | None:
        """The covariance, if it is to be split; None where trapezoids are faster."""
        sigma = np.sqrt(covariance.diagonal())
        if len(covariance) not in FAST or not sigma.all():
            return None
        lines = {line for own in layout.products for product in own for line in product}
        points = pair_points(self._functions, covariance, tuple((line,) for line in sorted(lines)))
        found = split(covariance / np.outer(sigma, sigma), DIGITS)
        if found is not None and points > FAST[len(covariance)] * found.cost:
            return covariance
        return None


@lru_cache(maxsize=256)
def cuts(functions: Functions, products: tuple[Product, ...], limit: float) -> tuple[float, ...]:
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
