"""Nearly Gaussian distributions of an action, to first order in a quartic coupling eps.

The density is exp(-S)/Z with S = 1/2 K^(a,b) z_a z_b + eps/4! V^(a,b,c,d) z_a z_b z_c z_d, V totally symmetric.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, product

from pertheory.algebra.dual import Dual, dual
from pertheory.book import engine
from pertheory.book.point import Point, Polynomial, product_of
from pertheory.book.route_numeric import NumericRoute
from pertheory.errors import InputError
from pertheory.graphs.partitions import pairings
from pertheory.graphs.tensor import TensorType, pure_type
from pertheory.rulebook.network import Network
from pertheory.training.arithmetic import RESIDUES, DualArray
from pertheory.training.contract import Labelled
from pertheory.training.formula import Object

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
        values = {key: Fraction(draw.randint(1, 50)) for key in combinations_with_replacement(range(SAMPLES), 4)}
        self.coupling = {at: values[_sorted(at)] for at in product(range(SAMPLES), repeat=4)}

    def change(self, inside: Polynomial) -> Fraction:
        """The part of an average that is linear in eps."""
        total = Fraction(0)
        for at, strength in self.coupling.items():
            quartic = self.monomial(at)
            moved = self.mean(product_of(inside, quartic)).value - self.mean(inside).value * self.mean(quartic).value
            total -= strength * moved / 24
        return total

    def monomial(self, at: Sequence[int]) -> Polynomial:
        """A product of z's."""
        return {tuple(list(at).count(i) for i in range(SAMPLES)): dual(1)}

    def value(self, name: str, at: Sequence[int]) -> tuple[Fraction, Fraction]:
        """A moment or a cumulant: at eps = 0, and its slope in eps."""
        if name == "Z":
            quartic = sum((s * self.mean(self.monomial(k)).value for k, s in self.coupling.items()), Fraction(0))
            return Fraction(1), -quartic / 24
        whole = self.mean(self.monomial(at)).value, self.change(self.monomial(at))
        if name != "C_4":
            return whole
        for pairing in pairings(range(4)):
            (a, da), (b, db) = (self.value("E_2", [at[u], at[v]]) for u, v in pairing)
            whole = whole[0] - a * b, whole[1] - a * db - da * b
        return whole

    def tensor(self, kind: TensorType, order: int, labels: Sequence[int]) -> Dual:
        """V and G{1} of one neuron with this distribution; the three pairings of the vertex are equal."""
        if kind == _FOUR and not order:
            return dual(self.value("C_4", labels)[1] / 3)
        if len(labels) == 2 and order == 1:
            return dual(self.value("E_2", labels)[1])
        return super().tensor(kind, order, labels)

    def engine_agrees(self, rule: Network) -> bool:
        """Whether the engine's recursion of G{1} gives the change of C_W <s s> when these cumulants are inserted."""
        terms = engine.terms_of(rule, pure_type(1)[0], 1)
        widths = self.symbol("n").value / self.symbol("n_prev").value
        for at in product(range(SAMPLES), repeat=2):
            inside = product_of(self.function(0, at[0]), self.function(0, at[1]))
            expected = self.symbol("C_W").value * widths * self.change(inside)
            if NumericRoute(rule, {}, self).engine_value(terms, at).value != expected:
                return False
        return True

    def look(self, item: Object) -> Labelled:
        """An object of a statement, modulo a prime; eps is the small parameter."""
        match item:
            case Object("eps", ()):
                return Labelled(DualArray(RESIDUES.array(0), RESIDUES.array(1)))
            case Object("K", (_, _), False):
                entries: list[Fraction] = [entry.value for row in self.kernel for entry in row]
            case Object("V", (_, _, _, _), True):
                entries = list(self.coupling.values())
            case _:
                raise InputError(f"{item} has no meaning in a statement on an action")
        return Labelled(self.array([(entry, Fraction(0)) for entry in entries], len(item.labels)), item.labels)

    def array(self, values: Sequence[tuple[Fraction, Fraction]], rank: int) -> DualArray:
        """Values and slopes as arrays, modulo a prime."""
        parts = ([RESIDUES.number(pair[i]) for pair in values] for i in (0, 1))
        return DualArray(*(RESIDUES.array(part).reshape((SAMPLES,) * rank) for part in parts))


def _sorted(at: Sequence[int]) -> tuple[int, int, int, int]:
    a, b, c, d = sorted(at)
    return a, b, c, d
