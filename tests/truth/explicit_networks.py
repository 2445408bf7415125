"""Brute force for networks with several channels: every parameter a variable, the outputs multiplied out.

The architecture is that of exact_networks.py, of which only the data is used. Outputs are polynomials in all weights
and biases; derivatives are contracted by a sum over all parameters, one edge after the other, and the Gaussian
variables are integrated one by one. Nothing is clever, so that nothing can be wrong in a clever way; it takes one or
two neurons a layer and functions of low degree.
"""

import math
from fractions import Fraction
from functools import cache, reduce

from .exact_networks import Architecture, Bias, Identity, Weight
from .explicit_weights import Polynomial, _averaged_product, _compose, _set_partitions


class ExplicitNetwork:
    """All parameters of one small network.

    Args:
        architecture: its first-layer matrices are not used; see the next two.
        inputs: one vector for each sample; the first layer is ``z = b + W x``.
        first: variance and rate of its bias, variance and rate of its weight (divided by the number of inputs).
        widths: the numbers of neurons behind the width symbols of the architecture.
        outputs: how many neurons of the last step are built.
    """

    def __init__(self, architecture: Architecture, inputs, first, widths, outputs: int) -> None:
        self.variances: list[Fraction] = []
        self.rates: list[Fraction] = []
        bias, weight = Bias(*first[:2]), Weight((Fraction(0), Fraction(1)), "x", *first[2:])
        signals = {"x": [[Polynomial.constant(x) for x in vector] for vector in inputs]}
        steps = (dict.fromkeys(architecture.covariance, (bias, weight)), *architecture.steps)
        counts = [{"x": len(inputs[0])}]
        counts += [{field: widths[symbol] for field, symbol in below.items()} for below in architecture.widths]
        for number, step in enumerate(steps):
            rows = counts[number + 1] if number + 1 < len(steps) else dict.fromkeys(step, outputs)
            signals = {
                field: self._field(channels, signals, counts[number], rows[field]) for field, channels in step.items()
            }
        self.outputs = signals

    def _parameter(self, variance: Fraction, rate: Fraction) -> Polynomial:
        self.variances.append(Fraction(variance))
        self.rates.append(Fraction(rate))
        return Polynomial.variable(len(self.variances) - 1)

    def _field(self, channels, below, count, rows: int) -> list[list[Polynomial]]:
        samples = range(len(next(iter(below.values()))))
        made = [[Polynomial.constant(0)] * rows for _ in samples]
        for row in range(rows):
            for channel in channels:
                if isinstance(channel, Bias):
                    own = self._parameter(channel.variance, channel.rate)
                    parts = [own for _ in samples]
                elif isinstance(channel, Identity):
                    factor = Polynomial.constant(channel.factor)
                    parts = [factor.times(_compose(channel.function, below[channel.of][a][row])) for a in samples]
                else:
                    n = count[channel.of]
                    weights = [self._parameter(channel.variance / n, channel.rate / n) for _ in range(n)]
                    parts = [
                        reduce(
                            Polynomial.plus,
                            (
                                w.times(_compose(channel.function, y))
                                for w, y in zip(weights, below[channel.of][a], strict=True)
                            ),
                        )
                        for a in samples
                    ]
                for a in samples:
                    made[a][row] = made[a][row].plus(parts[a])
        return made

    def moment(self, vertices, edges, neurons, samples, field: str) -> Fraction:
        """The expectation of a forest."""
        factors = {u: self.outputs[field][samples[u]][neurons[u]] for u in vertices}

        def contract(rest, factors) -> Fraction:
            if not rest:
                return self._average(tuple(factors.values()))
            (u, v), *rest = rest
            total = Fraction(0)
            for number, rate in enumerate(self.rates):
                if rate:
                    left, right = factors[u].derivative(number), factors[v].derivative(number)
                    if left.terms and right.terms:
                        total += rate * contract(rest, {**factors, u: left, v: right})
            return total

        return contract(list(edges), factors)

    def _average(self, factors: tuple[Polynomial, ...]) -> Fraction:
        return _averaged_product(factors, dict(enumerate(self.variances))).value()


def explicit_cumulant(network: ExplicitNetwork, vertices: int, edges, neurons, samples, field="z") -> Fraction:
    """The joint cumulant of the trees of a forest, vertex u being output neuron ``neurons[u]``."""
    root = list(range(vertices))
    for u, v in edges:
        root = [root[u] if r == root[v] else r for r in root]
    trees = [frozenset(u for u in range(vertices) if root[u] == r) for r in sorted(set(root))]

    @cache
    def moment(chosen: frozenset[int]) -> Fraction:
        inside = [(u, v) for u, v in edges if u in chosen]
        return network.moment(sorted(chosen), inside, neurons, samples, field)

    total = Fraction(0)
    for partition in _set_partitions(trees):
        sign = (-1) ** (len(partition) - 1) * math.factorial(len(partition) - 1)
        total += sign * math.prod(moment(frozenset().union(*block)) for block in partition)
    return total
