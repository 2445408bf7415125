"""The functions of a level and its workspace, and the order in which they are called."""

from __future__ import annotations

from typing import NamedTuple

from pertheory.emit.c.frame import Frame, View
from pertheory.emit.c.functions import Function, recursion, temporary
from pertheory.emit.c.support import Support
from pertheory.kernels.language import Program
from pertheory.kernels.packing import packing_of_classes


class LevelText(NamedTuple):
    """The functions of a level.

    Attributes:
        text: the workspace and all functions.
        views: for each view its packing, and the table and the number of orders with which `pt_view` fills it.
        recursions: in the order of the kernels.
        temporaries: by what they fill.
        use: for the pieces of support code that are called.
    """

    text: str
    views: dict[View, tuple[str, str, int]]
    recursions: list[Function]
    temporaries: dict[str, Function]
    use: Support

    def fill(self, functions: list[Function], w: str = "w", of: str = "w->") -> list[str]:
        """Fills all that functions need, in an order that works; ``of`` stands before a member of the level at w."""
        found: dict[str, None] = {}

        def visit(need: View | str) -> None:
            if isinstance(need, View):
                if need.array in self.temporaries:
                    visit(need.array)
                like, table, ways = self.views[need]
                places = f"&{like}, {of}tables->{like}, {of}{need.array}, {table}, {ways}, {need.rank}"
                found[f"    {self.use.pt_view}({places}, {of}n, {of}{need.name});"] = None
            else:
                call = f"    {self.temporaries[need].name}({w});"
                if call in found:
                    return
                for other in self.temporaries[need].needs:
                    visit(other)
                found[call] = None

        for function in functions:
            for need in function.needs:
                visit(need)
        return list(found)


def print_level(program: Program, frame: Frame) -> LevelText:
    """All that a level computes from its averages."""
    temporaries = {item.name: temporary(frame, item) for item in frame.level.temporaries}
    recursions = [recursion(frame, kernel, program.inputs == "one") for kernel in frame.level.kernels]
    views: dict[View, tuple[str, str, int]] = {}
    for view in frame.views:
        dense = packing_of_classes((1,) * view.rank)
        orders = frame.shared.orders(frame.packing(view.array), view.axes, dense)
        views[view] = frame.packing_name(view.array), *orders
    functions = [*temporaries.values(), *recursions]
    frame.copies = tuple(sorted({(f.rank, f.buffers) for f in functions if f.buffers}))
    text = "\n".join([_struct(program, frame), *(function.text for function in functions)])
    return LevelText(text, views, recursions, temporaries, frame.shared.use)


def _struct(program: Program, frame: Frame) -> str:
    number = frame.number
    lines = [
        f"/* ---- level {number} of {len(program.levels)}: arrays in the workspace ---- */",
        "",
        f"struct level_{number} {{",
        "    size_t n;                    /* inputs */",
        "    const double *p;             /* hyperparameters */",
        "    double ratio;                /* n / n_prev */",
        "    const struct tables *tables;",
        "    /* tensors below, packed */",
        *(f"    const double *{name};" for name in sorted(frame.below)),
        "    /* Gaussian averages, packed */",
        *(f"    const double *{average.name};" for average in frame.level.averages),
        "    /* dense copies: V_aab[a][b] is V at a, a, b */",
        *(f"    double *{view.name};" for view in frame.views),
        "    /* sums that recursions share */",
        *(f"    double *{name};" for name in frame.temporaries),
        "    /* copies for the entries that are computed together, of each thread */",
        "    double *tiles;",
        "    size_t tiles_size;",
        "};",
        "",
    ]
    return "\n".join(lines)
