"""Moments of networks without biases and with scale-invariant activations, as series in 1/width with every width kept.

On one input and for neurons i_1, .., i_m that all differ,

    E[z_{i_1}^2 .. z_{i_m}^2] = G_2m = sum over partitions of the m pairs into blocks of the product of kappa_|block|,

where kappa_p = n_prev^-(p-1) (T{0} + T{1}/n_prev + ..) is the engine's cumulant of p pairs (G, V, V6, V8, ...): a
single z of a neuron has no cumulant with others. In a linear network the book computes G_2m exactly in the widths; the
engine's orders are then the first terms of its expansion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import reduce
from operator import add, mul
from typing import Any

from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.canonical import connected_components
from pertheory.graphs.partitions import pairings, set_partitions
from pertheory.graphs.tensor import pure_type
from pertheory.memo import kept
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import tensor_of
from pertheory.solve.averages import Element, TwoSlopes
from pertheory.solve.channels import open_functions, outer
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.flow import Flow
from pertheory.worker import Node

#: the power of 1/n to which moments are compared
ORDER = 4


class WidthMoments:
    """The moments of every layer, each layer with a width of its own.

    Args:
        rule: a network of one step a layer.
        slopes: of the activation for positive and negative z, rational numbers.
        depth: the number of layers.
        order: the total power of the inverse widths that is kept.

    Elements are polynomials in the inverse widths N_1, N_2, .. of the layers (as rational functions), in the
    variance of the weights and in the kernel G_0 of the inputs.
    """

    def __init__(self, rule: Network, slopes: tuple[Any, Any], depth: int, order: int = ORDER) -> None:
        if len(rule.sublayers) > 1 or rule.passes_neurons:
            raise UnsupportedError(f"{rule.name} has inner layers; widths are told apart for rules of one step a layer")
        self.rule, self.order = rule, order
        self.widths = [f"N_{layer}" for layer in range(1, depth + 1)]
        own = outer(rule)
        self.field = RationalFunctions([own.weight, "G_0", *self.widths])
        names = self.field.symbols
        self.variance, self.input_kernel = names[own.weight], names["G_0"]
        self.inverse_widths = [names[name] for name in self.widths]
        pair = self.field.number(slopes[0]), self.field.number(slopes[1])
        averages = TwoSlopes(self.field.number, dict.fromkeys(open_functions(rule), pair))
        couplings = {name: self.field.number(0) for name, _ in rule.hyperparameters} | {own.weight: self.variance}
        tensors = [tensor_of(pure_type(pairs)[0]) for pairs in range(1, order + 2)]
        widths = [self.field.number(1), *(1 / width for width in self.inverse_widths)]
        self.states = list(Flow(rule, averages, couplings, tensors, order, widths).layers(self.input_kernel, depth))

    def block(self, layer: int, pairs: int) -> Element:
        """kappa_p of a layer, to the order kept."""
        total = self.field.number(0)
        if layer == 1 and pairs > 1:
            return total
        for k in range(self.order - (pairs - 1) + 1):
            value = self.states[layer - 1][Node(0, pure_type(pairs)[0], k)]
            power = pairs - 1 + k
            total = total + (value * self.inverse_widths[layer - 2] ** power if power and layer > 1 else value)
        return total

    @kept
    def moment(self, layer: int, pairs: int) -> Element:
        """G_2m of a layer, to the order kept."""
        return self.truncated(from_cumulants(pairs, lambda size: self.block(layer, size)))

    def truncated(self, value: Element) -> Element:
        """Without powers of the inverse widths above the order that is kept; the value is a polynomial in them.

        Raises:
            InputError: a width stands above a division sign.
        """
        try:
            return self.field.below(value, self.widths, self.order)
        except InputError:
            raise InputError("a width stands above a division sign; only series in 1/width can be compared") from None


def from_cumulants(pairs: int, block: Callable[[int], Element]) -> Element:
    """The moment of so many pairs: over all partitions into blocks the product of their cumulants."""
    products = (reduce(mul, [block(len(part)) for part in parts]) for parts in set_partitions(range(pairs)))
    return reduce(add, products)


def loops(pairs: int) -> tuple[int, ...]:
    """How many ways of pairing 2m vertices make 1, 2, .., m closed loops with the pairing 12, 34, ...

    The sum over neurons of a product of deltas is n to the number of loops: with m = 2, 2 n + n^2.
    """
    fixed = [(2 * pair, 2 * pair + 1) for pair in range(pairs)]
    found = (len(connected_components(2 * pairs, [*fixed, *chosen])) for chosen in pairings(range(2 * pairs)))
    counts = Counter(found)
    return tuple(counts[closed] for closed in range(1, pairs + 1))
