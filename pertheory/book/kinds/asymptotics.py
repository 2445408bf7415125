"""Leading behaviour at large depth for smooth activations with s(0) = 0: ``F = T_0 l^(1-p) / ((5-p) (-a_1))``.

First route: the ansatz is put into the engine's recursions, whose averages are expanded in K (`large_depth`); the
coefficient follows by exact algebra in the derivatives of s at 0. Second route: the recursions are iterated for a
cubic activation, whose averages are polynomials in K, and the ratio of the sides is extrapolated to infinite depth.

Settings "K*=0" (a general activation), "K*=0, odd" (even derivatives vanish, p = 1), "K*=0, log" (the kernel with its
first correction log(l)/l^2). The learning rates are lambda_b = tilde_b l^-p and lambda_W = tilde_W l^(1-p); powers of
the final depth are left out, as in the book.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pertheory.algebra.terms import Lines
from pertheory.book.chapters import Equation
from pertheory.book.classes import Series, SmallKernel, rational, rational_functions
from pertheory.book.visit import walk
from pertheory.book.growth import Growth, Power
from pertheory.book.iterate import Iteration, iteration
from pertheory.book.kinds.solution import solve_linear
from pertheory.book.large_depth import LargeDepth, kernel_decay
from pertheory.book.memory import remembered
from pertheory.book.one_input import KERNEL, Element, OneInput
from pertheory.book.runs import INNER
from pertheory.book.scalar import SWALLOWED, Setting, compare_in, evaluate, read_one
from pertheory.book.syntax import Average, Component, Node, Number, Product, Slope, Statement, Sum, Symbol
from pertheory.book.verdict import BOTH, MISMATCH, SYMBOLIC, UNCHECKED, Verdict, kind
from pertheory.errors import InputError, RuleError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.work import Node as Unit

#: the derivatives of s at 0 that are kept as symbols
DERIVATIVES = 9
SETTINGS = ("K*=0", "K*=0, odd", "K*=0, log")
#: sigma_1, sigma_2, sigma_3 with a_1 < 0 at which signs are looked up, from p = 1 down to p = -8
SIGNS = ((1, 0, -2), (1, Fraction(1, 2), -1), (1, 1, -2), (2, 1, -1), (1, 2, -4), (1, 3, -7))
#: relative size of what the extrapolation of the second route leaves
TOLERANCE = 2e-3


class AtLargeDepth(Setting):
    """Tensors as leading powers of l."""

    title = "the K* = 0 class at large depth"

    def __init__(self, rule: Network, name: str) -> None:
        self.with_log = name.endswith("log")
        sigma = [f"sigma_{order}" for order in range(1, DERIVATIVES + 1)]
        given = [hyperparameter for hyperparameter, _ in rule.hyperparameters]
        self.of, names = rational_functions([*sigma, "tilde_b", "tilde_W", "n", *given])
        derivatives = [self.of(0) if name.endswith("odd") and i % 2 else names[s] for i, s in enumerate(sigma)]
        self.functions = SmallKernel(self.of, derivatives, 3 if self.with_log else 2)
        names |= {inner: self.of(value) for inner, value in {"C_b": 0, **INNER}.items() if inner in given}
        slope = self.kernel_series(rule, names)[1]
        names["C_W"] = solve_linear(slope - 1, self.of.gens.index(names["C_W"]))
        kernel = self.kernel_series(rule, names)
        couplings = {key: self.functions.constant(names[key]) for key in given}
        if "lambda_b" in given:  # with depth: lambda_b = tilde_b/l and lambda_W = tilde_W, both times l^(1-p)
            couplings["lambda_W"] = self.functions.constant(names["tilde_W"])
            couplings["lambda_b"] = self.functions.constant(names["tilde_b"] * -kernel[2]) * self.functions.kernel
        self.depth = LargeDepth(OneInput(rule, self.functions, couplings, self.functions.kernel), self.is_positive)
        self.decay = kernel_decay(Series(kernel)) if self.with_log else None
        known = [*sigma, "tilde_b", "tilde_W", "n", "C_W", *(key for key in ("gamma",) if key in given)]
        self.names = {key: names[key] for key in known}
        self.names |= {"p": self.depth.p, "a_1": self.depth.a_1, "b_1": self.depth.p * self.depth.a_1}
        if self.with_log:
            self.names["a_2"] = kernel[3]

    def kernel_series(self, rule: Network, names: Mapping[str, Element]) -> tuple[Element, ...]:
        """The coefficients of K' in powers of K."""
        couplings = {name: self.functions.constant(names[name]) for name, _ in rule.hyperparameters}
        step = OneInput(rule, self.functions, couplings, self.functions.kernel)
        return tuple(step.kernel_above.coefficients)

    def is_positive(self, value: Element) -> bool:
        """Whether a function of the derivatives of s is positive wherever it was looked at."""
        rest = [rational(Fraction(1, 2))] * (len(self.of.gens) - 3)
        return all(_at(value, [*map(rational, signs), *rest]) > 0 for signs in SIGNS)

    def number(self, value: Fraction) -> Growth:
        """A constant."""
        return self.constant(self.of(rational(value)))

    def constant(self, value: Element) -> Growth:
        """An element of the field that does not depend on l."""
        return Growth({Power(Fraction(0), 0): value})

    def symbol(self, name: str) -> Element:
        """A symbol of the field, or l."""
        if name == "l":
            return Growth({Power(Fraction(-1), 0): self.of(1)})
        if name not in self.names:
            return super().symbol(name)
        return self.constant(self.names[name])

    def component(self, node: Component) -> Element:
        """The leading behaviour, which is the same one layer up."""
        tensor, fixed = find_tensor(node.name)
        order = fixed if fixed is not None else node.order
        if self.decay is not None:
            if (tensor.kind, order) != (KERNEL, 0):
                raise InputError(f"only K is known to the next order in {self.title}")
            terms = {
                Power(Fraction(1), 0): 1 / self.decay.scale,
                Power(Fraction(2), -1): -self.decay.log_term / self.decay.scale,
            }
            return Growth(terms, 0, Power(Fraction(2), 0))
        found = self.depth.leading(Unit(self.depth.step.last, tensor.kind, order))
        if found is None:
            return self.number(Fraction(0))
        power = Fraction(found.power)
        return Growth({Power(power, 0): found.coefficient}, found.edges, Power(power + 1, -9))

    def average(self, lines: Lines) -> Growth:
        """The first two orders in K, with the leading K put in; the next is log(l)/l^2."""
        return self.of_series(self.functions.average(self.functions.kernel, 0, lines))

    def of_series(self, series: Series) -> Growth:
        """The first two orders of a series in K at large depth."""
        head, slope, *_ = series.coefficients
        terms = {Power(Fraction(0), 0): head, Power(Fraction(1), 0): -slope / self.depth.a_1}
        return Growth(terms, 0, Power(Fraction(2), -1))

    def slope(self, variable: str, of: Node) -> Element:
        """A coefficient of the engine's recursion, or a derivative with respect to K."""
        return self.of_series(self.slope_series(variable, of))

    def slope_series(self, variable: str, of: Node) -> Series:
        """The same as a series in K; of a derivative the last coefficient is not known, and not used."""
        step = self.depth.step
        if variable == "K":
            inner: Series = step.kernel_above
            if isinstance(of, Slope) and of.variable != "K":
                inner = self.slope_series(of.variable, of.of)
            elif not (isinstance(of, Component) and of.up and of.name == "K"):
                raise InputError("d/dK takes K' or a coefficient such as d/dTheta[Theta'] here")
            lower = [coefficient * order for order, coefficient in enumerate(inner.coefficients)][1:]
            return Series([*lower, self.of(0)])
        if not isinstance(of, Component) or not of.up:
            raise InputError(f"d/d{variable} takes a tensor of the layer above, as in d/d{variable}[{variable}']")
        above, below = (find_tensor(name) for name in (of.name, variable))
        unit = Unit(step.last, above[0].kind, above[1] if above[1] is not None else of.order)
        key = (Unit(step.last, below[0].kind, below[1] or 0),)
        found: Series = step.polynomial(unit).get(key, self.functions.number(0))
        return found

    def raised(self, base: Node, exponent: Node) -> Element:
        """A power of l whose exponent is linear in p."""
        if base != Symbol("l"):
            raise InputError("only l may have an exponent with p")
        constant, slope = _linear_in_p(exponent)
        if slope.denominator != 1:
            raise InputError("p comes with whole factors in exponents of l")
        return Growth({Power(-constant - slope, 0): self.of(1)}, -int(slope))

    def apply(self, function: str, of: Node) -> Element:
        """log(l)."""
        if function != "log" or of != Symbol("l"):
            return super().apply(function, of)
        return Growth({Power(Fraction(0), -1): self.of(1)})

    def difference(self, left: Growth, right: Growth, remainder: Node | None) -> Growth:
        """Left minus right as far as both are known, which must be as far as is claimed."""
        if left.terms and right.terms and left.edges != right.edges:
            return left  # they grow with different powers l^(1-p)
        gap = left - right
        if not (left.terms or right.terms):
            return gap
        claimed = evaluate(remainder, self).lead if remainder is not None else None
        if claimed is None:
            below = [power for side in (left, right) for power in side.terms if power >= gap.known]
            if below:
                raise InputError(f"what is claimed goes beyond the orders of l that are known in {self.title}")
        elif not right.terms or claimed <= max(right.terms):
            raise InputError(SWALLOWED)
        elif claimed > gap.known:
            raise InputError(f"the remainder is smaller than the orders of l that are known in {self.title}")
        return Growth({power: value for power, value in gap.terms.items() if claimed is None or power < claimed})


def _at(value: Element, point: list[Any]) -> Any:
    """A rational function at a point."""
    return value.numer(*point) / value.denom(*point)


def _linear_in_p(node: Node) -> tuple[Fraction, Fraction]:
    """An exponent as constant and factor of p."""
    match node:
        case Number(value):
            return value, Fraction(0)
        case Symbol("p"):
            return Fraction(0), Fraction(1)
        case Sum(terms):
            parts = [_linear_in_p(term) for term in terms]
            return sum((a for a, _ in parts), Fraction(0)), sum((b for _, b in parts), Fraction(0))
        case Product(factors):
            constant, slope = Fraction(1), Fraction(0)
            for factor in factors:
                a, b = _linear_in_p(factor)
                if slope and b:
                    raise InputError("an exponent of l must be linear in p")
                constant, slope = constant * a, constant * b + slope * a
            return constant, slope
    raise InputError("an exponent of l is made of numbers and p")


@remembered(maxsize=16)
def setting_of(rule: Network, name: str) -> AtLargeDepth:
    """The setting of a name for a rule, made once."""
    return AtLargeDepth(rule, name)


@kind("asymptotics", setting=True)
def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the ansatz, and with recursions that are iterated."""
    statement = read_one(equation, form)
    if equation.setting not in SETTINGS:
        raise RuleError(f"{equation.place}: equation {equation.number}: setting must be one of {'; '.join(SETTINGS)}")
    found = compare_in(setting_of(equation.rule, equation.setting), statement, SYMBOLIC)
    if found.status == UNCHECKED or equation.setting.endswith("log") or not _has_components(statement):
        return found
    residual = iterated_residual(statement, equation.rule, equation.setting.endswith("odd"))
    if (residual > TOLERANCE) != (found.status == MISMATCH):
        note = f"the ansatz and the iterated recursions disagree (residual {residual:.2g})"
        return Verdict(MISMATCH, BOTH, residual, note, found.difference)
    return Verdict(found.status, BOTH, residual if found.status == MISMATCH else 0.0, found.note, found.difference)


def _has_components(statement: Statement) -> bool:
    """Whether there is something to iterate: components, and no averages or coefficients."""
    nodes = [node for side in statement.sides for node in walk(side)]
    closed = any(isinstance(node, Average | Slope) for node in nodes)
    return not closed and any(isinstance(node, Component) for node in nodes)


class Iterated(Setting):
    """The same names as numbers, at one layer of an iteration."""

    title = "the iterated recursions"

    def __init__(self, run: Iteration, layer: int) -> None:
        self.run, self.layer = run, layer
        self.values = {**run.numbers, "l": float(layer), "n": 7.0}

    def number(self, value: Fraction) -> float:
        """As it is."""
        return float(value)

    def symbol(self, name: str) -> float:
        """The value in the iteration."""
        return self.values[name] if name in self.values else float(super().symbol(name))

    def component(self, node: Component) -> float:
        """The number at the layer."""
        tensor, fixed = find_tensor(node.name)
        return self.run.value(Unit(self.run.last, tensor.kind, fixed if fixed is not None else node.order), self.layer)

    def raised(self, base: Node, exponent: Node) -> float:
        """As it is."""
        return float(evaluate(base, self) ** evaluate(exponent, self))


def iterated_residual(statement: Statement, rule: Network, odd: bool) -> float:
    """How far the ratio of the sides, extrapolated to infinite depth, is from one.

    The ratio is fitted with 1 + (c log(l) + d)/l at l, l/2 and l/4.
    """
    run = iteration(rule, odd)
    layers = [run.depth, run.depth // 2, run.depth // 4]
    worst = 0.0
    values = [[evaluate(side, Iterated(run, layer)) for layer in layers] for side in statement.sides]
    for other in values[1:]:
        if not any(values[0]) and not any(other):
            continue
        if not all(values[0]) or not all(other):
            return 1.0
        ratios = [a / b for a, b in zip(values[0], other, strict=True)]
        worst = max(worst, abs(extrapolated(layers, ratios) - 1))
    return worst


def extrapolated(layers: list[int], values: list[float]) -> float:
    """The constant of a fit by constant + (c log(l) + d)/l through three points."""
    import numpy as np

    matrix = [[1.0, math.log(layer) / layer, 1.0 / layer] for layer in layers]
    return float(np.linalg.solve(np.array(matrix), np.array(values))[0])


__all__ = ["decide", "iterated_residual", "setting_of"]
