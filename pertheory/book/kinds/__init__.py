"""One module for each kind of statement; importing this registers them all."""

from pertheory.book.kinds import (
    action,
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
    "action",
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
