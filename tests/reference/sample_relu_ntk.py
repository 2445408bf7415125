"""Samples the mean NTK of finite ReLU networks on two inputs; run by hand, writes relu_ntk_samples.json beside it.

    python -m tests.reference.sample_relu_ntk              (about twenty minutes on one core)

The networks have four weight layers without biases, C_W = 2, lambda_W = 1, equal hidden widths n. Everything here is
matrix products written out by hand: no diagrams, no expansion in 1/n, nothing of pertheory.

With z the preactivations, s = max(0, z), s' its slope, W the weights of variance C_W / (width below), the NTK of one
neuron of the last layer is the sum over weights of (lambda_W / width below) dz_a/dW dz_b/dW, which recursively is

    h1       = gram                                                             (the same for every neuron)
    h2_jj'   = delta_jj' (s1_a . s1_b) / n + gram sum_i (W2_ji s1'_ai) (W2_j'i s1'_bi)
    h3_kk    = (s2_a . s2_b) / n + sum_jj' (W3_kj s2'_aj) (W3_kj' s2'_bj') h2_jj'
    h4       = (s3_a . s3_b) / n + (C_W / n) sum_k s3'_ak s3'_bk h3_kk          (averaged over the last weights)

Three things make the standard error small and change no mean: the average over the last weights is taken by hand as
above; so is that over the sign of each row of the third weights (h3_kk does not feel it: z3 -> -z3); and quantities
whose mean given the layers below is known (by the geometry of two angles, Cho and Saul 2009) are subtracted with the
coefficients of least squares. The file keeps the plain means as well, and how far from zero these quantities and
E[H_00] - Theta_00, which vanishes exactly for ReLU, came out.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

INPUTS = np.array([[-0.9895229339599609, -0.5992491841316223], [-0.17877478897571564, 2.253682851791382]])
C_W = 2.0
#: width, number of networks
PLAN = [(8, 16_000_000), (12, 12_000_000), (16, 10_000_000), (20, 8_000_000), (24, 6_000_000), (32, 4_000_000)]
BATCH = 20_000
SEED = 20_240_817
OUT = Path(__file__).with_name("relu_ntk_samples.json")


def slopes_and_values(k00, k01, k11):
    """Means of s'_0 s'_1 and s_0 s_1 of a ReLU at two Gaussian variables, by the angle between them."""
    size = np.sqrt(k00 * k11)
    safe = np.where(size > 0, size, 1.0)
    angle = np.arccos(np.clip(k01 / safe, -1.0, 1.0))
    slopes = np.where(size > 0, (np.pi - angle) / (2 * np.pi), 0.0)  # a layer may be dead; s'(0) is 0 here
    values = size / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    return slopes, values


def infinite_width():
    """Theta at the fourth layer, entries 00 and 01."""
    gram = INPUTS @ INPUTS.T / INPUTS.shape[1]
    kernel, theta = C_W * gram, gram.copy()
    for _ in range(3):
        slope, value = slopes_and_values(kernel[0, 0], kernel[0, 1], kernel[1, 1])
        slopes = np.array([[0.5, slope], [slope, 0.5]])
        values = np.array([[kernel[0, 0] / 2, value], [value, kernel[1, 1] / 2]])
        theta = values + C_W * slopes * theta
        kernel = C_W * values
    return theta[0, 0], theta[0, 1]


def dot(a, b):
    """Scalar products of the vectors of each network."""
    return np.einsum("tk,tk->t", a, b)


def controls(kernel, values, slopes):
    """Averages over the neurons of a layer less their means given the layers below; zero on average."""
    (k00, k01, k11), n = kernel, slopes[0].shape[1]
    slope, value = slopes_and_values(k00, k01, k11)
    s0, s1 = values
    return [
        dot(s0, s0) / n - k00 / 2,
        dot(s1, s1) / n - k11 / 2,
        dot(s0, s1) / n - value,
        dot(slopes[0], slopes[1]) / n - slope,
    ]


def batch(rng, n, count):
    """H_01 and H_00 of so many networks, and the controls."""
    gram = INPUTS @ INPUTS.T / INPUTS.shape[1]
    spread = np.sqrt(C_W / n)
    z1 = np.sqrt(C_W / INPUTS.shape[1]) * rng.standard_normal((count, n, INPUTS.shape[1])) @ INPUTS.T
    z1 = [np.ascontiguousarray(z1[..., a]) for a in range(2)]
    s1 = [np.maximum(z, 0.0) for z in z1]
    d1 = [(z > 0).astype(float) for z in z1]
    own = controls([C_W * gram[i] for i in ((0, 0), (0, 1), (1, 1))], s1, d1)

    w2 = spread * rng.standard_normal((count, n, n))
    z2 = [np.einsum("tji,ti->tj", w2, s) for s in s1]
    s2 = [np.maximum(z, 0.0) for z in z2]
    d2 = [(z > 0).astype(float) for z in z2]
    own += controls([C_W / n * dot(s1[a], s1[b]) for a, b in ((0, 0), (0, 1), (1, 1))], s2, d2)

    w3 = spread * rng.standard_normal((count, n, n))
    z3 = [np.einsum("tkj,tj->tk", w3, s) for s in s2]
    # averaged over the sign of each row: both slopes are on together for one of two signs, or never
    together = 0.5 * (z3[0] * z3[1] > 0)
    product = together * z3[0] * z3[1]
    kernel = [C_W / n * dot(s2[a], s2[b]) for a, b in ((0, 0), (0, 1), (1, 1))]
    slope, value = slopes_and_values(*kernel)

    through = [(w3 * d[:, None, :]) @ w2 for d in d2]  # dz3_k / ds1_i
    h3 = {}
    for a, b in ((0, 0), (0, 1)):
        both1, both2 = d1[a] * d1[b], d2[a] * d2[b]
        first = np.einsum("tki,tki,ti->tk", through[a], through[b], both1)
        second = np.einsum("tkj,tj->tk", w3**2, both2)
        h3[a, b] = (
            dot(s2[a], s2[b])[:, None] / n + dot(s1[a], s1[b])[:, None] / n * second + gram[a, b] * first,
            both2,
            second,
            np.einsum("tji,ti->tj", w2**2, both1),
        )
    h01, both, second, spent = h3[0, 1]
    own += [z / n - k / 2 for z, k in ((0.5 * dot(z3[0], z3[0]), kernel[0]), (0.5 * dot(z3[1], z3[1]), kernel[2]))]
    own += [product.mean(axis=1) - value, together.mean(axis=1) - slope]
    # what the layers below have built, times what is new in the third layer
    h2 = dot(s1[0], s1[1])[:, None] / n + gram[0, 1] * spent
    own.append((together.mean(axis=1) - slope) * (h2 * both).mean(axis=1))
    own.append(np.einsum("tkj,tj->t", w3**2, both * h2) / n - C_W / n * (both * h2).sum(axis=1))
    own.append(second.mean(axis=1) - C_W * both.mean(axis=1))
    own.append((spent - C_W * (d1[0] * d1[1]).mean(axis=1)[:, None]).mean(axis=1))
    h01 = product.mean(axis=1) + C_W * (together * h01).mean(axis=1)
    h00 = 0.5 * (z3[0] ** 2).mean(axis=1) + C_W * 0.5 * h3[0, 0][0].mean(axis=1)
    return h01, h00, np.stack(own, axis=1)


def sample(n, networks):
    """Means of n (H - Theta) with their standard errors."""
    theta00, theta01 = infinite_width()
    rng = np.random.Generator(np.random.PCG64([SEED, n]))
    size = None
    for _ in range(networks // BATCH):
        h01, h00, own = batch(rng, n, BATCH)
        rows = np.column_stack([np.ones(BATCH), n * (h01 - theta01), n * (h00 - theta00), n * own])
        size = rows.T @ rows if size is None else size + rows.T @ rows
    count = size[0, 0]
    means = size[0, 1:] / count
    covariance = size[1:, 1:] / count - np.outer(means, means)
    errors = np.sqrt(covariance.diagonal() / count)
    weights = np.linalg.lstsq(covariance[2:, 2:], covariance[2:, 0], rcond=1e-12)[0]
    mean = means[0] - weights @ means[2:]
    error = np.sqrt((covariance[0, 0] - weights @ covariance[2:, 0]) / count)
    return {
        "n": n,
        "networks": int(count),
        "mean": float(mean),
        "stderr": float(error),
        "plain_mean": float(means[0]),
        "plain_stderr": float(errors[0]),
        "pull_of_H_00": float(means[1] / errors[1]),
        "largest_pull_of_a_control": float(np.abs(means[2:] / errors[2:]).max()),
    }


def main():
    record = {
        "note": "n (E[H_01] - Theta_01): ReLU, two inputs, four weight layers, C_W = 2, lambda_W = 1, no bias, hidden "
        "widths n. mean: with control variates; plain_mean: without. Made by sample_relu_ntk.py.",
        "inputs": INPUTS.tolist(),
        "C_W": C_W,
        "lambda_W": 1.0,
        "depth": 4,
        "seed": SEED,
        "samples": [],
    }
    for n, networks in PLAN:
        record["samples"].append(sample(n, networks))
        print(record["samples"][-1], flush=True)
        OUT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
