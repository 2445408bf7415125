"""One module for each kind of statement; importing this registers them all."""

from pertheory.book.kinds import (
    angle,
    asymptotics,
    coincident,
    critical,
    derived,
    divergent,
    expansion,
    expectations,
    interpolation,
    moment,
    solution,
    training,
)

__all__ = [
    "angle",
    "asymptotics",
    "coincident",
    "critical",
    "derived",
    "divergent",
    "expansion",
    "expectations",
    "interpolation",
    "moment",
    "solution",
    "training",
]
