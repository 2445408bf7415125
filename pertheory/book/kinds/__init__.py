"""One module for each kind of statement; importing this registers them all."""

from pertheory.book.kinds import (
    angle,
    asymptotics,
    coincident,
    critical,
    definition,
    expansion,
    first_layer,
    forward,
    identity,
    interpolation,
    mean_prediction,
    moment,
    recursion,
    solution,
    training,
)

__all__ = [
    "angle",
    "asymptotics",
    "coincident",
    "critical",
    "definition",
    "expansion",
    "first_layer",
    "forward",
    "identity",
    "interpolation",
    "mean_prediction",
    "moment",
    "recursion",
    "solution",
    "training",
]
