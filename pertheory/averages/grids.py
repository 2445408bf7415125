"""Values of products of derivatives on grids, and trapezoid rules measured for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.features import narrowest, sharpest
from pertheory.averages.quadrature import Array, Rule, density, trapezoid
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation

Functions: TypeAlias = tuple[tuple[str, Activation], ...]

#: Relative disagreement of shifted one-dimensional rules that is called converged.
CONVERGED = 3e-14
#: Disagreement that is rounding if it stays as it is when the step is reduced.
NOISE = 1e-9
FARTHEST = 37.0
#: The finest step; where it is not enough nothing is known of the error, and any error to the power UNKNOWN is all.
FINEST, UNKNOWN = 2e-3, 0.0
#: By how much the relative error of an average may exceed those of its factors: they may be large at different places.
SHIFTED = 4.0
#: Rounding of one operation, twice.
EPSILON = 2 * float(np.finfo(float).eps)
#: Displacement of xi with which slopes are measured.
NUDGE = 2.0**-20


class Tables:
    """Values of products of derivatives at given points, each derivative and product computed once.

    With `absolute`, what rounding does to them, in units of rounding (`Activation.tabulate`).
    """

    def __init__(
        self, functions: Mapping[str, Activation], x: Array, products: Iterable[Lines], absolute: bool = False
    ) -> None:
        products = sorted(set(products))
        self._x = x
        self._lines: dict[tuple[str, int], Array] = {(IDENTITY, 0): np.abs(x) if absolute else x}
        orders: dict[str, set[int]] = {}
        for name, order in {line for product in products for line in product}:
            if name != IDENTITY:
                orders.setdefault(name, set()).add(order)
        for name, wanted in orders.items():
            for order, values in functions[name].tabulate(x, wanted, absolute).items():
                self._lines[name, order] = values
        self._products: dict[Lines, Array] = {}

    def __getitem__(self, product: Lines) -> Array:
        if len(product) == 1:
            return self._lines[product[0]]
        if product not in self._products:
            self._products[product] = self._lines[product[0]] * self[product[1:]] if product else np.ones_like(self._x)
        return self._products[product]


@lru_cache(maxsize=4096)
def reach_of_products(functions: Functions, products: tuple[Lines, ...], sigma: float) -> float:
    """Standard deviations (at least some) beyond which products of functions of sigma * xi are negligible.

    Raises:
        UnsupportedError: one grows so fast that its average does not exist or overflows.
    """
    probe = np.linspace(-FARTHEST, FARTHEST, 741)
    values = Tables(dict(functions), sigma * probe, products)
    reach = 8.5
    with np.errstate(over="ignore", invalid="ignore"):
        for product in products:
            envelope = np.abs(values[product]) * density(probe)
            endless = ~np.isfinite(envelope)
            highest = float(envelope[~endless].max(initial=0.0))
            if highest > 0 or endless.any():
                large = np.abs(probe[endless | (envelope > 1e-18 * highest)])
                reach = max(reach, float(large.max(initial=0.0)) + 0.2)
    if reach >= FARTHEST:
        names = ", ".join(function.name for _, function in functions)
        raise UnsupportedError(
            f"average of {names} at variance {sigma * sigma:.3g}: the product grows so fast that its Gaussian "
            "average does not exist or overflows"
        )
    return reach


@lru_cache(maxsize=4096)
def measure(functions: Functions, products: tuple[Lines, ...], sigma: float) -> tuple[float, float, float]:
    """Find the step and the reach of the trapezoid rule for products of functions of sigma * xi.

    Rules shifted by quarters of a step are compared, because the two rules that contain zero agree on every
    odd function whatever the step.

    Returns:
        Step, reach, and the power to which the relative error of twice the step must be raised to give that
        of the step: 2 where a pole limits the step, up to 4 for entire functions, 0 where the step is not enough.
    """
    table = dict(functions)
    reach = reach_of_products(functions, products, sigma)
    # what is narrower than a step may lie between all nodes, and then all rules agree
    width = narrowest(table.values(), reach * sigma) / sigma
    step, power, before = min(0.75, width), UNKNOWN, 1.0
    # oscillating functions alias only near certain frequencies: smaller deviations are probed as well, and
    # they are what the inner variables of a nested sum have anyway
    sigmas = sigma * np.linspace(1.0, 0.5, 13)[:, None]
    while step > FINEST:
        half = int(np.ceil(reach / step / 2)) * 8
        nodes: Array = np.arange(-half, half + 8, dtype=float) * (step / 4)
        weights = step * density(nodes)
        values = Tables(table, sigmas * nodes, products)
        worst = doubled = 0.0
        for product in products:
            terms = values[product] * weights
            scale = np.abs(terms).sum(axis=1)[:, None] / 4
            scale[scale == 0] = 1
            # every eighth node, from each of the first eight: as a product of matrices, for which NumPy has a fast way
            eighths = np.ones(terms.shape[1] // 8) @ terms.reshape(len(sigmas), -1, 8)
            shifted = (eighths[:, :4] + eighths[:, 4:]) / scale
            wide = 2 * eighths / scale
            worst = max(worst, float(np.ptp(shifted, axis=1).max()) / 2)
            doubled = max(doubled, float(np.ptp(wide, axis=1).max()) / 2)
        # where terms cancel, rounding is all that is left of the disagreement, and smaller steps do not help
        noise, before = NOISE > worst > 0.5 * before, worst
        gained = np.log(CONVERGED) / np.log(min(worst + 1e-16, 0.5))
        if gained <= 1 or noise:
            power = float(np.clip(0.9 * np.log(worst + 1e-15) / np.log(min(doubled + 1e-15, 0.5)), 2.0, 4.0))
            break
        # the error is exp(-c/step): one measurement predicts the step, approached with care
        step /= min(max(gained, 1.07), 1.6)
    return max(step, FINEST), reach, power


def rounded(sigma: float) -> float:
    """Round up to a quarter octave: networks move K slowly, and what was measured is then in the cache."""
    return math.pow(2.0, min(math.ceil(4 * math.log2(sigma)) / 4, 1023.0))


def measured(functions: Functions, products: Iterable[Lines], sigma: float, refine: float = 1.0) -> Rule:
    """Return a trapezoid rule in xi for products of functions of sigma * xi."""
    step, reach, power = measure(functions, tuple(sorted(set(products))), rounded(sigma))
    return trapezoid(step / refine, reach, power)


class Loss(NamedTuple):
    """What rounding does to the average of a product of functions of sigma * xi, in units of rounding.

    Attributes:
        values: what the values lose where their terms cancel.
        argument: mean size of z d/dz of the product, relative to that of the product.
        slope: mean size of sigma d/dz of the product, relative to that of the product.
        steepness: the same with root mean squares.
        shift: disagreement of the rule with the rule shifted by half a step, relative to the scale.
        rarity: root mean square of the product over `even_size`.
    """

    values: float = 0.0
    argument: float = 0.0
    slope: float = 0.0
    steepness: float = 0.0
    shift: float = 0.0
    rarity: float = 1.0


def even_size(values: Array, weights: Array) -> Array:
    """The mean of the smaller of the absolute values at x and -x, over nodes that are symmetric about zero.

    The product of two of these is about the least that the average of the absolute value of a product of functions of
    two inputs may be, however these are correlated: root mean squares, with which series of Hermite coefficients are
    naturally compared, are far above it where functions are hardly ever different from zero, or grow.
    """
    sizes = np.abs(values)
    return np.asarray(np.minimum(sizes, sizes[..., ::-1]) @ weights)


@lru_cache(maxsize=4096)
def condition(functions: Functions, product: Lines, sigma: float) -> Loss:
    """Measure how a product of functions of sigma * xi reacts to rounding."""
    if not product or not sigma:
        return Loss()
    table = dict(functions)
    sigma = rounded(sigma)
    try:
        rule = measured(functions, [product], sigma)
    except UnsupportedError:  # a polynomial of huge variance: its exact rule needs no measuring
        return Loss(1.0, 1.0)
    half = float(rule.nodes[1] - rule.nodes[0]) / 2
    # the nodes pass by what is so narrow that no step is enough
    sharp = 0.0 if rule.power else sharpest(table.values(), sigma * float(rule.nodes[-1]))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        values = Tables(table, sigma * rule.nodes, [product])[product]
        sizes = Tables(table, sigma * rule.nodes, [product], absolute=True)[product]
        slopes = (Tables(table, sigma * (rule.nodes + NUDGE), [product])[product] - values) / NUDGE
        between = Tables(table, sigma * (rule.nodes + half), [product])[product]
        shifted = float(between @ (2 * half * density(rule.nodes + half)))
        scale = float(np.abs(values) @ rule.weights)
        if not scale > 0:
            return Loss(argument=sharp)
        largest = float(np.abs(values).max())  # squares of large values overflow
        if not np.isfinite(largest):
            return Loss(1.0, 1.0, rarity=float("inf"))
        root = largest * float(np.sqrt((values / largest) ** 2 @ rule.weights))
        return Loss(
            float(sizes @ rule.weights) / scale,
            max(float(np.abs(slopes * rule.nodes) @ rule.weights) / scale, sharp),
            float(np.abs(slopes) @ rule.weights) / scale,
            float(np.sqrt(((slopes / largest) ** 2 @ rule.weights) / ((values / largest) ** 2 @ rule.weights))),
            abs(shifted - float(values @ rule.weights)) / scale,
            float(np.divide(root, even_size(values, rule.weights))),
        )
