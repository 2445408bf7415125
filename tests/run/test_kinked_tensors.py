"""Tensors of ReLU networks on three and four inputs against moments in rational arithmetic, entry by entry.

At layer 2 the four-point tensors are single averages; a witness that shares no recursion with the plan makes them.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

import pertheory as pt
from tests.reference.orthant_moments import OrthantMoments

C_W = 1.5
ROWS = np.array([[1.0, 0.5, -0.25, 0.5], [0.25, -1.0, 0.75, 1.0], [0.75, 0.25, 1.5, -0.5], [-0.5, 1.0, 0.25, 0.125]])


@pytest.fixture(scope="module", params=[3, 4])
def layer(request: pytest.FixtureRequest) -> tuple[np.ndarray, pt.LayerState]:
    rows = ROWS[: request.param]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensors that diverge where inputs coincide
        run = pt.theory("mlp", order=1).compile()(rows, "relu", 2, C_b=0.0, C_W=C_W, lambda_b=0.0, lambda_W=1.0)
    return C_W * rows @ rows.T / rows.shape[1], run[2]


@lru_cache(maxsize=4)
def _moments(key: tuple[tuple[float, ...], ...]) -> OrthantMoments:
    return OrthantMoments(np.array(key))


def average(k: np.ndarray, values: tuple[int, ...], slopes: tuple[int, ...] = ()) -> float:
    """<product of max(0, z) at some inputs and of steps at others>, repeated as they are."""
    powers = Counter(values)
    inputs = sorted({*values, *slopes})
    own = _moments(tuple(map(tuple, k[np.ix_(inputs, inputs)].tolist())))
    return float(own(tuple((powers[i], 1) for i in inputs)).value)


def test_covariances_are_exact(layer: tuple[np.ndarray, pt.LayerState]) -> None:
    assert (
        Fraction(float(layer[0][0, 1]))
        == Fraction(3, 2)
        * sum((Fraction(a) * Fraction(b) for a, b in zip(ROWS[0].tolist(), ROWS[1].tolist(), strict=True)), Fraction(0))
        / 4
    )


def test_every_entry_of_v_is_a_moment_less_what_pairs_make(layer: tuple[np.ndarray, pt.LayerState]) -> None:
    k, state = layer
    for a, b, c, d in itertools.product(range(len(k)), repeat=4):
        exact = average(k, (a, b, c, d)) - average(k, (a, b)) * average(k, (c, d))
        found = state.at("V", z=(a, b, c, d))
        assert found == pytest.approx(C_W**2 * exact, rel=1e-10, abs=1e-13), (a, b, c, d)


def test_every_entry_of_f_is_a_moment_times_the_kernel_below(layer: tuple[np.ndarray, pt.LayerState]) -> None:
    k, state = layer
    for a, b, c, d in itertools.product(range(len(k)), repeat=4):
        exact = average(k, (a, b), (c, d)) * k[c, d] / C_W  # Theta of layer 1: the inputs over n_0
        assert state.at("F", z=(a, b), H=(c, d)) == pytest.approx(C_W**2 * exact, rel=1e-10, abs=1e-13), (a, b, c, d)
