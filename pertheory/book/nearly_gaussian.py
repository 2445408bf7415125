"""Nearly Gaussian distributions of an action, to first order in a quartic coupling eps.

The density is exp(-S)/Z with S = 1/2 K^(a,b) z_a z_b + eps/4! V^(a,b,c,d) z_a z_b z_c z_d, V totally symmetric.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any

from pertheory.algebra.dual import SMALL, Dual, dual
from pertheory.algebra.polynomial import collected
from pertheory.book import engine, syntax
from pertheory.book.point import COMMON, Point, Polynomial, product_of
from pertheory.book.route_numeric import NumericRoute
from pertheory.book.syntax import Node
from pertheory.graphs.partitions import joint_cumulant
from pertheory.graphs.tensor import TensorType, pure_type
from pertheory.rulebook.network import Network

SAMPLES = 2
#: the moments and cumulants that statements are about, with their number of labels; Z over that of the Gaussian
MOMENTS = {"E_2": 2, "E_4": 4, "C_4": 4, "Z": 0}
_FOUR, _ = pure_type(2)


class NearlyGaussian(Point):
    """A random Gaussian with a random quartic coupling; as tensors of the engine its cumulants.

    Args:
        seed: fixes everything.
    """

    def __init__(self, seed: str) -> None:
        super().__init__(SAMPLES, seed)
        draw = random.Random(f"{seed} coupling")
        values = {key: COMMON * draw.randint(1, 50) for key in combinations_with_replacement(range(SAMPLES), 4)}
        self.coupling = {at: values[tuple(sorted(at))] for at in product(range(SAMPLES), repeat=4)}  # type: ignore[index]
        terms = ((self.exponents(at), dual(Fraction(value, 24))) for at, value in self.coupling.items())
        self.quartic: Polynomial = collected(terms)

    def exponents(self, at: Sequence[int]) -> tuple[int, ...]:
        """A product of z's."""
        return tuple([list(at).count(sample) for sample in range(SAMPLES)])

    def expectation(self, inside: Polynomial) -> Dual:
        """An average over the density; the small variable is eps."""
        mean, quartic, both = (self.mean(p).value for p in (inside, self.quartic, product_of(inside, self.quartic)))
        return Dual(mean, mean * quartic - both)

    def value(self, name: str, at: Sequence[int]) -> Dual:
        """A moment or a cumulant."""
        if name == "Z":
            return Dual(Fraction(1), -self.mean(self.quartic).value)

        def moment(block: Sequence[int]) -> Dual:
            return self.expectation({self.exponents([at[i] for i in block]): dual(1)})

        found: Dual = joint_cumulant(4, moment, dual) if name == "C_4" else moment(range(len(at)))
        return found

    def tensor(self, kind: TensorType, order: int, labels: Sequence[int]) -> Dual:
        """V and G{1} of one neuron with this distribution; the three pairings of the vertex are equal."""
        if kind == _FOUR and not order:
            return dual(Fraction(self.value("C_4", labels).slope, 3))
        if len(labels) == 2 and order == 1:
            return dual(self.value("E_2", labels).slope)
        return super().tensor(kind, order, labels)

    def engine_agrees(self, rule: Network) -> bool:
        """Whether the engine's recursion of G{1} gives the change of C_W <s s> when these cumulants are inserted."""
        terms = engine.terms_of(rule, pure_type(1)[0], 1)
        scale = self.scalars((("C_W", 1), ("n", 1), ("n_prev", -1)))
        for a, b in product(range(SAMPLES), repeat=2):
            change = self.expectation(product_of(self.function(0, a), self.function(0, b))).slope
            if NumericRoute(rule, {}, self).engine_value(terms, (a, b)).value != scale * change:
                return False
        return True


class OfAction(NumericRoute):
    """Evaluates statements about an action; the small variable is eps."""

    point: NearlyGaussian

    def meaning(self, node: Node, *place: Any) -> Polynomial:
        """eps, K, the coupling V^, a moment, a cumulant or the partition function."""
        match node:
            case syntax.Symbol("eps"):
                return self.point.number(SMALL)
            case syntax.Component("V", labels=labels, raised=True):
                return self.number(Fraction(self.point.coupling[tuple(place[0][label] for label in labels)]))
            case syntax.Symbol(name) if MOMENTS.get(name) == 0:
                return self.point.number(self.point.value(name, ()))
            case syntax.Call(name, labels) if MOMENTS.get(name) == len(labels):
                return self.point.number(self.point.value(name, [place[0][label] for label in labels]))
            case syntax.Symbol() | syntax.Component(up=True):
                return self.refuse(node)
            case syntax.Component(name) if name != "K":
                return self.refuse(node)
        return super().meaning(node, *place)
