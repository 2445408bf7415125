"""What it takes to condition on many training inputs at the order 1/n; ``python -m benchmarks.infer``.

The four-point tensor is handed out a slab at a time: with D inputs D^3 numbers are held, and D^4 are visited once.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

import pertheory as pt

OUTPUTS = 3


class Products:
    """A four-point tensor that is a sum of products of kernels: slabs are made when they are asked for."""

    def __init__(self, kernel: np.ndarray[Any, Any]) -> None:
        self._kernel = kernel

    def __getitem__(self, sample: int) -> np.ndarray[Any, Any]:
        row, kernel = self._kernel[sample], self._kernel
        apart = np.multiply.outer(row, kernel)
        return 5 * apart + apart.transpose(1, 0, 2) + apart.transpose(1, 2, 0)


def main() -> None:
    """Print seconds by the number of training inputs: evidence, mean and covariance, one test input."""
    source = np.random.default_rng(0)
    print(f"{'training inputs':>15}  {'seconds':>8}")
    for count in (10, 25, 50, 100):
        inputs = source.normal(size=(count + 1, 5))
        kernel = 0.5 * np.eye(count + 1) + inputs @ inputs.T / 5
        targets = source.normal(size=(count, OUTPUTS))
        start = perf_counter()
        found = pt.Conditioned(kernel, {(1, 1): kernel, (2, 0): Products(kernel)}, targets, noise=0.1)
        found.log_evidence(1), found.mean(1), found.covariance(1)
        print(f"{count:>15}  {perf_counter() - start:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
