"""Averages of ordinary functions at one input, for many inputs at once: panels in z.

The functions are tabulated once an octave of spreads, on panels that end at kinks, grow from the places where the
formula says that something happens, and are halved until every product is resolved; the averages at all inputs are
then one product of two matrices, with the densities of the inputs. Nothing here depends on how the width of a step
compares with the spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.estimate import ROUNDING, Found, Task, Wanted
from pertheory.averages.features import ladder
from pertheory.averages.grids import EPSILON, Functions, Tables, reach_of_products, rounded
from pertheory.averages.methods.nested import edges_of, reach_of
from pertheory.averages.methods.panelling import derivatives, last_degrees
from pertheory.averages.methods.sums import EXACT, degree_of
from pertheory.averages.quadrature import Array, Rule, density, hermite, legendre, panels
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation

Evaluation: TypeAlias = Callable[[Array], Array]

#: Nodes of a panel; its widest in units of the spread, which is up to twice as large as the smallest of an octave.
NODES, WIDEST = 16, 1.0
#: A panel is halved while what it misses is above this fraction of the average, so many times at most.
RESOLVED, HALVINGS = 1e-14, 24
#: Most panels.
MOST = 20_000
#: The error of a rule of n nodes falls twice as fast as the coefficients of what it sums.
TWICE = 1.9
#: Numbers in one table of densities.
BLOCK = 4_000_000


class Resolved(NamedTuple):
    """Products on panels that resolve them.

    Attributes:
        nodes: of all panels.
        weights: of the nodes.
        values: of the products, shape (products, nodes); below them their absolute values, and what rounding does to
            the values, in units of rounding.
        missed: error of each product on each panel where the density is one, shape (products, panels).
        shaken: what rounding of the nodes would do to the values.
    """

    nodes: Array
    weights: Array
    values: Array
    missed: Array
    shaken: Array


@lru_cache(maxsize=64)
def table(
    functions: Functions, products: tuple[Lines, ...], sigma: float, widest: float = WIDEST, powers: int = 1
) -> Resolved:
    """Products on panels for spreads up to some.

    Args:
        functions: activations by name.
        products: what is resolved.
        sigma: the largest spread.
        widest: panel, in units of it.
        powers: of the products are negligible beyond the panels.
    """
    named = dict(functions)

    def values(nodes: Array) -> Array:
        found = Tables(named, nodes, products)
        return np.stack([found[product] for product in products])

    def terms(nodes: Array) -> Array:
        return np.stack([_terms(named, nodes, product) for product in products])

    reach = reach_of_products(functions, tuple(powers * product for product in products), sigma)
    edges = _edges(functions, sigma, reach, widest)
    return _resolved(values, terms, edges, sigma)


def _edges(functions: Functions, sigma: float, reach: float, widest: float = WIDEST) -> Array:
    """Where panels for a spread end before any is halved."""
    limit = reach * sigma
    plain = np.linspace(-limit, limit, 1 + math.ceil(2 * reach / widest))
    own = [function for _, function in functions]
    kinks = [kink for function in own for kink in function.kinks if abs(kink) < limit]
    return np.concatenate([plain, [0.0], kinks, ladder(own, limit), edges_of(functions, limit)])


def _resolved(evaluate: Evaluation, terms: Evaluation, edges: Array, sigma: float, exact: bool = True) -> Resolved:
    """Halve panels until every product is resolved; `exact` unless rounding moves what a node is multiplied by."""
    edges = np.unique(edges)
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-14 * np.abs(edges[1:])])]
    tails = last_degrees(NODES)
    for halving in range(HALVINGS):
        nodes, weights = panels(edges, NODES)
        values = evaluate(nodes)
        shaped = values.reshape(len(values), -1, NODES)
        peaks = np.abs(shaped).max(axis=2)
        tail = np.abs(shaped @ tails).max(axis=2)
        errors = peaks * np.divide(tail, peaks, out=np.zeros_like(peaks), where=peaks > 0) ** TWICE
        scales = (np.abs(values) * weights * density(nodes / sigma)).sum(axis=1)
        middles = (edges[:-1] + edges[1:]) / 2
        wide = (errors * _masses(edges, sigma) > RESOLVED * scales[:, None]).any(axis=0)
        wide &= (edges[:-1] < middles) & (middles < edges[1:])
        if not wide.any() or halving == HALVINGS - 1 or len(edges) + wide.sum() > MOST:
            with np.errstate(all="ignore"):
                slopes = _slopes(values, edges)
                shaken = np.abs(slopes * nodes)
                noise = terms(nodes) + (np.abs(EPSILON * _slopes(slopes, edges) * nodes * nodes) if exact else shaken)
                values = values + slopes * _moved(nodes, edges) if exact else values
            return Resolved(nodes, weights, np.concatenate([values, np.abs(values), noise]), errors, shaken)
        edges = np.sort(np.concatenate([edges, middles[wide]]))
    raise AssertionError


def _slopes(values: Array, edges: Array) -> Array:
    """Derivatives at the nodes, by the polynomial through the values on each panel."""
    half = np.diff(edges)[:, None] / 2
    return np.asarray((values.reshape(len(values), -1, NODES) @ derivatives(NODES) / half).reshape(values.shape))


def _moved(nodes: Array, edges: Array) -> Array:
    """By how much nodes are off by rounding: next to a place of width 1e-8 that is seen."""
    half = np.diff(edges)[:, None] / 2
    shift = half * (1 + legendre(NODES)[0])
    return np.asarray(((edges[:-1, None] - nodes.reshape(-1, NODES)) + shift).ravel())


def _terms(functions: Mapping[str, Activation], nodes: Array, product: Lines) -> Array:
    """What rounding of the terms of each factor may change a product by, in units of rounding."""
    lines = [(line,) for line in product]
    values, sizes = Tables(functions, nodes, lines), Tables(functions, nodes, lines, absolute=True)
    total = np.zeros_like(nodes)
    for i, own in enumerate(lines):
        part = sizes[own]
        for j, other in enumerate(lines):
            part = part * np.abs(values[other]) if j != i else part
        total += part
    return total


def rounding(functions: Functions, sigma: float, product: Lines) -> float:
    """Relative error of an average of a product at one input that rounding makes."""
    if not product:
        return 0.0
    found = table(functions, (product,), math.pow(2.0, min(math.ceil(math.log2(sigma)), 1023)))
    weights = found.weights * density(found.nodes / sigma)
    scale, noise = np.concatenate([found.values[1:2], found.values[2:] + found.shaken]) @ weights
    return EPSILON * float(noise / scale) if scale else 0.0


def _masses(edges: Array, sigma: float) -> Array:
    """Width of each panel times the density where it is largest, up to a factor sigma."""
    result: Array = density(np.clip(0.0, edges[:-1], edges[1:]) / sigma) * np.diff(edges)
    return result


class PanelSums:
    """Averages at one input, for many inputs at once."""

    def __init__(self, wanted: Wanted, bound: Any = None) -> None:
        self._functions, self._frozen = wanted.functions, wanted.frozen

    def average(self, task: Task) -> Found:
        """Average at inputs."""
        products, sigmas = tuple(product for (product,) in task.atoms), np.sqrt(task.k[:, 0, 0])
        degree = degree_of(self._functions, task.atoms)
        if degree is not None and degree < EXACT:
            return self._polynomial(products, sigmas, hermite(degree))
        if sigmas.all():
            return np.stack(panel_averages(self._frozen, sigmas, products))
        at = Tables(self._functions, np.zeros(1), products)
        values = np.array([at[product] for product in products])
        found = np.stack([values, np.zeros_like(values), np.abs(values)]) * np.ones(len(sigmas))
        moving = sigmas > 0
        found[:, :, moving] = panel_averages(self._frozen, sigmas[moving], products)
        return found

    def _polynomial(self, products: tuple[Lines, ...], sigmas: Array, rule: Rule) -> Found:
        """The exact rule; what overflows is infinite."""
        nodes = sigmas[:, None] * rule.nodes
        with np.errstate(over="ignore", invalid="ignore"):
            table = Tables(self._functions, nodes, products)
            values = np.stack([table[product] @ rule.weights for product in products])
            scales = np.stack([np.abs(table[product]) @ rule.weights for product in products])
            noise = np.stack([_terms(self._functions, nodes, product) @ rule.weights for product in products])
            values = np.where(np.isfinite(scales), values, np.inf)
            return np.stack([values, EPSILON * noise * len(rule.nodes) + ROUNDING * scales, scales])


def panel_averages(functions: Functions, sigmas: Array, products: Sequence[Lines]) -> tuple[Array, Array, Array]:
    """Average products at one input.

    Args:
        functions: activations by name.
        sigmas: spreads of the inputs, positive.
        products: what to average.

    Returns:
        Values, errors and scales, shape (products, inputs).

    Raises:
        UnsupportedError: a function grows so fast that its averages do not exist.
    """
    values, errors, scales = np.zeros((3, len(products), len(sigmas)))
    bounds = 2.0 ** np.ceil(np.log2(sigmas))
    for bound in np.unique(bounds).tolist():
        try:
            table(functions, tuple(products), bound)
        except UnsupportedError:  # functions that grow may overflow within the octave: a quarter of it is tried
            own = bounds == bound
            bounds[own] = [rounded(sigma) for sigma in sigmas[own].tolist()]
    for bound in np.unique(bounds).tolist():
        found = table(functions, tuple(products), bound)
        members = np.flatnonzero(bounds == bound)
        for some in np.array_split(members, 1 + len(members) * len(found.nodes) // BLOCK):
            values[:, some], errors[:, some], scales[:, some] = _summed(found, sigmas[some])
    return values, errors, scales


def _summed(found: Resolved, sigmas: Array) -> tuple[Array, Array, Array]:
    matrix = density(found.nodes[:, None] / sigmas) * found.weights[:, None] / sigmas
    values, scales, noise = (found.values @ matrix).reshape(3, -1, len(sigmas))
    # the part of each panel in the average
    masses = matrix.reshape(-1, NODES, len(sigmas)).sum(axis=1)
    return values, found.missed @ masses + EPSILON * noise + ROUNDING * scales, scales


def collinear_averages(
    functions: Functions, sigma: float, ratio: float, atoms: Sequence[tuple[Lines, Lines]]
) -> tuple[Array, Array, Array]:
    """Average products of two factors, the second at a multiple of the variable of the first.

    Args:
        functions: activations by name.
        sigma: spread of the first input.
        ratio: of the second to the first.
        atoms: two products each.

    Returns:
        Values, errors and scales.
    """
    named = dict(functions)
    first, second = ([atom[n] for atom in atoms] for n in (0, 1))

    def values(nodes: Array) -> Array:
        own, other = Tables(named, nodes, first), Tables(named, ratio * nodes, second)
        return np.stack([own[one] * other[two] for one, two in atoms])

    def terms(nodes: Array) -> Array:
        own, other = Tables(named, nodes, first), Tables(named, ratio * nodes, second)
        rows = []
        for one, two in atoms:
            left, right = _terms(named, nodes, one), _terms(named, ratio * nodes, two)
            rows.append(left * np.abs(other[two]) + np.abs(own[one]) * right)
        return np.stack(rows)

    spreads = (sigma, abs(ratio) * sigma)
    reaches = [reach_of(functions, spread) for spread in spreads]
    one, two = (_edges(functions, spread, reach) for spread, reach in zip(spreads, reaches, strict=True))
    edges, limit = np.concatenate([one, two / ratio]), max(reaches) * sigma
    found = _resolved(values, terms, edges[np.abs(edges) <= limit], sigma, exact=False)
    value, error, scale = _summed(found, np.array([sigma]))
    return value[:, 0], error[:, 0], scale[:, 0]
