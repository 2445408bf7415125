"""The projection: z'_i = b_i + sum_j W_ij s(z_j) + gamma sum_j P_ij z_j."""

import numpy as np
import pytest

import pertheory as pt
from pertheory.rulebook.tensors import named_tensors

from .laws import A2, A4, INPUTS, slope_from_kernel, slopes

GAMMAS = (0.0, 0.25, 0.5, 0.9)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_vertex_grows_by_nu_in_every_layer(activation, gamma):
    """nu = (1-g^2)^2 (3 A_4/A_2^2 - 1) + 2 g^2 (2 - g^2), g = gamma.

    One layer: the two pairs of V are joined by W or P. Two W: C_W^2 (<s^4> - <s^2>^2), which is
    (1-g^2)^2 (3 A_4/A_2^2 - 1) K^2. A W and a P, in two ways: 2 g^2 C_W (<s^2 z^2> - <s^2> K) = 4 g^2 (1-g^2) K^2, as
    <s^2 z^2> = 3 <s^2> K for s of degree one. Two P: 2 g^4 K^2. The sum of the last two is 2 g^2 (2 - g^2) K^2, and V
    is passed on with factor one.
    """
    ratio, kernel = slopes("projection", activation, gamma)
    square = gamma**2
    nu = (1 - square) ** 2 * (3 * A4[activation] / A2[activation] ** 2 - 1) + 2 * square * (2 - square)
    np.testing.assert_allclose(kernel, 1, rtol=1e-9)
    np.testing.assert_allclose(ratio, nu * np.arange(len(ratio)), rtol=1e-8)


def test_slope_at_one_half_for_relu():
    """(9/16) 5 + (1/2)(7/4) = 3.6875."""
    assert slopes("projection", "relu", 0.5)[0][1] == pytest.approx(3.6875, rel=1e-9)


@pytest.mark.parametrize("tensor", [t.name for t in named_tensors() if t.pairs <= 2])
def test_without_gamma_every_recursion_is_that_of_the_perceptron(tensor):
    order = 1 if tensor in ("G", "H") else 0
    found = pt.derive("projection", tensor, order=order).terms
    rest = {term: c for term, c in found.items() if "gamma" not in dict(term.couplings)}
    assert rest == pt.derive("mlp", tensor, order=order).terms
    assert len(rest) < len(found)


def test_without_gamma_every_number_is_that_of_the_perceptron():
    couplings = {"C_b": 0.1, "C_W": 1.4, "lambda_b": 0.3, "lambda_W": 0.8}
    mine = pt.theory("projection", order=1).compile()(INPUTS, "tanh", 4, gamma=0.0, lambda_P=3.0, **couplings)[4]
    other = pt.theory("mlp", order=1).compile()(INPUTS, "tanh", 4, **couplings)[4]
    assert set(mine) == set(other)
    for name in other:
        np.testing.assert_allclose(mine[name], other[name], rtol=1e-12, atol=1e-14)
        assert np.any(other[name])


@pytest.mark.parametrize("trained", [0.0, 0.7])
def test_linear_function_makes_it_a_linear_perceptron(trained):
    """W + gamma P is Gaussian with variance C_W + gamma^2 and rate lambda_W + gamma^2 lambda_P."""
    g = 0.6
    first = {"C_W": [0.9, 0.5, 0.5], "lambda_W": [0.4, 0.3, 0.3]}
    mine = pt.theory("projection", order=1).compile()(INPUTS, "linear", 3, C_b=0.1, gamma=g, lambda_P=trained, **first)[
        3
    ]
    adapted = {
        "C_W": [0.9] + [0.5 + g**2] * 2,
        "lambda_W": [0.4] + [0.3 + g**2 * trained] * 2,
    }
    other = pt.theory("mlp", order=1).compile()(INPUTS, "linear", 3, C_b=0.1, **adapted)[3]
    for name in other:
        np.testing.assert_allclose(mine[name], other[name], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("activation", "third"), [("tanh", -2), ("sin", -1)])
@pytest.mark.parametrize("gamma", [0.5, 0.8])
def test_deep_odd_activations_grow_by_two_thirds_whatever_gamma(activation, third, gamma):
    """V/(n K^2) -> (2/3) l/n.

    K' = C_W <s^2> + g^2 K = K - e K^2 with e = -(1-g^2) s'''(0)/s'(0), so K = 1/(e l), and dK'/dK = 1 - 2/l. Near
    K = 0 W s + g P z is a linear layer of variance one, of source 2 K^2 for V whatever g: r = V/K^2 obeys
    r' = r (1 - 4/l)/(1 - 2/l) + 2, of which r = c l is a solution for c = 2 - 2 c.
    """
    assert slope_from_kernel("projection", activation, third, gamma) == pytest.approx(2 / 3, rel=5e-5)
