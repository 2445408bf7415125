"""What the tests of the two networks with skip connections share."""

import numpy as np

import pertheory as pt

A2, A4 = {"relu": 0.5, "linear": 1.0}, {"relu": 0.5, "linear": 1.0}  # <s^2> = A_2 K, <s^4> = 3 A_4 K^2
INPUTS = [[1.0, 0.4, -0.3], [0.2, -1.1, 0.7]]


def slopes(network, activation, gamma, depth=7):
    """V/K^2 of layers 1 .. depth at criticality, and K."""
    model = pt.theory(network, "V", order=1).compile(inputs="one")
    critical = (1 - gamma**2) / A2[activation]
    run = model([[1.0]], activation, depth, C_W=[1.0] + [critical] * (depth - 1), gamma=gamma)
    kernel = np.array([state["G"][0] for state in run])
    return np.array([state["V"][0] for state in run]) / kernel**2, kernel


def slope_from_kernel(network, activation, third_over_first, gamma, depth=600):
    """The limit of V/(n K^2) / (l/n) for an odd activation at criticality, from a fit in K instead of l.

    With s = s1 z + s3 z^3/6, a = s3/s1: K' = K - e K^2 + O(K^3), e = -(1 - gamma^2) a. In l there are logarithms, in K
    there are none at first: r = V/K^2 obeys r' = c + (1 - 2 e K + O(K^2)) r, so e K r is a power series in K up to
    K^3 log K, and l e K goes to 1. Returns the series at K = 0.
    """
    model = pt.theory(network, "V", order=1).compile(inputs="one")
    run = model([[1.0]], activation, depth, C_W=1 - gamma**2, gamma=gamma, rtol=1e-12)
    late = [run[layer] for layer in range(depth // 4, depth + 1, 50)]
    kernel = np.array([state["G"][0] for state in late])
    ratio = np.array([state["V"][0] for state in late]) / kernel**2
    speed = -(1 - gamma**2) * third_over_first
    return float(np.polynomial.Polynomial.fit(kernel, speed * kernel * ratio, 2, domain=[])(0.0))
