"""Steep places of functions as edges and widths of panels: no sampling finds a step between two samples."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from pertheory.functions.activation import Activation
from pertheory.functions.steep import steep_places

#: From a place outwards in units of its width: what falls like a power of the distance is resolved between these.
LADDER = 4.0 ** np.arange(0, 40)


def ladder(functions: Iterable[Activation], limit: float) -> list[float]:
    """Edges inside [-limit, limit] between which one panel resolves what happens at steep places."""
    edges: set[float] = set()
    for function in functions:
        for place, width, _ in steep_places(function):
            steps = width * LADDER
            steps = steps[steps < 2 * limit]
            edges.update((place, *(place - steps).tolist(), *(place + steps).tolist()))
    return sorted(edge for edge in edges if abs(edge) < limit)


def narrowest(functions: Iterable[Activation], limit: float) -> float:
    """The width of the narrowest steep place inside [-limit, limit]; infinite if there is none."""
    inside = [steep.width for function in functions for steep in steep_places(function) if abs(steep.place) < limit]
    return min(inside, default=math.inf)


def sharpest(functions: Iterable[Activation], limit: float) -> float:
    """What rounding of the places inside [-limit, limit] is relative to their widths, at most, in units of rounding."""
    steep = (steep for function in functions for steep in steep_places(function) if abs(steep.place) < limit)
    return max((abs(place) / width for place, width, _ in steep), default=0.0)
