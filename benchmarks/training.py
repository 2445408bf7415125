"""Seconds and memory of predictions for trained networks once the tensors are there, written to benchmarks/training.md.

The tensors are products of random kernels with the symmetries of their types, made when they are read, as a compiled
theory hands its own out. Each number of inputs has a process of its own. One core, processor time.

    python -m benchmarks.training
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.tensors import tensor_of
from pertheory.training.data import check_schedule, course_of
from pertheory.training.moments import Moments, memory_needed, name_of, predicted
from pertheory.training.spectrum import expansion_parameter, fluctuation
from pertheory.training.start import Start

TABLE = Path(__file__).resolve().parent / "training.md"
COUNTS, COURSES, TESTS, OUTPUTS = (10, 25, 50, 100), ("inf", "1000", "flow:10"), 4, 2
#: operations on an entry of a weight, about
WEIGHT = 5
Array = np.ndarray[Any, Any]


class Drawn(Mapping[str, Array]):
    """Random tensors over inputs."""

    def __init__(self, kinds: Mapping[str, TensorType], inputs: int) -> None:
        self.kinds, self.inputs = kinds, inputs

    def __getitem__(self, name: str) -> Array:
        draw = np.random.default_rng([ord(letter) for letter in name])
        features = draw.normal(size=(2, self.inputs, 2 * self.inputs)) / np.sqrt(2 * self.inputs)
        one, two = (own @ own.T + np.eye(self.inputs) for own in features)
        if name == "Theta" or self.kinds[name].size == 2:
            return one
        kind, total = self.kinds[name], np.zeros((self.inputs,) * 4)
        slots = tensor_of(kind).slots
        for element in {tuple(slots.index(own[vertex]) for vertex in slots) for own in kind.symmetries}:
            letters = "".join("abcd"[place] for place in element)
            for first in range(self.inputs):  # a slab at a time: nothing of the size of the tensor besides it
                cut = [slice(first, first + 1) if letter == "a" else slice(None) for letter in letters]
                total[first] += np.einsum(f"{letters[:2]},{letters[2:]}->abcd", one[*cut[:2]], two[*cut[2:]])[0] / 100
        return total

    def __iter__(self) -> Iterator[str]:
        return iter(self.kinds)

    def __len__(self) -> int:
        return len(self.kinds)


def kinds() -> dict[str, TensorType]:
    """The tensors that predictions need, by name."""
    items = [item for uses in _uses() for use in uses for item in use.cumulants]
    items += [core.first for groups in predicted(3) for group in groups for core in group if core]
    return {name_of(item.kind, item.order): item.kind for item in items}


def _uses() -> list[list[Any]]:
    return [uses for groups in predicted(3) for group in groups for uses in group.values()]


def measure(count: int, steps: str) -> None:
    """Print the seconds and the peak of memory of one prediction, and what it was estimated to need."""
    state, before = Drawn(kinds(), count + TESTS), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading = -time.process_time()
    for name in state:
        state[name]
    begin = time.process_time()
    reading += begin
    start = Start(state, count)
    course = course_of(check_schedule(0.1 / start.eigenvalues.max(), steps), start.eigenvalues)
    targets = np.random.default_rng(0).normal(size=(count, OUTPUTS))
    moments = Moments(course, start.tensor, start.theta, start.modes.T @ targets)
    expansion_parameter(moments, fluctuation(moments))
    moments.predicted()
    seconds = time.process_time() - begin - reading * 1.2  # two tensors are read twice
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(seconds, peak * 1024, memory_needed(count, TESTS))


def work(count: int) -> tuple[float, float]:
    """Floating-point operations, about: of tensors turned to modes, and of cores; a weight is `WEIGHT` of an entry."""
    turned, cores = 0.0, 0.0
    for groups in predicted(3):
        every = {core for group in groups for core in group if core}
        turned += sum(8 * (count + TESTS) ** 5 for kind in {core.first.kind for core in every} if kind.size == 4)
        cores += sum(2 * (TESTS + WEIGHT) * count**core.axes for core in every)
    return turned, cores


def peak_rate() -> float:
    """Operations a second in a product of large matrices."""
    matrix = np.random.default_rng(0).normal(size=(1500, 1500))
    begin = time.process_time()
    matrix @ matrix
    return float(2 * 1500**3 / (time.process_time() - begin))


def main() -> None:
    """Write the table."""
    uses, cores = _uses(), sum(core is not None for groups in predicted(3) for group in groups for core in group)
    terms, rows = sum(map(len, uses)), []
    for count in COUNTS:
        turned, contracted = work(count)
        for steps in COURSES:
            told = subprocess.run(
                [sys.executable, "-m", "benchmarks.training", str(count), steps],
                capture_output=True,
                check=True,
                text=True,
            )
            seconds, peak, needed = map(float, told.stdout.split())
            part = f"{(turned + contracted) / seconds / peak_rate():.0%}"
            rows.append(
                f"| {count} | {steps} | {seconds:.1f} | {peak / 1e9:.2f} | {needed / 1e9:.2f} | {turned / 1e9:.1f} | "
                f"{contracted / 1e9:.1f} | {part} |"
            )
            print(rows[-1], flush=True)
    lines = [
        "# Training",
        "",
        "Mean, covariance and change of the tangent kernel of trained networks, all parts, once the tensors are there:",
        f"{TESTS} test inputs, {OUTPUTS} outputs, one core. `python -m benchmarks.training`.",
        "Memory is what is held besides the tensors over inputs; the last column compares with a product of matrices.",
        f"{terms} terms share {cores} cores, a tensor with its weights each; a tensor over four modes takes",
        f"8 (N + M)^5 operations, a core of so many 2 (M + {WEIGHT}) N^4.",
        "",
        "| N | steps | seconds | memory, GB | estimated | tensors to modes, 10^9 | cores, 10^9 | of a matrix product |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    measure(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else main()
