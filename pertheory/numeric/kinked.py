"""Gaussian averages with kinked activations, on up to four distinct inputs.

What stands at one input is brought to a distribution (`pertheory.numeric.reduce`). Derivatives of deltas are
removed by Stein's lemma, deltas fix their variables, and what remains are ordinary functions of variables with
the conditional mean and covariance: moments on orthants (`pertheory.numeric.orthant`) for piecewise
polynomials with their kink at zero, smeared kinks (`pertheory.numeric.smeared`) for the rest, and nested panels
(`pertheory.numeric.nested`) where nothing is left that smears them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product as cartesian
from typing import NamedTuple, TypeAlias

import numpy as np

from pertheory.errors import UnsupportedError
from pertheory.numeric.atoms import IDENTITY, Product
from pertheory.numeric.nested import NestedAverages
from pertheory.numeric.orthant import COLLINEAR, Moment, OrthantMoments, polynomial_terms
from pertheory.numeric.quadrature import Array, bell
from pertheory.numeric.reduce import (
    Distribution,
    Divergent,
    derivative,
    distribution,
    reduce_terms,
    show,
    singular_lines,
    value_at,
)
from pertheory.numeric.smeared import SmearedAverages, smear
from pertheory.rulebook.activation import Activation

__all__ = ["Divergent", "KinkedAverages"]

#: Distinct inputs that one average may have.
MOST_INPUTS = 4
#: Sides of a kink: coefficients of the polynomials for z < 0 and z > 0.
Sides: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]


class Delta(NamedTuple):
    """A derivative of a delta at a position."""

    position: float
    order: int


#: What stands at one variable: an ordinary product or a delta.
Part: TypeAlias = Product | Delta


class KinkedAverages:
    """Averages of sums of atoms over one covariance.

    Args:
        functions: activations by name.
        covariance: over all inputs.

    Attributes:
        worst_error: largest error estimate so far, relative to the scale of the average.
    """

    def __init__(self, functions: Mapping[str, Activation], covariance: Array) -> None:
        self._functions = dict(functions)
        self._covariance = covariance
        self._moments = OrthantMoments(covariance)
        self._methods: dict[
            tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...]], SmearedAverages | NestedAverages
        ] = {}
        self._distributions: dict[tuple[int, Product], Distribution] = {}
        self._derivatives: dict[Product, Distribution] = {}
        self._sides: dict[Product, Sides | None] = {}
        self._known: dict[tuple[tuple[int, ...], tuple[Part, ...]], Moment] = {}
        self.worst_error = 0.0

    def average(self, terms: Sequence[tuple[tuple[tuple[int, Product], ...], int]]) -> float:
        """Average a sum of atoms ``((input, product), ...)`` with coefficients.

        Raises:
            Divergent: the average is infinite or undefined.
            UnsupportedError: more than four distinct inputs, or a product without a definite meaning.
        """
        groups: dict[tuple[int, ...], dict[tuple[Product, ...], float]] = {}
        for atom, coefficient in terms:
            weight, kept = float(coefficient), []
            for i, product in atom:
                if self._covariance[i, i] == 0:
                    weight *= self._at_zero(product)
                else:
                    kept.append((i, product))
            group = groups.setdefault(tuple(i for i, _ in kept), {})
            key = tuple(product for _, product in kept)
            group[key] = group.get(key, 0.0) + weight
        value = error = size = 0.0
        for inputs, group in groups.items():
            if len(inputs) > MOST_INPUTS:
                raise UnsupportedError(
                    f"a kinked activation at {len(inputs)} distinct inputs in one average; at most {MOST_INPUTS} can be"
                )
            for weight, parts in self._parts(group):
                moment = self._mixed(inputs, parts)
                value += weight * moment.value
                error += abs(weight) * moment.error
                size += abs(weight) * moment.size
        if size:
            self.worst_error = max(self.worst_error, error / size)
        return value

    def _at_zero(self, product: Product) -> float:
        """Evaluate a product at a variable that is always zero."""
        for _, name, order in singular_lines(product, self._functions):
            if 0.0 in self._functions[name].kinks:
                raise Divergent(
                    f"{show(((name, order),))} has no value at its kink x = 0, and the variance there is zero"
                )
        return value_at(product, 0.0, self._functions)

    def _parts(self, group: Mapping[tuple[Product, ...], float]) -> list[tuple[float, tuple[Part, ...]]]:
        """Expand a sum of products into ordinary functions and deltas, equal ones collected."""
        collected: dict[tuple[Part, ...], float] = {}
        if () in group:
            return [(group[()], ())]
        for term, coefficient in reduce_terms(group, self._functions).items():
            slots: list[list[tuple[Part, float]]] = []
            for legs, product in term:
                if (legs, product) not in self._distributions:
                    self._distributions[legs, product] = distribution(legs, product, self._functions)
                slots.append(self._choices(self._distributions[legs, product]))
            for choice in cartesian(*slots):
                key = tuple(part for part, _ in choice)
                weight = coefficient * math.prod(w for _, w in choice)
                collected[key] = collected.get(key, 0.0) + weight
        return [(weight, parts) for parts, weight in collected.items() if weight]

    def _choices(self, given: Distribution) -> list[tuple[Part, float]]:
        ordinary: list[tuple[Part, float]] = [
            (product, w) for product, w in given.regular if self._polynomials(product) != ((), ())
        ]
        return ordinary + [(Delta(*key), w) for key, w in given.deltas]

    def _polynomials(self, product: Product) -> Sides | None:
        """Polynomials on the two sides of zero, None where the product is of another kind; empty ones are zero."""
        if product not in self._sides:
            self._sides[product] = self._find_polynomials(product)
        return self._sides[product]

    def _find_polynomials(self, product: Product) -> Sides | None:
        both: list[tuple[float, ...]] = []
        for side in (0, -1):
            total = np.ones(1)
            for name, order in product:
                factor = np.array([0.0, 1.0])
                if name != IDENTITY:
                    function = self._functions[name]
                    if any(function.kinks):
                        return None
                    coefficients = function.piece_coefficients(side % len(function.pieces))
                    if coefficients is None:
                        return None
                    factor = np.polynomial.polynomial.polyder(np.array(coefficients), order)
                total = np.polynomial.polynomial.polymul(total, factor)
            both.append(tuple(total.tolist()) if total.any() else ())
        return both[0], both[1]

    def _mixed(self, inputs: tuple[int, ...], parts: tuple[Part, ...]) -> Moment:
        """Average a product of ordinary functions and deltas."""
        kept = [(i, part) for i, part in zip(inputs, parts, strict=True) if part != ()]
        inputs, parts = tuple(i for i, _ in kept), tuple(part for _, part in kept)
        key = (inputs, parts)
        if key not in self._known:
            raised = [n for n, part in enumerate(parts) if isinstance(part, Delta) and part.order]
            if raised and self._meet(inputs, parts):
                self._known[key] = self._lowered(inputs, parts, raised[0])
            elif raised:
                self._known[key] = Moment(0.0, 0.0, 0.0)
            else:
                self._known[key] = self._leaf(inputs, parts)
        return self._known[key]

    def _meet(self, inputs: tuple[int, ...], parts: tuple[Part, ...]) -> bool:
        """Say whether all deltas can be met at once.

        Raises:
            Divergent: they always are, because the variables are linearly dependent.
        """
        fixed: tuple[int, ...] = ()
        positions: list[float] = []
        for i, part in zip(inputs, parts, strict=True):
            if not isinstance(part, Delta):
                continue
            if float(self._moments.covariance(fixed, i, i)) <= COLLINEAR * self._covariance[i, i]:
                mean = self._mean(fixed, positions, i)
                if abs(mean - part.position) > 1e-12 * max(abs(mean), abs(part.position)):
                    return False
                raise Divergent(
                    f"a delta at x = {part.position:g} is met by deltas of other inputs whose preactivations "
                    "determine this one: the average is infinite"
                )
            fixed, positions = (*fixed, i), [*positions, part.position]
        return True

    def _mean(self, fixed: tuple[int, ...], positions: Sequence[float], i: int) -> float:
        """Mean of a variable given others."""
        if not any(positions):
            return 0.0
        weights = self._solve(fixed, i)
        return float(sum(w * Fraction(x) for w, x in zip(weights, positions, strict=True)))

    def _solve(self, fixed: tuple[int, ...], i: int) -> list[Fraction]:
        """Coefficients of the conditional mean of a variable in the values of others, exactly."""
        if not fixed:
            return []
        before, b = fixed[:-1], fixed[-1]
        last = self._moments.covariance(before, i, b) / self._moments.covariance(before, b, b)
        return [x - last * y for x, y in zip(self._solve(before, i), self._solve(before, b), strict=True)] + [last]

    def _lowered(self, inputs: tuple[int, ...], parts: tuple[Part, ...], slot: int) -> Moment:
        """Lower the order of one delta by Stein's lemma, solved for the variables that carry deltas."""
        lower = list(parts)
        part = parts[slot]
        assert isinstance(part, Delta)
        lower[slot] = Delta(part.position, part.order - 1)
        carriers = [n for n, item in enumerate(parts) if isinstance(item, Delta)]
        value = error = size = 0.0

        def add(weight: float, changes: Mapping[int, Part]) -> None:
            nonlocal value, error, size
            if weight:
                moment = self._mixed(inputs, tuple(changes.get(n, item) for n, item in enumerate(lower)))
                value += weight * moment.value
                error += abs(weight) * moment.error
                size += abs(weight) * moment.size

        # row `slot` of the inverse covariance of the carriers, from the regression on the other carriers
        others = tuple(inputs[n] for n in carriers if n != slot)
        left = self._moments.covariance(others, inputs[slot], inputs[slot])
        solved = dict(zip((n for n in carriers if n != slot), self._solve(others, inputs[slot]), strict=True))
        row = {n: (Fraction(1) if n == slot else -solved[n]) / left for n in carriers}
        for n, strength in row.items():
            item = lower[n]
            assert isinstance(item, Delta)
            add(float(strength) * item.position, {})
            if item.order:
                add(-float(strength) * item.order, {n: Delta(item.position, item.order - 1)})
        for n, item in enumerate(parts):
            if isinstance(item, Delta):
                continue
            shared = sum(s * self._moments.covariance((), inputs[m], inputs[n]) for m, s in row.items())
            if item not in self._derivatives:
                self._derivatives[item] = derivative(Distribution(((item, 1.0),)), self._functions)
            for new, weight in self._choices(self._derivatives[item]):
                add(-float(shared) * weight, {n: new})
        return Moment(value, error, size)

    def _leaf(self, inputs: tuple[int, ...], parts: tuple[Part, ...]) -> Moment:
        """Average ordinary functions and plain deltas: the density of the deltas times a conditional average."""
        if not self._meet(inputs, parts):
            return Moment(0.0, 0.0, 0.0)
        factor, fixed, positions = 1.0, (), []  # type: float, tuple[int, ...], list[float]
        for i, part in zip(inputs, parts, strict=True):
            if isinstance(part, Delta):
                spread = math.sqrt(self._moments.covariance(fixed, i, i))
                factor *= bell((part.position - self._mean(fixed, positions, i)) / spread) / spread
                fixed, positions = (*fixed, i), [*positions, part.position]
        free: list[tuple[int, Product, float]] = []
        for i, part in zip(inputs, parts, strict=True):
            if isinstance(part, Delta):
                continue
            mean = self._mean(fixed, positions, i)
            if float(self._moments.covariance(fixed, i, i)) <= COLLINEAR * self._covariance[i, i]:
                factor *= value_at(part, self._snapped(part, mean), self._functions)
            else:
                free.append((i, part, mean))
        if not free:
            return Moment(factor, 1e-15 * abs(factor), abs(factor))
        if not factor:
            return Moment(0.0, 0.0, 0.0)
        moment = self._ordinary(fixed, tuple(positions), free)
        return Moment(factor * moment.value, abs(factor) * moment.error, abs(factor) * moment.size)

    def _snapped(self, product: Product, x: float) -> float:
        """Undo the rounding of a point that is meant to be a kink."""
        for name in {name for name, _ in product} - {IDENTITY}:
            for kink in self._functions[name].kinks:
                if abs(x - kink) <= 1e-12 * abs(kink):
                    return kink
        return x

    def _ordinary(
        self, fixed: tuple[int, ...], positions: tuple[float, ...], free: Sequence[tuple[int, Product, float]]
    ) -> Moment:
        sides = [self._polynomials(product) for _, product, _ in free]
        alive = tuple(i for i, _, _ in free)
        if any(mean for _, _, mean in free) or any(side is None for side in sides):
            key = (fixed, positions, alive)
            if key not in self._methods:
                k = np.array([[float(self._moments.covariance(fixed, i, j)) for j in alive] for i in alive])
                mean = np.array([m for _, _, m in free])
                self._methods[key] = smear(self._functions, mean, k) or NestedAverages(self._functions, mean, k)
            return self._methods[key].average(tuple(product for _, product, _ in free))
        value = error = size = 0.0
        for choice in cartesian(*(polynomial_terms(*side) for side in sides if side is not None)):
            weight = math.prod(c for _, c in choice)
            moment = self._moments.conditional(fixed, alive, tuple(powers for powers, _ in choice))
            value += weight * moment.value
            error += abs(weight) * moment.error
            size += abs(weight) * moment.size
        return Moment(value, error, size)
