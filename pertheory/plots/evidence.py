"""Model comparison: the evidence of depths and widths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pertheory.plots.figure import CURVES, INK, MARKERS, Plot, new_plot, plain

if TYPE_CHECKING:
    from pertheory.infer.record import Posterior


def evidence(posterior: Posterior, widths: Sequence[float] = ()) -> Plot:
    """The log evidence of networks of every depth, at infinite width and at some widths.

    Args:
        posterior: made by `pertheory.posterior`; a depth whose kernel is singular is left out.
        widths: of the last hidden layer, a curve for each; by default that of the posterior, if it has one.

    Example:
        ``evidence(pt.posterior(theory, train, targets, test, depth=6), [32, 128])``
    """
    own = widths or ([posterior.width] if posterior.width is not None else [])
    rows = [row for row in posterior.evidence(widths) if row.coefficients is not None]
    leading = {row.depth: row.coefficients[0] for row in rows if row.coefficients}
    with new_plot("log evidence by depth") as (plot, (axes,)):
        axes.plot(list(leading), list(leading.values()), ":", color=INK, label="infinite width")
        for number, width in enumerate(own):
            found = {r.depth: r.total for r in rows if r.total is not None and (r.width == width or not widths)}
            colour, marker = CURVES[number % len(CURVES)], MARKERS[number % len(MARKERS)]
            axes.plot(list(found), list(found.values()), color=colour, marker=marker, label=f"n = {width:g}")
        axes.set(xlabel="depth", ylabel="log evidence", title=plain(posterior.heading))
        axes.set_xticks(range(1, len(posterior.layers) + 1))
        axes.legend()
    return plot
