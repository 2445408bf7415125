"""Times the engine in fresh processes on one core and prints a table, with ratios to a plain interpreter.

Each row is the best of several fresh processes, measured inside the process after everything has been imported, so
that start-up does not count; caches on disk do not exist. The last column is the ratio to the time in which the same
interpreter starts and imports nothing, measured in the same session, which carries over between machines.
"""

from __future__ import annotations

import json
import subprocess
import sys

REPEATS = 5

START = "pass"
IMPORT = "import time; t = time.perf_counter(); import pertheory; print(time.perf_counter() - t)"
PREPARE = """
import json, resource, time
from pertheory.recursion import derive
from pertheory.closure import theory
from pertheory.rulebook.tensors import named_tensors
rule = __import__("pertheory").network("mlp"); named_tensors()
t = time.perf_counter()
"""
REPORT = """
seconds = time.perf_counter() - t
diagrams = sum(len(r.diagrams) for r in done)
labelled = sum(d.orbit_size for r in done for d in r.diagrams)
t = time.perf_counter()
atoms = sum(len(r.terms) for r in done) if {expand} else None
expansion = time.perf_counter() - t
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, len(done), diagrams, labelled, atoms, expansion, memory]))
"""
BOOK = "[derive(rule, n) for n in 'V D F A B P Q R S T U'.split()] + [derive(rule, n, order=1) for n in 'GH']"


def closure(tensors: str, order: int) -> str:
    return f"(lambda c: [c.recursion(n) for n in c.nodes])(theory(rule, {tensors!r}, {order}))"


ROWS: list[tuple[str, str, bool, float | None]] = [
    ("book set: thirteen tensors, G{1}, H{1}", BOOK, True, 0.1),
    ("V6{0}", "[derive(rule, 'V6')]", True, 0.05),
    (
        "G{2} + V{1} + V6{0}",
        "[derive(rule, 'G', order=2), derive(rule, 'V', order=1), derive(rule, 'V6')]",
        True,
        0.3,
    ),
    ("closure of all, order 1", closure("all", 1), True, None),
    ("closure of G, order 2", closure("G", 2), True, None),
    ("closure of G, order 3", closure("G", 3), True, None),
    ("closure of G, order 4", closure("G", 4), False, None),
]


def fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def main() -> None:
    timer = (
        "import subprocess, sys, time; t = time.perf_counter(); "
        "subprocess.run([sys.executable, '-c', 'pass']); print(time.perf_counter() - t)"
    )
    start = min(float(fresh(timer)) for _ in range(REPEATS))
    light = min(float(fresh(IMPORT)) for _ in range(REPEATS))
    print(f"start of the interpreter: {start * 1e3:.0f} ms; import pertheory adds {light * 1e3:.1f} ms (limit 100)")
    print()
    columns = ("diagrams", "labelled", "atoms", "derive ms", "expand ms", "MB", "limit ms", "/start")
    print(f"{'what':<40} {'types':>5} " + " ".join(f"{name:>9}" for name in columns))
    for title, code, expand, limit in ROWS:
        program = f"{PREPARE}done = {code}\n{REPORT.format(expand=expand)}"
        runs = [json.loads(fresh(program)) for _ in range(REPEATS)]
        seconds, count, diagrams, labelled, atoms, expansion, memory = min(runs)
        print(
            f"{title:<40} {count:>5} {diagrams:>9} {labelled:>9} {'-' if atoms is None else atoms:>9} "
            f"{seconds * 1e3:>9.1f} {f'{expansion * 1e3:.1f}' if expand else '-':>9} {memory:>9.0f} "
            f"{f'{limit * 1e3:.0f}' if limit else '-':>9} {seconds / start:>9.2f}"
        )


if __name__ == "__main__":
    main()
