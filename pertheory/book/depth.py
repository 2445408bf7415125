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
from typing import Any

from pertheory.book.classes import rational
from pertheory.book.one_input import KERNEL, Element, OneInput
from pertheory.errors import UnsupportedError
from pertheory.work import Node

#: coefficients of 1, l, l^2, ...
InDepth = tuple[Element, ...]


class CriticalDepth:
    """The tensors of one rule at a critical point as polynomials in the layer l.

    Args:
        step: the recursions of a layer, in an algebra that knows that the point is critical.
        first: the tensors of the first layer that are not zero.

    Raises:
        UnsupportedError: the kernel is not at a fixed point.
    """

    def __init__(self, step: OneInput, first: Mapping[Node, Element]) -> None:
        self.step, self.first = step, first
        self.kernel = Node(step.last, KERNEL, 0)
        if step.kernel_above != step.kernel(-1, "z"):
            raise UnsupportedError("the kernel is not at a fixed point, so coefficients change from layer to layer")
        self._solutions: dict[Node, InDepth] = {self.kernel: (step.kernel(-1, "z"),)}

    def solution(self, node: Node) -> InDepth:
        """T{k} as a polynomial in l.

        Raises:
            UnsupportedError: the tensor's own coefficient is not one.
        """
        if node not in self._solutions:
            self._solutions[node] = self._solve(node)
        return self._solutions[node]

    def _solve(self, node: Node) -> InDepth:
        zero = self.step.functions.number(0)
        one = self.step.functions.number(1)
        source: InDepth = ()
        own = zero
        for tensors, coefficient in self.step.polynomial(node).items():
            if tensors == (node,):
                own = coefficient
                continue
            if node in tensors:
                raise UnsupportedError(f"the recursion of {node.key} is not linear in it")
            product: InDepth = (coefficient,)
            for factor in tensors:
                product = times(product, self.solution(factor), zero)
            source = plus(source, product, zero)
        if own != one:
            raise UnsupportedError(f"the coefficient of {node.key} in its own recursion is {own}, not 1: not critical")
        return plus((self.first.get(node, zero),), summed(source, zero), zero)


def plus(a: InDepth, b: InDepth, zero: Element) -> InDepth:
    """The sum, without zeros at the end."""
    size = max(len(a), len(b))
    total = [(a[i] if i < len(a) else zero) + (b[i] if i < len(b) else zero) for i in range(size)]
    while total and not total[-1]:
        total.pop()
    return tuple(total)


def times(a: InDepth, b: InDepth, zero: Element) -> InDepth:
    """The product."""
    total = [zero] * max(len(a) + len(b) - 1, 0)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            total[i + j] = total[i + j] + x * y
    return plus(tuple(total), (), zero)


def summed(source: InDepth, zero: Element) -> InDepth:
    """The sum of a polynomial over the layers 1 to l - 1, as a polynomial in l."""
    total: InDepth = ()
    for power, coefficient in enumerate(source):
        total = plus(total, tuple(coefficient * rational(c) for c in sum_of_powers(power)), zero)
    return total


@lru_cache(maxsize=64)
def sum_of_powers(power: int) -> tuple[Fraction, ...]:
    """The coefficients of 1^k + 2^k + ... + (l-1)^k as a polynomial in l, constant first.

    From (l)^(k+1) - 1 = sum over m < l of (m+1)^(k+1) - m^(k+1): binomials times the lower sums.
    """
    total = [Fraction(0)] * (power + 2)
    total[power + 1] += 1
    total[0] -= 1
    binomial = Fraction(1)
    for lower in range(power):
        # binomial(power + 1, lower) times the sum of m^lower
        for place, value in enumerate(sum_of_powers(lower)):
            total[place] -= binomial * value
        binomial = binomial * (power + 1 - lower) / (lower + 1)
    return tuple([value / (power + 1) for value in total])


def at_layer(solution: InDepth, layer: Any, zero: Element) -> Element:
    """The value at a layer, which may be a symbol."""
    total = zero
    for coefficient in reversed(solution):
        total = total * layer + coefficient
    return total
