"""Sampled networks against the theory, by the hour, and how fast they are drawn.

    python -m benchmarks.simulate battery FOLDER     writes docs/sampled_table.md; FOLDER keeps batches, so that a run
                                                     that was stopped goes on
    python -m benchmarks.simulate speed              writes benchmarks/simulate.md

The battery fits each component by a polynomial of degree two in 1/n to networks of several widths, without any theory,
and compares its first coefficients with T{0}, and of G and H with T{1} as well.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

from pertheory.simulate.extrapolate import Fit, extrapolate
from pertheory.simulate.simulation import simulate

ROOT = Path(__file__).resolve().parents[1]
BOOK = ["G", "H", *"VDFABPQRSTU"]
ONE, OTHER, TWO = [[0.8, -0.5, 1.1]], [[1.2, 0.4]], [[0.8, -0.5, 1.1], [-0.3, 0.9, 0.4]]
RATES = {"lambda_b": 0.4, "lambda_W": 0.9}


class Case(NamedTuple):
    """One line of experiments: networks that differ in their width alone."""

    activation: str
    inputs: list[list[float]]
    depth: int
    hyper: dict[str, float]


CASES = [
    Case("tanh", TWO, 3, {"C_b": 0.3, "C_W": 1.7, **RATES}),
    Case("gelu", TWO, 2, {"C_b": 0.2, "C_W": 1.8, **RATES}),
    Case("sin", OTHER, 4, {"C_b": 0.0, "C_W": 1.0, **RATES}),
    Case("swish", TWO, 4, {"C_b": 0.2, "C_W": 2.0, **RATES}),
    Case("erf", ONE, 3, {"C_b": 0.1, "C_W": 1.2, **RATES}),
    Case("softplus", OTHER, 2, {"C_b": 0.1, "C_W": 0.9, **RATES}),
]
#: Widths, and networks of each in thousands.
PLAN = [(20, 120), (28, 100), (40, 80), (64, 40)]


def fits(case: Case, folder: Path, share: float) -> list[Fit]:
    """The components of one case, V6 from networks of its own, which are drawn without weights."""
    found = []
    for tensors, more in ((BOOK, 1), (["V6"], 10)):
        drawn = []
        for width, thousands in PLAN:
            begun = time.monotonic()
            drawn.append(
                simulate(
                    "mlp",
                    case.inputs,
                    case.activation,
                    case.depth,
                    width,
                    tensors=tensors,
                    samples=int(thousands * 1000 * share * more),
                    layers=[case.depth],
                    batch=3200,
                    folder=folder,
                    **case.hyper,
                )
            )
            print(case.activation, case.depth, width, tensors[0], f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
        found += extrapolate(drawn, degree=2)
    return found


def pulls(found: list[Fit]) -> Iterator[tuple[str, Fit, int, float]]:
    """The coefficients that are compared, by name."""
    for fit in found:
        for order in range(len(fit.theory)):
            yield fit.tensor + (f"{{{order}}}" if order else ""), fit, order, fit.pull(order)


def battery(folder: Path, share: float) -> str:
    """The table."""
    lines = [
        "# Every tensor against sampled networks",
        "",
        f"Written by `python -m benchmarks.simulate battery FOLDER --share {share:g}`. A case: perceptrons of widths",
        ", ".join(f"{n} ({int(k * 1000 * share):,})" for n, k in PLAN)
        + "; of V6, drawn without weights, ten times as many.",
        "Every component is fitted by a polynomial of degree two in 1/n, without any theory: *sampled* is the one of",
        "its coefficients that T{0} predicts (T{1} where {1} is written), *chi2* what the fit leaves with one degree",
        "of freedom. Components of one case come from the same networks, so their pulls depend on each other.",
        "",
    ]
    rows, everything, chances = [], [], []
    for case in CASES:
        found = fits(case, folder, share)
        own = list(pulls(found))
        everything += [pull for *_, pull in own]
        chances += [fit.chi2 for fit in found]
        hyper = ", ".join(f"{name} = {value:g}" for name, value in case.hyper.items())
        inputs = " and ".join("(" + ", ".join(f"{x:g}" for x in row) + ")" for row in case.inputs)
        rows += [
            "",
            f"## {case.activation}, layer {case.depth}, {inputs}",
            "",
            f"{hyper}; {len(own)} pulls, mean {np.mean([p for *_, p in own]):.2f}, "
            f"root mean square {np.sqrt(np.mean([p**2 for *_, p in own])):.2f}.",
            "",
            "| tensor | slots | theory | sampled | stderr | pull | chi2 |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, fit, order, pull in own:
            rows.append(
                f"| {name} | {' '.join(map(str, fit.slots))} | {fit.theory[order]:.6g} | {fit.coefficients[order]:.6g} "
                f"| {fit.stderr(order):.1e} | {pull:.2f} | {fit.chi2:.2f} |"
            )
    values = np.array(everything)
    lines.append(
        f"**{len(values)} pulls: mean {values.mean():.3f}, root mean square {np.sqrt(np.mean(values**2)):.3f}, largest "
        f"{np.abs(values).max():.2f}; mean chi2 of the fits {np.mean(chances):.2f} (1 expected).**"
    )
    return "\n".join([*lines, *rows, ""])


#: What is timed: a title, tensors, inputs, the promise and its unit.
SPEEDS = [
    ("z and H tensors (G, H, V, D, F, A, B)", ["G", "H", *"VDFAB"], TWO, "2,000 networks"),
    ("all of the book", BOOK, TWO, "500 networks"),
    ("z alone (G, V)", ["G", "V"], TWO, "2e7 normals"),
    ("z alone (G, V), one input", ["G", "V"], ONE, "2e7 normals"),
]


def timed(tensors: list[str], inputs: list[list[float]]) -> tuple[float, float, float]:
    """Networks and normals a second of processor time, and the share of the time in which normals are drawn."""
    from pertheory.rulebook.network import any_rule
    from pertheory.rulebook.tensors import find_tensor
    from pertheory.simulate.estimate import BLOCK, BlockProgram, Estimators
    from pertheory.simulate.jaxed import jax
    from pertheory.simulate.setting import make_setting

    setting = make_setting(any_rule("mlp"), inputs, "tanh", 4, 64, None, {"C_b": 0.3, "C_W": 1.7, **RATES})
    own = Estimators(setting, tuple(find_tensor(name)[0] for name in tensors), (4,), 1)
    with jax.enable_x64(True):
        program = BlockProgram(own)
        if own.conditional:
            normals = 3 * 64 * len(inputs)
        else:
            normals = sum(site.rows * site.columns for site in program.sampled.sites(4))
        draw = jax.jit(jax.vmap(lambda key: jax.random.normal(key, (normals,))))
        keys = jax.random.split(jax.random.key(1), BLOCK)
        seconds = []
        for work in (lambda: program.run(0, 8), lambda: [draw(keys).block_until_ready() for _ in range(8)]):
            work()
            times = []
            for _ in range(5):
                begun = time.process_time()
                work()
                times.append(time.process_time() - begun)
            seconds.append(min(times) / 8 / BLOCK)
    return 1 / seconds[0], normals / seconds[0], seconds[1] / seconds[0]


def speed() -> str:
    """The table of speeds."""
    lines = [
        "# Networks a second",
        "",
        "Written by `python -m benchmarks.simulate speed`. Perceptrons with tanh, width 64, four weight layers;",
        "tensors at the last; processor time on one core, best of five; the last column is for drawing the normals.",
        "",
        "| tensors | inputs | networks/s | normals/s | promised, a second | normals |",
        "|---|---|---|---|---|---|",
    ]
    for title, tensors, inputs, promise in SPEEDS:
        networks, normals, share = timed(tensors, inputs)
        lines.append(f"| {title} | {len(inputs)} | {networks:,.0f} | {normals:.1e} | {promise} | {share:.0%} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    own = verbs.add_parser("battery")
    own.add_argument("folder", type=Path)
    own.add_argument("--share", type=float, default=1.0, help="of the networks of the plan")
    own.add_argument("--out", type=Path, default=ROOT / "docs" / "sampled_table.md")
    verbs.add_parser("speed")
    given = parser.parse_args()
    if given.verb == "battery":
        given.out.write_text(battery(given.folder, given.share), encoding="utf-8")
    else:
        (ROOT / "benchmarks" / "simulate.md").write_text(speed(), encoding="utf-8")


if __name__ == "__main__":
    main()
