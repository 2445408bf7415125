"""Series at large depth against recursions that are iterated with many digits, in which nothing is assumed."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import mpmath
import pytest

from pertheory.rulebook.network import network
from pertheory.solve.averages import MoreOrders
from pertheory.solve.growth import DepthPower
from pertheory.solve.iterate import Iteration
from pertheory.solve.vanishing import VanishingKernel

#: s = z + sigma_2 z^2/2 - z^3/3: p = 1, and p = 4/5
ODD, GENERAL = (Fraction(1), Fraction(0), Fraction(-2)), (Fraction(1), Fraction(1), Fraction(-2))
DEPTH = 100_000
FIRST = ("K", "Theta", "V", "G{1}", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U")


@cache
def run(rule, derivatives):
    return Iteration(network(rule), derivatives, DEPTH)


@cache
def solved(rule, derivatives, order):
    """The class with the numbers of the iteration in the place of all symbols."""
    known = {f"sigma_{k}": Fraction(0) for k in range(4, 40)} | run(rule, derivatives).numbers
    fixed = [(name, value) for name, value in known.items() if name not in ("a_1", "b_1", "p", "C_W")]
    return VanishingKernel(network(rule), not derivatives[1], order, tuple(fixed))


@cache
def series(rule, derivatives, name, terms):
    """A tensor's terms as numbers."""
    for order in range(2 + terms, 10):
        own = solved(rule, derivatives, order)
        try:
            growth = own.tensors.series(own.step.node(name), terms)
        except MoreOrders:
            continue
        assert not growth.edges  # p is a number, and l^(1-p) a power
        return {key: own.field.at(value, {}) for key, value in growth.terms.items()}
    raise AssertionError(f"{name} has no series")


def at(values, layer, constants):
    """The sum at a layer."""
    return math.fsum(
        value * layer ** -float(power) * math.log(layer) ** -minus_logs * math.prod(constants[n] for n in names)
        for (power, minus_logs, names), value in values.items()
    )


class Constants(dict):
    """What the first layers fix, l_0 and c_T, from the last layer of the iteration."""

    def __init__(self, rule, derivatives):
        self.of = rule, derivatives

    def __missing__(self, constant):
        name, iteration = {"l_0": "K"}.get(constant, constant[2:]), run(*self.of)
        values = series(*self.of, name, 3)
        own = iteration.value(iteration.step.node(name), DEPTH)

        def gap(value):
            self[constant] = value
            return at(values, DEPTH, self) - own

        self[constant] = float(mpmath.findroot(gap, 1, tol=1e-25, verify=False))
        return self[constant]


constants = cache(Constants)


@pytest.mark.parametrize("derivatives", [ODD, GENERAL], ids=["odd", "general"])
@pytest.mark.parametrize("name", FIRST)
def test_the_series_of_the_book_set_is_what_the_recursions_do(name, derivatives):
    """Two orders below the leading one leave (log(l)^2/l)^3: with a wrong coefficient it would be more at once."""
    check("mlp", derivatives, name, 3)


@pytest.mark.parametrize("name", ["V6", "G{2}", "H{1}", "V{1}"])
def test_the_next_orders_in_the_width(name):
    check("mlp", ODD, name, 1)


@pytest.mark.parametrize("rule", ["projection", "residual"])
@pytest.mark.parametrize("name", FIRST)
def test_skip_connections_whose_inner_parameters_learn(rule, name):
    check(rule, GENERAL, name, 2)


def check(rule, derivatives, name, terms):
    """What the series leaves out is as small as it should be, and falls with depth as it should."""
    iteration, known = run(rule, derivatives), constants(rule, derivatives)
    values = series(rule, derivatives, name, terms)
    for layer in (DEPTH // 16, DEPTH // 4):
        own = iteration.value(iteration.step.node(name), layer)
        left = abs(at(values, layer, known) / own - 1)
        assert left < 5 * (math.log(layer) ** 2 / layer) ** (terms + 1) + 1e-12, (layer, left)


@pytest.mark.parametrize(("name", "power"), [("K", 1), ("V", 1), ("B", -1)])
def test_a_fit_finds_the_first_coefficients(name, power):
    """l^power T = sum over i <= 4 and j <= 2 i of c_ij l^-i log(l)^j through as many layers: no series enters."""
    iteration = Iteration(network("mlp"), ODD, 1500, digits=40)
    basis = [(i, j) for i in range(5) for j in range((i if name != "B" else 2 * i) + 1)]
    layers = [1500 * (k + 6) // (len(basis) + 5) for k in range(len(basis))]
    with mpmath.workdps(40):
        rows = [[mpmath.log(layer) ** j / mpmath.mpf(layer) ** i for i, j in basis] for layer in layers]
        right = [iteration.value(iteration.step.node(name), layer) * mpmath.mpf(layer) ** power for layer in layers]
        fitted = dict(zip(basis, mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(right)), strict=True))
    values = series("mlp", ODD, name, 1)
    logs = max(-key.minus_logs for key in values)
    leading = values[DepthPower(Fraction(power))]
    first = values[DepthPower(Fraction(power + 1), -logs)]
    assert float(fitted[0, 0]) == pytest.approx(float(leading), rel=1e-6)
    assert float(fitted[1, logs]) == pytest.approx(float(first), rel=2e-2)
