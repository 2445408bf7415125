"""A routine for the Gaussian averages of a theory, as C: hand-written methods on top of tables of a plan.

The methods stand beside this file as C sources, in the order in which they build on each other; which of them a plan
needs is decided here:

`core.c`         the tables' types, packed places, entries as sums of nodes
`rules.c`        values of products of derivatives at points
`strengths.c`    conditional covariances; `orthant.c` the ReLU family, exactly; `kinked.c` combines, with errors
`panel*.c`       anything else with kinks, and smooth functions that are steep: `panels.c` where panels end,
                 `panel_series.c` the last two inputs, `panel_sums.c` sums and errors, `panel_leaves.c` the variables
`exact.c`        one and two inputs in closed form
`smooth.c`       one input; `pairs.c` all pairs of inputs; `conditional.c` three and four; `nested.c` dependent inputs
`call.c`         the routine: distinct inputs, sets of them, entries

The text needs `pertheory.h` before it, and defines two functions, ``NAME_builtin_average`` and
``NAME_builtin_workspace``; all else is static.
"""

from __future__ import annotations

from pathlib import Path

from pertheory.averages.plan import ORTHANT, SAFE, AveragePlan
from pertheory.emit.c.averages.closed_forms import print_exact
from pertheory.emit.c.averages.functions import number, print_edges, print_functions
from pertheory.emit.c.averages.tables import print_group, print_requests

__all__ = ["print_averages"]

_HERE = Path(__file__).parent


def print_averages(plan: AveragePlan, name: str) -> str:
    """The routine for the averages of a plan.

    Args:
        plan: from `pertheory.averages.planning.plan_averages`.
        name: prefix of the two functions that are not static.
    """
    sets = [s for group in plan.groups for s in (*group.sets, *group.full)]
    used = [s for s in sets if s.entries or s.zero_entries]
    most = max((s.size for s in used), default=0)
    columns = max((len(s.columns) for s in sets), default=0)
    leaves = max((sum(len(g.leaves) for g in s.groups) for s in sets), default=0)
    nodes = max((len(s.nodes) for s in sets), default=0)
    smooth = any(not group.kinked for group in plan.groups)
    kinked = any(group.kinked for group in plan.groups)
    bent = [s for group in plan.groups if group.kinked for s in (*group.sets, *group.full)]
    panelled = any(s.groups for s in bent)
    orthants = any(node.kind == ORTHANT for s in bent for node in s.nodes)
    count = sum(len(group.requests) for group in plan.groups)
    numbers = {
        "AVG_LINES": len(plan.lines),
        "AVG_COLUMNS": max(columns, 1),
        "AVG_LEAVES": max(leaves, 1),
        "AVG_NODES": max(nodes + leaves, 1),
        "AVG_MOST": most,
        "AVG_REQUESTS": count,
        "AVG_MOST_REQUESTS": max(len(group.requests) for group in plan.groups),
        "AVG_NARROWEST": number(min((function.narrowest for function in plan.functions), default=1.0)),
        "AVG_REPEATS": int(any(f.narrowest < min([1.0, *(w for _, w in f.places if w)]) for f in plan.functions)),
        "AVG_SMOOTH": int(smooth),
        "AVG_KINKED": int(kinked),
        "AVG_PANELLED": int(panelled),
        "AVG_ORTHANTS": int(orthants),
        "AVG_SAFE": f"({SAFE} * DBL_EPSILON)",
        "AVG_LOSSES": max(len(group.loss) for group in plan.groups),
        "AVG_EXACT": int(any(group.pairs is not None for group in plan.groups)),
        "AVG_ANY_KINKED": int(any(len(function.pieces) > 1 for function in plan.functions) or kinked),
    }
    parts = [
        "#include <float.h>\n#include <math.h>\n#include <stddef.h>\n#include <string.h>\n",
        "".join(f"#define {key} {value}\n" for key, value in numbers.items()),
        f"#define AVG_NAME(what) {name}_##what\n",
        _source("core.c"),
    ]
    panelled = panelled or smooth
    if panelled:
        parts += [print_functions(plan), _source("rules.c")]
    parts.append(_source("strengths.c"))
    if panelled or orthants:
        parts.append(_source("legendre.c"))
    if panelled:
        parts += [_source("dot.c"), print_edges(plan)]
        parts += [_source(name) for name in ("panels.c", "panel_series.c", "panel_sums.c", "panel_leaves.c")]
    if smooth:
        parts.append(_source("smooth.c"))
        if most > 1:
            parts += [_source("nested.c"), _source("pairs.c")]
        if most > 2:
            parts.append(_source("conditional.c"))
    if orthants:
        parts.append(_source("orthant.c"))
    if kinked:
        parts.append(_source("kinked.c"))
    if numbers["AVG_EXACT"]:
        parts += [print_exact(plan), _source("exact.c")]
    parts += [print_group(group, number) for number, group in enumerate(plan.groups)]
    parts += [print_requests(plan), _source("call.c")]
    return "\n".join(parts)


def _source(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
