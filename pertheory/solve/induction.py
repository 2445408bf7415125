"""Exact solutions in the depth, where the kernel stands still and the susceptibilities are one.

At a fixed point of the kernel the engine's recursions on one input have coefficients that do not depend on the layer.
At criticality the coefficient of a tensor in its own recursion is one, so that

    T(l+1) = T(l) + (a polynomial in the tensors below it),

and by Faulhaber's formula every tensor is a polynomial in l, found from the lower ones up.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import comb
from operator import add
from typing import Any

from pertheory.algebra.polynomial import add_sums, add_term, multiply_sums, without_zeros
from pertheory.errors import UnsupportedError
from pertheory.solve.averages import Element
from pertheory.solve.layer import KERNEL, SingleInputLayer
from pertheory.worker import Node

#: the coefficient of each power of l
PowersOfDepth = dict[int, Element]


class DepthPolynomials:
    """The tensors of one rule at a critical point as polynomials in the layer l.

    Args:
        step: the recursions of a layer, in an algebra that knows that the point is critical.
        first: the tensors of the first layer that are not zero.

    Raises:
        UnsupportedError: the kernel is not at a fixed point.
    """

    def __init__(self, step: SingleInputLayer, first: Mapping[Node, Element]) -> None:
        self.step, self.first = step, first
        kernel = step.kernel(-1, "z")
        if step.kernel_above != kernel:
            raise UnsupportedError("the kernel is not at a fixed point, so coefficients change from layer to layer")
        self._solutions: dict[Node, PowersOfDepth] = {Node(step.last, KERNEL, 0): {0: kernel}}

    def solution(self, node: Node) -> PowersOfDepth:
        """T{k} as a polynomial in l.

        Raises:
            UnsupportedError: the tensor's own coefficient is not one.
        """
        if node not in self._solutions:
            self._solutions[node] = self._solve(node)
        return self._solutions[node]

    def at(self, node: Node, layer: Any) -> Element:
        """The value at a layer, which may be a symbol."""
        total = self.step.averages.number(0)
        for power, coefficient in self.solution(node).items():
            total = total + coefficient * layer**power
        return total

    def _solve(self, node: Node) -> PowersOfDepth:
        number = self.step.averages.number
        own, others = self.step.linear(node)
        source: PowersOfDepth = {}
        for factors, coefficient in others.items():
            product: PowersOfDepth = {0: coefficient}
            for factor in factors:
                product = multiply_sums(product, self.solution(factor), add)
            source = add_sums(source, product)
        if own != number(1):
            raise UnsupportedError(f"the coefficient of {node.key} in its own recursion is {own}, not 1: not critical")
        total: PowersOfDepth = {0: self.first.get(node, number(0))}
        for power, coefficient in source.items():
            for place, value in enumerate(sum_of_powers(power)):
                if value:
                    add_term(total, place, coefficient * number(value))
        return without_zeros(total)


@lru_cache(maxsize=64)
def sum_of_powers(power: int) -> tuple[Fraction, ...]:
    """The coefficients of 1^k + 2^k + ... + (l-1)^k as a polynomial in l, constant first.

    From l^(k+1) - 1 = sum over m < l of (m+1)^(k+1) - m^(k+1): binomials times the lower sums.
    """
    total = [Fraction(0)] * (power + 2)
    total[power + 1] += 1
    total[0] -= 1
    for lower in range(power):
        for place, value in enumerate(sum_of_powers(lower)):
            total[place] -= comb(power + 1, lower) * value
    return tuple([value / (power + 1) for value in total])
