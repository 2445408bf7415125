"""What simulations at several widths say in the limit of large width: polynomials in 1/n by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.simulate.simulation import Comparison, Simulation

Array = npt.NDArray[np.float64]

#: A fit of lower degree is taken where chance leaves a larger chi-square with at least this probability.
ACCEPTED = 0.05


@dataclass(frozen=True)
class Fit:
    """A component fitted by a polynomial in 1/n.

    Attributes:
        layer, tensor, slots: of the component.
        coefficients: T{0}, T{1}, .. as the sampled networks have them.
        covariance: of the coefficients.
        chi2: what the fit leaves, in units of the standard errors, squared and summed.
        freedom: the number of widths less that of coefficients.
        theory: T{0}, T{1}, .. as far as they were derived.
    """

    layer: int
    tensor: str
    slots: tuple[int, ...]
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    chi2: float
    freedom: int
    theory: tuple[float, ...]

    @property
    def probability(self) -> float:
        """How often chance leaves a larger chi-square."""
        from scipy.stats import chi2

        return float(chi2.sf(self.chi2, self.freedom)) if self.freedom else 1.0

    def stderr(self, order: int = 0) -> float:
        """The standard error of a coefficient."""
        return float(np.sqrt(self.covariance[order][order]))

    def pull(self, order: int = 0) -> float:
        """A coefficient less the theory, in standard errors; NaN where either is missing."""
        if order >= min(len(self.coefficients), len(self.theory)):
            return float("nan")
        least = 1e-9 * abs(self.theory[order])
        return (self.coefficients[order] - self.theory[order]) / max(self.stderr(order), least, 1e-300)

    def record(self) -> dict[str, Any]:
        """All of it as plain values."""
        orders = range(len(self.coefficients))
        return {
            "layer": self.layer,
            "tensor": self.tensor,
            "slots": list(self.slots),
            "coefficients": list(self.coefficients),
            "stderr": [self.stderr(k) for k in orders],
            "theory": [value if np.isfinite(value) else None for value in self.theory],
            "pull": [pull if np.isfinite(pull) else None for pull in map(self.pull, orders)],
            "chi2": self.chi2,
            "freedom": self.freedom,
        }

    def to_text(self, wide: int) -> str:
        """A line of a table: the limit of large width."""
        return (
            f"{self.layer:<7}{self.tensor:<{wide}}{' '.join(map(str, self.slots)):<13}{self.coefficients[0]:>14.6g}"
            f"{self.stderr():>10.1e}{self.theory[0]:>14.6g}{self.pull():>7.1f}{len(self.coefficients) - 1:>8}"
            f"{self.chi2:>8.1f}{self.freedom:>4}"
        )


def extrapolate(simulations: Sequence[Simulation], degree: int | None = None) -> list[Fit]:
    """Fit each component of simulations that differ in their width alone.

    Args:
        simulations: all hidden widths of one are equal.
        degree: of the polynomial in 1/n; by default the lowest, from 1, that fits.

    Raises:
        InputError: they cannot be fitted together, or are too few.
    """
    if degree is not None and len(simulations) <= degree:
        raise InputError(f"{len(simulations)} widths do not determine a polynomial of degree {degree} in 1/n")
    if len({own.setting.widths[1] for own in simulations}) < max(len(simulations), 2):
        raise InputError("extrapolation needs simulations at two different widths or more")
    for own in simulations:
        if len(set(own.setting.widths[1:])) > 1:
            raise InputError("extrapolation needs equal hidden widths")
        if [_name(c) for c in own.components] != [_name(c) for c in simulations[0].components]:
            raise InputError("these simulations are not of the same components")
    widths = np.array([own.setting.widths[1] for own in simulations], dtype=float)
    found = []
    for together in zip(*(own.components for own in simulations), strict=True):
        degrees = range(1, max(len(widths) - 1, 2)) if degree is None else [degree]
        for d in degrees:
            fit = _fit(widths, together, d)
            if fit.probability >= ACCEPTED:
                break
        found.append(fit)
    return found


def _name(component: Comparison) -> Any:
    return component.layer, component.tensor, component.slots


def _fit(widths: Array, together: Sequence[Comparison], degree: int) -> Fit:
    first = together[0]
    mean = np.array([own.mean for own in together])
    scale = np.abs(mean).max() or 1.0
    error = np.maximum([own.stderr for own in together], 1e-12 * scale)
    design = widths[:, None] ** -np.arange(degree + 1.0)
    weighted = design / error[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    coefficients = covariance @ weighted.T @ (mean / error)
    rest = weighted @ coefficients - mean / error
    steps = np.diff(first.orders, prepend=0.0) * widths[0] ** np.arange(len(first.orders))
    return Fit(
        first.layer,
        first.tensor,
        first.slots,
        tuple(coefficients.tolist()),
        tuple(map(tuple, covariance.tolist())),
        float(rest @ rest),
        len(widths) - degree - 1,
        tuple(steps.tolist()),
    )
