"""One module for each kind of statement; importing this registers them all."""

from pertheory.book.kinds import (
    asymptotics,
    coincident,
    definition,
    expansion,
    first_layer,
    forward,
    identity,
    insertion,
    metric,
    moment,
    recursion,
    solution,
    symmetry,
    weights,
)

__all__ = [
    "asymptotics",
    "coincident",
    "definition",
    "expansion",
    "first_layer",
    "forward",
    "identity",
    "insertion",
    "metric",
    "moment",
    "recursion",
    "solution",
    "symmetry",
    "weights",
]
