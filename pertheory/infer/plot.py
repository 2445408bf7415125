"""A picture of model comparison: the log evidence over the depth, a curve for each width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pertheory.errors import InputError, MissingPackageError
from pertheory.files import replacing
from pertheory.infer.record import Evidence, Posterior


def check_plot(out: str | Path) -> Path:
    """The file of a picture.

    Raises:
        InputError: another ending than .svg, or no such folder.
    """
    place = Path(out)
    if place.suffix.lower() != ".svg":
        raise InputError(f"--plot {place}: must end in .svg")
    if not place.parent.is_dir():
        raise InputError(f"--plot {place}: the folder {place.parent} does not exist")
    return place


def plot_evidence(found: Posterior, out: str | Path, widths: Sequence[float] = ()) -> None:
    """Draw the log evidence of every depth, at infinite width and at some widths, into an SVG file.

    Args:
        found: the posterior.
        out: the file.
        widths: of the last hidden layer; by default those of the run.

    Raises:
        InputError: another kind of file.
        MissingPackageError: matplotlib is not installed.
    """
    place, pyplot = check_plot(out), _pyplot()
    rows = [own for own in found.evidence(widths) if own.coefficients is not None]
    finite = [own for own in rows if own.width is not None]
    with pyplot.rc_context({"svg.hashsalt": "pertheory", "text.parse_math": False}):
        figure, axis = pyplot.subplots(figsize=(5, 4))
        try:
            leading = {own.depth: own.coefficients[0] for own in rows if own.coefficients}
            axis.plot(list(leading), list(leading.values()), "k:o", ms=3, label="infinite width")
            for width in dict.fromkeys(widths or ([found.width] if found.width else [])):
                own = [row for row in finite if not widths or row.width == width]
                axis.plot([row.depth for row in own], [_total(row) for row in own], "-o", ms=3, label=f"n = {width:g}")
            axis.set_xlabel("depth")
            axis.set_ylabel("log evidence")
            axis.set_title(found.heading, fontsize="medium")
            axis.set_xticks(range(1, len(found.layers) + 1))
            axis.legend()
            figure.tight_layout()
            with replacing(place) as temporary:
                figure.savefig(temporary, format="svg", metadata={"Date": None})
        finally:
            pyplot.close(figure)


def _total(row: Evidence) -> float:
    assert row.total is not None, "rows with a width and a density have one"
    return row.total


def _pyplot() -> Any:
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        raise MissingPackageError(
            "pictures need matplotlib, which is not installed: pip install 'pertheory[plot]'"
        ) from None
    return pyplot
