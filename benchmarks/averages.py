"""Counts and times Gaussian averages and whole runs on one core, and writes benchmarks/averages.md.

What does not depend on the machine comes first: how many averages there are, at how many numbers the activation is
evaluated, and both next to what scipy.integrate.cubature needs for the same averages. Times are the best of several
in a fresh process, and of the processor: what else runs on the machine does not count.

    python -m benchmarks.averages            all rows
    python -m benchmarks.averages --quick    without the ones that take more than a few seconds
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).resolve().parent / "averages.md"
DIGITS = Path(__file__).resolve().parents[1] / "data" / "digits.csv"

COUNTED = """
import json, time
import numpy as np
import pertheory as pt
from pertheory.functions.activation import Activation
seen = [0]
original = Activation.tabulate
def tabulate(self, x, orders, *more, **named):
    seen[0] += np.size(x)
    return original(self, x, orders, *more, **named)
"""

RUN = (
    COUNTED
    + """
from pertheory.averages.gaussian import GaussianAverages
inputs = np.random.default_rng(7).normal(size=({inputs}, 64))
if not len(inputs):
    inputs = np.loadtxt({digits!r}, delimiter=",")
model = pt.theory("mlp", order={order}).compile(inputs="one" if len(inputs) == 1 else "many")
hyper = dict(C_b=0.0, C_W=1.0, lambda_b=0.4, lambda_W=0.9)
options = dict(activation={activation!r}, **hyper)
averages = []
start = GaussianAverages.__init__
def init(self, *args, **named):
    start(self, *args, **named)
    averages.append(self)
GaussianAverages.__init__ = init
model(inputs[:1], depth=2, **options)  # loads and compiles
times = []
for number in range({repeats}):
    t = time.process_time()
    run = model(inputs, depth={depth}, **options)
    times.append(time.process_time() - t)
layers = {depth} - 1
Activation.tabulate = tabulate
seen[0] = 0
model(inputs, depth=2, **options)
entries = sum(len(inputs) ** average.rank for level in model.program.levels for average in level.averages)
print(json.dumps(dict(inputs=len(inputs), entries=entries, averages=averages[-1].evaluated, points=seen[0],
    error=run.error, first=times[0], best=min(times), layers=layers)))
"""
)

#: One average of 1 to 4 inputs (derivative orders of tanh), none of them zero by symmetry.
SHAPES = {1: (1,), 2: (0, 0), 3: (0, 1, 0), 4: (0, 1, 1, 0)}
CUBATURE = (
    COUNTED
    + """
from scipy.integrate import cubature
from pertheory.averages.gaussian import GaussianAverages
orders, size = {orders}, len({orders})
root = np.random.default_rng(2).normal(size=(4, 6))
k = (root @ root.T / 5)[:size, :size]
lower = np.linalg.cholesky(k)
request = tuple((0, (("s", order),)) for order in orders)
def ours(rtol):
    return float(GaussianAverages({{"s": pt.activation("tanh")}}, rtol)(k, [request])[0][tuple(range(size))])
ours(1e-9)
t = time.process_time(); value = ours(1e-9); seconds = time.process_time() - t
Activation.tabulate = tabulate
seen[0] = 0
ours(1e-9)
# the same call averages all entries of the request; theirs is the one with all inputs different
points = [0]
def integrand(xi):
    points[0] += xi.size
    z = xi @ lower.T
    values = np.exp(-0.5 * (xi**2).sum(axis=-1)) / (2 * np.pi) ** (size / 2)
    for n, order in enumerate(orders):
        s = np.tanh(z[..., n])
        values = values * (s if order == 0 else 1 - s * s)
    return values
best = None
for rule in ("gk21", "genz-malik") if size in (2, 3) else (("gk21",) if size == 1 else ("genz-malik",)):
    points[0] = 0
    t = time.process_time()
    found = cubature(integrand, [-8.3] * size, [8.3] * size, rule=rule, rtol=0, atol={aim} * abs(value),
        max_subdivisions={most})
    row = dict(rule=rule, points=points[0], seconds=time.process_time() - t, status=found.status,
        apart=abs(float(found.estimate) - value) / abs(value), estimate=float(found.error) / abs(value))
    row["rank"] = [row["status"] == "converged", -row["points"]]
    if best is None or row["rank"] > best["rank"]:
        best = row
print(json.dumps(dict(points=seen[0], seconds=seconds, entries=len(k) ** size, theirs=best)))
"""
)


class Case(NamedTuple):
    """A run; ``limit`` is what was promised in seconds, for the whole or for a layer. No inputs: the eight digits."""

    title: str
    inputs: int
    depth: int
    order: int = 1
    limit: float = 0.0
    per_layer: bool = True
    activation: str = "tanh"
    repeats: int = 5


CASES = [
    Case("all tensors, one input, depth 100", 1, 100, limit=0.1, per_layer=False),
    Case("all tensors, two inputs", 2, 6, limit=0.01),
    Case("all tensors, four inputs", 4, 4, limit=0.1),
    Case("all tensors, eight digits", 0, 3, limit=2.0, repeats=2),
    Case("K and Theta, 128 inputs, depth 10", 128, 10, order=0, limit=0.1, per_layer=False),
    Case("K and Theta, 512 inputs, depth 10", 512, 10, order=0, limit=1.0, per_layer=False, repeats=3),
    Case("K and Theta, 2 inputs, depth 10, relu", 2, 10, order=0, per_layer=False, activation="relu"),
    Case("K and Theta, 128 inputs, depth 10, relu", 128, 10, order=0, per_layer=False, activation="relu"),
    Case("K and Theta, 512 inputs, depth 10, relu", 512, 10, order=0, per_layer=False, activation="relu", repeats=3),
    Case("K and Theta, 128 inputs, depth 10, erf", 128, 10, order=0, per_layer=False, activation="erf"),
    Case("K and Theta, 512 inputs, depth 10, erf", 512, 10, order=0, per_layer=False, activation="erf", repeats=3),
    Case("all tensors, eight digits, gelu", 0, 2, activation="gelu", repeats=1),
    Case("all tensors, eight digits, relu", 0, 2, activation="relu", repeats=1),
    Case("all tensors, twelve inputs", 12, 2, repeats=1),
]


def fresh(code: str) -> Any:
    """What a new process prints as JSON; on one core."""
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **single}
    )
    return json.loads(done.stdout)


def runs(quick: bool) -> list[str]:
    """The table of whole runs."""
    lines = [
        "| run | entries of averages a layer | averages evaluated | points | ms | limit ms | first ms | error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        if quick and case.repeats < 3:
            continue
        own = {name: value for name, value in case._asdict().items() if name not in ("title", "limit", "per_layer")}
        found = fresh(RUN.format(digits=str(DIGITS), **own))
        share = found["layers"] if case.per_layer else 1
        best, first = found["best"] / share * 1e3, found["first"] / share * 1e3
        limit = f"{case.limit * 1e3:.0f}" if case.limit else ""
        title = case.title + (", a layer" if case.per_layer else "")
        lines.append(
            f"| {title} | {found['entries']} | {found['averages']} | {found['points']:.2g} | {best:.1f} | {limit} | "
            f"{first:.1f} | {found['error']:.0e} |"
        )
        print(lines[-1], flush=True)
    return lines


def against_cubature(quick: bool) -> list[str]:
    """The table of single averages."""
    lines = [
        "| average | points | points of cubature | ratio | ms | ms of cubature | ratio | cubature |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size, orders in SHAPES.items():
        if quick and size == 4:
            continue
        # four dimensions do not reach the accuracy in a reasonable time: what they reach is said instead
        found = fresh(CUBATURE.format(orders=orders, aim=1e-9, most=20000 if size < 4 else 12000))
        theirs = found["theirs"]
        fewer = f"{theirs['points'] / found['points']:.2g}" if found["points"] else ""
        name = "< " + " ".join("s" + "'" * order + f"_{n + 1}" for n, order in enumerate(orders)) + " >"
        reached = f"{theirs['rule']}, agrees to {theirs['apart']:.0e}"
        if theirs["status"] != "converged":
            reached += f", stopped at an estimate of {theirs['estimate']:.0e}"
        lines.append(
            f"| {name} | {found['points']:.2g} | {theirs['points']:.2g} | {fewer} | "
            f"{found['seconds'] * 1e3:.2f} | {theirs['seconds'] * 1e3:.2f} | "
            f"{theirs['seconds'] / found['seconds']:.2g} | {reached} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    quick = "--quick" in sys.argv
    lines = [
        "# Gaussian averages: counts, points and time",
        "",
        "Written by `make bench`; one core, fresh processes, random inputs of 64 numbers unless said otherwise, tanh",
        "at criticality. *entries* are the numbers that the recursions of one layer read; *averages evaluated* are",
        "those that are computed for them, each once; *points* counts at how many numbers the activation is evaluated",
        "(all derivatives at a number count once) in one layer whose rules are known; the rules of one input hold the",
        "values, so that it needs none. *ms* is processor time, the best of several runs, *first* the first one, which",
        "measures the rules; *limit* is what was promised; *error* the largest estimate.",
        "",
        *runs(quick),
        "",
        "Against scipy.integrate.cubature, to 1e-9 of the average (of its rules the one with fewer points); ours",
        "computes all entries of the request in the same time.",
        "",
        *against_cubature(quick),
    ]
    if not quick:
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
