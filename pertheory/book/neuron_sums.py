"""Joint cumulants one layer up by plain sums over neurons: a second route to all that moves 3 to 5 do.

Every tree is written out by its forward equation (moves 1 and 2), the fresh weights and biases are averaged pair by
pair, and the sums over neurons below are written as plain moments: coinciding neurons bring falling factorials
n (n-1) .., the moments of what stands on the neurons come from the cumulants of the layer below. The engine connects
its diagrams otherwise (joint cumulants with free sums), so its recursions meet an independent computation here.

Numbers are value + slope/n_prev with n/n_prev held fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from pertheory.algebra.dual import SMALL, Dual, dual
from pertheory.book.canonical import Mono
from pertheory.book.cumulants import FieldMoments, PlacedTree
from pertheory.book.forward import Above, forward, fresh_parameters, shaped
from pertheory.book.point import Point, Polynomial, product_of
from pertheory.errors import UnsupportedError
from pertheory.graphs.partitions import joint_cumulant, pairings, set_partitions
from pertheory.rulebook.network import Network


class NeuronSums:
    """Joint cumulants of the layer above at a random point of the layer below.

    Args:
        rule: a network of one layer of weights and biases.
        point: the point, with a neuron below for each site that there may be.
        samples: the sample of each vertex above.
    """

    def __init__(self, rule: Network, point: Point, samples: Sequence[int]) -> None:
        self.rule, self.point, self.samples = rule, point, samples
        self.moments = FieldMoments(rule, point)
        self.ratio = Fraction(point.symbol("n").value, point.symbol("n_prev").value)
        weight, bias = fresh_parameters(rule)
        if weight.functions != ("s", "s"):
            raise UnsupportedError("sums over neurons are written out for a function s")
        self.weight, self.bias = (point.scalars(join.factor.powers) for join in (weight, bias))
        self.known: dict[object, Dual] = {}

    def cumulant(self, pieces: Sequence[Sequence[Above]], neurons: Mapping[int, int]) -> Dual:
        """The joint cumulant of products of trees.

        Args:
            pieces: each a product of trees; "hatG" is the stochastic metric between two samples.
            neurons: the neuron above of each vertex.
        """

        def moment(block: tuple[int, ...]) -> Dual:
            return self.moment([tree for i in block for tree in pieces[i]], neurons)

        found: Dual = joint_cumulant(len(pieces), moment, dual)
        return found

    def moment(self, trees: Sequence[Above], neurons: Mapping[int, int]) -> Dual:
        """The expectation of a product of trees."""
        total = dual(0)
        for choice in product(*(forward(self.rule, *tree).items() for tree in trees)):
            monos = [mono for mono, _ in choice]
            value = prod((coefficient for _, coefficient in choice), start=Fraction(1))
            marks = [mark for mono in monos for mark in mono.marks]
            joined = [labels for name, labels in marks if name == "delta"]
            if any(neurons[a] != neurons[b] for a, b in joined):
                continue
            weights = [labels[0] for name, labels in marks if name == "W"]
            biases = [labels[0] for name, labels in marks if name == "b"]
            widthless = [power for mono in monos for power in mono.scalars if power[0] != "n"]  # n goes with the sites
            value *= self.point.scalars(tuple(widthless))
            sites = [pair for pair in joined if any(self.has_site(pair, mono) for mono in monos)]
            for over_biases in _pairings(biases, neurons):
                for over_weights in _pairings(weights, neurons):
                    variances = [*[self.weight] * len(over_weights), *[self.bias] * len(over_biases)]
                    factor = dual(prod(variances, start=value))
                    stands = (*sites, *over_weights, *self.metric_sites(monos))
                    total = total + factor * self.below(monos, stands)
        return total

    @staticmethod
    def has_site(pair: tuple[int, ...], mono: Mono) -> bool:
        """Whether functions stand where a step joins two vertices, so that there is a neuron to sum."""
        return any(sample in pair for sample, _ in mono.lines)

    @staticmethod
    def metric_sites(monos: Sequence[Mono]) -> list[tuple[int, ...]]:
        """The sites of stochastic metrics, which have no weights left."""
        return [tuple(s for s, _ in mono.lines) for mono in monos if mono.lines and not mono.marks]

    def below(self, monos: Sequence[Mono], sites: Sequence[tuple[int, ...]]) -> Dual:
        """The sum over the neurons of the sites of what stands on them, over n for each site."""
        lines = tuple(sorted(line for mono in monos for line in mono.lines))
        trees = tuple(sorted(labels for mono in monos for name, labels in mono.marks if name == "tree"))
        key = (lines, trees, tuple(sorted(sites)))
        if key in self.known:
            return self.known[key]
        total = dual(0)
        for partition in set_partitions(range(len(sites))):
            neuron = {
                vertex: number for number, block in enumerate(partition) for site in block for vertex in sites[site]
            }
            inside: Polynomial = {self.point.one: dual(1)}
            for vertex, order in lines:
                field = self.point.field(neuron[vertex], self.samples[vertex])
                inside = product_of(inside, self.point.function(order, field))
            placed = [
                PlacedTree(shape, tuple((neuron[v], self.samples[v]) for v in vertices))
                for shape, vertices in map(shaped, trees)
            ]
            total = total + self.coincident(len(sites), len(partition)) * self.moments.mean(inside, tuple(placed))
        self.known[key] = total
        return total

    def coincident(self, sites: int, neurons: int) -> Dual:
        """n (n-1) .. over n for each site, as a series in 1/n_prev."""
        value = dual(1)
        for number in range(neurons):
            value = value * Dual(Fraction(1), -number / self.ratio)
        for _ in range(sites - neurons):
            value = value * SMALL * dual(1 / self.ratio)
        return value


def _pairings(vertices: Sequence[int], neurons: Mapping[int, int]) -> Iterator[list[tuple[int, int]]]:
    """All ways to pair up parameters of the same neuron; of an odd number there is none."""
    if len(vertices) % 2:
        return
    for chosen in pairings(range(len(vertices))):
        pairs = [(vertices[u], vertices[v]) for u, v in chosen]
        if all(neurons[u] == neurons[v] for u, v in pairs):
            yield pairs
