"""Gradient descent on trees against explicit functions of parameters."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product

import pytest

from pertheory.rulebook.observable import build
from pertheory.training.descent import step

PARAMETERS = 3


class Explicit:
    """Three outputs as explicit cubic polynomials of three parameters; the first two are trained."""

    def __init__(self) -> None:
        draw = random.Random(1)
        self.rates = [Fraction(draw.randint(1, 5), 3) for _ in range(PARAMETERS)]
        exponents = [e for e in product(range(4), repeat=PARAMETERS) if sum(e) <= 3]
        self.outputs = [{e: Fraction(draw.randint(-5, 5), 4) for e in exponents} for _ in range(3)]
        self.point = [Fraction(draw.randint(-4, 4), 3) for _ in range(PARAMETERS)]
        self.target = [Fraction(draw.randint(-4, 4), 5) for _ in range(2)]

    def derivative(self, output: int, along: tuple[int, ...], at: list[Fraction]) -> Fraction:
        """A derivative of an output with respect to some parameters."""
        poly = self.outputs[output]
        for mu in along:
            poly = {(*e[:mu], e[mu] - 1, *e[mu + 1 :]): c * e[mu] for e, c in poly.items() if e[mu]}
        total = Fraction(0)
        for e, c in poly.items():
            for value, power in zip(at, e, strict=True):
                c *= value**power
            total += c
        return total

    def tree(self, shape: str, outputs: tuple[int, ...], at: list[Fraction]) -> Fraction:
        """A tree of contracted derivatives, by its definition."""
        made = build(shape, "abcd"[: len(outputs)])
        total = Fraction(0)
        for of_edge in product(range(PARAMETERS), repeat=len(made.edges)):
            term = Fraction(1)
            for mu in of_edge:
                term *= self.rates[mu]
            for vertex, output in enumerate(outputs):
                along = tuple(mu for mu, edge in zip(of_edge, made.edges, strict=True) if vertex in edge)
                term *= self.derivative(output, along, at)
            total += term
        return total

    def errors(self) -> list[Fraction]:
        """Of the trained outputs."""
        return [self.derivative(i, (), self.point) - self.target[i] for i in range(2)]

    def moved(self, eta: Fraction) -> list[Fraction]:
        """The parameters after a step of gradient descent."""
        slopes = [
            sum((error * self.derivative(i, (mu,), self.point) for i, error in enumerate(self.errors())), Fraction(0))
            for mu in range(PARAMETERS)
        ]
        return [value - eta * rate * s for value, rate, s in zip(self.point, self.rates, slopes, strict=True)]

    def grafted(self, shape: str, outputs: tuple[int, ...]) -> list[Fraction]:
        """The coefficients of powers of eta that grafting leaves gives."""
        found = [Fraction(0)] * 4
        for coefficient, leaves, name, labels in step(build(shape, "123"[: len(outputs)])):
            for chosen in product(range(2), repeat=len(leaves)):
                output = dict(zip("123", outputs, strict=False)) | dict(zip(leaves, chosen, strict=True))
                term = coefficient * self.tree(name, tuple(output[label] for label in labels), self.point)
                for leaf in chosen:
                    term *= self.errors()[leaf]
                found[len(leaves)] += term
        return found


@pytest.mark.parametrize(("shape", "outputs", "order"), [("z", (2,), 3), ("H", (0, 2), 2), ("dH", (2, 0, 1), 1)])
def test_grafted_leaves_are_taylor_coefficients_of_a_step(shape, outputs, order):
    explicit = Explicit()
    degree = 3 * len(outputs)  # in eta, for cubic outputs
    points = [Fraction(k, 7) for k in range(degree + 1)]
    values = [explicit.tree(shape, outputs, explicit.moved(eta)) for eta in points]
    table = list(values)  # exact interpolation by Newton's divided differences
    for level in range(1, degree + 1):
        for i in range(degree, level - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (points[i] - points[i - level])
    power = [Fraction(0)] * (degree + 1)
    for i in range(degree, -1, -1):  # Horner's scheme from Newton's form to powers of eta
        shifted = [Fraction(0), *power[:-1]]
        power = [s - points[i] * c for s, c in zip(shifted, power, strict=True)]
        power[0] += table[i]
    assert power[: order + 1] == explicit.grafted(shape, outputs)[: order + 1]
    assert any(power[1:])
