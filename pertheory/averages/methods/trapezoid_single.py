"""Averages of smooth functions at one input, for many inputs at once.

All products of one variable z = sigma xi are summed with one trapezoid rule: the one that was measured for the
largest of a quarter octave of spreads, which is fine enough for the others. The values of all products at all inputs
are one table, and the averages, those with every second node and those of absolute values are products with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import Atom, Found, Task, Wanted
from pertheory.averages.grids import Tables
from pertheory.averages.methods.sums import Once, Sums
from pertheory.averages.quadrature import Array, Rule

#: By how much steps are smaller than measured: one dimension is cheap, and the estimates need not be repeated.
REFINE = 1.25
#: Numbers in one table.
BLOCK = 1_000_000


class SingleTrapezoid(Sums):
    """Averages at one input, for many inputs at once."""

    def __init__(self, wanted: Wanted, bound: Any = None) -> None:
        super().__init__(wanted, bound)
        self._rules: dict[tuple[tuple[Atom, ...], float], tuple[Rule, Array]] = {}

    def sum(self, covariance: Array, atoms: Sequence[Atom], refine: float) -> Once | None:
        """Nothing for several inputs."""
        return None

    def average(self, task: Task) -> Found:
        """Average atoms at one input."""
        sigmas = np.sqrt(task.k[:, 0, 0])
        products = [product for (product,) in task.atoms]
        found = np.empty((3, len(products), len(sigmas)))
        moving = sigmas > 0
        if not moving.all():
            table = Tables(self._functions, np.zeros(1), products)
            values = np.array([table[product] for product in products])
            found[:, :, ~moving] = np.stack([values, np.zeros_like(values), np.abs(values)])
        bins = np.ceil(4 * np.log2(sigmas, where=moving, out=np.full_like(sigmas, np.nan)))
        for level in np.unique(bins[moving]).tolist():
            members = np.flatnonzero(bins == level)
            rule, rounding = self._rule(tuple(task.atoms), level)
            for some in np.array_split(members, 1 + len(members) * len(rule.nodes) * len(products) // BLOCK):
                found[:, :, some] = self._sums(sigmas[some], products, rule)
            found[1][:, members] += rounding[:, None] * found[2][:, members]
        return found

    def _rule(self, atoms: tuple[Atom, ...], level: float) -> tuple[Rule, Array]:
        """The rule of a quarter octave of spreads, and what rounding does."""
        if (atoms, level) not in self._rules:
            # rounding changes slowly with the spread: measured once an octave, at the largest
            largest = np.array([[4.0 ** np.ceil(level / 4)]])
            self._rules[atoms, level] = self.rule(atoms, 2.0 ** (level / 4), REFINE), self.rounding(largest, atoms)
        return self._rules[atoms, level]

    def _sums(self, sigmas: Array, products: Sequence[Lines], rule: Rule) -> Found:
        table = Tables(self._functions, np.multiply.outer(sigmas, rule.nodes), products)
        stack = np.stack([table[product] for product in products])
        fine = stack @ rule.weights
        if rule.coarse is None:
            return np.stack([fine, np.zeros_like(fine), np.abs(stack) @ rule.weights])
        every = stack[..., ::2]
        scale = np.abs(every) @ rule.coarse
        if not rule.power:
            return np.stack([fine, np.full_like(fine, np.inf), scale])
        apart = np.abs(fine - every @ rule.coarse)
        relative = np.divide(apart, scale, out=np.zeros_like(apart), where=scale > 0) ** rule.power
        return np.stack([fine, relative * scale, scale])
