"""Exact posteriors without perturbation theory: outputs that are Gaussian given a kernel that takes few values."""

from __future__ import annotations

from math import comb

import numpy as np


def posterior(kernels, weights, targets, noise):
    """Log evidence, mean, covariance and mean kernel of a mixture of Gaussians, by summing over its kernels.

    Args:
        kernels: shape (S, D, D), training samples first.
        weights: their probabilities.
        targets: shape (N, n_L).
        noise: on the training block.
    """
    size, outputs = targets.shape
    block = kernels[:, :size, :size] + noise * np.eye(size)
    inverse = np.linalg.inv(block)
    below = kernels[:, size:, :size] @ inverse
    means = below @ targets
    spread = kernels[:, size:, size:] - below @ kernels[:, :size, size:]
    logs = -0.5 * np.einsum("ai,sab,bi->s", targets, inverse, targets)
    logs -= 0.5 * outputs * (np.linalg.slogdet(block)[1] + size * np.log(2 * np.pi))
    top = logs.max()
    evidence = weights * np.exp(logs - top)
    shares = evidence / evidence.sum()
    mean = np.einsum("s,sti->ti", shares, means)
    second = np.einsum("s,stu,ij->tiuj", shares, spread, np.eye(outputs))
    second += np.einsum("s,sti,suj->tiuj", shares, means, means) - np.einsum("ti,uj->tiuj", mean, mean)
    return {
        "last_layer": np.einsum("s,sti->ti", weights, means),
        "log_evidence": np.log(evidence.sum()) + top,
        "mean": mean,
        "covariance": second,
        "outputs_kernel": np.einsum("s,sab->ab", shares, kernels),
    }


class Counted:
    """A kernel base + (k/n) change, k binomial with n trials of probability p + q/n.

    Its cumulants fall as powers of 1/n; two such changes, independent of each other, make them no mere products.
    """

    def __init__(self, base, changes, p=0.3, q=0.2):
        self.base, self.changes, self.p, self.q = base, changes, p, q

    def exact(self, n, targets, noise):
        """The posterior at a width."""
        chance = self.p + self.q / n
        counts = np.arange(n + 1)
        single = np.array([comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(n + 1)])
        one, two = self.changes
        kernels = self.base + np.add.outer(counts / n, 0 * counts)[..., None, None] * one
        kernels = kernels + np.add.outer(0 * counts, counts / n)[..., None, None] * two
        size = self.base.shape[0]
        return posterior(kernels.reshape(-1, size, size), np.outer(single, single).ravel(), targets, noise)

    def cumulants(self):
        """The leading kernel, and the coefficients T{k} of all cumulants up to the order 1/n^3."""
        p, q = self.p, self.q
        # cumulants of a Bernoulli variable as polynomials in its probability x
        x = np.polynomial.Polynomial([0, 1])
        by_size = [x, x - x**2, (x - x**2) * (1 - 2 * x), (x - x**2) * (1 - 6 * x + 6 * x**2)]
        kernel = self.base + p * sum(self.changes)
        found = {}
        for size, polynomial in enumerate(by_size, 1):
            for order in range(5 - size):
                value = polynomial.deriv(order)(p) * q**order / [1, 1, 2, 6][order] if order else polynomial(p)
                array = 0
                for change in self.changes:
                    tensor = np.ones(())
                    for _ in range(size):
                        tensor = np.multiply.outer(tensor, change)
                    array = array + value * tensor
                found[size, order] = array
        del found[1, 0]
        return kernel, found
