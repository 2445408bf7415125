"""The posterior of nearly-Gaussian outputs, order by order: a kernel, cumulants and data in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from pertheory.errors import InputError
from pertheory.infer.checks import check_cumulants, check_noise, check_positive, check_symmetric
from pertheory.infer.contraction import Array, Legs, Slabs, contract
from pertheory.infer.expansion import Cumulant, diagrams
from pertheory.run.arguments import check_targets, real_array
from pertheory.text import plural

#: smallest over largest eigenvalue of the training block below which it is singular to double precision
SINGULAR = 1e-13


class Conditioned:
    """A nearly-Gaussian prior, conditioned on targets of its first samples.

    Args:
        kernel: the leading kernel, shape (D, D), training samples first.
        cumulants: ``{(pairs, order): array}``, as (1, 1) for G{1}, (2, 0) for V, (2, 1) for V{1}, (3, 0) for V6; an
            array has an axis for each slot, in slot order. In place of an array anything whose ``[a]`` is the array of
            the slots behind the first one, which carries sample a: each slab is asked for once for evidence, mean and
            covariance. Those that are missing vanish.
        targets: shape (N, n_L), of the first N samples; the others are test points.
        noise: a variance added to the kernel of the training samples.

    Raises:
        InputError: shapes that do not fit, noise that is negative, a training block that is singular.

    Example:
        >>> kernel = np.array([[1.0, 0.6], [0.6, 1.0]])
        >>> V = 5 * np.einsum("ab,cd->abcd", kernel, kernel)
        >>> found = Conditioned(kernel, {(2, 0): V}, [[1.3]], noise=0.3)
        >>> round(float(found.log_evidence(1)), 7), round(float(found.mean(1)[0, 0]), 7)
        (-1.1501479, -0.4526627)
    """

    def __init__(
        self,
        kernel: npt.ArrayLike,
        cumulants: Mapping[tuple[int, int], Slabs],
        targets: npt.ArrayLike,
        noise: float = 0.0,
    ) -> None:
        self.kernel = real_array(kernel, "kernel")
        self.targets = check_targets(targets)
        if self.kernel.ndim != 2 or self.kernel.shape[0] != self.kernel.shape[1]:
            raise InputError(f"kernel must be a square matrix, not of shape {self.kernel.shape}")
        self.samples, self.training = len(self.kernel), len(self.targets)
        if self.training > self.samples:
            raise InputError(f"targets has {self.training} rows, kernel only {self.samples} samples")
        self.noise = check_noise(noise)
        check_symmetric(self.kernel, "kernel", [[1, 0]])
        check_positive(self.kernel)
        self.cumulants = check_cumulants(cumulants, self.samples)

    def __repr__(self) -> str:
        tests, outputs = self.samples - self.training, self.targets.shape[1]
        sizes = f"{self.training} training and {plural(tests, 'test sample')}, {plural(outputs, 'output')}"
        return f"Conditioned({sizes}, noise {self.noise:g})"

    @cached_property
    def _root(self) -> Array:
        """The lower triangular root of the training block with its noise.

        Raises:
            InputError: it is singular.
        """
        if self.is_singular:
            raise InputError(
                f"the kernel of the {plural(self.training, 'training input')} is singular with noise {self.noise:g}; "
                "give a larger noise, or different inputs"
            )
        return np.asarray(np.linalg.cholesky(self._block))

    @property
    def _block(self) -> Array:
        return self.kernel[: self.training, : self.training] + self.noise * np.eye(self.training)

    @property
    def is_singular(self) -> bool:
        """Whether the training block has no inverse in double precision: there is no density then."""
        return self.condition >= 1 / SINGULAR

    @cached_property
    def condition(self) -> float:
        """The largest over the smallest eigenvalue of the training block: by so much errors of the kernel grow."""
        values = np.linalg.eigvalsh(self._block)
        return float(values[-1] / values[0]) if values[0] > 0 else inf

    @cached_property
    def legs(self) -> Legs:
        """What legs end on."""
        inverse = np.zeros((self.samples, self.samples))
        half = solve_triangular(self._root, np.eye(self.training), lower=True)
        inverse[: self.training, : self.training] = half.T @ half
        padded = np.zeros((self.samples, self.targets.shape[1]))
        padded[: self.training] = self.targets
        test = np.eye(self.samples)[:, self.training :]
        return Legs((inverse @ padded).T, test - inverse @ self.kernel @ test, inverse)

    def mean(self, order: int = 0) -> Array:
        """The posterior mean of the test outputs, the coefficient of 1/n^order: shape (T, n_L).

        Equation: (6.57); (6.88) at order 1.
        """
        return self._leading[0] if not order else self._coefficient(order, 1)

    def last_layer(self, order: int = 0) -> Array:
        """What gradient descent on the last layer alone predicts in the end, on average over networks: shape (T, n_L).

        Each network does regression with the kernel of its own last hidden layer, the noise as ridge. Bayes does the
        same, but weights networks by their evidence: what that adds to the mean are the diagrams in which the data
        stand on a chain or loop of their own. At infinite width there are none.
        """
        if not order:
            return self.mean()
        return self._shaped(self._sum(own for own in diagrams(order, 1) if len(own.blocks) == 1), 1)

    def covariance(self, order: int = 0) -> Array:
        """The posterior covariance of the test outputs, shape (T, n_L, T, n_L), noise of the outputs not included.

        Beyond the leading order outputs that were independent depend on each other: they wire together.

        Equation: (6.64), and of (6.78) the general form, at order 1.
        """
        return self._leading[1] if not order else self._coefficient(order, 2)

    def log_evidence(self, order: int = 0) -> float:
        """The logarithm of the density of the targets; the leading part includes -(N n_L/2) log 2 pi."""
        return self._leading[2] if not order else float(self._coefficient(order, 0))

    def outputs_kernel(self, order: int) -> Array:
        """The kernel of the outputs as the data leave it: its mean over networks, weighted by the evidence.

        That is C_b + C_W/n times the inner products of the last hidden layer's activations, shape (D, D).
        """
        return self.kernel if not order else self._sum(diagrams(order, probe=True))

    @cached_property
    def fluctuation(self) -> float:
        """n times the variance over networks of the logarithm of the evidence, at leading order.

        Over n it is what the expansion goes in: the weights of networks of width n differ by a factor exp(+- its root).
        """
        split = [own for own in diagrams(1) if own.vertices == (Cumulant(2, 0),) and len(own.blocks) == 2]
        return 2 * float(self._sum(split))

    @cached_property
    def _leading(self) -> tuple[Array, Array, float]:
        outputs, test = self.targets.shape[1], slice(self.training, None)
        mean = self.kernel[test] @ self.legs.source.T
        one = self.kernel[test, test] - self.kernel[test] @ self.legs.propagator @ self.kernel[:, test]
        halves = solve_triangular(self._root, self.targets, lower=True)
        logarithms = 2 * np.log(np.diagonal(self._root)).sum() + self.training * np.log(2 * np.pi)
        evidence = -0.5 * float((halves**2).sum() + outputs * logarithms)
        return mean, np.einsum("tu,ij->tiuj", one, np.eye(outputs)), evidence

    def _coefficient(self, order: int, externals: int) -> Array:
        handed = not all(isinstance(own, np.ndarray) for own in self.cumulants.values())
        for number in range(3) if handed else (externals,):  # slabs are asked for once
            if (order, number) not in self._coefficients:
                self._coefficients[order, number] = self._sum(diagrams(order, number))
        return self._shaped(self._coefficients[order, externals], externals)

    def _shaped(self, found: Array, externals: int) -> Array:
        """With all axes, also where there was nothing to be summed."""
        return np.broadcast_to(found, (self.samples - self.training, self.targets.shape[1]) * externals)

    @cached_property
    def _coefficients(self) -> dict[tuple[int, int], Array]:
        return {}

    def _sum(self, wanted: Any) -> Array:
        known = [own for own in wanted if all(vertex in self.cumulants for vertex in own.vertices)]
        with np.errstate(over="ignore", invalid="ignore"):
            found = contract(known, self.cumulants, self.legs)
        if not np.isfinite(found).all():
            raise InputError("the posterior leaves the range of doubles; use smaller targets, or a larger noise")
        return found
