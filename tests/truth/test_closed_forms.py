"""Results in closed form: scale-invariant activations at criticality, linear networks, and sin on one input."""

import itertools
import math
from functools import lru_cache

import numpy as np
import pytest

import pertheory as pt

from .variance_chain import sine_chain

DEPTH = 6
X = [[0.8, -0.5, 1.1], [0.3, 0.9, -0.2]]
V8 = "z(1) z(2) z(3) z(4) z(5) z(6) z(7) z(8) @ 12,34,56,78"


@lru_cache
def first_order():
    return pt.theory("mlp", ["G", "H", "V", "D", "F", "A", "B"], order=1).compile(inputs="one")


@lru_cache
def third_order():
    return pt.theory("mlp", ["G", "V", "V6", V8], order=3).compile(inputs="one")


@pytest.mark.parametrize("layer", range(1, DEPTH + 1))
def test_relu_at_criticality_has_its_closed_forms(layer):
    # Solutions by hand of the book's recursions for C_W = 2, lambda_W = 1, no bias, equal widths.
    state = first_order()(X, activation="relu", depth=DEPTH, C_W=2.0, lambda_W=1.0, lambda_b=0.0)[layer]
    gram = np.sum(np.square(X), axis=1) / 3
    k, theta = 2 * gram, layer * gram
    expected = {
        "G": k,
        "H": theta,
        "V": 5 * (layer - 1) * k**2,
        "D": 3 * (layer - 1) * k * theta,
        "F": (layer - 1) * k * theta,
        "A": (layer - 1) * (7 * layer - 2) / (3 * layer) * theta**2,
        "B": (layer - 1) * (2 * layer - 1) / (3 * layer) * theta**2,
        "G{1}": 0 * k,
        "H{1}": 0 * k,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(state[name], value, rtol=1e-11, atol=1e-11, err_msg=name)


def series_power(factor, times, terms):
    """The first coefficients of a polynomial in 1/n to a power."""
    result = np.zeros(terms)
    result[0] = 1
    for _ in range(times):
        result = np.convolve(result, factor)[:terms]
    return result


def cumulants_of_products(two, three, four, hidden):
    """V{k}/K^2, V6{k}/K^3, V8{0}/K^4 from the moments of 2, 3 and 4 squares of distinct neurons, one factor a layer."""
    terms = 4
    m2, m3, m4 = (series_power(np.array(f), hidden, terms) for f in (two, three, four))
    one = np.eye(1, terms)[0]

    def times(p, q):
        return np.convolve(p, q)[:terms]

    return {
        2: m2 - one,
        3: m3 - 3 * m2 + 2 * one,
        4: m4 - 4 * m3 - 3 * times(m2, m2) + 12 * m2 - 6 * one,
    }


# Moments of products of squares for one hidden layer, as polynomials in 1/n: W is Gaussian, so given the layer below
# z_i^2 are independent with variance S = mean of s^2. For s = z: E S^2 = 1 + 2/n, ...; for ReLU at C_W = 2 each neuron
# is on with chance 1/2: E S^2 = 1 + 5/n, ... All in units of K.
PRODUCTS = {
    "linear": (1.0, [1, 2], [1, 6, 8], [1, 12, 44, 48]),
    "relu": (2.0, [1, 5], [1, 15, 44], [1, 30, 251, 558]),
}


@pytest.mark.parametrize("layer", range(1, DEPTH + 1))
@pytest.mark.parametrize("activation", PRODUCTS)
def test_products_of_preactivations_follow_the_closed_products_to_order_three(activation, layer):
    variance, *factors = PRODUCTS[activation]
    state = third_order()(X[:1], activation=activation, depth=DEPTH, C_W=variance)[layer]
    k = float(state["G"][0])
    cumulants = cumulants_of_products(*factors, layer - 1)
    assert k == pytest.approx(variance * np.mean(np.square(X[0])), rel=1e-13)
    for order in (1, 2, 3):
        assert float(state[f"G{{{order}}}"][0]) == pytest.approx(0, abs=1e-11)
    for name, pairs, order in [("V", 2, 0), ("V", 2, 1), ("V", 2, 2), ("V6", 3, 0), ("V6", 3, 1), (V8, 4, 0)]:
        series = cumulants[pairs]
        assert np.all(np.abs(series[: pairs - 1]) < 1e-9), "lower powers cancel in a cumulant"
        key = name + (f"{{{order}}}" if order else "")
        scale = max(1.0, abs(series[pairs - 1 + order]))
        assert float(state[key][0]) / k**pairs == pytest.approx(series[pairs - 1 + order], abs=1e-10 * scale), key


def test_the_factors_of_the_closed_products_are_moments_of_a_mean_of_squares():
    # An enumeration of the same factors: E[prod of m sums over j of a_j] with E a^p = the moments of s^2 in units of K.
    moments = {
        "linear": [1, *(math.prod(range(1, 2 * p, 2)) for p in range(1, 5))],
        "relu": [1, *(2 ** (p - 1) * math.prod(range(1, 2 * p, 2)) for p in range(1, 5))],
    }
    for name, (_, *factors) in PRODUCTS.items():
        for count, factor in zip((2, 3, 4), factors, strict=True):
            for n in (1, 2, 3):
                total = 0
                for neurons in itertools.product(range(n), repeat=count):
                    total += math.prod(moments[name][neurons.count(j)] for j in range(n))
                expected = sum(c / n**k for k, c in enumerate(factor))
                assert total / n**count == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("C_b", "C_W"), [(0.0, 1.0), (0.2, 1.6)])
def test_sin_on_one_input_follows_the_chain_of_conditional_variances(C_b, C_W):
    model = pt.theory("mlp", ["G", "V", "V6"], order=2).compile(inputs="one")
    states = model(X[:1], activation="sin", depth=5, C_b=C_b, C_W=C_W, rtol=1e-12)
    first = C_b + C_W * float(np.mean(np.square(X[0])))
    chain = sine_chain(first, 5, [1.0] * 4, C_b, C_W)
    assert abs(chain[5]["G{2}"]) > 1e-4
    for layer, expected in chain.items():
        for name, value in expected.items():
            assert float(states[layer][name][0]) == pytest.approx(value, rel=1e-9, abs=1e-10), (layer, name)


def test_linear_networks_on_several_inputs_have_the_four_point_vertex_of_wishart_products():
    # z' = W z: E[z_i1 z_i2 z_j3 z_j4] adds, per layer, (K_13 K_24 + K_14 K_23)/n, and each earlier V is passed on with
    # its contractions. At leading order V = (l-1)(K_13 K_24 + K_14 K_23).
    model = pt.theory("mlp", ["V"], order=1).compile()
    states = model(X, activation="linear", depth=4)
    for layer in range(1, 5):
        k = states[layer]["G"]
        expected = (layer - 1) * (np.einsum("ac,bd->abcd", k, k) + np.einsum("ad,bc->abcd", k, k))
        np.testing.assert_allclose(states[layer]["V"], expected, atol=1e-12)
