"""The critical points of an activation with K > 0: searched for in a range, as numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cached_property

import sympy

from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.solve.averages import Expanded
from pertheory.solve.channels import outer
from pertheory.solve.critical import HIGHEST, SEARCHED, CriticalPoint, Search, at_rest, search_range
from pertheory.solve.criticality import Point, plain
from pertheory.solve.layer import SingleInputLayer
from pertheory.solve.near_zero import expression
from pertheory.solve.numbers import Doubles, named_functions
from pertheory.solve.question import Asked
from pertheory.solve.roots import FLAT

#: below this a curvature times K is zero
STRAIGHT = 1e-9
#: powers of the scale b of s(z; b) = s(b z; 1)/b in what belongs to a point
DIMENSIONS = {"C_b": -2, "K": -2, "C_W": 0, "nu": 0, "h": 2, "curvature": 2}

Found = tuple[list[Point], dict[str, sympy.Expr]]


class AboveZero:
    """What a search over K finds.

    Args:
        asked: the question.

    Attributes:
        notes: what a reader should know, a line each.
        range: of K, in which nothing is missed.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked, self.rule, self.function = asked, asked.rule, asked.function
        self.own = outer(asked.rule)
        self.notes: list[str] = []
        self.range = SEARCHED

    def points(self) -> Found:
        """The points, and what is known of the first, by name."""
        if self.asked.is_symbolic:
            return self._scaled(*self._scale())
        found = self._isolated()
        number = dict(self.function.parameters)
        if not found[0] and len(number) == 1 and not self.asked.given:
            ((name, value),) = number.items()
            if value > 0 and value != 1 and self._only_scales(name, sympy.Symbol(name, positive=True)):
                return self._scaled(name, sympy.Float(float(value)))
        return found

    @cached_property
    def _searched(self) -> Search | None:
        """What a search over K finds, None where susceptibilities are infinite."""
        if self.function.jump_order == 0:
            self.notes.append(f"{self.asked.name} jumps: <s' s'> is infinite, and gradients explode at every kernel")
            return None
        found = search_range(self.rule, self.function, self.asked.numbers)
        self.range = found.looked
        if found.looked.high < HIGHEST:
            self.notes.append(f"it grows so fast that averages are known to about K = {found.looked.high:g} only")
        return found

    def _isolated(self) -> Found:
        """The points with K > 0, and what is known of the first."""
        found = self._searched
        if found is None:
            return [], {}
        points = list(found.points)
        if found.roots.flat and self.own.bias:
            one = found.conditions.point(min(max(1.0, found.looked.low), found.looked.high))
            if found.conditions.is_possible(one):
                points = [one]
                self.notes.append(
                    f"every K > 0 has a critical point, with its own C_b and C_W; this is that of K = {one.kernel:g}"
                )
        if not points:
            return [], {}
        numbers = self._at_point(points[0])
        return [self._of_number(point) for point in points], numbers

    def _scaled(self, name: str, scale: sympy.Expr) -> Found:
        """The same where a parameter only sets the scale of z, s(z; b) = s(b z; 1)/b, from the points at b = 1."""
        unit = AboveZero(self.asked._replace(function=self._at_one(name), symbols={}))
        points, numbers = unit.points()
        self.notes += unit.notes
        exact = {name: value * scale ** DIMENSIONS[name] for name, value in numbers.items()}
        scaled = [own._replace(C_b=plain(own.C_b / scale**2), K=plain(own.K / scale**2)) for own in points]
        if scale.is_number:
            low, high = (float(end / scale**2) for end in (unit.range.low, unit.range.high))
            self.range = unit.range._replace(low=low, high=high)
        return scaled, exact

    def _only_scales(self, name: str, scale: sympy.Expr) -> bool:
        """Whether a parameter only sets the scale of z."""
        if not self.function.is_smooth:
            return False
        x, node = sympy.Symbol("x", real=True), self.function.pieces[0].node
        known = {key: sympy.Rational(Fraction(value)) for key, value in self.function.parameters}
        own, one = (expression(node, {**known, name: value, "x": x}) for value in (scale, sympy.S.One))
        return bool(sympy.simplify(own * scale - one.subs(x, scale * x)) == 0)

    def _scale(self) -> tuple[str, sympy.Expr]:
        """The symbol that only sets the scale, and its name.

        Raises:
            UnsupportedError: there is none.
        """
        shown = ", ".join(map(str, {**self.asked.symbols, **self.asked.given}.values()))
        if len(self.asked.symbols) == 1 and not self.asked.given:
            ((name, scale),) = self.asked.symbols.items()
            if self._only_scales(name, scale):
                return name, scale
        raise UnsupportedError(
            f"the critical points of {self.asked.name} depend on {shown} in no simple way; give numbers"
        )

    def _at_one(self, parameter: str) -> Activation:
        numbers = tuple((name, Fraction(1) if name == parameter else own) for name, own in self.function.parameters)
        return replace(self.function, parameters=numbers)

    def _of_number(self, point: CriticalPoint) -> Point:
        series = self._series(point, 3)
        second, third = (
            float(series.kernel_above.coefficients[power]) * point.kernel ** (power - 1) for power in (2, 3)
        )
        if abs(second) > STRAIGHT:
            stability = f"half-stable, from {'below' if second > 0 else 'above'}"
        else:
            stability = "stable" if third < 0 else "unstable"
        return Point(point.couplings[self.own.bias], point.couplings[self.own.weight], point.kernel, stability)

    def _series(self, point: CriticalPoint, order: int) -> SingleInputLayer:
        """The layer above kernels near a point, as series in the distance."""
        averages = Expanded(Doubles(named_functions(self.rule, self.function)), point.kernel, order)
        couplings = {name: averages.constant(value) for name, value in point.couplings.items()}
        return SingleInputLayer(self.rule, averages, couplings, averages.kernel)

    def _at_point(self, point: CriticalPoint) -> dict[str, sympy.Expr]:
        series = self._series(point, 2)
        numbers = {
            "C_b": point.couplings[self.own.bias],
            "C_W": point.couplings[self.own.weight],
            "K": point.kernel,
            "h": series.own_coefficient("Theta").coefficients[1] / 2,
            "curvature": series.kernel_above.coefficients[2],
        }
        layer = SingleInputLayer(self.rule, point.averages, point.couplings, point.kernel)
        try:
            numbers["nu"] = layer.polynomial(layer.node("V"))[()] / point.kernel**2
        except UnsupportedError:
            self.notes.append("V does not exist there: the fourth power of the activation has no average")
        return {name: sympy.Float(value) for name, value in numbers.items()}

    def growth(self, weight: float) -> int:
        """The sign of K' - K, without a bias, at the smallest kernel at which doubles see it; 0 if at none."""
        if self.asked.is_symbolic:
            raise UnsupportedError(f"{self.asked.name} is linear near zero; its stability needs numbers")
        found = self._searched
        if found is None:
            return 1
        couplings = at_rest(self.rule, found.conditions.averages, self.asked.numbers)
        couplings |= {self.own.weight: weight, self.own.bias: 0.0}
        far = [kink * kink for kink in self.function.kinks if kink * kink > found.looked.high]
        for kernel in (*found.looked.nodes, *far):
            above = SingleInputLayer(self.rule, found.conditions.averages, couplings, kernel).kernel_above
            if abs(above / kernel - 1) > FLAT:
                return 1 if above > kernel else -1
        return 0
