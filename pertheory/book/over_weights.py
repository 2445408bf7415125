"""Expectations over the weights and biases of one layer, the layer below held fixed, exact in its width n.

Numbers of the layer below are whole: every sample has one activation on each of `BELOW` neurons. Averages <...> have
the stochastic metric as covariance, which raises indices.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import prod
from typing import Any

from pertheory.algebra.dual import Dual, dual, lean
from pertheory.algebra.gaussian import GaussianMoments
from pertheory.algebra.linear import identity, solve_rational
from pertheory.algebra.polynomial import add_into, collected
from pertheory.book import syntax
from pertheory.book.forward import forward, fresh_parameters
from pertheory.book.neurons import Neurons, check_piece, factors, without
from pertheory.book.point import Point, Polynomial, product_of
from pertheory.book.route_numeric import Place
from pertheory.book.syntax import Node
from pertheory.errors import InputError
from pertheory.memo import kept, remembered
from pertheory.rulebook.network import Network

#: neurons of the layer below; at least one fewer than there may be different samples, so that hatG has its inverse
BELOW = 3
PARAMETERS = frozenset({"W", "b"})


class Conditional(Point):
    """A random point at which the activations of the layer below are fixed numbers.

    Args:
        rule: the network, for the stochastic metric and the variances.
        neurons, samples, seed: as for `Point`.
    """

    def __init__(self, rule: Network, neurons: int, samples: int, seed: str) -> None:
        super().__init__(samples, seed, neurons=neurons)
        draw = random.Random(f"{seed} below")
        self.below = [[draw.choice([-1, 1]) * draw.randint(1, 30) for _ in range(samples)] for _ in range(BELOW)]
        weight, self.variance_b = (self.scalars(join.factor.powers) for join in fresh_parameters(rule))
        self.variance_W = lean(Fraction(weight) / BELOW)
        self.use([[dual(self.metric(rule, a, b)) for b in range(samples)] for a in range(samples)])

    def symbol(self, name: str) -> Dual:
        """The value of a scalar; the width is what it is."""
        return dual(BELOW) if name == "n" else super().symbol(name)

    def metric(self, rule: Network, a: int, b: int) -> Fraction:
        """The stochastic metric between two samples, from moves 1 and 2."""
        total = Fraction(0)
        for mono, coefficient in forward(rule, "hatG", (0, 1)).items():
            value = coefficient * self.scalars(mono.scalars)
            if mono.lines:
                value *= sum((row[a] * row[b] for row in self.below), Fraction(0))
            total += value
        return total

    def raise_with_metric(self) -> bool:
        """Make the inverse of the stochastic metric raise indices; whether it has one."""
        inverse = solve_rational([[entry.value for entry in row] for row in self.kernel], identity(self.samples))
        if inverse is not None:
            self.inverse = inverse
        return inverse is not None


@remembered(maxsize=100)
def conditional_point(rule: Network, neurons: int, samples: int, seed: str) -> Conditional:
    """A point at which hatG has an inverse if it can have one."""
    for trial in range(5):
        point = Conditional(rule, neurons, samples, f"{seed} {trial}")
        if point.raise_with_metric() or samples > BELOW + 1:
            return point
    raise InputError("the stochastic metric has no inverse")


class Weights(Neurons):
    """Evaluates statements whose expectations are over explicit weights.

    Args:
        below: the neuron below of each sample label; the others are those of `Neurons`.
    """

    point: Conditional

    def __init__(
        self,
        rule: Network,
        samples: Place,
        point: Conditional,
        above: Place,
        summed: frozenset[str],
        below: Place,
    ) -> None:
        super().__init__(rule, samples, point, above, summed)
        self.lower = dict(below)
        self.parameters = point.neurons * (BELOW + 1)

    def meaning(self, node: Node, *place: Any) -> Polynomial:
        """What is known of the layer below; an expectation is the joint cumulant over W and b of its pieces."""
        match node:
            case syntax.Symbol("n"):
                return self.number(Fraction(BELOW))
            case syntax.Line(order, label, neuron):
                owner = neuron or label
                if order or owner not in self.lower:
                    raise InputError("only activations of the layer below, as s(3;b1), stand in a statement on weights")
                return self.number(Fraction(self.point.below[self.lower[owner]][place[0][label]]))
            case syntax.Mark("delta_j", (a, b)) if a in self.lower and b in self.lower:
                return self.number(Fraction(self.lower[a] == self.lower[b]))
            case syntax.Mark("hatG", (a, b)):
                return self.point.number(self.point.kernel[place[0][a]][place[0][b]])
            case syntax.Mark(name) if name in PARAMETERS:
                raise InputError(f"{name} may only be a factor inside E[...]")
            case syntax.Expectation(pieces):
                found = [self.opened(piece, *place) for piece in pieces]
                return self.point.number(self.joint_cumulant(found, self.over_parameters))
        return super().meaning(node, *place)

    def opened(self, piece: Node, place: Place) -> Polynomial:
        """A piece as a polynomial in W and b."""
        weights = [factor for factor in factors(piece) if isinstance(factor, syntax.Mark) and factor.name in PARAMETERS]
        rest = without(piece, weights)
        check_piece(rest)
        found = self.horner(self.interpret(rest, place), 0)
        for weight in weights:
            (label,) = weight.labels
            if label not in self.lower:
                raise InputError(f"{weight.name} stands at a sample of the statement, not at {label}")
            own = self.weight(self.neurons[label], self.lower[label] if weight.name == "W" else BELOW)
            found = product_of(found, {self.unit(own): dual(1)})
        return found

    def weight(self, above: int, below: int) -> int:
        """The number of a weight among the parameters; the bias of a neuron stands behind its weights."""
        return above * (BELOW + 1) + below

    def unit(self, parameter: int) -> tuple[int, ...]:
        """The exponents of one parameter."""
        return tuple([int(i == parameter) for i in range(self.parameters)])

    @kept
    def preactivation(self, field: int) -> Polynomial:
        """z = b + sum of W s at a field."""
        neuron, sample = self.point.place(field)
        total = {self.unit(self.weight(neuron, BELOW)): dual(1)}
        for below in range(BELOW):
            total[self.unit(self.weight(neuron, below))] = dual(self.point.below[below][sample])
        return total

    def horner(self, polynomial: Polynomial, field: int) -> Polynomial:
        """A polynomial in the fields as one in W and b, by Horner's rule in one field after the other, from one on."""
        if field == len(self.point.one):  # what is left is one monomial, all of its powers taken out
            return collected(((0,) * self.parameters, value) for value in polynomial.values())
        by_power: dict[int, Polynomial] = {}
        for exponents, value in polynomial.items():
            by_power.setdefault(exponents[field], {})[exponents] = value
        total: Polynomial = {}
        for power in range(max(by_power, default=0), -1, -1):
            total = product_of(total, self.preactivation(field))
            if power in by_power:
                add_into(total, self.horner(by_power[power], field + 1))
        return total

    def over_parameters(self, polynomial: Polynomial) -> Dual:
        """The average over independent Gaussian W and b."""
        variances = (self.point.variance_W,) * BELOW + (self.point.variance_b,)
        moments = [GaussianMoments([[variance]], Fraction) for variance in variances * self.point.neurons]
        total = dual(0)
        for exponents, value in polynomial.items():
            averages = (own.moment((power,)) for own, power in zip(moments, exponents, strict=True))
            total = total + value * dual(prod(averages, start=Fraction(1)))
        return total
