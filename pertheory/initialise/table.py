"""The gain of every activation of a program at criticality, beside the program's own."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pertheory.functions.activation import Activation
from pertheory.initialise.frameworks import NAME, WITH_GAINS, compared, names, own_gain, refused
from pertheory.solve.classify import critical


class Row(NamedTuple):
    """One activation.

    Attributes:
        name: there.
        universality: its class; empty where it is no function.
        C_b, C_W, gain: at the critical point; None where there is none.
        own: the program's gain, None where it has none.
        why: why they differ.
    """

    name: str
    universality: str
    C_b: float | None
    C_W: float | None
    gain: float | None
    own: float | None
    why: str


def rows() -> list[Row]:
    """A row for every activation, by name."""
    found = [_row(name, function) for name, function in names(WITH_GAINS)]
    found += [Row(name, "", None, None, None, None, why) for name, why in refused(WITH_GAINS).items()]
    return sorted(found, key=lambda row: row.name.lower())


def _row(name: str, function: Activation) -> Row:
    found, own = critical(function), own_gain(WITH_GAINS, function)
    if found.universality == "none":
        return Row(name, "none", None, None, None, own, compared(found, None, own))
    point = found.points[0]
    gain = math.sqrt(point.C_W)
    return Row(name, found.universality, point.C_b, point.C_W, gain, own, compared(found, gain, own))


def cells(row: Row) -> list[str]:
    """A row as text."""
    numbers: list[Any] = [row.C_b, row.C_W, row.gain, row.own]
    return [row.name, row.universality or "-", *("-" if x is None else f"{x:.6g}" for x in numbers), row.why]


HEAD = ("activation", "class", "C_b", "C_W", "gain", NAME, "why they differ")


def markdown(table: list[Row]) -> str:
    """The table as Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(cells(row) for row in table)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_json(table: list[Row]) -> dict[str, Any]:
    """The table as plain values."""
    keys = {"universality": "class", "own": "framework_gain"}
    own = [{keys.get(key, key): value for key, value in row._asdict().items()} for row in table]
    return {"schema": "pertheory.gains/1", "framework": WITH_GAINS, "activations": own}
