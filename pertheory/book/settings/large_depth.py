"""Leading behaviour at large depth for smooth activations with s(0) = 0: ``F = T_0 l^(1-p) / ((5-p) (-a_1))``.

First route: the ansatz is put into the engine's recursions, whose averages are expanded in K; the coefficient
follows by
exact algebra in the derivatives of s at 0. Second route: the recursions are iterated for a cubic activation, whose
averages are polynomials in K, and the ratio of the sides is extrapolated to infinite depth.

Settings "K*=0" (a general activation), "K*=0, odd" (even derivatives vanish, p = 1), "K*=0, log" (the kernel with its
first correction log(l)/l^2). The learning rates are lambda_b = tilde_b l^-p and lambda_W = tilde_W l^(1-p); powers of
the final depth are left out, as in the book.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from pertheory.algebra.series import TaylorSeries
from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.scalar import SWALLOWED, Element, Setting
from pertheory.book.settings.expansion import coefficient_of
from pertheory.book.syntax import Node, Statement
from pertheory.book.visit import Interpreter, walk
from pertheory.errors import InputError
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor
from pertheory.solve.growth import DepthPower, Growth
from pertheory.solve.iterate import Iteration
from pertheory.solve.vanishing import VanishingKernel
from pertheory.worker import Node as Unit

SETTINGS = ("K*=0", "K*=0, odd", "K*=0, log")
#: s = z + sigma_2 z^2/2 + sigma_3 z^3/6 of the second route, general and odd, and the width
GENERAL, ODD, WIDTH = (Fraction(1), Fraction(1), Fraction(-2)), (Fraction(1), Fraction(0), Fraction(-2)), 7.0
ONE, L = DepthPower(Fraction(0), 0), syntax.Symbol("l")


class AtLargeDepth(Setting):
    """Tensors as leading powers of l.

    Args:
        rule: the network.
        name: of the setting.
    """

    title = "the K* = 0 class at large depth"
    tolerance = 2e-3

    def __init__(self, rule: Network, name: str) -> None:
        self.rule, self.odd, self.with_log = rule, name.endswith("odd"), name.endswith("log")
        self.solved = VanishingKernel(rule, self.odd, 3)
        self.make = lambda value: Growth({ONE: self.solved.field.number(value)})
        constants = {name: Growth({ONE: value}) for name, value in self.solved.symbols.items()}
        self.values = {**constants, L.name: self.solved.tensors.power(1)}

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """The leading behaviour, or that with its first correction, which begin equally one layer up."""
        unit, tensors = Unit(self.solved.step.last, tensor.kind, order), self.solved.tensors
        return tensors.series(unit, 1) if self.with_log else tensors.series(unit)

    def average(self, lines: Lines) -> Growth:
        """The average at the kernel of a layer."""
        return self.of_series(self.solved.averages.average(self.solved.averages.kernel, 0, lines))

    def of_series(self, series: TaylorSeries) -> Growth:
        """A series in K at large depth, to the first correction."""
        return self.solved.tensors.at_depth(series, 1)

    def meaning(self, node: Node, *place: Any) -> Element:
        """Besides what every setting knows: coefficients of the engine, l^(..p..) and log(l)."""
        match node:
            case syntax.Slope():
                return self.of_series(self.slope_series(node))
            case syntax.Raise(base, exponent):
                if base != L:
                    raise InputError("only l may have an exponent with p")
                constant, slope = LinearInP().interpret(exponent)
                if slope.denominator != 1:
                    raise InputError("p comes with whole factors in exponents of l")
                return self.solved.tensors.power(constant + slope, -int(slope))
            case syntax.Apply("log", of) if of == L:
                return Growth({DepthPower(Fraction(0), -1): self.solved.field.number(1)})
        return super().meaning(node, *place)

    def slope_series(self, node: syntax.Slope) -> TaylorSeries:
        """The same as a series in K; of a derivative the last coefficient is not known, and not used."""
        if node.variable != "K":
            found: TaylorSeries = coefficient_of(self.solved.step, node.variable, node.of)
            return found
        if isinstance(node.of, syntax.Slope) and node.of.variable != "K":
            return self.slope_series(node.of).derivative()
        if not (isinstance(node.of, syntax.Component) and node.of.up and node.of.name == "K"):
            raise InputError("d/dK takes K' or a coefficient such as d/dTheta[Theta'] here")
        above: TaylorSeries = self.solved.step.kernel_above
        return above.derivative()

    def difference(self, left: Growth, right: Growth, remainder: Node | None) -> Growth:
        """Left minus right as far as both are known, which must be as far as is claimed."""
        if left.terms and right.terms and left.edges != right.edges:
            return left  # they grow with different powers l^(1-p)
        gap = left - right
        if not (left.terms or right.terms):
            return gap
        claimed = self.interpret(remainder).lead if remainder is not None else None
        if claimed is None:
            below = [power for side in (left, right) for power in side.terms if power >= gap.known]
            if below:
                raise InputError(f"what is claimed goes beyond the orders of l that are known in {self.title}")
        elif not right.terms or claimed <= max(right.terms):
            raise InputError(SWALLOWED)
        elif claimed > gap.known:
            raise InputError(f"the remainder is smaller than the orders of l that are known in {self.title}")
        return Growth({power: value for power, value in gap.terms.items() if claimed is None or power < claimed})

    def residual(self, statement: Statement) -> float | None:
        """From the iteration, where there is something to iterate: components, and no averages or coefficients."""
        nodes = list(walk(*statement.sides))
        closed = any(isinstance(node, syntax.Average | syntax.Slope) for node in nodes)
        if self.with_log or closed or not any(isinstance(node, syntax.Component) for node in nodes):
            return None
        return iterated_residual(statement, self.rule, self.odd)


class LinearInP(Interpreter[tuple[Fraction, Fraction]]):
    """An exponent of l as a constant and a factor of p."""

    title = "an exponent of l, which is made of numbers and p"

    def number(self, value: Fraction) -> tuple[Fraction, Fraction]:
        """A number."""
        return value, Fraction(0)

    def plus(self, a: tuple[Fraction, Fraction], b: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
        """The sum."""
        return a[0] + b[0], a[1] + b[1]

    def times(self, a: tuple[Fraction, Fraction], b: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
        """The product."""
        if a[1] and b[1]:
            raise InputError("an exponent of l must be linear in p")
        return a[0] * b[0], a[0] * b[1] + a[1] * b[0]

    def meaning(self, node: Node, *place: Any) -> tuple[Fraction, Fraction]:
        """p, and what is made of it."""
        return (Fraction(0), Fraction(1)) if node == syntax.Symbol("p") else super().meaning(node, *place)


class Iterated(Setting):
    """The same names as numbers, at one layer of an iteration."""

    title = "the iterated recursions"
    make = float

    def __init__(self, run: Iteration, layer: int) -> None:
        self.run, self.layer = run, layer
        numbers = {name: float(value) for name, value in run.numbers.items()}
        self.values = {**numbers, "l": float(layer), "n": WIDTH}

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> float:
        """The number at the layer."""
        return float(self.run.value(Unit(self.run.step.last, tensor.kind, order), self.layer))

    def meaning(self, node: Node, *place: Any) -> float:
        """Powers as they are."""
        if isinstance(node, syntax.Raise):
            return float(self.interpret(node.base) ** self.interpret(node.exponent))
        return float(super().meaning(node, *place))


#: the iteration of a rule, made once
iteration = remembered(maxsize=8)(Iteration)


def iterated_residual(statement: Statement, rule: Network, odd: bool) -> float:
    """How far the ratio of the sides, extrapolated to infinite depth, is from one.

    The ratio is fitted with 1 + (c log(l) + d)/l at l, l/2 and l/4.
    """
    run = iteration(rule, ODD if odd else GENERAL)
    layers = [run.depth, run.depth // 2, run.depth // 4]
    worst = 0.0
    values = [[Iterated(run, layer).interpret(side) for layer in layers] for side in statement.sides]
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
