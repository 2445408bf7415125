"""What a check says about an equation."""

from __future__ import annotations

from dataclasses import dataclass

VERIFIED, ERRATUM, MISMATCH, UNCHECKED = "verified", "erratum", "mismatch", "unchecked"
STATUSES = (VERIFIED, ERRATUM, MISMATCH, UNCHECKED)
SYMBOLIC, NUMERIC, BOTH = "symbolic", "numeric", "both"


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        status: "verified", "erratum" (the print is wrong and the corrected form right), "mismatch" or "unchecked".
        method: "symbolic", "numeric" or "both"; empty if unchecked.
        residual: the largest relative difference of the sides at random points; 0 for exactly equal.
        note: a line for people.
        difference: where the sides differ, the terms of left minus right, one a line.
    """

    status: str
    method: str = ""
    residual: float = 0.0
    note: str = ""
    difference: tuple[str, ...] = ()


def unchecked(reason: str) -> Verdict:
    """Not decided, with the reason."""
    return Verdict(UNCHECKED, note=reason)
