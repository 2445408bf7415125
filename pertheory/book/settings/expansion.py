"""Averages and susceptibilities of a class of activations, as expansions or in closed form, away from criticality.

Settings:

* "small K": s(0) = 0, power series in K with a remainder as in ``+ O(K^3)``; sigma_k are the derivatives of s at 0, and
  a_1, a_2, b_1 are read off what the engine derives: K' = C_b + C_W sigma_1^2 (K + a_1 K^2 + a_2 K^3 + ..) and the
  coefficient of Theta in Theta', C_W sigma_1^2 (1 + b_1 K + ..);
* "two slopes": s(z) = a_plus z or a_minus z; everything is a rational function.

``d/dX[Y']`` is the coefficient of X in the engine's recursion of Y, ``d/dK[..]`` the derivative with respect to K.
"""

from __future__ import annotations

from typing import Any

from pertheory.algebra.series import TaylorSeries
from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.scalar import Element, Setting, below_remainder
from pertheory.book.syntax import Node
from pertheory.errors import InputError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor, find_tensor
from pertheory.solve.layer import KERNEL, SingleInputLayer
from pertheory.solve.universality import OffCritical, small_kernel, two_slopes
from pertheory.worker import Node as Unit

#: the power of K that is kept, and the highest that a remainder may leave open: a derivative costs one
ORDER, HIGHEST = 5, 4
DERIVATIVES = 15


def coefficient_of(step: SingleInputLayer, variable: str, of: Node) -> Element:
    """The coefficient of a tensor in the engine's recursion of another, ``d/dX[Y']``."""
    if not isinstance(of, syntax.Component) or not of.up:
        raise InputError(f"d/d{variable} takes a tensor of the layer above, as in d/d{variable}[{variable}']")
    (above, order), (below, fixed) = find_tensor(of.name), find_tensor(variable)
    unit = Unit(step.last, above.kind, order if order is not None else of.order)
    return step.polynomial(unit).get((Unit(step.last, below.kind, fixed or 0),), step.averages.number(0))


class FreeCouplings(Setting):
    """The engine's recursions of a class with every coupling free."""

    def __init__(self, free: OffCritical) -> None:
        self.free, self.make, self.values = free, free.averages.number, free.symbols

    def average(self, lines: Lines) -> Element:
        """As the class has it."""
        return self.free.averages.average(self.free.step.kernel(-1, "z"), 0, lines)

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """K, and K one layer up; other tensors only below d/dX."""
        if tensor.kind != KERNEL or order:
            raise InputError(
                f"{node.name} has no value in {self.title}; its coefficients are written d/dX[{node.name}']"
            )
        return self.free.step.kernel_above if node.up else self.free.step.kernel(-1, "z")

    def meaning(self, node: Node, *place: Any) -> Element:
        """A coefficient of the engine's recursion, a derivative with respect to K, or as in every setting."""
        if not isinstance(node, syntax.Slope):
            return super().meaning(node, *place)
        if find_tensor(node.variable)[0].kind == KERNEL:
            return self.in_kernel(self.interpret(node.of))
        return coefficient_of(self.free.step, node.variable, node.of)

    def in_kernel(self, value: Element) -> Element:
        """The derivative of an element with respect to K."""
        return value.diff(self.free.symbols["K"])


class TwoSlopesOffCritical(FreeCouplings):
    """Piecewise linear activations."""

    title = "the class of two slopes"

    def __init__(self, rule: Network) -> None:
        super().__init__(two_slopes(rule))


class SmallKernel(FreeCouplings):
    """Smooth activations with s(0) = 0, as series in K."""

    title = "the expansion in small K"

    def __init__(self, rule: Network) -> None:
        super().__init__(small_kernel(rule, ORDER, DERIVATIVES))
        self.values = {name: self.free.averages.constant(value) for name, value in self.values.items()}

    def in_kernel(self, value: TaylorSeries) -> TaylorSeries:
        """The derivative of a series; its last coefficient is not known and set to zero."""
        return value.derivative()

    def difference(self, left: TaylorSeries, right: TaylorSeries, remainder: Node | None) -> Any:
        """Left minus right below the remainder; without one both have to be constants."""
        if remainder is None and not any(left.coefficients[1:]) and not any(right.coefficients[1:]):
            return left - right
        power = self.interpret(remainder) if remainder is not None else None
        return below_remainder(left, right, power, HIGHEST, "K")


SETTINGS: dict[str, type[SmallKernel] | type[TwoSlopesOffCritical]] = {
    "small K": SmallKernel,
    "two slopes": TwoSlopesOffCritical,
}
