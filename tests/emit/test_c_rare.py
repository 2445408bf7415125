"""Emitted C where averages are far below roots of mean squares: far dead zones, functions that grow.

Up to three inputs they are right, more are right or warned of; zero is none of them.
"""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from tests.emit.single_averages import SingleAverages, pattern_of
from tests.run.one_factor import covariance, exact

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

CASES = [
    (spread, rho, inputs)
    for spread in (0.03, 0.1)
    for rho, inputs in ((0.0, 1), (0.3, 2), (0.8, 2), (0.3, 3), (0.8, 3), (0.8, 4))
]


@pytest.mark.parametrize(("name", "order", "unit"), [("softshrink", 1, 1), ("hard_shrink", 1, 1), ("max(0,x-4)", 0, 8)])
def test_far_dead_zones_have_small_averages_not_none(name: str, order: int, unit: float) -> None:
    wanted = [((0, (("s", order),)),) * inputs for _, _, inputs in CASES]
    matrices = [covariance(unit * spread, rho, inputs).tolist() for spread, rho, inputs in CASES]
    averages = SingleAverages(name, zip(wanted, map(pattern_of, matrices), strict=True), "-O1")
    for (spread, rho, inputs), request, k in zip(CASES, wanted, matrices, strict=True):
        found, value = averages(request, k), exact(name, order, unit * spread, rho, inputs)
        assert 0 < value < 1e-3
        # of four inputs a series is all that there is: it may be warned of instead
        right = 1e-9 if inputs < 4 or found.status == 0 else found.error
        assert abs(found.value - value) <= right * value, (k, found, value)


@pytest.mark.parametrize("formula", ["exp(x)", "exp(x)-1", "exp(x)*tanh(x)^0"])
def test_functions_that_grow_have_the_error_that_is_estimated(formula: str) -> None:
    """Sums of exponentials over two inputs, their closed forms left out."""
    shift = formula == "exp(x)-1"
    request = ((0, (("s", 0),)),) * 2
    averages = SingleAverages(formula, [(request, ((0, 1), False))])
    for variance in (1.0, 9.0, 16.0, 25.0):
        for rho in (-0.95, -0.5, 0.0, 0.5, 0.9):
            k = covariance(math.sqrt(variance), rho, 2)
            terms = [math.exp(np.ones(2) @ k @ np.ones(2) / 2)]
            terms += [-math.exp(variance / 2), -math.exp(variance / 2), 1.0] if shift else []
            found = averages(request, k.tolist())
            wrong = abs(found.value - sum(terms)) / sum(map(abs, terms))
            assert wrong <= found.error + 1e-15, (variance, rho, found)
