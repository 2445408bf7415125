"""Nearly Gaussian distributions of an action, to first order in a quartic coupling eps.

The density is exp(-S)/Z with S = 1/2 K^(a,b) z_a z_b + eps/4! V^(a,b,c,d) z_a z_b z_c z_d, V totally symmetric.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, product

from pertheory.algebra.dual import SMALL, Dual, dual
from pertheory.algebra.polynomial import collected
from pertheory.book import engine
from pertheory.book.point import COMMON, Point, Polynomial, product_of
from pertheory.book.route_numeric import NumericRoute, Place
from pertheory.book.syntax import CallNode, ComponentNode, SymbolNode
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

    def of_symbol(self, node: SymbolNode, place: Place) -> Polynomial:
        """eps, or the partition function."""
        if MOMENTS.get(node.name) == 0:
            return self.point.number(self.point.value(node.name, ()))
        return self.point.number(SMALL) if node.name == "eps" else self.refuse(node)

    def of_call(self, node: CallNode, place: Place) -> Polynomial:
        """A moment or a cumulant."""
        if MOMENTS.get(node.name) != len(node.labels):
            return self.refuse(node)
        return self.point.number(self.point.value(node.name, [place[label] for label in node.labels]))

    def of_component(self, node: ComponentNode, place: Place) -> Polynomial:
        """K, or the coupling V^."""
        if node.raised and node.name == "V":
            return self.number(Fraction(self.point.coupling[tuple(place[label] for label in node.labels)]))
        return super().of_component(node, place) if node.name == "K" and not node.up else self.refuse(node)
