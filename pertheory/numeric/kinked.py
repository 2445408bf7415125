"""Gaussian averages with kinked activations, on one or two distinct inputs.

Products are first brought to normal forms (`pertheory.numeric.reduce`): ordinary functions times at most one
delta per variable. Ordinary parts are integrated piece by piece with Gauss-Legendre panels that end at the
kinks; a delta removes an integration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from pertheory.errors import UnsupportedError
from pertheory.numeric.atoms import IDENTITY, Product
from pertheory.numeric.quadrature import Array, bell, density, panels
from pertheory.numeric.reduce import Divergent, check_tie, is_tied, reduce_terms, singular_lines
from pertheory.numeric.smooth import Tables
from pertheory.rulebook.activation import Activation

__all__ = ["Divergent", "KinkedAverages"]

Functions: TypeAlias = Mapping[str, Activation]
#: ``(position, weight)`` of the deltas in a product.
Deltas: TypeAlias = list[tuple[float, float]]

#: Conditional variances below this fraction of the variance are rounding: the inputs are collinear.
COLLINEAR = 3e-15


def _deltas(product: Product, functions: Functions) -> Deltas:
    """Return the deltas of a product in normal form.

    The limit of a rounded kink gives ``s'' g(s') = delta * integral of g over the jump``.
    """
    lines = singular_lines(product, functions)
    if len(lines) != 1:
        return []
    _, name, order = lines[0]
    function, below = functions[name], (name, order - 1)
    count = product.count(below)
    rest = [line for line in product if line not in (below, (name, order))]
    found: Deltas = []
    for kink in function.kinks:
        left, right = function.side_values(order - 1, kink)
        weight = (right ** (count + 1) - left ** (count + 1)) / (count + 1)
        for other, other_order in rest:
            weight *= kink if other == IDENTITY else functions[other].side_values(other_order, kink)[0]
        if weight:
            found.append((kink, weight))
    return found


def _at_point(product: Product, position: float, functions: Functions) -> float:
    """Evaluate a product at a fixed point.

    Raises:
        Divergent: a line is a step or a delta there, and nothing else makes the product zero.
    """
    value, undefined = 1.0, []
    for name, order in product:
        if name == IDENTITY:
            value *= position
            continue
        function = functions[name]
        left, right = function.side_values(order, position)
        first = function.jump_order
        jumps = function.jump(order, position) != 0
        if first is not None and position in function.kinks and (order > first or jumps):
            undefined.append((name, order))
        else:
            value *= (left + right) / 2
    bounded = all(order == functions[name].jump_order for name, order in undefined)
    if undefined and (value or not bounded):
        name, order = undefined[0]
        raise Divergent(f"{name}^({order}) has no value at its kink x = {position:g}, and the variance there is zero")
    return 0.0 if undefined else value


class KinkedAverages:
    """Averages of sums of atoms over one covariance.

    Args:
        functions: activations by name.
        covariance: over all inputs.
    """

    def __init__(self, functions: Functions, covariance: Array) -> None:
        self._functions = functions
        self._covariance = covariance
        self._lines: dict[tuple[float, float], _LineAverage] = {}
        self._planes: dict[tuple[int, int], _PlaneAverage] = {}

    def average(self, terms: Sequence[tuple[tuple[tuple[int, Product], ...], int]]) -> float:
        """Average a sum of atoms ``((input, product), ...)`` with coefficients.

        Raises:
            Divergent: the average is infinite or undefined.
            UnsupportedError: more than two distinct inputs, or a product without a definite meaning.
        """
        groups: dict[tuple[int, ...], dict[tuple[Product, ...], float]] = {}
        for atom, coefficient in terms:
            weight, kept = float(coefficient), []
            for i, product in atom:
                if self._covariance[i, i] == 0:
                    weight *= _at_point(product, 0.0, self._functions)
                else:
                    kept.append((i, product))
            group = groups.setdefault(tuple(i for i, _ in kept), {})
            key = tuple(product for _, product in kept)
            group[key] = group.get(key, 0.0) + weight
        return sum(self._group(inputs, group) for inputs, group in groups.items())

    def _group(self, inputs: tuple[int, ...], terms: dict[tuple[Product, ...], float]) -> float:
        if not inputs:
            return sum(terms.values())
        if len(inputs) > 2:
            raise UnsupportedError(
                f"a kinked activation at {len(inputs)} distinct inputs in one average; at most 2 can be"
            )
        k = self._covariance[np.ix_(inputs, inputs)]
        collinear = len(inputs) == 2 and k[1, 1] - k[0, 1] ** 2 / k[0, 0] <= COLLINEAR * k[1, 1]
        if collinear:
            return sum(weight * self._collinear(inputs, key) for key, weight in terms.items())
        inverse = np.linalg.inv(k)
        entries = [inverse[a, b] for a in range(len(k)) for b in range(a, len(k))]
        total = 0.0
        # coefficients are small integers, or multiples of values at zero variance: reduced one by one then
        exact = all(weight == int(weight) for weight in terms.values())
        batches = [terms] if exact else [{key: 1.0} for key in terms]
        for batch in batches:
            scale = 1.0 if exact else terms[next(iter(batch))]
            reduced = reduce_terms({key: int(weight) for key, weight in batch.items()}, self._functions)
            for (products, exponents), coefficient in reduced.items():
                factor = scale * float(coefficient) * float(np.prod(np.power(entries, exponents)))
                total += factor * self._normal(inputs, products)
        return total

    def _normal(self, inputs: tuple[int, ...], products: tuple[Product, ...]) -> float:
        """Average normal forms at one or two inputs that are not collinear."""
        for product in products:
            if is_tied(product, self._functions):
                check_tie(product, self._functions)
        deltas = [_deltas(product, self._functions) for product in products]
        sigma = float(np.sqrt(self._covariance[inputs[0], inputs[0]]))
        if len(inputs) == 1:
            total = self._line(0.0, sigma).average(products[0])
            return total + sum(w * bell(c / sigma) / sigma for c, w in deltas[0])
        a, b = inputs
        if (a, b) not in self._planes:
            self._planes[a, b] = _PlaneAverage(self._functions, self._covariance[np.ix_(inputs, inputs)])
        total = self._planes[a, b].average(*products)
        for here, there in ((0, 1), (1, 0)):
            for position, weight in deltas[here]:
                i, j = inputs[here], inputs[there]
                first = float(np.sqrt(self._covariance[i, i]))
                mean = float(self._covariance[i, j]) / first**2 * position
                spread = float(np.sqrt(self._covariance[j, j] - (self._covariance[i, j] / first) ** 2))
                weight *= bell(position / first) / first
                total += weight * self._line(mean, spread).average(products[there])
                if here == 0:
                    for second, other in deltas[1]:
                        total += weight * other * bell((second - mean) / spread) / spread
        return total

    def _line(self, mean: float, sigma: float) -> _LineAverage:
        if (mean, sigma) not in self._lines:
            self._lines[mean, sigma] = _LineAverage(self._functions, mean, sigma)
        return self._lines[mean, sigma]

    def _collinear(self, inputs: tuple[int, ...], products: tuple[Product, ...]) -> float:
        """Average a product of functions of z and of ratio * z."""
        k = self._covariance[np.ix_(inputs, inputs)]
        sigma, ratio = float(np.sqrt(k[0, 0])), float(k[0, 1] / k[0, 0])
        total = 0.0
        for here, product in enumerate(products):
            lines = singular_lines(product, self._functions)
            if len(lines) > 1 or any(excess > 1 for excess, _, _ in lines):
                raise UnsupportedError("derivatives of deltas of a kinked activation at collinear inputs")
            to_other = ratio if here == 0 else 1 / ratio
            spread = float(np.sqrt(k[here, here]))
            for position, weight in _deltas(product, self._functions):
                other = _at_point(products[1 - here], position * to_other, self._functions)
                total += weight * other * bell(position / spread) / spread
        kinks = _kinks(self._functions)
        cuts = sorted({c / sigma for c in kinks} | {c / (sigma * ratio) for c in kinks})
        nodes, weights = _panels(self._functions, np.array(cuts), max(sigma, abs(ratio) * sigma))
        first = Tables(self._functions, sigma * nodes, [products[0]])
        second = Tables(self._functions, ratio * sigma * nodes, [products[1]])
        return total + float(np.sum(first[products[0]] * second[products[1]] * weights * density(nodes)))


def _kinks(functions: Functions) -> list[float]:
    return sorted({kink for function in functions.values() for kink in function.kinks})


def _scales(functions: Functions, sigma: float) -> tuple[float, float]:
    """Return reach and panel width in units of sigma."""
    plain = all(
        function.piece_coefficients(part) is not None
        for function in functions.values()
        for part in range(len(function.pieces))
    )
    # beyond 12 even the twentieth power is below 1e-17; other pieces may grow and vary on their own scale
    return (12.0, 1.5) if plain else (min(37.0, 12 + 4 * sigma), min(1.0, 1 / sigma))


def _panels(functions: Functions, cuts: Array, sigma: float) -> tuple[Array, Array]:
    """Return Lebesgue nodes and weights on [-reach, reach], cut at the given points and finely enough."""
    reach, width = _scales(functions, sigma)
    edges = np.concatenate([[-reach], cuts[np.abs(cuts) < reach], [reach]])
    return panels(_subdivide(np.unique(edges), width))


def _subdivide(edges: Array, width: float) -> Array:
    parts = [
        np.linspace(low, high, max(1, int(np.ceil((high - low) / width))), endpoint=False)
        for low, high in pairwise(edges.tolist())
    ]
    return np.concatenate([*parts, edges[-1:]])


class _LineAverage:
    """Averages of ordinary products over one Gaussian variable."""

    def __init__(self, functions: Functions, mean: float, sigma: float) -> None:
        self._functions = functions
        cuts = (np.array(_kinks(functions)) - mean) / sigma
        nodes, weights = _panels(functions, cuts, sigma)
        self._points = mean + sigma * nodes
        self._weights = weights * density(nodes)
        self._known: dict[Product, float] = {}

    def average(self, product: Product) -> float:
        if product not in self._known:
            values = Tables(self._functions, self._points, [product])[product]
            self._known[product] = float(np.sum(values * self._weights))
        return self._known[product]


class _PlaneAverage:
    """Averages of ordinary products over two Gaussian variables: the second given the first, then the first.

    The inner average is a smooth function of the first variable, but changes fast near the images of the
    kinks when the variables are nearly collinear; the outer panels shrink towards these places.
    """

    def __init__(self, functions: Functions, covariance: Array) -> None:
        self._functions = functions
        sigma = float(np.sqrt(covariance[0, 0]))
        slope = covariance[0, 1] / covariance[0, 0]
        self._spread = float(np.sqrt(covariance[1, 1] - covariance[0, 1] * slope))
        kinks = np.array(_kinks(functions))
        cuts = [kinks / sigma]
        if slope:
            width = self._spread / (abs(slope) * sigma)
            ladder = width * 2.0 ** np.arange(-1, max(1.0, np.ceil(np.log2(40 / width))))
            for image in kinks / (slope * sigma):
                cuts.append(np.concatenate([image - ladder, [image], image + ladder]))
        nodes, weights = _panels(functions, np.sort(np.concatenate(cuts)), sigma)
        self._outer = sigma * nodes
        self._weights = weights * density(nodes)
        self._mean = slope * self._outer
        self._tables: dict[Product, Array] = {}
        self._inner: dict[Product, Array] = {}

    @cached_property
    def _grid(self) -> tuple[Array, Array]:
        """Values of the second variable and weights, one row for each value of the first."""
        reach, width = _scales(self._functions, self._spread)
        cuts = (np.array(_kinks(self._functions)) - self._mean[:, None]) / self._spread
        ends = np.full((len(self._mean), 1), reach)
        edges = np.concatenate([-ends, np.clip(cuts, -reach, reach), ends], axis=1)
        parts = np.linspace(0, 1, max(1, int(np.ceil(2 * reach / width))), endpoint=False)
        inner = edges[:, :-1, None] + (edges[:, 1:] - edges[:, :-1])[..., None] * parts
        fine = np.concatenate([inner.reshape(len(edges), -1), ends], axis=1)
        nodes, weights = panels(fine)
        return self._mean[:, None] + self._spread * nodes, weights * density(nodes)

    def average(self, first: Product, second: Product) -> float:
        if first not in self._tables:
            self._tables[first] = Tables(self._functions, self._outer, [first])[first] * self._weights
        if second not in self._inner:
            points, weights = self._grid
            self._inner[second] = np.sum(Tables(self._functions, points, [second])[second] * weights, axis=1)
        return float(self._tables[first] @ self._inner[second])
