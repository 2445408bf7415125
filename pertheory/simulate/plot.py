"""Pictures of simulations: tensors against 1/n with the curves of the theory, and against the depth."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from pertheory.errors import InputError, MissingPackageError
from pertheory.files import replacing
from pertheory.simulate.extrapolate import Fit, extrapolate
from pertheory.simulate.simulation import Comparison, Simulation

COLUMNS = 3
STYLES = (":", "--", "-", "-.")


def plot(simulations: Sequence[Simulation], out: str | Path) -> None:
    """Draw the component with input 0 in every slot of each tensor, into an SVG file.

    Args:
        simulations: one, which is drawn against the layer; or several widths, drawn against 1/n at the last layer.
        out: the file.

    Raises:
        InputError: another kind of file.
        MissingPackageError: matplotlib is not installed.
    """
    place = Path(out)
    if place.suffix.lower() != ".svg":
        raise InputError(f"--plot {place}: must end in .svg")
    context, new_figure = _matplotlib()
    names = list(dict.fromkeys(own.tensor for own in simulations[0].components))
    fits = extrapolate(simulations) if len(simulations) > 1 else []
    rows = ceil(len(names) / COLUMNS)
    with context({"svg.hashsalt": "pertheory", "text.parse_math": False}):
        figure = new_figure(figsize=(4 * COLUMNS, 3 * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
        for axis in axes[len(names) :]:
            axis.set_axis_off()
        for axis, name in zip(axes, names, strict=False):
            if fits:
                _against_width(axis, simulations, fits, name)
            else:
                _against_depth(axis, simulations[0], name)
            axis.set_title(name)
        axes[0].legend(fontsize="small")
        figure.suptitle(_title(simulations))
        with replacing(place) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _matplotlib() -> tuple[Any, Any]:
    """What sets parameters for a while, and what makes a figure; the windows of the user are left alone."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError(
            "pictures need matplotlib, which is not installed: pip install 'pertheory[plot]'"
        ) from None
    return rc_context, Figure


def _title(simulations: Sequence[Simulation]) -> str:
    own = simulations[0].setting
    functions = ", ".join(function.name for _, function in own.functions)
    where = f"widths {', '.join(map(str, own.widths[1:]))}" if len(simulations) == 1 else f"layer {own.depth}"
    return f"{own.rule.name}, {functions[:60]}, {where}; theory, and sampled networks with standard errors"


def _first(simulation: Simulation, name: str, layer: int | None = None) -> list[Comparison]:
    """The components with input 0 in every slot."""
    return [
        own for own in simulation.components if own.tensor == name and not any(own.slots) and layer in (None, own.layer)
    ]


def _against_depth(axis: Any, simulation: Simulation, name: str) -> None:
    own = _first(simulation, name)
    layers = [component.layer for component in own]
    for k, style in zip(range(len(own[0].orders)), STYLES, strict=False):
        axis.plot(layers, [component.orders[k] for component in own], style, color="C0", label=_order(k))
    axis.errorbar(layers, [c.mean for c in own], [c.stderr for c in own], fmt="o", ms=3, color="C1", label="sampled")
    axis.set_xlabel("layer")
    axis.set_xticks(layers)


def _against_width(axis: Any, simulations: Sequence[Simulation], fits: Sequence[Fit], name: str) -> None:
    layer = max(own.layer for own in simulations[0].components)
    found = [_first(own, name, layer)[0] for own in simulations]
    x = np.array([1 / own.setting.widths[1] for own in simulations])
    fit = next(f for f in fits if (f.layer, f.tensor) == (layer, name) and not any(f.slots))
    line = np.linspace(0, 1.05 * x.max(), 60)
    for k, style in zip(range(len(fit.theory)), STYLES, strict=False):
        axis.plot(line, np.polyval(fit.theory[k::-1], line), style, color="C0", label=_order(k))
    axis.plot(line, np.polyval(fit.coefficients[::-1], line), color="C1", lw=0.7, label="fit")
    axis.errorbar(x, [c.mean for c in found], [c.stderr for c in found], fmt="o", ms=3, color="C1", label="sampled")
    axis.set_xlabel("1/n")


def _order(k: int) -> str:
    return "order 0" if k == 0 else f"to 1/n^{k}"
