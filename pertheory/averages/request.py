"""What is averaged: one factor an axis, each a derivative of a product of lines at one input."""

from __future__ import annotations

from itertools import groupby

from pertheory.algebra.terms import Lines

#: per axis: legs in front, lines
Request = tuple[tuple[int, Lines], ...]


def request_classes(request: Request) -> tuple[int, ...]:
    """The lengths of the runs of equal factors.

    Example:
        >>> request_classes(((0, (("s", 1),)), (0, (("s", 0),)), (0, (("s", 0),))))
        (1, 2)
    """
    return tuple(len(list(run)) for _, run in groupby(request))
