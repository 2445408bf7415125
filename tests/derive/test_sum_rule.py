"""The total weight of all diagrams equals the coefficient of a generating function (a zero-dimensional theory).

Set every joint cumulant on a neuron, every inserted tensor and every coupling to 1. What is left of a recursion of
preactivations is a sum of symmetry factors. It can be counted without any diagram: on c neurons an insertion with m
pairs of legs has weight (c/2)^m / m!, insertions exponentiate, p sites fall on c neurons in S(p, c) ways (Stirling
numbers), and connected structures are the logarithm of all. The variable x counts powers of 1/n.
"""

from fractions import Fraction
from math import factorial

import pytest

from pertheory.derive.layer import diagrams
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.network import network


def stirling(sites: int, neurons: int) -> int:
    if sites == neurons:
        return 1
    if not 0 < neurons < sites:
        return 0
    return neurons * stirling(sites - 1, neurons) + stirling(sites - 1, neurons - 1)


def times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    return [sum((a[i] * b[k - i] for i in range(k + 1)), Fraction(0)) for k in range(len(a))]


def exponential(series: list[Fraction]) -> list[Fraction]:
    assert series[0] == 0
    total = [Fraction(1)] + [Fraction(0)] * (len(series) - 1)
    power = total
    for n in range(1, len(series)):
        power = times(power, series)
        total = [t + p / factorial(n) for t, p in zip(total, power, strict=True)]
    return total


def moment(sites: int, size: int) -> list[Fraction]:
    """All structures on so many labelled sites, connected or not, as a series in x."""
    total = [Fraction(0)] * size
    for neurons in range(1, sites + 1):
        insertions = [Fraction(0)] * size
        for pairs in range(1, size + 2):
            for order in range(size):
                cost = pairs - 1 + order
                if 0 < cost < size:
                    insertions[cost] += Fraction(neurons, 2) ** pairs / factorial(pairs)
        shift = sites - neurons
        for power, weight in enumerate(exponential(insertions)):
            if power + shift < size:
                total[power + shift] += stirling(sites, neurons) * weight
    return total


def cumulant(sites: int, size: int) -> list[Fraction]:
    """The connected ones: moments to cumulants."""
    from math import comb

    kappa: dict[int, list[Fraction]] = {}
    for n in range(1, sites + 1):
        value = moment(n, size)
        for m in range(1, n):
            product = times(kappa[m], moment(n - m, size))
            value = [v - comb(n - 1, m - 1) * p for v, p in zip(value, product, strict=True)]
        kappa[n] = value
    return kappa[sites]


@pytest.mark.parametrize(
    ("pairs", "order"),
    [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (4, 0), (5, 0)],
)
def test_weights_of_all_diagrams_add_up_to_the_generating_function(pairs, order):
    found = diagrams(network("mlp"), 0, pure_type(pairs)[0], order)
    weights = sum(d.coefficient * d.orbit_size for d in found if all(join.name == "weight W" for join in d.sites.joins))
    budget = order + pairs - 1
    expected = cumulant(pairs, budget + 1)
    assert weights == expected[budget]
    assert weights > 0
    for lower in range(pairs - 1):  # fewer powers than it takes to hold the sites together
        assert expected[lower] == 0
