"""Solutions in the depth by running emitted code, as a second route: numbers at some layers, nothing solved.

A formula that holds at every layer is evaluated at one. Of a formula with a remainder the ratio of the sides is
evaluated at five layers and extrapolated by a polynomial in 1/l, which is exact where both sides are polynomials in l.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.book import syntax
from pertheory.book.scalar import Element, Setting, remainder_of
from pertheory.book.settings.critical import half_stable_point
from pertheory.book.syntax import Node, Statement
from pertheory.book.visit import walk
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor, find_tensor
from pertheory.solve.channels import inner_values, outer
from pertheory.solve.layer import input_product
from pertheory.solve.universality import Slopes, scale_invariant
from pertheory.theory import theory

#: the negative slope of the general leaky ReLU, the kernel of the inputs, and the width
SLOPE, KERNEL, WIDTH = Fraction(3, 10), Fraction(13, 10), Fraction(7)
#: learning rates of bias and weights, and what a strength that the rule leaves free is
BIAS_RATE, WEIGHT_RATE, FREE = Fraction(2, 5), Fraction(7, 10), Fraction(1, 2)
FEW, TENSORS = ("G", "V"), ("G", "H", "V", "D", "F", "A", "B", "P", "Q")
#: the activation of the half-stable class
HALF_STABLE = "swish"
#: layers at which ratios are looked at; exact formulas at the first
LAYERS = (5, 10, 15, 20, 25)


class Run(Setting):
    """The names of a statement as numbers.

    Args:
        values: of the scalars.
        states: of all layers.
        averages: in double precision, or None where statements have none.
    """

    title = "a run of the emitted code"

    make = float

    def __init__(self, values: dict[str, float], states: Any, averages: Any = None) -> None:
        self.of_run, self.states, self.averages = values, states, averages

    def component(self, tensor: Tensor, order: int, node: syntax.Component) -> Element:
        """The number at the layer, or the one above."""
        name = tensor.name + (f"{{{order}}}" if order else "")
        return float(self.states[self.layer + int(node.up)][name].item())

    def average(self, lines: Lines) -> Element:
        """The average at the kernel of the layer."""
        return self.averages.average(float(self.states[self.layer]["G"].item()), 0, lines)

    def residual_of_run(self, statement: Statement) -> float | None:
        """The largest difference of the sides; None where there is nothing to run."""
        sides = [remainder_of(side) for side in statement.sides]
        nodes = list(walk(*statement.sides))
        if not any(isinstance(node, syntax.Component) for node in nodes):
            return None
        if self.averages is None and any(isinstance(node, syntax.Average) for node in nodes):
            return None
        exact = all(remainder is None for _, remainder in sides)
        layers = LAYERS[:1] if exact else LAYERS
        table = [[self.at(layer, side) for layer in layers] for side, _ in sides]
        if exact:
            values = [row[0] for row in table]
            return max(abs(values[0] - other) / max(abs(values[0]), abs(other), 1.0) for other in values[1:])
        if not all(all(row) for row in table):
            return 1.0
        powers = np.array([[1.0 / layer**k for k in range(len(layers))] for layer in layers])
        ratios = [np.array(table[0]) / np.array(row) for row in table[1:]]
        return max(abs(float(np.linalg.solve(powers, ratio)[0]) - 1) for ratio in ratios)

    def at(self, layer: int, side: Node) -> float:
        """A side at a layer."""
        self.layer, self.values = layer, {**self.of_run, "l": float(layer)}
        return float(self.interpret(side))


def needed(statement: Statement) -> tuple[str, ...]:
    """The tensors that a run for a statement has: G and V, or all that solutions are stated of."""
    nodes = list(walk(*statement.sides))
    names = {find_tensor(node.name)[0].name for node in nodes if isinstance(node, syntax.Component)}
    return FEW if names <= {*FEW} else tuple(sorted({*TENSORS, *names}))


def _states(
    rule: Network, tensors: tuple[str, ...], activation: str, kernel: Any, couplings: dict[str, Any], **options: Any
) -> Any:
    """The layers of a run on one input whose first kernel is given."""
    model = theory(rule, tensors, 1).compile(inputs="one")
    size = float(input_product(rule, Fraction, couplings, kernel)) ** 0.5
    numbers: dict[str, Any] = {name: float(value) for name, value in couplings.items()}
    return model([[size]], activation, LAYERS[-1] + 1, **options, **numbers)


@remembered(maxsize=16)
def scale_invariant_run(rule: Network, slopes: Slopes, tensors: tuple[str, ...]) -> Run:
    """A leaky ReLU at criticality in some network, on one input."""
    plus, minus = slopes if slopes is not None else (Fraction(1), SLOPE)
    own, solved = outer(rule), scale_invariant(rule, slopes)
    couplings = _rates(rule) | ({own.bias: 0} if own.bias else {})
    couplings[own.weight] = solved.field.at(
        solved.symbols[own.weight], {**couplings, "a_plus": plus, "a_minus": minus, "K": KERNEL}
    )
    values = {"a_plus": plus, "a_minus": minus, "n": WIDTH, **couplings}
    slope = {"slope": float(minus / plus)}
    states = _states(rule, tensors, "leaky_relu", KERNEL, couplings, parameters=slope)
    return Run({name: float(value) for name, value in values.items()}, states)


def _rates(rule: Network) -> dict[str, Any]:
    """Every hyperparameter that criticality does not fix."""
    own = outer(rule)
    values: dict[str, Any] = {name: FREE for name, _ in rule.hyperparameters} | inner_values(rule)
    rates = {own.bias_rate: BIAS_RATE, own.weight_rate: WEIGHT_RATE}
    return values | {name: rate for name, rate in rates.items() if name}


@remembered(maxsize=4)
def half_stable_run(rule: Network, tensors: tuple[str, ...]) -> Run:
    """An activation at its critical point, the kernel of the input at the fixed point."""
    _, point = half_stable_point(rule, HALF_STABLE)
    values = {name: float(value) for name, value in (_rates(rule) | point.critical).items()}
    states = _states(rule, tensors, HALF_STABLE, point.kernel, values, rtol=1e-11)
    return Run({**values, "n": float(WIDTH)}, states, point.averages)
