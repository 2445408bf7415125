"""Averages without a value: a step that does not depend on them has its numbers all the same.

An input of zeros is at the kink of a ReLU. Its averages have no value there, and are multiplied by what vanishes with
the input, which vanishes faster: they count for nothing, whatever is put in their place. Emitted C does the same with
its built-in averages (`pertheory/emit/c/layers.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from pertheory.averages.gaussian import Divergence
from pertheory.run.states import Array

#: From a covariance and requests to arrays.
Average: TypeAlias = Callable[[Array, Sequence[Any]], list[Array]]


def definite(
    step: Callable[[Average], Mapping[str, Array]], average: Average, divergences: list[Divergence]
) -> tuple[Mapping[str, Array], list[str]]:
    """A step; where an average has no value, those components that do not depend on it have theirs.

    Args:
        step: from a routine of averages to results.
        average: the routine; it appends to `divergences` what is infinite or undefined.
        divergences: so far.

    Returns:
        The results, NaN where they depend on what has no finite value, and the reasons for that.
    """
    asked: list[tuple[Sequence[Any], list[Array]]] = []
    seen = len(divergences)

    def recorded(covariance: Array, requests: Sequence[Any]) -> list[Array]:
        asked.append((requests, average(covariance, requests)))
        return asked[-1][1]

    state = step(recorded)
    found = divergences[seen:]
    if any(divergence.undefined for divergence in found):
        finite = [divergence for divergence in found if not divergence.undefined]
        one, two = (step(_filled(asked, finite, seed)) for seed in (1, 2))
        state = {key: np.where(one[key] == two[key], one[key], np.nan) for key in state}
    if not any(np.isnan(array).any() for array in state.values()):
        found = []
    return state, [divergence.reason for divergence in found]


def _filled(asked: Sequence[tuple[Sequence[Any], list[Array]]], infinite: Sequence[Divergence], seed: int) -> Average:
    """What was averaged, with some numbers in the place of averages that have no value."""
    random = np.random.default_rng(seed)
    left = iter(asked)

    def average(_: Array, __: Sequence[Any]) -> list[Array]:
        arrays = []
        for request, array in zip(*next(left), strict=True):
            kept = {divergence.inputs for divergence in infinite if divergence.request == request}
            array = np.array(array)
            for place in map(tuple, np.argwhere(np.isnan(array)).tolist()):
                if place not in kept:
                    array[place] = random.uniform(1.0, 2.0)
            arrays.append(array)
        return arrays

    return average
