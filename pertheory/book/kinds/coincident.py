"""Two nearly coincident inputs: ``ddK_2' = chi_perp ddK_2 + h dK_1^2``.

The kernel of two inputs + and - is split into K_[0], K_[1], K_[2] (5.16) to (5.20):

    K_++ = K_0 + K_1 + K_2,    K_-- = K_0 - K_1 + K_2,    K_+- = K_0 - K_2,

and expanded about the coincident point K_0 = K: K_1 is of first order in the distance of the inputs (``dK_1``), K_2 and
the shift of K_0 of second order (``ddK_2``, ``ddK_0``). An average changes with its covariance by

    <F>_(K + D) = sum_k 1/k! <(1/2 sum_ab D_ab d_a d_b)^k F>_K.

Primed symbols are the same split of the kernel one layer up, which the engine's two-input recursion gives. For a
general f(z_+, z_-) there are the names ``f_split``, the left side of (5.41), and averages <.. f>, in which d_1 and d_2
are the derivatives with respect to z_+ and z_-. Everything is kept to second order in the distance, and averages are
symbols.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from typing import Any

from pertheory.algebra.terms import Lines
from pertheory.book import engine
from pertheory.book.chapters import Equation
from pertheory.book.classes import Generic, rational, rational_functions, reduced
from pertheory.book.memory import remembered
from pertheory.book.one_input import KERNEL, Element
from pertheory.book.scalar import Setting, compare_in, read_one
from pertheory.book.syntax import Component, Node
from pertheory.book.verdict import SYMBOLIC, Verdict, kind
from pertheory.errors import InputError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor

#: the order in the distance of the inputs to which everything is kept
ORDER = 2
#: derivatives of s and of f up to this order have symbols
HIGHEST = 6
ORDERS = {"dK_1": 1, "ddK_2": 2, "ddK_0": 2}


class NearlyCoincident(Setting):
    """Kernels of two inputs as series in their distance, over averages at the coincident point."""

    title = "nearly coincident inputs to second order"
    functions_of_z = frozenset({"f"})

    def __init__(self, rule: Network) -> None:
        self.rule = rule
        pairs = [(a, b) for a in range(HIGHEST) for b in range(a, HIGHEST)]
        mixed = list(product(range(HIGHEST), repeat=2))
        couplings = [name for name, _ in rule.hyperparameters]
        symbols = [
            "K",
            "distance",
            *ORDERS,
            *couplings,
            *(f"m{a}{b}" for a, b in pairs),
            *(f"F{a}{b}" for a, b in mixed),
        ]
        self.of, self.names = rational_functions(symbols)
        self.pairs = {pair: self.names[f"m{pair[0]}{pair[1]}"] for pair in pairs}
        self.functions = Generic(self.of_lines, self.number)
        distance = self.names["distance"]
        one, two, shift = (self.names[name] * distance**order for name, order in ORDERS.items())
        # 0 is the input +, 1 the input -
        self.gaps = {(0, 0): shift + one + two, (1, 1): shift - one + two, (0, 1): shift - two}
        self.above = {pair: self.kernel_above(pair) for pair in self.gaps}

    def number(self, value: Fraction) -> Element:
        """A constant."""
        return self.of(rational(value))

    def of_lines(self, orders: tuple[int, ...]) -> Element:
        """The symbol of <s^(a) s^(b)> at the coincident point."""
        if orders not in self.pairs:
            raise InputError(f"averages of other than two functions have no value in {self.title}")
        return self.pairs[orders]

    def kernel_above(self, pair: tuple[int, int]) -> Element:
        """A component of the kernel one layer up, from the engine's recursion of two inputs."""
        total = self.of(0)
        for term, coefficient in engine.terms_of(self.rule, KERNEL, 0).items():
            value = self.number(coefficient)
            for name, power in term.couplings:
                value = value * self.names[name] ** power
            for item in term.averages:
                lines, zeds = engine.lines_of(item, pair)
                if zeds:
                    raise InputError("a rule that passes z on has no nearly coincident expansion here")
                value = value * self.expanded({(lines[0][0], lines[1][0]): (lines[0][1], lines[1][1])})
            total = total + value
        return self.kept(total)

    def expanded(self, function: Mapping[tuple[int, int], tuple[int, int]]) -> Element:
        """The average of s^(i) at one input times s^(j) at another, near the coincident point."""
        (((a, b), (i, j)),) = function.items()

        def symbol(plus: int, minus: int) -> Element:
            # plus and minus derivatives act on the function at + and at -; on one input both stand at it
            if a == b:
                total = self.of(0)
                if (plus if a else minus) == 0:
                    for share in range(plus + minus + 1):
                        key = tuple(sorted((i + share, j + plus + minus - share)))
                        total = total + self.number(Fraction(math.comb(plus + minus, share))) * self.of_lines(key)
                return total
            own, other = (plus, minus) if a == 0 else (minus, plus)
            return self.of_lines(tuple(sorted((i + own, j + other))))

        return self.shifted(symbol)

    def shifted(self, symbol: Any) -> Element:
        """The expansion in the covariance; ``symbol(i, j)`` is the average of the (i, j)-th derivative."""
        total = self.of(0)
        steps = [((2, 0), self.gaps[0, 0] / 2), ((0, 2), self.gaps[1, 1] / 2), ((1, 1), self.gaps[0, 1])]
        for count in range(ORDER + 1):
            for chosen in product(steps, repeat=count):
                weight = self.number(Fraction(1, math.factorial(count)))
                plus = minus = 0
                for (i, j), gap in chosen:
                    weight, plus, minus = weight * gap, plus + i, minus + j
                weight = self.kept(weight)
                if weight:
                    total = total + weight * symbol(plus, minus)
        return total

    def kept(self, value: Element) -> Element:
        """Without higher orders in the distance."""
        place = self.of.gens.index(self.names["distance"])
        numerator = value.numer
        terms = {powers: c for powers, c in numerator.terms() if powers[place] <= ORDER}
        return self.of(numerator.ring.from_dict(terms)) / self.of(value.denom)

    def symbol(self, name: str) -> Element:
        """Couplings and the parts of the kernel, primed for the layer above."""
        plus, minus, mixed = self.above[0, 0], self.above[1, 1], self.above[0, 1]
        if name == "dK_1'":
            return self.kept((plus - minus) / 2)
        if name == "ddK_2'":
            return self.kept((plus + minus - 2 * mixed) / 4)
        if name == "R_2'":
            return self.kept(plus - minus)
        if name == "D_2'":
            return self.kept(plus + minus - 2 * mixed)
        if name == "R_2":
            return self.kept(self.gaps[0, 0] - self.gaps[1, 1])
        if name == "D_2":
            return self.kept(self.gaps[0, 0] + self.gaps[1, 1] - 2 * self.gaps[0, 1])
        if name == "f_split":
            return self.kept(self.shifted(lambda i, j: self.names[f"F{i}{j}"]))
        if name in ORDERS:
            return self.names[name] * self.names["distance"] ** ORDERS[name]
        if name in dict(self.rule.hyperparameters):
            return self.names[name]
        return super().symbol(name)

    def component(self, node: Component) -> Element:
        """K at the coincident point, here or one layer up."""
        tensor, fixed = find_tensor(node.name)
        if tensor.kind != KERNEL or (fixed if fixed is not None else node.order):
            return super().component(node)
        if not node.up:
            return self.names["K"]
        place = self.of.gens.index(self.names["distance"])
        value = self.above[0, 0]
        terms = {powers: c for powers, c in value.numer.terms() if powers[place] == 0}
        return self.of(value.numer.ring.from_dict(terms)) / self.of(value.denom)

    def derived(self, lines: Lines, label: str) -> Lines:
        """d_1 and d_2 act on f; its derivatives are counted in one number, 10 for each d_1 and 1 for each d_2."""
        if len(lines) != 1 or lines[0][0] != "f" or label not in ("1", "2"):
            raise InputError("d_1 and d_2 stand in front of f")
        return (("f", lines[0][1] + (10 if label == "1" else 1)),)

    def average(self, lines: Lines) -> Element:
        """Two functions, or f, at the coincident point, where <z G> = K <(d_1 + d_2) G>."""
        found = [order for name, order in lines if name == "f"]
        if not found:
            return self.functions.average(self.names["K"], 0, lines)
        if len(found) > 1 or any(name == "s" for name, _ in lines):
            raise InputError("f stands alone in an average, once")
        plus, minus = divmod(found[0], 10)
        total = self.of(0)
        for count, power, (single,) in reduced(len(lines) - 1, 0, (0,)):
            for share in range(single + 1):
                ways = self.number(Fraction(count * math.comb(single, share))) * self.names["K"] ** power
                total = total + ways * self.names[f"F{plus + share}{minus + single - share}"]
        return total

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Any:
        """Left minus right to second order."""
        return self.kept(super().difference(left, right, remainder))


@remembered(maxsize=4)
def setting_of(rule: Network) -> NearlyCoincident:
    """The setting of a rule, made once."""
    return NearlyCoincident(rule)


@kind("coincident")
def decide(equation: Equation, form: str) -> Verdict:
    """Compare to second order in the distance of the inputs."""
    statement = read_one(equation, form)
    return compare_in(setting_of(equation.rule), statement, SYMBOLIC)
