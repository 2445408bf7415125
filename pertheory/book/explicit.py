"""A small perceptron with explicit rational parameters, differentiated with respect to all of them, exactly.

It knows nothing of graphs or averages: preactivations are Taylor polynomials in the changes of the parameters, and a
tree of contracted derivatives is a sum over parameters. Statements that hold before any average (forward equations, the
first layer) are compared with it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import permutations
from math import factorial, perm, prod

from pertheory.algebra.dual import lean
from pertheory.algebra.polynomial import add_into, multiply_sums
from pertheory.graphs.partitions import joint_cumulant
from pertheory.memo import kept
from pertheory.rulebook.observable import SHAPES

#: a polynomial in the changes of the parameters: sorted parameters of each monomial
Taylor = dict[tuple[int, ...], Fraction]
#: third derivatives stand in the trees of four vertices
TOP = 3
WIDTH = 2
INPUTS = 2
ACTIVATION_DEGREE = 4


class Explicit:
    """A perceptron with parameters drawn at random.

    Args:
        layers: how many layers of weights.
        samples: how many inputs.
        neurons: how many neurons the last layer has; the layers below have `WIDTH`.
        symbols: the values of couplings, by name.
        seed: fixes everything.
    """

    def __init__(self, layers: int, samples: int, neurons: int, symbols: Mapping[str, Fraction], seed: str) -> None:
        self.draw = random.Random(seed)
        self.symbols = symbols
        self.rates: list[Fraction] = []
        self.variances: list[Fraction] = []
        self.values: list[Fraction] = []
        self.layer_of: list[int] = []
        self.activation = [self.number() for _ in range(ACTIVATION_DEGREE + 1)]
        self.inputs = [[self.number() for _ in range(INPUTS)] for _ in range(samples)]
        self.weights: dict[tuple[int, int, int], int] = {}
        self.biases: dict[tuple[int, int], int] = {}
        self.width = [INPUTS, *[WIDTH] * (layers - 1), neurons]
        for layer in range(1, layers + 1):
            below = self.width[layer - 1]
            for neuron in range(self.width[layer]):
                self.biases[layer, neuron] = self.parameter(layer, "lambda_b", "C_b", 1)
                for j in range(below):
                    self.weights[layer, neuron, j] = self.parameter(layer, "lambda_W", "C_W", below)

    def number(self) -> Fraction:
        """A random whole number that is not zero."""
        return lean(self.draw.choice([-1, 1]) * self.draw.randint(1, 9))

    def parameter(self, layer: int, rate: str, variance: str, width: int) -> int:
        """A new parameter; its number."""
        self.values.append(self.number())
        self.rates.append(lean(Fraction(self.symbols.get(rate, 0)) / width))
        self.variances.append(lean(Fraction(self.symbols.get(variance, 0)) / width))
        self.layer_of.append(layer)
        return len(self.values) - 1

    def weight(self, layer: int, neuron: int, below: int) -> Fraction:
        """The value of a weight."""
        return self.values[self.weights[layer, neuron, below]]

    @kept
    def preactivation(self, layer: int, neuron: int, sample: int) -> Taylor:
        """A preactivation, expanded in all parameters up to the third order."""
        total = self.shifted(self.biases[layer, neuron])
        for j in range(self.width[layer - 1]):
            add_into(total, times(self.shifted(self.weights[layer, neuron, j]), self.below(layer, j, sample)))
        return total

    def shifted(self, parameter: int) -> Taylor:
        """A parameter as value and change."""
        return {(): self.values[parameter], (parameter,): lean(1)}

    def below(self, layer: int, neuron: int, sample: int) -> Taylor:
        """What a weight of a layer multiplies: an input, or an activation."""
        if layer == 1:
            return {(): self.inputs[sample][neuron]}
        inside = dict(self.preactivation(layer - 1, neuron, sample))
        at = inside.pop((), lean(0))
        total: Taylor = {}
        power: Taylor = {(): lean(1)}
        for order in range(TOP + 1):
            add_into(total, power, lean(Fraction(self.function(order, at), factorial(order))))
            power = times(power, inside)
        return total

    def function(self, order: int, at: Fraction) -> Fraction:
        """A derivative of the activation."""
        powers = list(enumerate(self.activation))[order:]
        return sum((c * perm(power, order) * at ** (power - order) for power, c in powers), lean(0))

    def line(self, layer: int, order: int, neuron: int, sample: int) -> Fraction:
        """A derivative of the activation of a neuron."""
        return self.function(order, self.preactivation(layer, neuron, sample).get((), lean(0)))

    @kept
    def tree(self, layer: int, shape: str, places: tuple[tuple[int, int], ...]) -> Fraction:
        """A tree of contracted derivatives, every edge summed over all parameters with their learning rates.

        Args:
            layer: where its vertices are.
            shape: "z", "H", "dH", "ddH_I" or "ddH_II".
            places: neuron and sample of each vertex.
        """
        around: dict[int, list[int]] = {vertex: [] for vertex in range(len(places))}
        for u, v in SHAPES[shape][1]:
            around[u].append(v)
            around[v].append(u)

        def contracted(vertex: int, above: int) -> dict[int, Fraction]:
            """What a vertex and all behind it give for each parameter of the edge to the vertex above."""
            others = [v for v in around[vertex] if v != above]
            arms = [contracted(v, vertex) for v in others]
            total: dict[int, Fraction] = {}
            for parameters, value in self.derivatives(layer, *places[vertex], len(around[vertex])).items():
                own, rest = (parameters[0], parameters[1:]) if above >= 0 else (-1, parameters)
                for parameter, arm in zip(rest, arms, strict=True):
                    value *= self.rates[parameter] * arm.get(parameter, 0)
                    if not value:
                        break
                else:
                    total[own] = total.get(own, 0) + value
            return total

        return contracted(0, -1).get(-1, lean(0))

    def derivatives(self, layer: int, neuron: int, sample: int, order: int) -> dict[tuple[int, ...], Fraction]:
        """All partial derivatives of an order, by the parameters in every order."""
        found: dict[tuple[int, ...], Fraction] = {}
        for parameters, coefficient in self.preactivation(layer, neuron, sample).items():
            if len(parameters) == order:
                value = coefficient
                for count in Counter(parameters).values():
                    value *= factorial(count)
                for ordered in set(permutations(parameters)):
                    found[ordered] = value
        return found

    def cumulant(self, layer: int, places: Sequence[tuple[int, int]]) -> Fraction:
        """The joint cumulant of preactivations over the Gaussian parameters of their layer, what is below held fixed.

        Every product of parameters is averaged by itself: nothing is taken from pairings of preactivations.
        """

        def moment(block: Sequence[int]) -> Fraction:
            total: Taylor = {(): lean(1)}
            for i in block:
                own = {p: c for p, c in self.derivatives(layer, *places[i], 1).items() if self.layer_of[p[0]] == layer}
                total = multiply_sums(total, own, lambda a, b: tuple(sorted(a + b)))
            means = (c * prod(self.average(p, k) for p, k in Counter(key).items()) for key, c in total.items())
            return sum(means, Fraction(0))

        return Fraction(joint_cumulant(len(places), moment, Fraction))

    def average(self, parameter: int, power: int) -> Fraction:
        """The Gaussian average of a power of a parameter."""
        return Fraction(0) if power % 2 else self.variances[parameter] ** (power // 2) * prod(range(1, power, 2))


def times(a: Taylor, b: Taylor) -> Taylor:
    """The product up to the third order."""
    return multiply_sums(a, b, joined)


@lru_cache(maxsize=100_000)
def joined(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The parameters of a product of monomials; None beyond the third order."""
    return tuple(sorted(a + b)) if len(a) + len(b) <= TOP else None
