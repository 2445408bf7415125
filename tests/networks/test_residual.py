"""The residual block: u = b1 + W1 z, then z' = gamma z + b2 + W2 s(u)."""

import numpy as np
import pytest

import pertheory as pt
from pertheory.averages.gaussian import GaussianAverages
from tests.loading import load_text

from .laws import A2, A4, INPUTS, slope_from_kernel, slopes

GAMMAS = (0.0, 0.25, 0.5, 0.9)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_vertex_grows_by_nu_in_every_block(activation, gamma):
    """nu = (1-g^2)^2 (1 + 3 A_4/A_2^2) + 4 g^2 (1-g^2), g = gamma, for s of degree one and W1 of variance one.

    W1 is a linear layer: beside the V that it passes on, V_uuuu and the mixed V_uuzz get a source of 2 K^2, from two
    sums on one neuron, and from a sum that meets a neuron that is passed on. Then two W2: (1-g^2)^2 times
    (3 A_4/A_2^2 - 1) K^2 + V_uuuu; a W2 and a skip, in two ways: 2 g^2 (1-g^2) V_uuzz; two skips: g^4 V.
    For ReLU 3 A_4/A_2^2 = 6, which is (1-g^2) [7 (1-g^2) + 4 g^2].
    """
    ratio, kernel = slopes("residual", activation, gamma)
    square = gamma**2
    nu = (1 - square) ** 2 * (1 + 3 * A4[activation] / A2[activation] ** 2) + 4 * square * (1 - square)
    np.testing.assert_allclose(kernel, 1, rtol=1e-9)
    np.testing.assert_allclose(ratio, nu * np.arange(len(ratio)), rtol=1e-8)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_slope_for_relu_as_theory_has_it(gamma):
    nu = (1 - gamma**2) * (7 * (1 - gamma**2) + 4 * gamma**2)
    assert slopes("residual", "relu", gamma)[0][1] == pytest.approx(nu, rel=1e-9)


def test_without_skip_a_block_is_two_layers_of_a_perceptron():
    """At gamma = 0 two blocks are layers 2 to 5 of a perceptron with the functions id, tanh, id, tanh.

    The perceptron is stepped by hand through the text that its model prints, with the averages of another function in
    each layer and the couplings of W1 and W2 in turn.
    """
    inner = {"C_b": 0.2, "C_W": 0.7, "lambda_b": 0.5, "lambda_W": 1.1}
    outer = {"C_b": 0.1, "C_W": 1.4, "lambda_b": 0.3, "lambda_W": 0.8}
    own = {**outer, **{f"{name}1": value for name, value in inner.items()}}
    blocks = pt.theory("residual", order=1).compile()(INPUTS, "tanh", 3, gamma=0.0, **own)

    module = load_text("perceptron", *pt.theory("mlp", order=1).texts("numpy").values())
    averages = {name: GaussianAverages({"s": pt.activation(name)}, 1e-9) for name in ("linear", "tanh")}
    table = np.array(INPUTS)
    state = module.first_layer(table @ table.T / table.shape[1], {**module.HYPERPARAMETERS, **outer})
    for block in (2, 3):
        for name, couplings in (("linear", inner), ("tanh", outer)):
            state = module.step(state, couplings, averages[name])
        assert set(blocks[block]) == set(state)
        for name, array in state.items():
            np.testing.assert_allclose(blocks[block][name], array, rtol=1e-9, atol=1e-12, err_msg=name)
            assert np.any(array)


def test_with_skip_alone_nothing_changes():
    """C_W = C_b = 0 and nothing trained: z' = gamma z, so a tensor with v vertices is multiplied by gamma^v."""
    still = {"C_W": [1.2, 1.2, 0.0], "lambda_W": [0.6, 0.6, 0.0], "lambda_b1": 0.0, "lambda_W1": [1.0, 1.0, 0.0]}
    run = pt.theory("residual", order=1).compile()(INPUTS, "tanh", 3, gamma=0.7, **still)
    for name, array in run[2].items():
        vertices = 2 if name[0] in "GH" else 4
        np.testing.assert_allclose(run[3][name], 0.7**vertices * array, rtol=1e-12, atol=1e-15, err_msg=name)
        assert np.any(array)


@pytest.mark.parametrize(("activation", "third"), [("tanh", -2), ("sin", -1)])
@pytest.mark.parametrize("gamma", [0.5, 0.8])
def test_deep_odd_activations_grow_by_four_thirds_of_the_branch(activation, third, gamma):
    """V/(n K^2) -> (4/3) (1 - g^2) l/n.

    K' = g^2 K + C_W <s^2> = K - e K^2 with e = -(1-g^2) s'''(0)/s'(0), so K = 1/(e l), and V is passed on with
    (g^2 + (1-g^2) d(<s^2>/s'(0)^2)/dK)^2 = 1 - 4/l. The source is that of a linear block (3 A_4/A_2^2 = 3 above),
    4 (1-g^2) K^2, so r = V/K^2 obeys r' = r (1 - 2/l) + 4 (1-g^2), of which c l is a solution for 3 c = 4 (1-g^2).
    """
    slope = slope_from_kernel("residual", activation, third, gamma)
    assert slope == pytest.approx(4 / 3 * (1 - gamma**2), rel=5e-5)
