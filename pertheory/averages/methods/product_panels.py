"""Averages of functions with kinks or steep places, at two inputs: panels of one input times panels of the other.

What the functions of each input need is resolved in one dimension, once an octave of spreads; an average is then a
product of matrices with the density of the two inputs in the middle. The density must be resolved as well, and it is as
narrow as what one input leaves of the other: close inputs are for `pairs.py`. Functions that grow move the weight to
where both do: panels reach as far as their squares count.
"""

from __future__ import annotations

import math

import numpy as np

from pertheory.averages.estimate import ROUNDING, Found, Task, Wanted
from pertheory.averages.grids import EPSILON
from pertheory.averages.methods.panels import BLOCK, NODES, table
from pertheory.averages.quadrature import density

#: Most pairs of nodes.
MOST = 1e8


class ProductPanels:
    """Averages at two inputs of which each leaves at least `bound` of the spread of the other."""

    def __init__(self, wanted: Wanted, bound: float) -> None:
        self._frozen, self._bound = wanted.frozen, bound

    def average(self, task: Task) -> Found | None:
        """Average atoms at two inputs."""
        k = task.k[0]
        spreads = np.sqrt(k.diagonal())
        if len(k) != 2 or not spreads.all() or (task.mean is not None and task.mean.any()):
            return None
        rho = k[0, 1] / spreads[0] / spreads[1]
        own = math.sqrt(max((1 - rho) * (1 + rho), 0.0))
        if own < self._bound:
            return None
        products = [tuple(sorted({atom[side] for atom in task.atoms})) for side in (0, 1)]
        width = 2.0 ** math.floor(math.log2(own))
        first, second = (
            table(self._frozen, some, 2.0 ** math.ceil(math.log2(sigma)), width, 2)
            for some, sigma in zip(products, spreads.tolist(), strict=True)
        )
        if len(first.nodes) * len(second.nodes) > MOST:
            return None
        sides = []
        for found, some in ((first, products[0]), (second, products[1])):
            values, sizes, noise = found.values.reshape(3, len(some), -1)
            doubts = EPSILON * noise + np.repeat(found.missed, NODES, axis=1)
            for end in (slice(NODES), slice(-NODES, None)):  # beyond lies less than in the last panels
                doubts[:, end] += sizes[:, end]
            sides.append(np.stack([values, sizes, doubts]))
        x, y = first.nodes / spreads[0], second.nodes / spreads[1]
        totals = np.zeros((4, len(products[0]), len(products[1])))
        for rows in np.array_split(np.arange(len(x)), 1 + len(x) * len(y) // BLOCK):
            matrix = density((y - rho * x[rows, None]) / own) * (second.weights / (spreads[1] * own))
            matrix *= (density(x[rows]) * first.weights[rows] / spreads[0])[:, None]
            for n, (one, two) in enumerate(((0, 0), (1, 1), (2, 1), (1, 2))):
                totals[n] += sides[0][one][:, rows] @ (matrix @ sides[1][two].T)
        places = [[own.index(atom[side]) for atom in task.atoms] for side, own in enumerate(products)]
        values, scales, *errors = totals[:, places[0], places[1]]
        error = errors[0] + errors[1] + (ROUNDING + EPSILON / own**2) * scales
        return np.stack([values, error, scales])[:, :, None]
