"""Deep tanh networks with skip connections: V/(n K^2) grows like nu l/n, with nu found by hand.

With C_b = 0 and C_W s'(0)^2 = 1 - gamma^2 the kernel falls like K = kappa/l, and near K = 0 the activation is linear
up to the cubic term that drives the fall: chi_par = 1 - 2/l. One layer then adds a source c K^2 to V:
V' = (1 - 4/l) V + c K^2, which is solved by V = (c/3) kappa^2 / l, so nu = c/3. The source is counted with
s(z) = s'(0) z:

* perceptron: one site each, <zz;zz> = 2 K^2: c = 2, nu = 2/3 (the book's value);
* projection: the two pairs are joined by W or by gamma P, together with weight (1 - gamma^2 + gamma^2)^2: c = 2, and
  nu = 2/3 for every gamma;
* residual block, with W1 of variance 1: W1 alone makes V_uuuu = V_zzuu = 2 K^2 + V; the second sublayer then gives
  2 gamma^2 (1 - gamma^2) 2 K^2 + (1 - gamma^2)^2 2 K^2 + (1 - gamma^2)^2 2 K^2: c = 4 (1 - gamma^2), so
  nu = 4/3 (1 - gamma^2); at gamma = 0 a block is two layers of a perceptron, one of them linear.

(For z' = gamma z + W s(z), which is not sound, keeping pairs gives the book's 2/3 (1 - gamma^4).)
"""

import pytest

import pertheory as pt

DEPTHS = (1000, 2000)


@pytest.mark.parametrize(
    ("network", "gamma", "nu"),
    [
        ("mlp", None, 2 / 3),
        ("projection", 0.3, 2 / 3),
        ("projection", 0.7, 2 / 3),
        ("residual", 0.0, 4 / 3),
        ("residual", 0.5, 1.0),
        ("residual", 0.8, 0.48),
    ],
)
def test_slope_of_the_four_point_vertex(network, gamma, nu):
    model = pt.theory(network, "V", order=1).compile(inputs="one")
    square = 0.0 if gamma is None else gamma**2
    extra = {} if gamma is None else {"gamma": gamma}
    run = model([[1.0]], "tanh", DEPTHS[-1], C_W=1 - square, **extra)
    ratio = [run[depth]["V"].item() / run[depth]["G"].item() ** 2 for depth in DEPTHS]
    slope = (ratio[1] - ratio[0]) / (DEPTHS[1] - DEPTHS[0])  # the constant and most of the logarithm drop out
    assert slope == pytest.approx(nu, rel=0.01)
