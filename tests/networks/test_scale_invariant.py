"""Scale-invariant activations with skip connections: V/(n K^2) = nu (l - 1)/n exactly, with nu(gamma) counted by hand.

At criticality, C_b = 0 and C_W A_2 = 1 - gamma^2 with A_2 = <s^2>/K and A_4 = <s^4>/(3 K^2), K stays and derivatives
with respect to K pass on V unchanged (chi = 1), so each layer adds the source of the joint cumulants:

* projection, a pair joined by W or by gamma P: C_W^2 <ss;ss> + 2 C_W gamma^2 <ss;zz> + gamma^4 <zz;zz>, with
  <ss;zz> = 2 A_2 K^2 by scaling: nu = (1-g^2)^2 (3 A_4/A_2^2 - 1) + 4 g^2 (1-g^2) + 2 g^4, and
  4 g^2 (1-g^2) + 2 g^4 = 2 g^2 (2 - g^2);
* residual block: W1 makes V_uuuu = V_zzuu = 2 K^2 + V, so that nu = (1-g^2)^2 (3 A_4/A_2^2 - 1) + 2 (1-g^2)^2 +
  4 g^2 (1-g^2); for ReLU (1-g^2)(7 (1-g^2) + 4 g^2).
"""

import pytest

import pertheory as pt

ACTIVATIONS = [  # name, parameters, slopes for x > 0 and x < 0
    ("relu", {}, (1.0, 0.0)),
    ("linear", {}, (1.0, 1.0)),
    ("abs", {}, (1.0, -1.0)),
    ("leaky_relu", {"slope": 0.3}, (1.0, 0.3)),
]


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize(("name", "parameters", "slopes"), ACTIVATIONS, ids=[a[0] for a in ACTIVATIONS])
@pytest.mark.parametrize("network", ["projection", "residual"])
def test_four_point_vertex_grows_by_nu_a_layer(network, name, parameters, slopes, gamma):
    g2 = gamma**2
    a2 = sum(s**2 for s in slopes) / 2
    a4 = sum(s**4 for s in slopes) / 2
    own = (1 - g2) ** 2 * (3 * a4 / a2**2 - 1)
    nu = own + (2 * g2 * (2 - g2) if network == "projection" else 2 * (1 - g2) ** 2 + 4 * g2 * (1 - g2))
    if name == "relu" and gamma == 0.5:
        assert nu == {"projection": 3.6875, "residual": 4.6875}[network]
    model = pt.theory(network, "G", order=1).compile(inputs="one")
    run = model([[1.0, -2.0]], name, 6, C_W=[1.0] + [(1 - g2) / a2] * 5, gamma=gamma, parameters=parameters)
    for layer in range(1, 7):
        kernel = run[layer]["G"].item()
        assert kernel == pytest.approx(2.5, rel=1e-12)
        assert run[layer]["V"].item() == pytest.approx(nu * (layer - 1) * kernel**2, rel=1e-9, abs=1e-12)
        assert run[layer]["G{1}"].item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_a_projection_that_is_switched_off_leaves_the_perceptron(order):
    inputs = [[1.0, 0.5], [0.25, -1.0]] if order == 1 else [[1.0, 0.5]]
    mode = "many" if order == 1 else "one"
    with_skip = pt.theory("projection", "all", order).compile(inputs=mode)(
        inputs, "tanh", 4, gamma=0.0, C_b=0.2, C_W=1.3, lambda_b=0.4
    )
    plain = pt.theory("mlp", "all", order).compile(inputs=mode)(inputs, "tanh", 4, C_b=0.2, C_W=1.3, lambda_b=0.4)
    assert set(with_skip[4]) == set(plain[4])
    for key, array in plain[4].items():
        assert with_skip[4][key] == pytest.approx(array, rel=1e-10, abs=1e-14)
