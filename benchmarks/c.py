"""Times the compiled C against the NumPy backend and against memory, on one core, in one run.

Writes benchmarks/c.md. Best of several; both backends in the same process, so that the ratios carry over.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.c            all rows
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.c --quick    without the large ones
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pertheory as pt
from pertheory.functions.chosen import choose_functions
from pertheory.kernels.packing import counts, packing_of, packing_of_classes
from pertheory.run.cmodel import Library
from pertheory.run.evaluate import Evaluator
from pertheory.witness.reference_runs import GRAM

TABLE = Path(__file__).resolve().parent / "c.md"
SIZE, POINTER = ctypes.c_size_t, ctypes.c_void_p


def best(function: Callable[[], Any], patience: float = 0.5, most: int = 200) -> float:
    """The shortest of several calls, in seconds."""
    shortest, spent, calls = math.inf, 0.0, 0
    while calls < 3 or (spent < patience and calls < most):
        start = time.perf_counter()
        function()
        took = time.perf_counter() - start
        shortest, spent, calls = min(shortest, took), spent + took, calls + 1
    return shortest


def pointer(array: np.ndarray[Any, Any]) -> Any:
    return array.ctypes.data_as(POINTER)


def runner(theory: pt.Theory, activation: str, gram: np.ndarray[Any, Any], depth: int, mode: str) -> Callable[[], Any]:
    """A call of NAME_run on arrays that are ready."""
    model = theory.compile("c", inputs=mode)
    library: Library = model._library(choose_functions(theory.network, activation, {}), True)  # type: ignore[attr-defined]
    n = SIZE(len(gram))
    given = np.ascontiguousarray(np.diag(gram) if mode == "one" else gram)
    hyper = np.tile([value for _, value in library.program.hyperparameters], (depth, 1))
    states = np.zeros((depth, library.call("state_size", n, size=True)))
    workspace = np.zeros(library.call("workspace_size", n, size=True))
    arguments = (n, SIZE(depth), pointer(given), pointer(hyper), None, None, None, pointer(states))
    room = (pointer(workspace), SIZE(len(workspace)), None)
    kept = (given, hyper, states, workspace)

    def call() -> Any:
        status = library.call("run", *arguments, *room)
        assert status in (0, 7), status
        return kept

    return call


def two_points(quick: bool) -> list[str]:
    """K and Theta, ten layers."""
    lines = ["| activation | inputs | C, microseconds | NumPy / C |", "|---|---|---|---|"]
    rng = np.random.default_rng(1)
    theory = pt.theory("mlp", "all", 0)
    for activation in ("relu", "erf", "sin", "gelu", "tanh"):
        for inputs in (2, 16, 128) if quick else (2, 16, 128, 512):
            table = rng.standard_normal((inputs, 8))
            took = best(runner(theory, activation, table @ table.T / 8, 10, "many"))
            other = "-"
            if inputs <= 128:
                model = theory.compile("numpy")
                other = f"{best(lambda m=model, t=table, a=activation: m(t, a, 10), 0.3, 20) / took:.0f}"  # type: ignore[misc]
            lines.append(f"| {activation} | {inputs} | {took * 1e6:.1f} | {other} |")
    return lines


def one_input() -> list[str]:
    """All tensors of the book, one input, depth 1000."""
    theory = pt.theory("mlp", "all", 1)
    lines = ["| activation | C, milliseconds | NumPy / C |", "|---|---|---|"]
    for activation in ("tanh", "relu"):
        took = best(runner(theory, activation, np.array([[GRAM[0][0]]]), 1000, "one"))
        model = theory.compile("numpy", inputs="one")
        other = best(lambda m=model, a=activation: m([[1.0]], a, 100), 0.5, 3) * 10  # type: ignore[misc]
        lines.append(f"| {activation} | {took * 1e3:.1f} | {other / took:.0f} |")
    return lines


def entries(packing: Any, inputs: int) -> int:
    return sum(count * math.comb(inputs - 1, j) for j, count in enumerate(counts(packing)[-1]))


def update(quick: bool) -> list[str]:
    """All tensors of order 1/n from averages that are given, and a plain copy of the bytes that must move once."""
    lines = [
        "| inputs | update, ms | copy of the same bytes, ms | fraction of the copy | NumPy / C |",
        "|---|---|---|---|---|",
    ]
    theory = pt.theory("mlp", "all", 1)
    model = theory.compile("c")
    library: Library = model._library(choose_functions(theory.network, "tanh", {}), True)  # type: ignore[attr-defined]
    level = library.program.levels[0]
    evaluator = Evaluator(library.program)
    for inputs in (8, 16) if quick else (8, 16, 32, 64):
        n = SIZE(inputs)
        size = sum(entries(packing_of(kernel.symmetry), inputs) for kernel in level.kernels)
        averages = [np.ones(entries(packing_of_classes(a.classes), inputs)) for a in level.averages]
        below, above, hyper = np.ones(size), np.zeros(size), np.ones(len(library.program.hyperparameters))
        workspace = np.zeros(library.call("workspace_size", n, size=True))
        pointers = (POINTER * len(averages))(*[array.ctypes.data for array in averages])
        arguments = (n, pointer(below), pointers, pointer(hyper), ctypes.c_double(1.0), pointer(above))
        room = (pointer(workspace), SIZE(len(workspace)))
        took = best(lambda a=arguments, r=room: library.call("update", *a, *r), 1.0, 50)  # type: ignore[misc]
        moved = 2 * size + sum(len(array) for array in averages)
        source, target = np.ones(moved // 2), np.zeros(moved // 2)
        copied = best(lambda s=source, t=target: np.copyto(t, s), 0.5, 50)  # type: ignore[misc]
        other = "-"
        if inputs <= 16:
            state = {kernel.key: np.ones((inputs,) * kernel.rank) for kernel in level.kernels}
            dense = [np.ones((inputs,) * average.rank) for average in level.averages]
            ratio = best(lambda s=state, d=dense: evaluator.step(s, {}, lambda *_: d), 0.5, 10) / took  # type: ignore[misc]
            other = f"{ratio:.0f}"
        lines.append(f"| {inputs} | {took * 1e3:.3f} | {copied * 1e3:.3f} | {copied / took:.3f} | {other} |")
    return lines


def main() -> None:
    quick = "--quick" in sys.argv
    parts = [
        "# C, one core\n\nWritten by `python -m benchmarks.c`: best of several calls; ratios are to the NumPy backend "
        "in the same process.",
        "## K and Theta, depth 10\n\n" + "\n".join(two_points(quick)),
        "## All tensors of the book, one input, depth 1000\n\n" + "\n".join(one_input()),
        "## All tensors of order 1/n, averages given: the update and a plain copy\n\n" + "\n".join(update(quick)),
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if not quick:
        TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
