"""The explicit route: statements that hold before any average, in a network with explicit rational parameters."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import prod

from pertheory.book import syntax
from pertheory.book.canonical import Mono, Poly
from pertheory.book.compare import relative
from pertheory.book.equation import Equation
from pertheory.book.explicit import INPUTS, WIDTH, Explicit
from pertheory.book.forward import METRIC, shaped
from pertheory.graphs.partitions import set_partitions

#: the network that explicit parameters are about
PERCEPTRON = "mlp"
#: tensors that have a value in an explicit first layer
OF_FIRST_LAYER = frozenset({"G", "H", "V"})


def first_layer_residual(equation: Equation, left: syntax.Component, labels: tuple[int, ...], right: Poly) -> float:
    """The relative difference of a tensor of the first layer and what is stated of it."""
    network = explicit_network(1, len(labels), 2, couplings(equation), equation.number)
    places = tuple((place // 2, label) for place, label in enumerate(labels))  # V is on two neurons
    found = network.tree(1, "H", places) if left.name == "H" else network.cumulant(1, places)

    def input_product(a: int, b: int) -> Fraction:
        return sum((x * y for x, y in zip(network.inputs[a], network.inputs[b], strict=True)), Fraction(0)) / INPUTS

    stated = Fraction(0)
    for mono, coefficient in right.items():
        marks = (input_product(*labels) for _, labels in mono.marks)
        stated += coefficient * _scalars(network, mono) * prod(marks, start=Fraction(1))
    return relative(found, stated)


def forward_residual(equation: Equation, shape: str, labels: tuple[int, ...], right: Poly) -> float:
    """The largest relative difference of the sides of a forward equation, for all ways to share neurons above."""
    place = {label: number for number, label in enumerate(labels)}
    network = explicit_network(3, len(labels), len(labels), couplings(equation), equation.number)
    worst = 0.0
    for partition in set_partitions(range(len(labels))):
        neuron = {labels[i]: number for number, block in enumerate(partition) for i in block}
        above = tuple((neuron[label], place[label]) for label in labels)
        if shape != METRIC:
            left = network.tree(3, shape, above)
        elif len(partition) == 1:
            left = network.cumulant(3, above)
            right = {mono._replace(marks=(*mono.marks, ("delta", labels))): c for mono, c in right.items()}
        else:
            continue
        stated = sum((c * _value(network, mono, neuron, place) for mono, c in right.items()), Fraction(0))
        worst = max(worst, relative(left, stated))
    return worst


def couplings(equation: Equation) -> tuple[tuple[str, Fraction], ...]:
    """Values that all differ, so that no name can stand for another; halves of them are whole, for a width of two."""
    names = sorted(equation.words.symbols)
    values = random.Random(equation.number).sample(range(10, 1000), len(names))
    return tuple((name, Fraction(WIDTH * value)) for name, value in zip(names, values, strict=True))


@lru_cache(maxsize=4)
def explicit_network(
    layers: int, samples: int, neurons: int, symbols: tuple[tuple[str, Fraction], ...], seed: str
) -> Explicit:
    """A network with so many inputs and neurons in its last layer; it knows nothing of the engine."""
    return Explicit(layers, samples, neurons, dict(symbols), seed)


def _scalars(network: Explicit, mono: Mono) -> Fraction:
    return prod(
        ((Fraction(WIDTH) if name == "n" else network.symbols[name]) ** power for name, power in mono.scalars),
        start=Fraction(1),
    )


def _value(network: Explicit, mono: Mono, neuron: Mapping[int, int], place: Mapping[int, int]) -> Fraction:
    """One term of a forward equation in a network of three layers, summed over the neurons of the second."""
    site = {label: label for label in place}
    value = _scalars(network, mono)
    for name, labels in mono.marks:
        if name == "delta":
            a, b = labels
            if neuron[a] != neuron[b]:
                return Fraction(0)
            site = {label: site[a] if at == site[b] else at for label, at in site.items()}
        elif name == "b":
            value *= network.values[network.biases[3, neuron[labels[0]]]]
    weights = [labels[0] for name, labels in mono.marks if name == "W"]
    trees = [shaped(labels) for name, labels in mono.marks if name == "tree"]
    used = {*weights, *(label for label, _ in mono.lines), *(v for _, vertices in trees for v in vertices)}
    sites = sorted({site[label] for label in used})

    def standing(below: Mapping[int, int]) -> Iterator[Fraction]:
        for label in weights:
            yield network.weight(3, neuron[label], below[site[label]])
        for label, order in mono.lines:
            yield network.line(2, order, below[site[label]], place[label])
        for shape, vertices in trees:
            yield network.tree(2, shape, tuple((below[site[v]], place[v]) for v in vertices))

    choices = product(range(WIDTH), repeat=len(sites))
    return value * sum(prod(standing(dict(zip(sites, choice, strict=True)))) for choice in choices)
