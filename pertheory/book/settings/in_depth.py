"""Solutions in the depth at a critical point whose kernel stands still: ``V = (l - 1) (3 A_4/A_2^2 - 1) K^2``.

The engine's recursions are solved exactly and the formula is compared as a rational function, for every layer and all
slopes at once. A second route runs the emitted code, layer by layer.

Settings:

* "scale-invariant": two slopes a_plus, a_minus; C_b = 0, and C_W is solved from the kernel recursion of the rule;
  "linear" and "ReLU" are two choices of them;
* "half-stable": any smooth activation at a fixed point K with both susceptibilities one; averages are symbols. There
  only the leading power of l is compared, with a remainder as in ``+ O(l^2)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.scalar import SWALLOWED, Element, Setting
from pertheory.book.settings.runs import half_stable_run, needed, scale_invariant_run
from pertheory.book.syntax import Node, Statement
from pertheory.errors import InputError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor
from pertheory.solve.universality import ClassInDepth, Slopes, half_stable, scale_invariant
from pertheory.worker import Node as Unit

#: slopes of the scale-invariant settings; None keeps them as symbols
SCALE_INVARIANT: Mapping[str, Slopes] = {
    "scale-invariant": None,
    "linear": (Fraction(1), Fraction(1)),
    "ReLU": (Fraction(1), Fraction(0)),
}
HALF_STABLE = "half-stable"
SETTINGS = (*SCALE_INVARIANT, HALF_STABLE)


class InDepth(Setting):
    """Tensors as polynomials in l.

    Args:
        rule: the network.
        name: of the setting.
    """

    tolerance = 1e-6

    def __init__(self, rule: Network, name: str) -> None:
        self.rule, self.name = rule, name
        self.title = f"the {HALF_STABLE if name == HALF_STABLE else 'scale-invariant'} class at criticality"
        self.solved: ClassInDepth = (
            half_stable(rule) if name == HALF_STABLE else scale_invariant(rule, SCALE_INVARIANT[name])
        )
        self.make, self.values = self.solved.field.number, self.solved.symbols
        self.layer = self.solved.symbols["l"]

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """The solution at layer l, or l + 1 where primed."""
        tensors = self.solved.tensors
        return tensors.at(Unit(tensors.step.last, tensor.kind, order), self.layer + 1 if node.up else self.layer)

    def average(self, lines: Lines) -> Element:
        """By half-line moments, or by Leibniz's rule and Stein's lemma."""
        return self.solved.averages.average(self.solved.symbols["K"], 0, lines)

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Element:
        """Exact, or above the power of l that the remainder leaves open."""
        gap, degree = left - right, self.solved.field.degree
        if remainder is None:
            return gap
        open_power = degree(self.interpret(remainder), "l")
        if degree(right, "l") <= open_power:
            raise InputError(SWALLOWED)
        return gap if degree(gap, "l") > open_power else 0

    def residual(self, statement: Statement) -> float | None:
        """From the emitted code."""
        if self.name == HALF_STABLE:
            return half_stable_run(self.rule, needed(statement)).residual_of_run(statement)
        slopes = SCALE_INVARIANT[self.name]
        return scale_invariant_run(self.rule, slopes, needed(statement)).residual_of_run(statement)
