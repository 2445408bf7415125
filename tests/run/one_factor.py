"""Averages over inputs that share one factor, z_i = sd (sqrt(rho) u + sqrt(1 - rho) v_i), with many digits.

Given u the inputs are independent: < f(z_1) ... f(z_n) > is a one-dimensional integral over u of the nth power of the
average of f over its own noise, which is a closed form for pieces of polynomials and exponentials. The integrand is
entire, so that a trapezoid sum is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

DIGITS = 30
STEP, FARTHEST = 8, 40


def _above(mean: Any, spread: Any, place: float) -> Any:
    """The probability of lying above a place."""
    return mpmath.erfc((place - mean) / spread / mpmath.sqrt(2)) / 2


def _over(mean: Any, spread: Any, place: float) -> Any:
    """The average of max(0, z - place)."""
    t = (place - mean) / spread
    return spread * (mpmath.npdf(t) - t * mpmath.erfc(t / mpmath.sqrt(2)) / 2)


#: By function and order of the derivative its average over a Gaussian of some mean and spread.
SMEARED: Mapping[tuple[str, int], Callable[[Any, Any], Any]] = {
    ("softshrink", 0): lambda m, s: _over(m, s, 0.5) - _over(-m, s, 0.5),
    ("softshrink", 1): lambda m, s: _above(m, s, 0.5) + _above(-m, s, 0.5),
    ("hard_shrink", 1): lambda m, s: (
        _above(m, s, 0.5) + _above(-m, s, 0.5) + (mpmath.npdf((0.5 - m) / s) + mpmath.npdf((0.5 + m) / s)) / (2 * s)
    ),
    ("max(0,x-4)", 0): lambda m, s: _over(m, s, 4.0),
    ("max(0,x-4)", 1): lambda m, s: _above(m, s, 4.0),
}


def exact(name: str, order: int, spread: float, rho: float, inputs: int) -> float:
    """The average of a product of as many equal functions as there are inputs."""
    smeared = SMEARED[name, order]
    with mpmath.workdps(DIGITS):
        own, shared = (spread * mpmath.sqrt(part) for part in (1 - mpmath.mpf(rho), mpmath.mpf(rho)))
        nodes = [mpmath.mpf(k) / STEP for k in range(-FARTHEST * STEP, FARTHEST * STEP + 1)]
        return float(mpmath.fsum(mpmath.npdf(u) * smeared(shared * u, own) ** inputs for u in nodes) / STEP)


def covariance(spread: float, rho: float, inputs: int) -> NDArray[np.float64]:
    """Of the inputs."""
    return spread**2 * ((1 - rho) * np.eye(inputs) + rho)
