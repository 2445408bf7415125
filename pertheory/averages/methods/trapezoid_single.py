"""Averages of smooth functions at one input, for many inputs at once.

All products of one variable z = sigma xi are summed with one trapezoid rule: the one that was measured for the
largest of a quarter octave of spreads, which is fine enough for the others. The values of all products at all inputs
are one table, and the averages, those with every second node and those of absolute values are products with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from pertheory.averages.atoms import Product
from pertheory.averages.grids import Functions, Tables
from pertheory.averages.methods.trapezoid import SmoothAverages
from pertheory.averages.quadrature import Array, Rule

#: By products and quarter octave of the spread: the rule, and the rounding errors of the averages.
Rules: TypeAlias = dict[tuple[tuple[Product, ...], float], tuple[Rule, Array]]
#: By how much steps are smaller than measured: one dimension is cheap, and the estimates need not be repeated.
REFINE = 1.25
#: Numbers in one table.
BLOCK = 1_000_000


def single_averages(
    smooth: SmoothAverages, functions: Functions, variances: Array, products: Sequence[Product], rules: Rules
) -> tuple[Array, Array]:
    """Average products at one input.

    Args:
        smooth: knows the rules.
        functions: activations by name.
        variances: one for each input.
        products: what to average.
        rules: those that were found before, by the products and the quarter octave; new ones are added.

    Returns:
        Averages and error estimates relative to the scale of each, one row an input, one column a product.
    """
    sigmas = np.sqrt(variances)
    values = np.empty((len(sigmas), len(products)))
    errors = np.zeros_like(values)
    still = sigmas == 0
    if still.any():
        table = Tables(dict(functions), np.zeros(1), products)
        values[still] = [float(table[product][0]) for product in products]
    bins = np.ceil(4 * np.log2(np.where(still, 1.0, sigmas)))
    for level in np.unique(bins[~still]).tolist():
        members = np.nonzero((bins == level) & ~still)[0]
        key = (tuple(products), level)
        if key not in rules:
            atoms, spread = [(product,) for product in products], 2.0 ** (level / 4)
            # rounding changes slowly with the spread: measured once an octave, at the largest
            largest = np.array([[4.0 ** np.ceil(level / 4)]])
            rules[key] = smooth.rule(atoms, spread, REFINE), smooth.rounding(largest, atoms)
        rule, rounding = rules[key]
        block = max(1, BLOCK // (len(rule.nodes) * len(products)))
        for start in range(0, len(members), block):
            some = members[start : start + block]
            values[some], errors[some] = _sums(functions, sigmas[some], products, rule)
        errors[members] += rounding
    return values, errors


def _sums(functions: Functions, sigmas: Array, products: Sequence[Product], rule: Rule) -> tuple[Array, Array]:
    table = Tables(dict(functions), np.multiply.outer(sigmas, rule.nodes), products)
    stack = np.stack([table[product] for product in products], axis=1)
    fine = stack @ rule.weights
    if rule.coarse is None:
        return fine, np.zeros_like(fine)
    every = stack[..., ::2]
    if not rule.power:
        return fine, np.full_like(fine, np.inf)
    scale = np.abs(every) @ np.abs(rule.coarse)
    apart = np.abs(fine - every @ rule.coarse)
    errors = np.divide(apart, scale, out=np.zeros_like(apart), where=scale > 0) ** rule.power
    return fine, errors
