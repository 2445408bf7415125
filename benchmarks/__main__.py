"""Times the engine in fresh processes on one core and writes benchmarks/table.md.

Each row is the best of several fresh processes, measured inside the process after everything has been imported, so
that start-up does not count; nothing is read from disk. The last column is the ratio to the time in which the same
interpreter starts and imports nothing, measured in the same session, which carries over between machines.

    python -m benchmarks            all rows
    python -m benchmarks --quick    without the ones that take more than a few seconds
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).resolve().parent / "table.md"

IMPORT = "import time; t = time.perf_counter(); import pertheory; print(time.perf_counter() - t)"
START = (
    "import subprocess, sys, time; t = time.perf_counter(); "
    "subprocess.run([sys.executable, '-c', 'pass']); print(time.perf_counter() - t)"
)
PROGRAM = """
import json, resource, time
from pertheory.recursion import derive
from pertheory.theory import theory
from pertheory.rulebook.network import network
from pertheory.rulebook.tensors import named_tensors
rule = network({network!r}); named_tensors()
def closure(tensors, order):
    closed = theory(rule, tensors, order, limit=None)
    return [closed.recursion(node) for node in closed.nodes]
t = time.perf_counter()
done = {code}
seconds = time.perf_counter() - t
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
diagrams = sum(len(r.diagrams) for r in done)
labelled = sum(d.orbit_size for r in done for d in r.diagrams)
t = time.perf_counter()
atoms = sum(len(r.terms) for r in done) if {expand} else None
print(json.dumps([seconds, len(done), diagrams, labelled, atoms, time.perf_counter() - t, memory]))
"""
BOOK = "[derive(rule, n) for n in 'V D F A B P Q R S T U'.split()] + [derive(rule, n, order=1) for n in 'GH']"
PREACTIVATIONS = "[derive(rule, 'G', order=2), derive(rule, 'V', order=1), derive(rule, 'V6')]"


class Row(NamedTuple):
    """One line of the table; ``limit`` is what we promised, in seconds."""

    title: str
    code: str
    limit: float | None = None
    expand: bool = True
    network: str = "mlp"
    repeats: int = 5


ROWS = [
    Row("book set: 13 tensors, with G{1}, H{1}", BOOK, 0.1),
    Row("V6{0}", "[derive(rule, 'V6')]", 0.05),
    Row("G{0..2}, V{0,1}, V6{0}", PREACTIVATIONS, 0.3),
    Row("all, order 1", "closure('all', 1)"),
    Row("all, order 2", "closure('all', 2)", 5.0, repeats=3),
    Row("every type, order 2", "closure('every', 2)", repeats=3),
    Row("preactivations, order 3", "closure('G', 3)", 10.0, repeats=2),
    Row("residual: all, order 1", "closure('all', 1)", network="residual"),
    Row("residual: all, order 2", "closure('all', 2)", network="residual", repeats=2),
    Row("preactivations, order 4", "closure('G', 4)", expand=False, repeats=2),
    Row("all, order 3", "closure('all', 3)", expand=False, repeats=1),
]


def fresh(code: str) -> str:
    """Run code in a new process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def main() -> None:
    start = min(float(fresh(START)) for _ in range(5))
    light = min(float(fresh(IMPORT)) for _ in range(5))
    lines = [
        "# Derivation: diagrams, atoms, time and memory",
        "",
        "Written by `make bench`; one core, fresh processes, nothing cached. *diagrams* are representatives of orbits,",
        "*labelled* all their members, *atoms* the terms of the expanded form. *limit* is the time that was promised.",
        "",
        f"Start of the interpreter: {start * 1e3:.0f} ms. `import pertheory` adds {light * 1e3:.1f} ms (limit 100).",
        "",
        "| what | T{k} | diagrams | labelled | atoms | derive ms | limit ms | expand ms | MB | derive / start |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        if "--quick" in sys.argv and row.repeats < 5:
            continue
        program = PROGRAM.format(network=row.network, code=row.code, expand=row.expand)
        seconds, count, diagrams, labelled, atoms, expansion, memory = min(
            json.loads(fresh(program)) for _ in range(row.repeats)
        )
        limit = f"{row.limit * 1e3:.0f}" if row.limit else ""
        spread = f"{atoms} | {seconds * 1e3:.1f} | {limit} | {expansion * 1e3:.0f}"
        if not row.expand:
            spread = f"not expanded | {seconds * 1e3:.1f} | {limit} | "
        lines.append(
            f"| {row.title} | {count} | {diagrams} | {labelled} | {spread} | {memory:.0f} | {seconds / start:.1f} |"
        )
        print(lines[-1], flush=True)
    if "--quick" not in sys.argv:
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
