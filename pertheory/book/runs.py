"""Solutions in the depth by running emitted code, as a second route: numbers at some layers, nothing solved.

A formula that holds at every layer is evaluated at one. Of a formula with a remainder the ratio of the sides is
evaluated at five layers and extrapolated by a polynomial in 1/l, which is exact where both sides are polynomials in l.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.book.visit import walk
from pertheory.book.memory import remembered
from pertheory.book.scalar import Element, Setting, evaluate, remainder_of
from pertheory.book.syntax import Average, Component, Statement
from pertheory.closure import theory
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor

#: hyperparameters of inner sublayers at which solutions are stated
INNER = {"C_b1": 0, "C_W1": 1, "lambda_b1": 0, "lambda_W1": 0, "lambda_P": 0}
#: the negative slope of the general leaky ReLU, and the kernel of the inputs
SLOPE, KERNEL = Fraction(3, 10), Fraction(13, 10)
RATES = {"lambda_b": Fraction(2, 5), "lambda_W": Fraction(7, 10)}
GAMMA = Fraction(1, 2)
TENSORS = ("G", "H", "V", "D", "F", "A", "B", "P", "Q")
#: layers at which ratios are looked at; exact formulas at the first
LAYERS = (5, 10, 15, 20, 25)

Slopes: TypeAlias = tuple[Fraction, Fraction] | None


class Run(Setting):
    """The names of a statement as numbers.

    Args:
        values: of the scalars.
        states: of all layers.
        averages: in double precision, or None where statements have none.
    """

    title = "a run of the emitted code"

    def __init__(self, values: dict[str, float], states: Any, averages: Any = None) -> None:
        self.values, self.states, self.averages = values, states, averages
        self.layer = LAYERS[0]

    def number(self, value: Fraction) -> Element:
        """As it is."""
        return float(value)

    def symbol(self, name: str) -> Element:
        """The value in the run."""
        if name == "l":
            return float(self.layer)
        return self.values[name] if name in self.values else super().symbol(name)

    def component(self, node: Component) -> Element:
        """The number at the layer, or the one above."""
        tensor, fixed = find_tensor(node.name)
        order = fixed if fixed is not None else node.order
        name = tensor.name + (f"{{{order}}}" if order else "")
        return float(self.states[self.layer + int(node.up)][name].item())

    def average(self, lines: Lines) -> Element:
        """The average at the kernel of the layer."""
        kernel = float(self.states[self.layer]["G"].item())
        return self.averages.average(kernel, 0, lines)

    def residual(self, statement: Statement) -> float | None:
        """The largest difference of the sides; None where there is nothing to run."""
        sides = [remainder_of(side) for side in statement.sides]
        nodes = [node for side in statement.sides for node in walk(side)]
        if not any(isinstance(node, Component) for node in nodes):
            return None
        if self.averages is None and any(isinstance(node, Average) for node in nodes):
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

    def at(self, layer: int, side: Any) -> float:
        """A side at a layer."""
        self.layer = layer
        return float(evaluate(side, self))


@remembered(maxsize=16)
def scale_invariant_run(rule: Network, slopes: Slopes) -> Run:
    """A leaky ReLU at criticality in some network, on one input."""
    given = [name for name, _ in rule.hyperparameters]
    plus, minus = slopes if slopes is not None else (Fraction(1), SLOPE)
    values = {"a_plus": plus, "a_minus": minus, "n": Fraction(7)}
    chosen = {"C_b": Fraction(0), "gamma": GAMMA, **RATES, **{name: Fraction(value) for name, value in INNER.items()}}
    values |= {name: value for name, value in chosen.items() if name in given}
    half = (plus**2 + minus**2) / 2
    values["C_W"] = (1 - values.get("gamma", Fraction(0)) ** 2) / half
    numbers = {name: float(value) for name, value in values.items()}
    model = theory(rule, TENSORS if rule.name == "mlp" else ("G", "V"), 1).compile(inputs="one")
    couplings: dict[str, Any] = {name: numbers[name] for name in given}
    inputs = [[float(KERNEL / values["C_W"]) ** 0.5]]
    slope = {"slope": float(minus / plus)}
    return Run(numbers, model(inputs, "leaky_relu", LAYERS[-1] + 1, parameters=slope, **couplings))


@remembered(maxsize=1)
def half_stable_run() -> Run:
    """SWISH at its critical point, the kernel of the input at the fixed point."""
    from pertheory.book.kinds.critical import half_stable

    _, point = half_stable("swish")
    values = {"C_W": float(point.values["C_W"]), "C_b": float(point.values["C_b"]), "n": 7.0}
    values |= {name: float(value) for name, value in RATES.items()}
    inputs = [[((point.kernel - values["C_b"]) / values["C_W"]) ** 0.5]]
    couplings: dict[str, Any] = {name: values[name] for name in ("C_b", "C_W", *RATES)}
    model = theory("mlp", TENSORS, 1).compile(inputs="one")
    states = model(inputs, "swish", LAYERS[-1] + 1, rtol=1e-11, **couplings)
    return Run(values, states, point.functions)
