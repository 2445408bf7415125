"""The critical points of an activation at K = 0, exactly, and lines of them.

Near zero an activation with s(0) = 0 is one of two slopes, which is critical with variances that are known exactly.
What it adds to the slopes decides whether kernels come back to zero.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import sympy

from pertheory.errors import UnsupportedError
from pertheory.rulebook.network import Network
from pertheory.solve.channels import inner_values, outer
from pertheory.solve.critical import HIGHEST_DERIVATIVE
from pertheory.solve.criticality import Point, plain
from pertheory.solve.layer import SingleInputLayer
from pertheory.solve.near_zero import NearZero, Sides, one_sided, vanishes
from pertheory.solve.question import Asked, exact
from pertheory.solve.universality import ClassInDepth, scale_invariant

#: powers of the root of K that are kept, and the names of their coefficients in K'/K and in chi_perpendicular
ORDER = 6
POWERS = {1: "1/2", 2: "1", 3: "3/2", 4: "2"}


class SmallKernels:
    """What the Taylor series on either side of zero says.

    Args:
        asked: the question.

    Attributes:
        limit: C_b and C_W at which the two slopes at 0 are critical; empty if there are none, or s(0) is not 0.
        notes: what a reader should know, a line each.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked, self.rule, self.function = asked, asked.rule, asked.function
        self.own = outer(asked.rule)
        self.notes: list[str] = []
        self.sides = self._sides()
        self.limit = self._limit()

    def _sides(self) -> Sides | None:
        """The derivatives at 0 from both sides, None where there are none."""
        sides = one_sided(self.function, HIGHEST_DERIVATIVE, self.asked.symbols)
        values = [*sides[0], *sides[1]]
        powers = {power for value in values for power in value.atoms(sympy.Pow) if power.base == 0}
        if powers or any(value.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I) for value in values):
            return None
        return sides

    @property
    def slopes(self) -> tuple[sympy.Expr, sympy.Expr]:
        """The slopes at 0 from above and from below."""
        assert self.sides
        return self.sides[0][1], self.sides[1][1]

    def _limit(self) -> dict[str, sympy.Expr]:
        """The critical couplings of the two slopes at 0; nothing if s(0) is not 0 or both slopes are."""
        if self.sides is None or not all(vanishes(side[0]) for side in self.sides):
            return {}
        if all(vanishes(slope) for slope in self.slopes):
            return {}
        try:
            none, one = (self._slope(sympy.Integer(value)) for value in (0, 1))
        except UnsupportedError:  # an inner bias: kernels of the layer do not vanish with K
            return {}
        weight = sympy.factor((1 - none) / (one - none))
        if weight.is_number and not weight > 0:
            self.notes.append(f"K* = 0 would be critical at {self.own.weight} = {weight}, which is no variance")
            return {}
        return {**({"C_b": sympy.S.Zero} if self.own.bias else {}), "C_W": weight}

    def _slope(self, weight: sympy.Expr) -> sympy.Expr:
        """K'/K of small kernels, linear in the variance of the weights."""
        kernel = self._layer(weight, 2).kernel_above.coefficients
        if not vanishes(kernel[0]):
            raise UnsupportedError("K' does not vanish with K")
        return kernel[2]

    def _layer(self, weight: sympy.Expr, order: int) -> SingleInputLayer:
        """The layer over series in the root of K."""
        assert self.sides
        averages = NearZero(dict.fromkeys((*self.rule.functions, "s"), self.sides), order)
        values = {**self.asked.all_given(), self.own.weight: weight, self.own.bias: sympy.S.Zero}
        couplings = {name: averages.constant(value) for name, value in values.items()}
        return SingleInputLayer(self.rule, averages, couplings, averages.kernel)

    def _evaluated(self, solved: ClassInDepth, element: Any) -> sympy.Expr:
        above, below = self.slopes
        known = {"a_plus": above, "a_minus": below, **self.asked.all_given()}
        return sympy.factor(solved.field.expression(element, known))

    def nu_of_limit(self) -> sympy.Expr:
        """V/(n K^2) = nu l/n of the two slopes at 0.

        At K* = 0 it is a third of it: K ~ l^-p makes chi_parallel = 1 - (p + 1)/l, the derivative of K with respect to
        its first value, and V = nu K^2 l solves V' = chi_parallel^2 V + nu_limit K^2 for nu = nu_limit/3 at every p.
        """
        usual, given = inner_values(self.rule), self.asked.all_given()
        if len(usual) > 2 and any(given[name] != value for name, value in usual.items()):
            raise UnsupportedError(f"nu of {self.rule.name} is known for inner parameters at {usual} alone")
        solved = scale_invariant(_open(self.rule))  # the variance of a single inner weight is absorbed in the outer one
        grown = solved.tensors.solution(solved.tensors.step.node("V"))[1]
        return self._evaluated(solved, grown / solved.symbols["K"] ** 2)

    @property
    def is_line(self) -> bool:
        """Whether the whole activation is a straight line on either side of 0."""
        if self.function.kinks not in ((), (0.0,)):
            return False
        pieces = (self.function.piece_coefficients(part) for part in range(len(self.function.pieces)))
        return all(own is not None and not own[0] and len(own) <= 2 for own in pieces)

    @cached_property
    def expansion(self) -> tuple[dict[str, sympy.Expr], sympy.Expr | None]:
        """The coefficients of K' = K (1 + a_1 K + ..) and chi_perp = 1 + b_1 K + .., and the first that is not zero.

        Raises:
            UnsupportedError, DivergentAverageError: a layer has no expansion in small kernels.
        """
        layer = self._layer(self.limit["C_W"], ORDER)
        kernel, own = layer.kernel_above.coefficients, layer.own_coefficient("Theta").coefficients
        growth = {power: _simple(kernel[2 + power]) for power in POWERS}
        angle = {power: _simple(own[power]) for power in (1, 2)}
        found = {f"a_{POWERS[p]}": value for p, value in growth.items() if p % 2 == 0 or value != 0}
        found |= {f"b_{POWERS[p]}": value for p, value in angle.items() if p % 2 == 0 or value != 0}
        return found, next((value for value in growth.values() if value != 0), None)

    def point(self, kernel: sympy.Expr | None, stability: str) -> Point:
        """The point of the two slopes at 0, with a kernel or with all of them."""
        bias, weight = self.limit.get("C_b", sympy.S.Zero), self.limit["C_W"]
        return Point(plain(bias), plain(weight), None if kernel is None else plain(kernel), stability)

    def sign(self, value: sympy.Expr) -> int:
        """The sign of a coefficient.

        Raises:
            UnsupportedError: it depends on the values of symbols.
        """
        defaults = dict(self.rule.hyperparameters)
        usual = {symbol: exact(defaults[name]) for name, symbol in self.asked.given.items()}
        if value.free_symbols <= set(usual):
            if value.free_symbols:
                known = ", ".join(f"{symbol} = {number}" for symbol, number in usual.items())
                self.notes.append(f"the class is that of {known}; it changes where a_1 changes its sign")
            return 1 if value.subs(usual).evalf(20) > 0 else -1
        if value.is_negative or value.is_positive:
            return -1 if value.is_negative else 1
        raise UnsupportedError(
            f"the class of {self.asked.name} depends on the sign of {value}; give numbers, or symbols with "
            "assumptions such as sympy.Symbol('beta', positive=True)"
        )


def _open(rule: Network) -> Network:
    """The rule with its functions left open, as the classes have them."""
    return rule if not rule.activations else replace(rule, activations=())


def _simple(value: sympy.Expr) -> sympy.Expr:
    return sympy.S.Zero if vanishes(value) else sympy.factor_terms(sympy.expand(value))
