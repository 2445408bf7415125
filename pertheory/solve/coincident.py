"""Two nearly coincident inputs: how the kernel recursion of two inputs expands about the point where they coincide.

The kernel of two inputs + and - is split into

    K_++ = K_0 + K_1 + K_2,    K_-- = K_0 - K_1 + K_2,    K_+- = K_0 - K_2,

and expanded about K_0 = K: K_1 is of first order in the distance of the inputs (``dK_1``), K_2 and the shift of K_0 of
second order (``ddK_2``, ``ddK_0``). An average changes with its covariance by

    <F>_(K + D) = sum_k 1/k! <(1/2 sum_ab D_ab d_a d_b)^k F>_K.

Averages are symbols.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product

from pertheory.algebra.terms import Average, Lines, Terms
from pertheory.errors import InputError, UnsupportedError
from pertheory.memo import remembered
from pertheory.recursion import derive
from pertheory.rulebook.network import IDENTITY, Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.solve.averages import Element, Symbols, without_zeds
from pertheory.solve.fields import RationalFunctions

#: the order in the distance of the inputs to which everything is kept
ORDER = 2
#: derivatives of s and of f up to this order have symbols
HIGHEST = 6
ORDERS: Mapping[str, int] = {"dK_1": 1, "ddK_2": 2, "ddK_0": 2}
#: the inputs + and -
PLUS, MINUS = 0, 1


@remembered(maxsize=16)
def kernel_terms(rule: Network) -> Terms:
    """The engine's kernel recursion of two inputs; samples are 0 and 1."""
    return derive(rule, find_tensor("K")[0], sublayer=len(rule.sublayers) - 1).terms


def pair_of(average: Average) -> tuple[tuple[int, str, int], tuple[int, str, int]]:
    """The two functions of an average of the kernel recursion: sample, name and derivative of each."""
    found = [(factor.sample, name, order) for factor in average.factors for name, order in factor.lines]
    if len(found) != 2 or any(name == IDENTITY for _, name, _ in found):
        raise InputError("a rule that passes z on has no nearly coincident expansion here")
    return found[0], found[1]


class NearlyCoincident:
    """Kernels of two inputs as series in their distance, over averages at the coincident point.

    Args:
        rule: the network.

    Attributes:
        field: of K, the distance, the parts of the kernel, hyperparameters, averages <s^(a) s^(b)> and <d_+^a d_-^b f>
            of a general function f of two preactivations.
        symbols: its symbols.
        averages: of the activation at the coincident point.
        gaps: the change of each component of the kernel.
        above: the components of the kernel one layer up.
    """

    def __init__(self, rule: Network) -> None:
        if len(rule.sublayers) > 1:
            raise UnsupportedError(
                f"{rule.name} has inner layers; two inputs are expanded for rules of one step a layer"
            )
        self.rule = rule
        pairs = [(a, b) for a in range(HIGHEST) for b in range(a, HIGHEST)]
        mixed = list(product(range(HIGHEST), repeat=2))
        couplings = [name for name, _ in rule.hyperparameters]
        labels = [*(f"m{a}{b}" for a, b in pairs), *(f"F{a}{b}" for a, b in mixed)]
        self.field = RationalFunctions(["K", "distance", *ORDERS, *couplings, *labels])
        self.symbols = self.field.symbols
        self.averages = Symbols(self.field.number, self.of_lines)
        distance = self.symbols["distance"]
        one, two, shift = (self.symbols[name] * distance**order for name, order in ORDERS.items())
        self.gaps = {(PLUS, PLUS): shift + one + two, (MINUS, MINUS): shift - one + two, (PLUS, MINUS): shift - two}
        self.above = {pair: self.kernel_above(pair) for pair in self.gaps}

    def of_lines(self, lines: Lines) -> Element:
        """The symbol of <s^(a) s^(b)> at the coincident point."""
        label = "m" + "".join(str(order) for _, order in lines)
        if len(lines) != 2 or label not in self.symbols:
            raise InputError("averages of other than two functions have no value for nearly coincident inputs")
        return self.symbols[label]

    def kernel_above(self, pair: tuple[int, int]) -> Element:
        """A component of the kernel one layer up, from the engine's recursion of two inputs."""
        total = self.field.number(0)
        for term, coefficient in kernel_terms(self.rule).items():
            value = self.field.number(coefficient)
            for name, power in term.couplings:
                value = value * self.symbols[name] ** power
            for item in term.averages:
                first, second = pair_of(item)
                value = value * self.expanded((pair[first[0]], first[2]), (pair[second[0]], second[2]))
            total = total + value
        return self.kept(total)

    def expanded(self, first: tuple[int, int], second: tuple[int, int]) -> Element:
        """The average of two derivatives of s, each at an input, near the coincident point."""
        (a, i), (b, j) = first, second

        def at_two(plus: int, minus: int) -> Element:
            own, other = (plus, minus) if a == PLUS else (minus, plus)
            return self.of_orders(i + own, j + other)

        def at_one(plus: int, minus: int) -> Element:
            total = self.field.number(0)
            if (plus if a else minus) == 0:  # both functions stand at one input, and derivatives at the other vanish
                for share in range(plus + minus + 1):
                    ways = self.field.number(math.comb(plus + minus, share))
                    total = total + ways * self.of_orders(i + share, j + plus + minus - share)
            return total

        return self.shifted(at_one if a == b else at_two)

    def of_orders(self, a: int, b: int) -> Element:
        """<s^(a) s^(b)>."""
        return self.of_lines(tuple(("s", order) for order in sorted((a, b))))

    def shifted(self, symbol: Callable[[int, int], Element]) -> Element:
        """The expansion in the covariance; ``symbol(i, j)`` is the average of the (i, j)-th derivative."""
        total = self.field.number(0)
        steps = [((2, 0), self.gaps[0, 0] / 2), ((0, 2), self.gaps[1, 1] / 2), ((1, 1), self.gaps[0, 1])]
        for count in range(ORDER + 1):
            for chosen in product(steps, repeat=count):
                weight = self.field.number(Fraction(1, math.factorial(count)))
                plus = minus = 0
                for (i, j), gap in chosen:
                    weight, plus, minus = weight * gap, plus + i, minus + j
                weight = self.kept(weight)
                if weight:
                    total = total + weight * symbol(plus, minus)
        return total

    def of_two_variables(self, zeds: int, plus: int, minus: int) -> Element:
        """The average of z^zeds times a derivative of f, by Stein's lemma: <z G> = K <(d_+ + d_-) G>."""
        total = self.field.number(0)
        for count, power, ((_, single),) in without_zeds(zeds, 0, (("f", 0),)):
            for share in range(single + 1):
                ways = self.field.number(count * math.comb(single, share)) * self.symbols["K"] ** power
                total = total + ways * self.symbols[f"F{plus + share}{minus + single - share}"]
        return total

    def kept(self, value: Element, order: int = ORDER) -> Element:
        """Without higher orders in the distance."""
        return self.field.below(value, ("distance",), order)
