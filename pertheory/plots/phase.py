"""Phase diagrams: where a network forgets its inputs, where it blows them up, and the lines between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pertheory.errors import InputError
from pertheory.plots.figure import CURVES, INK, Plot, new_plot

Array = npt.NDArray[np.float64]
#: Cells lie around their points; thousands of them are one picture, which has no seams.
_CELLS: dict[str, Any] = {"shading": "nearest", "rasterized": True}


def phase_diagram(
    C_b: npt.ArrayLike,
    C_W: npt.ArrayLike,
    chi_parallel: npt.ArrayLike,
    chi_perp: npt.ArrayLike,
    K: npt.ArrayLike | None = None,
    *,
    points: Sequence[tuple[float, float]] = (),
) -> Plot:
    """The susceptibilities of a fixed point over (C_b, C_W).

    The colour is the logarithm of chi_perp (two inputs near each other part where it is above one, and come together
    below); the lines are where chi_perp and chi_parallel are one. Where there is no fixed point the diagram is hatched.

    Args:
        C_b: ascending, shape (b,).
        C_W: ascending, shape (w,).
        chi_parallel: at the fixed point, shape (b, w); NaN where there is none.
        chi_perp: likewise.
        K: of the fixed point, shape (b, w); a second panel shows it.
        points: critical points as (C_b, C_W).

    Raises:
        InputError: shapes that do not fit, axes that do not ascend, susceptibilities that are not positive, no fixed
            point anywhere.
    """
    across, up = _ascending("C_W", C_W), _ascending("C_b", C_b)
    shape = (len(up), len(across))
    parallel, perp = _table("chi_parallel", chi_parallel, shape), _table("chi_perp", chi_perp, shape)
    kernel = None if K is None else _table("K", K, shape)
    if not np.isfinite(perp).any() or not np.isfinite(parallel).any():
        raise InputError("chi_parallel, chi_perp: nowhere a number, so there is no phase diagram")
    if (perp[np.isfinite(perp)] < 0).any():
        raise InputError("chi_perp: must not be negative, as the average of a square is not")
    panels = 1 if kernel is None else 2
    with new_plot("phase diagram over C_W and C_b", 5.6 * panels, 4.2, panels) as (plot, maps):
        field = np.ma.masked_invalid(np.log10(np.where(perp == 0, 1e-3, perp)))  # C_W = 0
        limit = float(np.abs(field).max()) or 1.0
        mesh = maps[0].pcolormesh(across, up, field, cmap="RdBu_r", vmin=-limit, vmax=limit, **_CELLS)
        plot.colorbar(mesh, ax=maps[0], label=r"$\log_{10} \chi_\perp$")
        if kernel is not None:
            mesh = maps[1].pcolormesh(across, up, np.ma.masked_invalid(kernel), cmap="Purples", **_CELLS)
            plot.colorbar(mesh, ax=maps[1], label=r"$K^*$")
        legend: list[Any] = []
        ones: Any = ((perp, r"\perp", "-"), (parallel, r"\parallel", "--"))
        for values, name, style in ones:
            if np.nanmin(values) < 1 < np.nanmax(values):
                for axes in maps:
                    axes.contour(across, up, np.ma.masked_invalid(values), [1.0], colors=CURVES[2], linestyles=style)
                legend.append(Line2D([], [], color=CURVES[2], linestyle=style, label=rf"$\chi_{name} = 1$"))
        if (np.isnan(perp) | np.isnan(parallel)).any():
            legend.append(Patch(fill=False, hatch="///", edgecolor=INK, linewidth=0, label="no fixed point"))
        for axes in maps:
            axes.patch.set(hatch="///", edgecolor=INK, linewidth=0)
            axes.set(xlabel="$C_W$", ylabel="$C_b$", xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
            for b, w in points:
                axes.plot(w, b, "*", color=CURVES[1], markersize=12, clip_on=False, linestyle="")
        if points:
            legend.append(Line2D([], [], color=CURVES[1], marker="*", linestyle="", markersize=9, label="critical"))
        if legend:
            plot.legend(handles=legend, loc="outside lower center", ncols=len(legend))
    return plot


def _ascending(name: str, given: npt.ArrayLike) -> Array:
    values = _numbers(name, given)
    if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all():
        raise InputError(f"{name}: must be a list of two or more numbers that ascend")
    return values


def _table(name: str, given: npt.ArrayLike, shape: tuple[int, int]) -> Array:
    values = _numbers(name, given)
    if values.shape != shape:
        raise InputError(f"{name}: must have the shape (C_b, C_W) = {shape}, not {values.shape}")
    return np.where(np.isfinite(values), values, np.nan)


def _numbers(name: str, given: npt.ArrayLike) -> Array:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name}: must be an array of numbers") from None
