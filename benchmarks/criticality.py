"""Times criticality and initialisation on one core, and writes benchmarks/criticality.md.

Processor time, the least of three: what else runs on the machine does not count. What is imported and derived once is
warm.

    python -m benchmarks.criticality
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pertheory as pt
from pertheory.initialise.frameworks import names
from pertheory.initialise.numbers import initialise
from pertheory.initialise.table import rows

TABLE = Path(__file__).resolve().parent / "criticality.md"


def least(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of processor time."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """Write the table."""
    listed = {name: least(lambda f=function: pt.critical(f)) for name, function in names("torch")}
    slowest = max(listed, key=lambda name: listed[name])
    measured = [(f"pt.critical: {slowest}, the slowest of {len(listed)} activations", listed[slowest])]
    for rule in ("residual", "projection"):
        measured.append((f"pt.critical: gelu in {rule}", least(lambda rule=rule: pt.critical("gelu", rule))))
    diagram = pt.critical("tanh")
    axes = [i / 50 for i in range(51)], [i / 20 for i in range(1, 61)]
    measured.append(("phase diagram of tanh, 51 x 60", least(lambda: diagram.phase_diagram(*axes))))
    for name, depth in (("gelu", 24), ("tanh", 24), ("tanh", 200)):
        measured.append((f"init {name}, depth {depth}", least(lambda n=name, d=depth: initialise(n, depth=d))))
    measured.append(("init --all", least(rows, 1)))
    lines = ["# Criticality", "", "Seconds of processor time: `python -m benchmarks.criticality`.", ""]
    lines += ["| what | seconds |", "|---|---|", *(f"| {what} | {seconds:.2f} |" for what, seconds in measured)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
