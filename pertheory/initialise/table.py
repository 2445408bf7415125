"""The gain of every activation of a program at criticality, beside the program's own."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pertheory.functions.activation import Activation
from pertheory.initialise.frameworks import names, own_gain, refused
from pertheory.solve.classify import critical
from pertheory.solve.criticality import Criticality

#: the program whose activations are listed, and how it is called
FRAMEWORK, NAME = "torch", "PyTorch"


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
    found = [_row(name, function) for name, function in names(FRAMEWORK)]
    found += [Row(name, "", None, None, None, None, why) for name, why in refused(FRAMEWORK).items()]
    return sorted(found, key=lambda row: row.name.lower())


def _row(name: str, function: Activation) -> Row:
    found, own = critical(function), own_gain(FRAMEWORK, function)
    if found.universality == "none":
        return Row(name, "none", None, None, None, own, _why(found, None, own))
    point = found.points[0]
    gain = math.sqrt(point.C_W)
    return Row(name, found.universality, point.C_b, point.C_W, gain, own, _why(found, gain, own))


def _why(found: Criticality, gain: float | None, own: float | None) -> str:
    """What the program's gain does, without biases and from signals of mean square one."""
    if own is None:
        return f"{NAME} has none" + ("" if gain else "; not critical")
    if gain is not None and math.isclose(own, gain, rel_tol=1e-6):
        return "the same"
    diagram = found.phase_diagram([0.0], [own**2])
    kernel, gradient = float(diagram.kernel[0, 0]), float(diagram.chi_perp[0, 0])
    signals = "vanish" if kernel == 0 else "explode" if math.isinf(kernel) else f"settle at K = {kernel:.3g}"
    size = math.sqrt(gradient)
    grow = f"gradients {'grow' if size > 1 else 'shrink'} by {size:.4g} a layer" if math.isfinite(size) else ""
    told = f"at {NAME}'s signals {signals}" + (f", {grow}" if grow else "")
    return told + ("" if gain else "; not critical")


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
    return {"schema": "pertheory.gains/1", "framework": FRAMEWORK, "activations": own}
