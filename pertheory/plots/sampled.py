"""Sampled networks beside the theory."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from pertheory.plots.figure import CURVES, INK, Plot, new_plot, plain, symbol

if TYPE_CHECKING:
    from pertheory.simulate.extrapolate import Fit
    from pertheory.simulate.simulation import Comparison, Simulation

COLUMNS = 3
#: of the orders of the theory
STYLES = (":", "--", "-", "-.")


def sampled(simulations: Sequence[Simulation], fits: Sequence[Fit] = ()) -> Plot:
    """The component with input 0 in every slot of each tensor: theory to each order, and estimates with their errors.

    Args:
        simulations: one, made by `pertheory.simulate`, which is drawn against the layer; or several widths.
        fits: of several, by `pertheory.extrapolate`; they are drawn against 1/n at the last layer.

    Example:
        ``sampled([pt.simulate("mlp", inputs, "tanh", 4, 64, tensors=["G", "V"])])``
    """
    names = list(dict.fromkeys(own.tensor for own in simulations[0].components))
    rows = ceil(len(names) / COLUMNS)
    with new_plot("sampled networks beside the theory", 4 * COLUMNS, 3 * rows, COLUMNS, rows) as (plot, axes):
        for spare in axes[len(names) :]:
            spare.set_axis_off()
        for axis, name in zip(axes, names, strict=False):
            if fits:
                _against_width(axis, simulations, fits, name)
            else:
                _against_depth(axis, simulations[0], name)
            axis.set_title(symbol(name))
        axes[0].legend(fontsize="small")
        plot.suptitle(_title(simulations))
    return plot


def _title(simulations: Sequence[Simulation]) -> str:
    own = simulations[0].setting
    functions = ", ".join(function.name for _, function in own.functions)
    where = f"widths {', '.join(map(str, own.widths[1:]))}" if len(simulations) == 1 else f"layer {own.depth}"
    return f"{plain(own.rule.name)}, {plain(functions)}, {where}; theory, and sampled networks with standard errors"


def _first(simulation: Simulation, name: str, layer: int | None = None) -> list[Comparison]:
    """The components with input 0 in every slot."""
    return [
        own for own in simulation.components if own.tensor == name and not any(own.slots) and layer in (None, own.layer)
    ]


def _against_depth(axis: Any, simulation: Simulation, name: str) -> None:
    own = _first(simulation, name)
    layers = [component.layer for component in own]
    for k, style in zip(range(len(own[0].orders)), STYLES, strict=False):
        axis.plot(layers, [component.orders[k] for component in own], style, color=INK, label=_order(k))
    _estimates(axis, layers, own)
    axis.set_xlabel("layer")
    axis.set_xticks(layers)


def _against_width(axis: Any, simulations: Sequence[Simulation], fits: Sequence[Fit], name: str) -> None:
    layer = max(own.layer for own in simulations[0].components)
    found = [_first(own, name, layer)[0] for own in simulations]
    x = np.array([1 / own.setting.widths[1] for own in simulations])
    fit = next(f for f in fits if (f.layer, f.tensor) == (layer, name) and not any(f.slots))
    line = np.linspace(0, 1.05 * x.max(), 60)
    for k, style in zip(range(len(fit.theory)), STYLES, strict=False):
        axis.plot(line, np.polyval(fit.theory[k::-1], line), style, color=INK, label=_order(k))
    axis.plot(line, np.polyval(fit.coefficients[::-1], line), color=CURVES[0], lw=0.7, label="fit")
    _estimates(axis, x, found)
    axis.set_xlabel("1/n")


def _estimates(axis: Any, x: Any, found: Sequence[Comparison]) -> None:
    axis.errorbar(x, [c.mean for c in found], [c.stderr for c in found], fmt="o", color=CURVES[0], label="sampled")


def _order(k: int) -> str:
    return "order 0" if k == 0 else f"to $1/n^{{{k}}}$"
