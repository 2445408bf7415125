"""The recursions on one input, iterated in floating point to large depth.

The activation is a cubic polynomial with s(0) = 0: its averages are polynomials in K, so that a layer costs a few
hundred multiplications. Nothing is assumed about how tensors grow.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from pertheory.book.classes import SmallKernel, rational, rational_functions
from pertheory.book.memory import remembered
from pertheory.book.one_input import KERNEL, NTK, OneInput
from pertheory.errors import UnsupportedError
from pertheory.rulebook.network import Network
from pertheory.work import Node

#: layers, the kernel of the first one, and the power of K at which polynomials in K end
DEPTH, FIRST_KERNEL, ORDER = 4000, 0.25, 9
#: s = z + sigma_2 z^2/2 + sigma_3 z^3/6, general and odd
GENERAL, ODD = (Fraction(1), Fraction(1), Fraction(-2)), (Fraction(1), Fraction(0), Fraction(-2))
TILDE_B, TILDE_W, GAMMA = 0.4, 0.7, Fraction(1, 2)
TENSORS = ("G{1}", "Theta", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U")


class _Monomial(NamedTuple):
    """A coefficient as a polynomial in K, powers of the learning rates, and the places of its tensors."""

    kernel: tuple[float, ...]
    rates: tuple[int, int]
    factors: tuple[int, ...]


class Iteration:
    """Values of all tensors at some layers.

    Attributes:
        depth: the last layer; values are kept there and at the layers half and a quarter as deep.
        numbers: the scalars of the iteration: sigma_1, a_1, p, tilde_b, ...
    """

    def __init__(self, rule: Network, derivatives: tuple[Fraction, ...], depth: int = DEPTH) -> None:
        self.depth, self.last = depth, len(rule.sublayers) - 1
        names = [name for name, _ in rule.hyperparameters]
        self.of, symbols = rational_functions(["lambda_b", "lambda_W"])
        full = [self.of(rational(value)) for value in derivatives] + [self.of(0)] * (2 * ORDER + 8)
        functions = SmallKernel(self.of, full, ORDER)
        share = 1 - GAMMA**2 if "gamma" in names else Fraction(1)
        values: dict[str, Any] = {"C_b": 0, "C_W": share / derivatives[0] ** 2, "gamma": GAMMA, "C_b1": 0, "C_W1": 1}
        values |= {"lambda_b1": 0, "lambda_W1": 0, "lambda_P": 0}
        couplings = {name: functions.number(values[name]) for name in names if name in values}
        couplings |= {name: functions.constant(symbols[name]) for name in ("lambda_b", "lambda_W") if name in names}
        step = OneInput(rule, functions, couplings, functions.kernel)
        wanted = TENSORS if rule.name == "mlp" else ("V", "Theta") if "lambda_b" in names else ("V",)
        self.order: list[Node] = []
        kernel = step.node("K")
        self.monomials: dict[Node, list[_Monomial]] = {}
        self._collect(step, kernel)
        for name in wanted:
            self._collect(step, step.node(name))
        series = [_number(value) for value in step.kernel_above.coefficients]
        ntk = step.node("Theta")
        self.numbers: dict[str, float] = {"a_1": series[2], "gamma": float(GAMMA), "C_W": float(values["C_W"])}
        self.numbers |= {f"sigma_{i}": float(value) for i, value in enumerate(derivatives, 1)}
        self.numbers |= {"tilde_b": TILDE_B, "tilde_W": TILDE_W, "p": 1.0}
        if ntk in self.monomials:
            slope = step.polynomial(ntk)[(ntk,)].coefficients[1]
            self.numbers["p"] = _number(slope) / series[2]
        self.numbers["b_1"] = self.numbers["p"] * self.numbers["a_1"]
        self._values = self._run()

    def _collect(self, step: OneInput, node: Node) -> None:
        """Everything that a node needs, lower ones first."""
        if node in self.monomials:
            return
        self.monomials[node] = []
        polynomial = step.polynomial(node)
        for tensors in polynomial:
            for factor in tensors:
                self._collect(step, factor)
        self.order.append(node)
        place = {known: number for number, known in enumerate(self.order)}
        for tensors, series in polynomial.items():
            rates: dict[tuple[int, int], list[float]] = {}
            for power, coefficient in enumerate(series.coefficients):
                scale = float(Fraction(str(coefficient.denom.coeff(1)))) if coefficient else 1.0
                for exponents, value in coefficient.numer.terms():
                    rates.setdefault(exponents, [0.0] * (ORDER + 1))[power] += float(value) / scale
            for exponents, kernel in rates.items():
                while kernel and not kernel[-1]:
                    kernel.pop()
                factors = tuple(place[factor] for factor in tensors)
                self.monomials[node].append(_Monomial(tuple(reversed(kernel)), exponents, factors))

    def _run(self) -> dict[int, list[float]]:
        p = self.numbers["p"]
        values = [0.0] * len(self.order)
        kernel_place = self.order.index(Node(self.last, KERNEL, 0))
        values[kernel_place] = FIRST_KERNEL
        ntk = Node(self.last, NTK, 0)
        if ntk in self.order:
            values[self.order.index(ntk)] = TILDE_B + TILDE_W * FIRST_KERNEL / self.numbers["C_W"]
        program = [self.monomials[node] for node in self.order]
        kept = {self.depth: values, self.depth // 2: values, self.depth // 4: values}
        for layer in range(1, self.depth):
            kernel = values[kernel_place]
            rates = (TILDE_B * (layer + 1.0) ** -p, TILDE_W * (layer + 1.0) ** (1 - p))
            above = []
            for monomials in program:
                total = 0.0
                for coefficients, (b, w), factors in monomials:
                    term = 0.0
                    for coefficient in coefficients:
                        term = term * kernel + coefficient
                    for place in factors:
                        term *= values[place]
                    if b:
                        term *= rates[0] ** b
                    if w:
                        term *= rates[1] ** w
                    total += term
                above.append(total)
            values = above
            if layer + 1 in kept:
                kept[layer + 1] = values
        return kept

    def value(self, node: Node, layer: int) -> float:
        """The value of a tensor at one of the layers that are kept.

        Raises:
            UnsupportedError: it is not iterated for this rule.
        """
        if node not in self.order:
            raise UnsupportedError(f"{node.key} is not iterated for this network")
        return self._values[layer][self.order.index(node)]


def _number(value: object) -> float:
    """A constant of the field as a float."""
    return float(Fraction(str(value)))


@remembered(maxsize=8)
def iteration(rule: Network, odd: bool) -> Iteration:
    """The iteration of a rule, made once."""
    return Iteration(rule, ODD if odd else GENERAL)


__all__ = ["Iteration", "iteration"]
