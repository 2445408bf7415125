"""The main job end to end: rule -> recursions -> NumPy module -> numbers on real inputs.

Derives the book's set of tensors from the definition of the multilayer perceptron, writes the NumPy module that
computes them into build/, and runs that module at depth 5 for tanh at its critical point (C_b = 0, C_W = 1) on four
images of handwritten digits. Run it with ``make demo``.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np

import pertheory as pt
from pertheory.averages.gaussian import GaussianAverages
from pertheory.cli.inputs import read_inputs

ROOT = Path(__file__).resolve().parent.parent
DEPTH = 5
WIDTH = 64
ORDER = 1
#: what a component says, in units in which it is dimensionless: (tensor, powers of K and Theta that divide it, meaning)
MEANING = [
    ("G", (1, 0), "typical size of a preactivation, squared (K)"),
    ("G{1}", (1, 0), "how finite width shifts K, per 1/n"),
    ("V", (2, 0), "how much K differs between networks (non-Gaussianity), per 1/n"),
    ("H", (0, 1), "the neural tangent kernel: how training at one input moves another (Theta)"),
    ("H{1}", (0, 1), "how finite width shifts Theta, per 1/n"),
    ("D", (1, 1), "correlation of K and Theta over networks, same neuron"),
    ("F", (1, 1), "correlation of outputs and kernel across neurons"),
    ("A", (0, 2), "how much Theta differs between networks, diagonal in neurons"),
    ("B", (0, 2), "how much Theta mixes neurons"),
    ("P", (0, 2), "feature learning: change of Theta in training, centre with output"),
    ("Q", (0, 2), "feature learning: change of Theta in training, centre with leg"),
    ("R", (-1, 3), "second change of Theta in training, type I"),
    ("S", (-1, 3), "second change of Theta in training, type II, inner pair"),
    ("T", (-1, 3), "second change of Theta in training, type II, own legs"),
    ("U", (-1, 3), "second change of Theta in training, type II, crossed"),
]


def load(path: Path) -> ModuleType:
    """The emitted file as a module, as any user of it would import it."""
    sys.path.insert(0, str(path.parent))
    return importlib.import_module(path.stem)


def main() -> None:
    """Derive, emit, run, print."""
    begin = time.perf_counter()
    theory = pt.theory("mlp", order=ORDER)
    print("1. derived from rules/networks/mlp.toml")
    for tensor, orders in theory.tensors:
        found = [theory.recursion(node) for node in theory.nodes if node.kind == tensor.kind]
        diagrams = sum(len(recursion.diagrams) for recursion in found)
        atoms = sum(len(recursion.terms) for recursion in found)
        names = " ".join(f"{tensor.name}{{{k}}}" for k in orders)
        print(f"   {names:<10} {tensor.observable:<34} {diagrams:>3} diagrams {atoms:>4} terms")
    print()
    print("   for example, to leading order,")
    print("\n".join("   " + line for line in pt.derive("mlp", "F").to_text().splitlines()))

    (path,) = theory.emit("numpy", ROOT / "build")
    print(f"\n2. emitted {path.relative_to(ROOT)} ({len(path.read_text().splitlines())} lines, needs only NumPy)")

    module = load(path)
    inputs = np.array(read_inputs(ROOT / "data" / "digits.csv"))[:4]
    gram = inputs @ inputs.T / inputs.shape[1]
    averages = GaussianAverages({"s": pt.activation("tanh")})
    critical = {"C_b": 0.0, "C_W": 1.0, "lambda_b": 0.0, "lambda_W": 1.0}
    states = module.run(gram, DEPTH, averages, critical)
    last = states[-1]

    print(f"\n3. ran it: tanh at criticality, {len(inputs)} digit images of {inputs.shape[1]} pixels, depth {DEPTH}")
    print(f"   layer {DEPTH}; diagonal: image 0 in every slot; off-diagonal: images 0 and 1 in turn")
    print(f"   {'':<5} {'diagonal':>13} {'off-diagonal':>13}  {'in K, Theta':>11}  what it says")
    kernel, tangent = last["G"][0, 0], last["H"][0, 0]
    for name, (of_kernel, of_tangent), meaning in MEANING:
        array = last[name]
        diagonal = float(array[(0,) * array.ndim])
        other = float(array[tuple(slot % 2 for slot in range(array.ndim))])
        scaled = diagonal / (kernel**of_kernel * tangent**of_tangent)
        print(f"   {name:<5} {diagonal:>13.6e} {other:>13.6e}  {scaled:>11.5f}  {meaning}")

    print(f"\n4. V/(n K^2) at n = {WIDTH}, image 0: grows like depth/width; 2/3 l/n for a deep tanh network")
    print(f"   {'layer':>5} {'V/(n K^2)':>11} {'2/3 l/n':>9}")
    for layer, state in enumerate(states, start=1):
        ratio = state["V"][0, 0, 0, 0] / (WIDTH * state["G"][0, 0] ** 2)
        print(f"   {layer:>5} {ratio:>11.6f} {2 / 3 * layer / WIDTH:>9.6f}  {'#' * round(1000 * ratio)}")
    if averages.divergences or not all(np.all(np.isfinite(array)) for array in last.values()):
        sys.exit("an average diverged")
    print(f"\ndone in {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
