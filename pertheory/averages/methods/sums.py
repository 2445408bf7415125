"""What all sums of analytic functions in standard normal variables have in common: rules, refinement, rounding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.estimate import Atom, Found, Task, Wanted
from pertheory.averages.grids import EPSILON, SHIFTED, Loss, condition, measured, rounded
from pertheory.averages.quadrature import NULL, Array, Rule, hermite
from pertheory.functions.activation import Activation

#: Values, errors relative to the scales, scales, and whether smaller steps are no use.
Once: TypeAlias = tuple[Array, Array, Array, bool]

#: Polynomials up to this degree have an exact rule.
EXACT = 120
#: Inputs of large sets: the measured step is for all factors at one variable, and there a wider one saves most of the
#: time. It is the first that is tried, and this fraction of the usual error is demanded of its estimate.
LARGE, WIDER, DEMAND = 4, 0.8, 1e-3
#: Steps are made smaller by this factor, so many times at most.
SMALLER, TRIES = 1.5, 4


def degree_of(functions: Mapping[str, Activation], atoms: Sequence[Atom]) -> int | None:
    """Total degree of polynomial atoms, None where a function is not a polynomial."""
    degrees = {IDENTITY: 1}
    for name in {line[0] for atom in atoms for product in atom for line in product} - {IDENTITY}:
        coefficients = functions[name].coefficients
        if coefficients is None:
            return None
        degrees[name] = len(coefficients) - 1
    return max(sum(max(degrees[name] - order, 0) for product in atom for name, order in product) for atom in atoms)


class Analytic:
    """What methods for averages of analytic functions know of these.

    Args:
        wanted: functions and errors to aim at.
        bound: of the work.
    """

    def __init__(self, wanted: Wanted, bound: Any = None) -> None:
        self._functions, self._frozen, self._rtol, self._bound = wanted.functions, wanted.frozen, wanted.rtol, bound
        self._conditions: dict[tuple[Lines, float], Loss] = {}

    def degree(self, atoms: Sequence[Atom]) -> int | None:
        """Total degree of polynomial atoms, None where a function is not a polynomial."""
        return degree_of(self._functions, atoms)

    def rounding(self, k: Array, atoms: Sequence[Atom]) -> Array:
        """Rounding errors of averages relative to their scales: one row an atom, one column a set.

        Values lose digits where their terms cancel; factors of the covariance and nodes are rounded, and directions
        that are (nearly) null are dropped: every z is then off by some units of the last place.
        """
        sigmas = np.sqrt(k.diagonal(axis1=1, axis2=2))
        safe = np.where(sigmas > 0, sigmas, 1.0)
        # what two inputs have in common, and how much closer they are than independent ones
        apart = np.sqrt(np.maximum(1 - (k / (safe[:, :, None] * safe[:, None, :])) ** 2, NULL))
        columns = []
        for i, own in enumerate(sigmas.T):
            sizes, place = np.unique(own, return_inverse=True)
            products = {product: n for n, product in enumerate({atom[i] for atom in atoms})}
            losses = np.array(
                [[self._condition(product, rounded(x) if x else 0.0) for x in sizes.tolist()] for product in products]
            )
            # by number in `Loss`, atom and set
            columns.append(losses[[products[atom[i]] for atom in atoms]][:, place.ravel()].transpose(2, 0, 1))
        units = 1 + sum(column[0] + column[1] for column in columns)
        for i, j in combinations(range(len(columns)), 2):
            slopes, steepness = columns[i][2:4] * columns[j][2:4]
            units = units + np.minimum(steepness, slopes / apart[:, i, j])
        result: Array = EPSILON * units + SHIFTED * sum(column[4] for column in columns)
        return result

    def _condition(self, product: Lines, sigma: float) -> Loss:
        # the hash of a function is not cheap, and there are thousands of atoms
        if (product, sigma) not in self._conditions:
            self._conditions[product, sigma] = condition(self._frozen, product, sigma)
        return self._conditions[product, sigma]


class Sums(Analytic, ABC):
    """A method for averages of analytic functions over one set of inputs."""

    @abstractmethod
    def sum(self, covariance: Array, atoms: Sequence[Atom], refine: float) -> Once | None:
        """Average atoms with steps smaller than measured by a factor; None where the method does not apply."""

    def average(self, task: Task) -> Found | None:
        """Average atoms over one set; None where the method does not apply, or other sums came down to rounding."""
        (covariance,), atoms, found = task.k, task.atoms, None
        limited: set[Atom] = task.kept.setdefault("limited by rounding", set())
        if limited.issuperset(atoms):
            return None
        refine, enough = 1.0, self._rtol
        if np.count_nonzero(covariance.diagonal()) >= LARGE:
            refine, enough = WIDER, DEMAND * self._rtol
        for _ in range(TRIES):
            once = self.sum(covariance, atoms, refine)
            if once is None:
                break
            found, last = once[:3], once[3]
            if last or found[1].max(initial=0.0) <= enough:
                break
            refine, enough = SMALLER * refine, self._rtol
        if found is None:
            return None
        values, own, scales = found
        errors = own + self.rounding(task.k, atoms)[:, 0]
        limited.update(atom for atom, x, y in zip(atoms, own, errors, strict=True) if x <= self._rtol < y)
        sure = np.isfinite(errors)
        return np.stack([values, np.where(sure, np.where(sure, errors, 0.0) * scales, np.inf), scales])[:, :, None]

    def rule(self, atoms: Sequence[Atom], sigma: float, refine: float = 1.0) -> Rule:
        """Return a rule in xi for the atoms with every variable equal to sigma * xi (the hardest case)."""
        degree = self.degree(atoms)
        if degree is not None and degree < EXACT:
            return hermite(degree)
        # all factors at one variable, and each of them alone: a factor that grows hides what happens near zero
        wanted = {tuple(sorted(line for product in atom for line in product)) for atom in atoms}
        wanted.update(product for atom in atoms for product in atom if product)
        return measured(self._frozen, wanted, sigma, refine)
