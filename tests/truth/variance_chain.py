"""One input and s = sin: the chain of conditional variances, expanded in 1/n without diagrams.

Given S_l, the variance of z^(l) with all weights below fixed, the neurons of a layer are independent, so
S_{l+1} = C_b + (C_W/n_l) sum_j sin(sqrt(S_l) xi_j)^2 with independent normal xi. All conditional cumulants follow from
the averages of cos(k z), which are exp(-k^2 S/2). With S = K + delta everything is a polynomial in delta and
1/n, cut off where delta^p, of size n^(-p/2), is of higher order than wanted. Then G = E S, V = n Var S and
V6 = n^2 times the third cumulant of S.
"""

import math

import numpy as np

ORDER = 2  # in 1/n
DEGREE = 2 * ORDER  # in delta

# sin^2, sin^4 and sin^6 as sums of cos(k z): {k: coefficient}.
POWERS = [
    {0: 1 / 2, 2: -1 / 2},
    {0: 3 / 8, 2: -1 / 2, 4: 1 / 8},
    {0: 10 / 32, 2: -15 / 32, 4: 6 / 32, 6: -1 / 32},
]


def taylor(cosines, variance):
    """The Gaussian average as a polynomial in delta at S = variance + delta."""
    result = np.zeros(DEGREE + 1)
    for k, coefficient in cosines.items():
        rate = k * k / 2
        for power in range(DEGREE + 1):
            result[power] += coefficient * math.exp(-rate * variance) * (-rate) ** power / math.factorial(power)
    return result


def multiply(p, q):
    """Polynomials in 1/n (first axis) and delta (second)."""
    result = np.zeros((ORDER + 1, DEGREE + 1))
    for i in range(ORDER + 1):
        for j in range(ORDER + 1 - i):
            result[i + j] += np.convolve(p[i], q[j])[: DEGREE + 1]
    return result


def constant(in_delta, order=0):
    result = np.zeros((ORDER + 1, DEGREE + 1))
    result[order] = in_delta
    return result


def sine_chain(variance, depth, ratios, C_b, C_W):
    """G{k}, V{k} and V6{0} of one input.

    Args:
        variance: K of the first layer.
        depth: number of weight layers.
        ratios: n_l = ratios[l-1] n for the hidden layers l = 1 .. depth-1.
        C_b: variance of the biases.
        C_W: variance of the weights times the width below.

    Returns:
        For each layer from 2 a dictionary; coefficients are of powers of one over the width below.
    """
    k = variance
    moments = np.zeros((DEGREE + 1, ORDER + 1))  # E[delta^p] as a polynomial in 1/n
    moments[0, 0] = 1
    results = {}
    for layer in range(2, depth + 1):
        share = 1 / ratios[layer - 2]
        first, second, third = (taylor(cosines, k) for cosines in POWERS)
        cut = DEGREE + 1
        square = np.convolve(first, first)[:cut]
        two = second - square
        three = third - 3 * np.convolve(first, second)[:cut] + 2 * np.convolve(first, square)[:cut]
        k = C_b + C_W * first[0]
        mean = C_W * first
        mean[0] = 0  # what is left is the mean of S_{l+1} minus its value at infinite width
        drift = constant(mean)
        noise2 = constant(C_W**2 * two * share, 1)
        noise3 = constant(C_W**3 * three * share**2, 2)
        # Raw moments of delta' = drift + noise given delta; the fourth cumulant of the noise is of order 1/n^3.
        conditional = [constant(np.eye(1, cut)[0])]
        conditional.append(drift)
        conditional.append(multiply(drift, drift) + noise2)
        cube = multiply(drift, multiply(drift, drift))
        conditional.append(cube + 3 * multiply(drift, noise2) + noise3)
        conditional.append(
            multiply(drift, cube)
            + 6 * multiply(multiply(drift, drift), noise2)
            + 4 * multiply(drift, noise3)
            + 3 * multiply(noise2, noise2)
        )
        new = np.zeros_like(moments)
        for power, polynomial in enumerate(conditional):
            for i in range(ORDER + 1):
                for p in range(DEGREE + 1):
                    for j in range(ORDER + 1 - i):
                        new[power, i + j] += polynomial[i, p] * moments[p, j]
        moments = new
        one, square_moment, cube_moment = moments[1], moments[2], moments[3]

        def product(p, q):
            return np.convolve(p, q)[: ORDER + 1]

        variance_series = square_moment - product(one, one)
        third_series = cube_moment - 3 * product(one, square_moment) + 2 * product(one, product(one, one))
        below = ratios[layer - 2]
        results[layer] = {
            "G": k,
            "G{1}": one[1] * below,
            "G{2}": one[2] * below**2,
            "V": variance_series[1] * below,
            "V{1}": variance_series[2] * below**2,
            "V6": third_series[2] * below**2,
        }
    return results
