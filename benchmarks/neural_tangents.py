"""K and Theta side by side with neural-tangents, in one process on one core; writes benchmarks/neural_tangents.md.

neural-tangents is no dependency of anything here. To compare, make an environment that has both:

    python -m venv beside && beside/bin/pip install -e . "neural-tangents==0.6.5" "jax==0.5.3"
    beside/bin/python -m benchmarks.neural_tangents            all rows: minutes
    beside/bin/python -m benchmarks.neural_tangents --quick    without those that take neural-tangents seconds

Both compute in double precision; their function is compiled by jax before it is timed, ours by the C compiler. Ours
hand out every layer, and the last is read; theirs is the last layer alone.
"""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import pertheory as pt

TABLE = Path(__file__).resolve().parent / "neural_tangents.md"
DEPTH, WIDTH, C_B, C_W = 10, 64, 0.1, 1.8
INPUTS = (2, 16, 128, 512)
#: Points of Gauss-Hermite quadrature by which neural-tangents averages tanh, for which it has no closed form.
POINTS = 25
SINGLE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

HEAD = """# K and Theta side by side with neural-tangents

Written by `python -m benchmarks.neural_tangents`, which says how to install what it needs. All in one process on one
core and one thread, double precision, depth {depth}, inputs of {width} random numbers, best of several calls (processor
time), both kernels of the last layer read. Neural-tangents' function is compiled by jax beforehand; tanh, for which it
has no closed form, it averages with {points} points. *apart* is how far its kernels are from ours, relative to the
largest entry: for tanh that is the error of its quadrature.

{machine}; {versions}.

| activation | inputs | neural-tangents, ms | C through Python, ms | NumPy, ms | C / nt | NumPy / nt | apart |
|---|---|---|---|---|---|---|---|
"""


def best(function: Callable[[], Any], patience: float = 2.0, least: int = 5) -> float:
    """The shortest of several calls, in seconds of the processor: what else runs on the machine counts for less."""
    shortest, spent, calls = math.inf, 0.0, 0
    while calls < least or spent < patience:
        start = time.process_time()
        function()
        took = time.process_time() - start
        shortest, spent, calls = min(shortest, took), spent + took, calls + 1
        if spent > 10 * patience:
            break
    return shortest


def theirs(activation: str) -> Callable[[Any], Any]:
    """Both kernels of the last layer by neural-tangents, compiled."""
    import jax
    from neural_tangents import stax

    jax.config.update("jax_enable_x64", True)
    makers: dict[str, Callable[[], Any]] = {
        "relu": stax.Relu,
        "erf": stax.Erf,
        "tanh": lambda: stax.ElementwiseNumerical(jax.numpy.tanh, deg=POINTS),
    }
    dense = {"W_std": math.sqrt(C_W), "b_std": math.sqrt(C_B), "parameterization": "ntk"}
    layers = [stax.Dense(1, **dense)]
    for _ in range(DEPTH - 1):
        layers += [makers[activation](), stax.Dense(1, **dense)]
    kernel = stax.serial(*layers)[2]
    run = jax.jit(lambda x: tuple(kernel(x, None, ("nngp", "ntk"))))
    return lambda x: [np.asarray(own) for own in jax.block_until_ready(run(x))]


def ours(model: Any, table: Any, activation: str, hyper: dict[str, float]) -> list[Any]:
    """The same by a model."""
    last = model(table, activation, DEPTH, **hyper)[DEPTH]
    return [last["G"], last["H"]]


def main() -> None:
    if importlib.util.find_spec("neural_tangents") is None:
        sys.exit("neural-tangents is not installed here; benchmarks/neural_tangents.py says how to compare with it")
    if not SINGLE.items() <= os.environ.items():
        command = [sys.executable, "-m", "benchmarks.neural_tangents", *sys.argv[1:]]
        sys.exit(subprocess.call(command, env={**os.environ, **SINGLE}))
    if hasattr(os, "sched_setaffinity"):  # before jax makes its threads
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    quick = "--quick" in sys.argv
    theory = pt.theory("mlp", order=0)
    models = [theory.compile("c"), theory.compile("numpy")]
    # in neural-tangents' parametrisation every parameter is a standard normal variable times its spread
    hyper = {"C_b": C_B, "C_W": C_W, "lambda_b": C_B, "lambda_W": C_W}
    rows = []
    for activation in ("relu", "erf", "tanh"):
        other = theirs(activation)
        for inputs in INPUTS[: 3 if quick else 4]:
            if activation == "tanh" and inputs > (16 if quick else 128):
                continue  # minutes, and gigabytes
            table = np.random.default_rng(7).normal(size=(inputs, WIDTH))
            calls = [partial(other, table), *(partial(ours, model, table, activation, hyper) for model in models)]
            wanted, *found = (call() for call in calls)
            apart = max(
                float(np.abs(x - y).max() / np.abs(y).max()) for own in found for x, y in zip(own, wanted, strict=True)
            )
            nt, c, numpy = (1e3 * best(call) for call in calls)
            cells = [activation, f"{inputs}", *(f"{t:.2f}" for t in (nt, c, numpy, c / nt, numpy / nt)), f"{apart:.0e}"]
            rows.append(f"| {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    versions = ", ".join(f"{own} {version(own)}" for own in ("neural-tangents", "jax", "numpy"))
    head = HEAD.format(depth=DEPTH, width=WIDTH, points=POINTS, versions=versions, machine=_machine())
    if not quick:
        TABLE.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


def _machine() -> str:
    """The processor in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
