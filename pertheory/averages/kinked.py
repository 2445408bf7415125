"""Gaussian averages with kinked activations, on up to four distinct inputs.

What stands at one input is brought to a distribution (`reduce.py`). Derivatives of deltas are
removed by Stein's lemma, deltas fix their variables, and what remains are ordinary functions of variables with
the conditional mean and covariance: moments on orthants (`methods/orthants.py`) for piecewise
polynomials with their kink at zero, smeared kinks (`methods/smeared.py`) for the rest, and nested panels
(`methods/nested.py`) where nothing is left that smears them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product as cartesian
from typing import NamedTuple, TypeAlias

import numpy as np

from pertheory.averages.atoms import IDENTITY, Product
from pertheory.averages.conditions import Condition, Conditions
from pertheory.averages.methods.nested import NestedAverages
from pertheory.averages.methods.orthants import Moment, OrthantMoments, polynomial_terms
from pertheory.averages.methods.smeared import SingleAverages, SmearedAverages, Smearing
from pertheory.averages.quadrature import Array
from pertheory.averages.reduce import (
    Distribution,
    Divergent,
    Sides,
    derivative,
    distribution,
    polynomial_sides,
    reduce_terms,
    show,
    singular_lines,
    value_at,
)
from pertheory.errors import UnsupportedError
from pertheory.rulebook.activation import Activation

__all__ = ["Divergent", "KinkedAverages"]

#: Distinct inputs that one average may have.
MOST_INPUTS = 4
#: A sum is told from zero where it is larger than so many errors, and than this part of its terms.
TOLD, CANCELLED = 100.0, 1e-9


class Delta(NamedTuple):
    """A derivative of a delta at a position."""

    position: float
    order: int


#: What stands at one variable: an ordinary product or a delta.
Part: TypeAlias = Product | Delta


#: A product of lines per input, and a coefficient.
Atom: TypeAlias = tuple[tuple[tuple[int, Product], ...], int]

#: Fixed inputs, their values, inputs that fluctuate.
Setting: TypeAlias = tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...]]


class Sum:
    """A sum of moments with weights, and the largest scale of one."""

    def __init__(self) -> None:
        self.moment = Moment(0.0, 0.0, 0.0)
        self.largest = 0.0

    def add(self, weight: float, moment: Moment) -> None:
        """Add a moment."""
        value, error, size = self.moment
        self.largest = max(self.largest, abs(weight) * moment.size)
        self.moment = Moment(
            value + weight * moment.value, error + abs(weight) * moment.error, size + abs(weight) * moment.size
        )


class KinkedAverages:
    """Averages of sums of atoms over one covariance.

    Args:
        functions: activations by name.
        covariance: over all inputs.
        rtol: the error to aim at, relative to the scale of each average.

    Attributes:
        worst_error: largest error estimate so far, relative to the scale of the average.
    """

    def __init__(self, functions: Mapping[str, Activation], covariance: Array, rtol: float = 1e-8) -> None:
        self._functions = dict(functions)
        self._covariance = covariance
        self._moments = OrthantMoments(covariance)
        self._conditions = Conditions(covariance, self._moments)
        self._smearing = Smearing(functions, rtol)
        self._rtol = rtol
        self._nested: dict[Setting, NestedAverages] = {}
        self._methods: dict[Setting, SingleAverages | SmearedAverages | NestedAverages] = {}
        self._expanded: dict[tuple[tuple[tuple[Product, ...], float], ...], list[tuple[float, tuple[Part, ...]]]] = {}
        self._distributions: dict[tuple[int, Product], Distribution] = {}
        self._derivatives: dict[Product, list[tuple[Part, float]]] = {}
        self._sides: dict[Product, Sides | None] = {}
        self._known: dict[tuple[tuple[int, ...], tuple[Part, ...]], Moment] = {}
        self.worst_error = 0.0

    def average(self, terms: Sequence[Atom]) -> float:
        """Average a sum of atoms ``((input, product), ...)`` with coefficients; see `moment`."""
        found = self.moment(terms)
        if found.size:
            self.worst_error = max(self.worst_error, found.error / found.size)
        return found.value

    def moment(self, terms: Sequence[Atom]) -> Moment:
        """Average a sum of atoms, with its error and the scale that the error is compared to.

        The scale of one term is the average of its absolute value. Where terms are summed (by the product rule, by
        what deltas leave) it is the absolute value of the sum, so that their cancellation counts as a loss; a sum
        that its error, or `CANCELLED`, does not tell from zero has the sum of the scales of its terms.

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
        total, raised = Sum(), False
        for inputs, group in groups.items():
            if len(inputs) > MOST_INPUTS:
                raise UnsupportedError(
                    f"a kinked activation at {len(inputs)} distinct inputs in one average; at most {MOST_INPUTS} can be"
                )
            for weight, parts in self._parts(group):
                total.add(weight, self._mixed(inputs, parts))
                raised |= any(isinstance(part, Delta) and part.order > 0 for part in parts)
        value, error, size = total.moment
        combined = raised or size > (1 + CANCELLED) * total.largest
        if combined and abs(value) > max(TOLD * error, CANCELLED * size):
            size = abs(value)
        return Moment(value, error, size)

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
        key = tuple(group.items())
        if key not in self._expanded:
            self._expanded[key] = self._expand(group)
        return self._expanded[key]

    def _expand(self, group: Mapping[tuple[Product, ...], float]) -> list[tuple[float, tuple[Part, ...]]]:
        if () in group:
            return [(group[()], ())]
        collected: dict[tuple[Part, ...], float] = {}
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
            self._sides[product] = polynomial_sides(product, self._functions)
        return self._sides[product]

    def _mixed(self, inputs: tuple[int, ...], parts: tuple[Part, ...]) -> Moment:
        """Average a product of ordinary functions and deltas."""
        if () in parts:
            kept = [(i, part) for i, part in zip(inputs, parts, strict=True) if part != ()]
            inputs, parts = tuple(i for i, _ in kept), tuple(part for _, part in kept)
        key = (inputs, parts)
        if key not in self._known:
            values = tuple(part.position if isinstance(part, Delta) else None for part in parts)
            condition = self._conditions.condition(inputs, values)
            raised = [n for n, part in enumerate(parts) if isinstance(part, Delta) and part.order]
            if condition is None:
                self._known[key] = Moment(0.0, 0.0, 0.0)
            elif raised:
                self._known[key] = self._lowered(inputs, parts, raised[0])
            else:
                self._known[key] = self._leaf(inputs, parts, condition)
        return self._known[key]

    def _lowered(self, inputs: tuple[int, ...], parts: tuple[Part, ...], slot: int) -> Moment:
        """Lower the order of one delta by Stein's lemma, solved for the variables that carry deltas."""
        lower = list(parts)
        part = parts[slot]
        assert isinstance(part, Delta)
        lower[slot] = Delta(part.position, part.order - 1)
        slots = [n for n, item in enumerate(parts) if isinstance(item, Delta)]
        carriers, place = tuple(inputs[n] for n in slots), slots.index(slot)
        total = Sum()

        def add(weight: float, changes: Mapping[int, Part]) -> None:
            if weight:
                total.add(weight, self._mixed(inputs, tuple(changes.get(n, item) for n, item in enumerate(lower))))

        for n, strength in zip(slots, self._conditions.row(carriers, place), strict=True):
            item = lower[n]
            assert isinstance(item, Delta)
            add(strength * item.position, {})
            if item.order:
                add(-strength * item.order, {n: Delta(item.position, item.order - 1)})
        for n, item in enumerate(parts):
            if isinstance(item, Delta):
                continue
            shared = self._conditions.drift(carriers, place, inputs[n])
            for new, weight in self._derived(item):
                add(-shared * weight, {n: new})
        return total.moment

    def _derived(self, item: Product) -> list[tuple[Part, float]]:
        if item not in self._derivatives:
            self._derivatives[item] = self._choices(derivative(Distribution(((item, 1.0),)), self._functions))
        return self._derivatives[item]

    def _leaf(self, inputs: tuple[int, ...], parts: tuple[Part, ...], condition: Condition) -> Moment:
        """Average ordinary functions and plain deltas: the density of the deltas times a conditional average."""
        factor = condition.density
        for slot, value in condition.determined:
            part = parts[slot]
            assert not isinstance(part, Delta)
            factor *= value_at(part, self._snapped(part, value), self._functions)
        if not condition.free:
            return Moment(factor, condition.doubt * abs(factor), abs(factor))
        if not factor:
            return Moment(0.0, 0.0, 0.0)
        products = tuple(part for slot in condition.free if not isinstance(part := parts[slot], Delta))
        moment = self._ordinary(condition, tuple(inputs[slot] for slot in condition.free), products)
        error = moment.error + condition.doubt * abs(moment.value)
        return Moment(factor * moment.value, abs(factor) * error, abs(factor) * moment.size)

    def _snapped(self, product: Product, x: float) -> float:
        """Undo the rounding of a point that is meant to be a kink."""
        for name in {name for name, _ in product} - {IDENTITY}:
            for kink in self._functions[name].kinks:
                if abs(x - kink) <= 1e-12 * abs(kink):
                    return kink
        return x

    def _ordinary(self, condition: Condition, alive: tuple[int, ...], products: tuple[Product, ...]) -> Moment:
        """Average ordinary functions of variables that fluctuate."""
        sides = [self._polynomials(product) for product in products]
        if any(condition.means) or any(side is None for side in sides):
            key = (condition.fixed, condition.positions, alive)
            if key not in self._methods:
                exact = [[self._moments.covariance(condition.fixed, i, j) for j in alive] for i in alive]
                mean, k = np.array(condition.means), np.array(exact, dtype=float)
                self._methods[key] = self._smearing.prepare(mean, k) or NestedAverages(self._functions, mean, exact)
            found = self._methods[key].average(products)
            return found if found.error <= self._rtol * found.size else self._again(key, condition, products, found)
        total = Sum()
        for choice in cartesian(*(polynomial_terms(*side) for side in sides if side is not None)):
            powers = tuple(power for power, _ in choice)
            total.add(math.prod(c for _, c in choice), self._moments.average(condition.fixed, alive, powers))
        return total.moment

    def _again(self, key: Setting, condition: Condition, products: tuple[Product, ...], found: Moment) -> Moment:
        """Average by nested panels what is not accurate enough, if they can do better."""
        fixed, _, alive = key
        if key not in self._nested:
            k = [[self._moments.covariance(fixed, i, j) for j in alive] for i in alive]
            self._nested[key] = NestedAverages(self._functions, np.array(condition.means), k)
        try:
            other = self._nested[key].average(products)
        except UnsupportedError:
            return found
        return other if other.error < found.error else found
