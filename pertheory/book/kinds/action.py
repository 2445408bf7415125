"""Nearly Gaussian distributions of an action, to first order: ``E_2(1,2) = K(1,2) - eps/2 V^(a,b,c,d) ... + O(eps^2)``.

The density is exp(-S)/Z with S = 1/2 K^(a,b) z_a z_b + eps/4! V^(a,b,c,d) z_a z_b z_c z_d, V totally symmetric.
``E_2`` and ``E_4`` are moments, ``C_4`` the joint cumulant of four z's, ``Z`` the partition function over that of the
Gaussian.

First route: the exponential is expanded and Gaussian moments are taken exactly. Second route: the engine. For one
neuron such a distribution is what the layer below looks like from above, so with the two cumulants inserted for G{1}
and V the engine's recursion of G{1} has to give the change of C_W <s_1 s_2>, at a random polynomial activation.

Settings: "Gaussian", at eps = 0.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, product

import numpy as np

from pertheory.algebra.dual import Dual, dual
from pertheory.book import engine
from pertheory.book.chapters import Equation
from pertheory.book.exact import Evaluator, Point, Polynomial, multiply
from pertheory.book.indexed import Factor, Pair, constant, evaluate, residue, scalar
from pertheory.book.kinds.training import same
from pertheory.book.scalar import remainder_of
from pertheory.book.syntax import Call, Component, Node, Power, Symbol
from pertheory.book.verdict import BOTH, MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.errors import InputError, RuleError
from pertheory.graphs.partitions import pairings
from pertheory.graphs.tensor import TensorType, pure_type
from pertheory.rulebook.network import Network

SAMPLES = 2
MOMENTS = {"E_2": 2, "E_4": 4, "C_4": 4, "Z": 0}
GAUSSIAN = "Gaussian"
_FOUR, _ = pure_type(2)


class Nearly(Point):
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
            moved = self.mean(multiply(inside, quartic)) - self.mean(inside) * self.mean(quartic)
            total -= strength * moved / 24
        return total

    def mean(self, polynomial: Polynomial) -> Fraction:
        """The Gaussian average."""
        return sum((Fraction(v.value * self.moment(key).value) for key, v in polynomial.items()), Fraction(0))

    def monomial(self, at: Sequence[int]) -> Polynomial:
        """A product of z's."""
        return {tuple(list(at).count(i) for i in range(SAMPLES)): dual(1)}

    def value(self, name: str, at: Sequence[int]) -> tuple[Fraction, Fraction]:
        """A moment or a cumulant: at eps = 0, and its slope in eps."""
        if name == "Z":
            quartic = sum((s * self.mean(self.monomial(k)) for k, s in self.coupling.items()), Fraction(0))
            return Fraction(1), -quartic / 24
        whole = self.mean(self.monomial(at)), self.change(self.monomial(at))
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
            inside = multiply(self.function(0, at[0]), self.function(0, at[1]))
            expected = self.symbol("C_W").value * widths * self.change(inside)
            if Evaluator(rule, {}, self).engine_value(terms, at).value != expected:
                return False
        return True

    def look(self, node: Node) -> Factor:
        """An object of a statement, modulo the prime; eps is the small parameter."""
        match node:
            case Symbol("eps"):
                return Factor(Pair(scalar(0).value, scalar(1).value), ())
            case Component("K", 0, False, 0, labels, False):
                entries = [[residue(entry.value) for entry in row] for row in self.kernel]
                return Factor(constant(np.array(entries, dtype=object)), labels)
            case Component("V", 0, False, 0, labels, True):
                return Factor(constant(self.array([(v, Fraction(0)) for v in self.coupling.values()], 4).value), labels)
        raise InputError(f"{getattr(node, 'name', type(node).__name__)} has no meaning in a statement on an action")

    def array(self, values: Sequence[tuple[Fraction, Fraction]], rank: int) -> Pair:
        """Values and slopes as arrays, modulo the prime."""
        parts = (np.array([residue(pair[i]) for pair in values], dtype=object) for i in (0, 1))
        return Pair(*(part.reshape((SAMPLES,) * rank) for part in parts))


def _sorted(at: Sequence[int]) -> tuple[int, int, int, int]:
    a, b, c, d = sorted(at)
    return a, b, c, d


def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the expansion of the exponential, and see that the engine agrees with it."""
    where = f"{equation.place}: equation {equation.number}"
    if equation.setting not in ("", GAUSSIAN):
        raise RuleError(f"{where}: setting {equation.setting!r} is not known; known: {GAUSSIAN}")
    left, *rest = equation.read(form).sides
    name = getattr(left, "name", "")
    if not isinstance(left, Call | Symbol) or name not in MOMENTS or len(rest) != 1:
        raise RuleError(f"{where}: the left side must be one of {', '.join(MOMENTS)}")
    labels = left.labels if isinstance(left, Call) else ()
    right, remainder = remainder_of(rest[0])
    if remainder not in (None, Power(Symbol("eps"), 2)) or (remainder is None) != (equation.setting == GAUSSIAN):
        raise RuleError(f"{where}: the remainder must be O(eps^2), or none in the setting {GAUSSIAN}")
    point = Nearly(equation.number)
    expected = point.array([point.value(name, at) for at in product(range(SAMPLES), repeat=len(labels))], len(labels))
    if equation.setting == GAUSSIAN:
        expected = constant(expected.value)
    if not same(expected, evaluate(right, point.look, labels, 1, neurons=False)):
        return Verdict(MISMATCH, NUMERIC, 1.0, "the sides differ at a random point")
    if not point.engine_agrees(equation.rule):
        return Verdict(MISMATCH, BOTH, 1.0, "the engine's insertions do not give the average over this action")
    return Verdict(VERIFIED, BOTH)
