"""Plots of numbers, by matplotlib (the extra "plot"): ``from pertheory import plots``.

`depth`   tensors against the layer, and their natural ratios against depth over width
`evidence`  how probable data are under networks of each depth, for some widths
`kernel`  two slots of a tensor over the inputs, as heat maps
`phase`   a phase diagram over (C_b, C_W), of susceptibilities that somebody hands in
`sampled`  sampled networks beside the theory, against the layer or against 1/n
`figure`  what they all return

Each function returns a `Plot`, a figure of matplotlib that nobody shows unasked. A notebook shows it as SVG, which
takes the reader's light or dark; ``plot.to_svg()`` and ``plot.savefig("p.pdf")`` write it.

Importing this without matplotlib raises `pertheory.MissingPackageError`.
"""

from pertheory.errors import MissingPackageError

try:
    import matplotlib  # noqa: F401
except ImportError:
    raise MissingPackageError(
        "plots need matplotlib, which is not installed: pip install matplotlib, or pip install 'pertheory[plot]'"
    ) from None

from pertheory.plots.depth import flow, ratio
from pertheory.plots.evidence import evidence
from pertheory.plots.figure import Plot
from pertheory.plots.kernel import kernel
from pertheory.plots.phase import phase_diagram
from pertheory.plots.sampled import sampled

__all__ = ["Plot", "evidence", "flow", "kernel", "phase_diagram", "ratio", "sampled"]
