"""What a check says about an equation, and the registry of the kinds of statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pertheory.book.chapters import Equation

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


#: decides one form (as stated, or as printed) of an equation
Decider = Callable[["Equation", str], Verdict]
_KINDS: dict[str, Decider] = {}
_WITH_SETTING: set[str] = set()


def kind(name: str, setting: bool = False) -> Callable[[Decider], Decider]:
    """Register the function that decides statements of a kind: ``@kind("recursion")``.

    Args:
        name: of the kind.
        setting: whether its equations may have a setting.
    """

    def register(decider: Decider) -> Decider:
        if name in _KINDS:
            raise ValueError(f"kind {name!r} is registered twice")
        _KINDS[name] = decider
        if setting:
            _WITH_SETTING.add(name)
        return decider

    return register


def kinds() -> dict[str, Decider]:
    """All kinds by name."""
    import pertheory.book.kinds  # noqa: F401  registers them

    return dict(_KINDS)


def takes_setting(name: str) -> bool:
    """Whether equations of a kind may have a setting."""
    return name in _WITH_SETTING


def unchecked(reason: str) -> Verdict:
    """Not decided, with the reason."""
    return Verdict(UNCHECKED, note=reason)
