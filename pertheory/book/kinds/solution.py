"""Solutions in the depth at a critical point whose kernel stands still: ``V = (l - 1) (3 A_4/A_2^2 - 1) K^2``.

The engine's recursions are solved exactly (`depth`) and the formula is compared as a rational function, for every
layer and all slopes at once. A second route runs the emitted code, layer by layer (`pertheory.book.runs`).

Settings:

* "scale-invariant": two slopes a_plus, a_minus; C_b = 0, and C_W is solved from the kernel recursion of the rule;
* "half-stable": any smooth activation at a fixed point K with both susceptibilities one; averages are symbols. There
  only the leading power of l is compared, with a remainder as in ``+ O(l^2)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pertheory.algebra.terms import Lines
from pertheory.book.chapters import Equation
from pertheory.book.classes import Generic, PiecewiseLinear, rational, rational_functions
from pertheory.book.depth import CriticalDepth, at_layer
from pertheory.book.memory import remembered
from pertheory.book.one_input import NTK, Element, OneInput
from pertheory.book.runs import INNER, Slopes, half_stable_run, scale_invariant_run
from pertheory.book.scalar import SWALLOWED, Setting, compare_in, evaluate, read_one
from pertheory.book.syntax import Component, Node
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, UNCHECKED, Verdict, kind
from pertheory.errors import InputError, RuleError, UnsupportedError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.work import Node as Unit

#: relative difference that the second route leaves
TOLERANCE = 1e-6


class InDepth(Setting):
    """Tensors as polynomials in l; a subclass makes the field and the solution.

    Attributes:
        names: the symbols of the field.
        depth: the solved recursions.
    """

    names: dict[str, Element]
    depth: CriticalDepth

    def __init__(self, of: Any) -> None:
        self.of = of

    def number(self, value: Fraction) -> Element:
        """A rational function that is constant."""
        return self.of(rational(value))

    def symbol(self, name: str) -> Element:
        """A symbol of the field."""
        if name not in self.names:
            return super().symbol(name)
        return self.names[name]

    def component(self, node: Component) -> Element:
        """The solution at layer l, or l + 1 where primed."""
        tensor, fixed = find_tensor(node.name)
        unit = Unit(self.depth.step.last, tensor.kind, fixed if fixed is not None else node.order)
        layer = self.names["l"] + 1 if node.up else self.names["l"]
        return at_layer(self.depth.solution(unit), layer, self.number(Fraction(0)))

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Element:
        """Exact, or above the power of l that the remainder leaves open."""
        gap = left - right
        if remainder is None:
            return gap
        place = self.of.gens.index(self.names["l"])
        open_power = _degree(evaluate(remainder, self), place)
        if _degree(right, place) <= open_power:
            raise InputError(SWALLOWED)
        return gap if _degree(gap, place) > open_power else 0


def _degree(value: Element, place: int) -> int:
    """The degree of a rational function in one symbol."""
    above: int = max((monomial[place] for monomial in value.numer), default=0)
    below: int = max(monomial[place] for monomial in value.denom)
    return above - below


class ScaleInvariant(InDepth):
    """Piecewise linear activations at criticality, in any rule with a weight variance C_W."""

    title = "the scale-invariant class at criticality"

    def __init__(self, rule: Network, slopes: Slopes = None) -> None:
        given = [name for name, _ in rule.hyperparameters]
        known = ["a_plus", "a_minus", "K", "l", "n", *given]
        of, names = rational_functions(known)
        super().__init__(of)
        if slopes is not None:
            names["a_plus"], names["a_minus"] = self.number(slopes[0]), self.number(slopes[1])
        functions = PiecewiseLinear(of, names["a_plus"], names["a_minus"])
        names |= {name: of(value) for name, value in {"C_b": 0, **INNER}.items() if name in given}
        trial = OneInput(rule, functions, names, names["K"])
        kernel = trial.kernel_above
        names["C_W"] = solve_linear(kernel - names["K"], of.gens.index(names["C_W"]))
        self.names = names
        self.functions = functions
        step = OneInput(rule, functions, names, names["K"])
        first = {Unit(step.last, NTK, 0): names["lambda_b"] + names["lambda_W"] * names["K"] / names["C_W"]}
        self.depth = CriticalDepth(step, first if "lambda_b" in given else {})

    def average(self, lines: Lines) -> Element:
        """By half-line moments."""
        return self.functions.average(self.names["K"], 0, lines)


def solve_linear(value: Element, place: int) -> Element:
    """Where a rational function, linear in one symbol, vanishes."""
    parts = [value.field(0), value.field(0)]
    for monomial, coefficient in value.numer.terms():
        if monomial[place] > 1:
            raise InputError("the kernel recursion is not linear in C_W")
        rest = tuple(0 if i == place else power for i, power in enumerate(monomial))
        parts[monomial[place]] += value.field(value.numer.ring.from_dict({rest: coefficient}))
    return -parts[0] / parts[1]


class HalfStable(InDepth):
    """Any smooth activation at a fixed point K > 0 with both susceptibilities one: averages are symbols.

    chi_perp = 1 fixes <s' s'> = 1/C_W, chi_par = chi_perp fixes <s s''> = 0, and the fixed point fixes C_b.
    """

    title = "the half-stable class at criticality"

    def __init__(self, rule: Network) -> None:
        atoms: list[tuple[int, ...]] = [
            (a, b, c, d)
            for a in range(3)
            for b in range(a, 3)
            for c in range(b, 5)
            for d in range(c, 5)
            if a + b + c + d in (0, 2, 4)
        ]
        atoms += [(a, b) for a in range(5) for b in range(a, 7) if (a + b) % 2 == 0 and a + b <= 6]
        label = {atom: "m" + "".join(map(str, atom)) for atom in atoms}
        of, names = rational_functions(["K", "l", "n", "C_W", "lambda_b", "lambda_W", *label.values()])
        super().__init__(of)
        symbols = {atom: names[label[atom]] for atom in atoms}
        symbols[1, 1] = 1 / names["C_W"]
        symbols[0, 2] = of(0)
        names["C_b"] = names["K"] - names["C_W"] * symbols[0, 0]
        self.names, self.symbols = names, symbols
        self.functions = Generic(self.of_lines, self.number)
        step = OneInput(rule, self.functions, names, names["K"])
        first = {Unit(0, NTK, 0): names["lambda_b"] + names["lambda_W"] * symbols[0, 0]}
        self.depth = CriticalDepth(step, first)

    def of_lines(self, orders: tuple[int, ...]) -> Element:
        """The symbol of a product of derivatives of s."""
        if orders not in self.symbols:
            raise UnsupportedError("this solution needs averages that the half-stable setting does not name")
        return self.symbols[orders]

    def average(self, lines: Lines) -> Element:
        """By Leibniz's rule and Stein's lemma."""
        return self.functions.average(self.names["K"], 0, lines)


#: slopes of the scale-invariant settings; None keeps them as symbols
SCALE_INVARIANT: Mapping[str, Slopes] = {
    "scale-invariant": None,
    "linear": (Fraction(1), Fraction(1)),
    "ReLU": (Fraction(1), Fraction(0)),
}
SETTINGS = (*SCALE_INVARIANT, "half-stable")


@remembered(maxsize=16)
def setting_of(name: str, rule: Network) -> InDepth:
    """The setting of a name for a rule, solved once."""
    return HalfStable(rule) if name == "half-stable" else ScaleInvariant(rule, SCALE_INVARIANT[name])


@kind("solution", setting=True)
def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the engine's recursions, solved exactly, and with emitted code."""
    statement = read_one(equation, form)
    if equation.setting not in SETTINGS:
        raise RuleError(f"{equation.place}: equation {equation.number}: setting must be one of {', '.join(SETTINGS)}")
    setting = setting_of(equation.setting, equation.rule)
    found = compare_in(setting, statement, SYMBOLIC)
    if found.status == UNCHECKED:
        return found
    slopes = SCALE_INVARIANT.get(equation.setting)
    run = half_stable_run() if equation.setting == "half-stable" else scale_invariant_run(equation.rule, slopes)
    residual = run.residual(statement)
    if residual is None:
        return found
    if (residual > TOLERANCE) != (found.status == MISMATCH):
        return Verdict(MISMATCH, BOTH, residual, "the solved recursion and the emitted code disagree", found.difference)
    return Verdict(found.status, BOTH, residual if found.status == MISMATCH else 0.0, found.note, found.difference)


__all__ = ["decide", "setting_of"]
