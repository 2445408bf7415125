"""Widths that differ from layer to layer, through the numeric path, against calculations that carry every width."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

import pertheory as pt

from .exact_moments import exact_tensor, expand
from .forests import BOOK
from .variance_chain import sine_chain

ONE = [[0.8, -0.5, 1.1]]
WIDTHS = (20, 50, 10, 40)


@pytest.mark.parametrize("widths", [WIDTHS, (10, 10, 70, 30)])
def test_sin_on_one_input_with_unequal_widths_follows_the_chain(widths):
    model = pt.theory("mlp", ["G", "V", "V6"], order=2).compile(inputs="one")
    states = model(ONE, activation="sin", depth=5, C_b=0.2, C_W=1.6, widths=widths, rtol=1e-12)
    first = 0.2 + 1.6 * float(np.mean(np.square(ONE[0])))
    for layer, expected in sine_chain(first, 5, [n / 10 for n in widths], 0.2, 1.6).items():
        for name, value in expected.items():
            assert float(states[layer][name][0]) == pytest.approx(value, rel=1e-9, abs=1e-10), (layer, name)


@pytest.mark.parametrize(("activation", "variance", "share"), [("linear", 1.0, 2), ("relu", 2.0, 5)])
def test_variances_of_layers_add_up_one_over_the_width_of_each(activation, variance, share):
    # Closed products with unequal widths: E[z_i^2 z_j^2] = K^2 prod (1 + share/n_k), so V/n = share K^2 sum 1/n_k at
    # leading order and the next order is share^2 K^2 times the sum over pairs of layers.
    model = pt.theory("mlp", ["V"], order=2).compile(inputs="one")
    states = model(ONE, activation=activation, depth=5, C_W=variance, widths=WIDTHS)
    for layer in range(2, 6):
        inverse = [1 / n for n in WIDTHS[: layer - 1]]
        pairs = (sum(inverse) ** 2 - sum(x * x for x in inverse)) / 2
        k, below = float(states[layer]["G"][0]), WIDTHS[layer - 2]
        assert float(states[layer]["V"][0]) / below == pytest.approx(share * k**2 * sum(inverse), rel=1e-10)
        assert float(states[layer]["V{1}"][0]) / below**2 == pytest.approx(
            share**2 * k**2 * pairs, rel=1e-10, abs=1e-13
        )


@lru_cache
def cubic_run():
    model = pt.theory("mlp", order=1).compile()
    return model(
        [[1.0, 0.5], [-1 / 3, 2.0]],
        activation="x/2 + x^2/5 - x^3/10",
        depth=3,
        C_b=[0.25, 0.5, 0.25],
        C_W=[1.5, 0.5, 1.25],
        lambda_b=[0.5, 0.25, 0.75],
        lambda_W=[0.75, 1.25, 0.5],
        widths=(30, 20),
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", [name for name in BOOK if name not in ("V6", "V8")])
def test_every_tensor_with_unequal_widths_and_couplings_equals_the_exact_moments(name):
    # Exact rational moments of the whole network (no cumulant expansion), expanded in 1/n at the ratio 3 : 2.
    forest = BOOK[name]
    vectors = ((Fraction(1), Fraction(1, 2)), (Fraction(-1, 3), Fraction(2)))
    gram = [[sum(a * b for a, b in zip(x, y, strict=True)) / 2 for y in vectors] for x in vectors]
    quarter = Fraction(1, 4)
    samples = (0, 1, 1, 0)[: forest.vertices]
    exact = exact_tensor(
        *forest[:3],
        samples,
        layer=3,
        gram=gram,
        activation=(Fraction(0), Fraction(1, 2), Fraction(1, 5), Fraction(-1, 10)),
        C_b=(quarter, 2 * quarter, quarter),
        C_W=(6 * quarter, 2 * quarter, 5 * quarter),
        lambda_b=(2 * quarter, quarter, 3 * quarter),
        lambda_W=(3 * quarter, 5 * quarter, 2 * quarter),
    )
    slots = tuple(samples[vertex] for vertex in forest.slots)
    for order in range(2 if name in ("G", "H") else 1):
        value = float(expand(exact, 3, order, (3, 2)))
        found = float(cubic_run()[3][name + (f"{{{order}}}" if order else "")][slots])
        assert value != 0
        assert found == pytest.approx(value, rel=1e-10)


def test_only_ratios_of_widths_matter():
    model = pt.theory("mlp", order=1).compile()
    states = [
        model(ONE, activation="tanh", depth=4, C_b=0.1, C_W=1.3, lambda_b=0.2, widths=widths)[4]
        for widths in ((3, 5, 4), (300, 500, 400))
    ]
    for name in states[0]:
        np.testing.assert_allclose(states[0][name], states[1][name], rtol=1e-13, atol=1e-15)


def test_no_widths_means_equal_widths():
    model = pt.theory("mlp", order=1).compile()
    equal = model(ONE, "tanh", 4, C_W=1.3, widths=(7, 7, 7))[4]
    default = model(ONE, "tanh", 4, C_W=1.3)[4]
    for name in default:
        np.testing.assert_allclose(default[name], equal[name], rtol=1e-13, atol=1e-15)
    unequal = model(ONE, "tanh", 4, C_W=1.3, widths=(7, 14, 7))[4]
    assert not np.allclose(default["V"], unequal["V"])
