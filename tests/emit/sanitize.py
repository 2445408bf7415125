"""Emitted C of every activation under sanitizers: ``make sanitize``, or ``python -m tests.emit.sanitize --help``.

Each theory is compiled by gcc with the address and undefined-behaviour sanitizers, and where there is clang also with
the memory and the thread sanitizer (with OpenMP, the last), and run on inputs whose covariances are hard
(``sanitize.c.txt``). No sanitizer may report, each status must be a documented one, and each result finite unless the
status says otherwise. Averages over three and four inputs would take minutes each under sanitizers: there the same code
runs on fewer nodes (`SPARSE`), as the driver says; one and two inputs have all of them. No part of ``make test``: order
1 on many inputs takes minutes for some activations, for some smooth ones (cos) many.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pertheory as pt
from pertheory.emit.c.target import c_source, header_text
from pertheory.functions.chosen import choose_functions
from pertheory.rulebook.files import rules_folder

DRIVER = Path(__file__).parent / "sanitize.c.txt"
COMMON = ["-std=c99", "-O1", "-g1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
#: Name, compiler and flags; a thread sanitizer needs threads.
SANITIZERS = {
    "address,undefined": ("gcc", ["-fsanitize=address,undefined,float-cast-overflow"]),
    "memory": ("clang", ["-fsanitize=memory", "-fsanitize-memory-track-origins"]),
    "thread": ("clang", ["-fsanitize=thread", "-fopenmp"]),
}

#: Where nodes of sums are saved: a line of the text that is there if such a sum is, and what replaces what after it.
SPARSE = (
    ("static size_t avg_panel_nodes", "for (k = 0; k < 8; k++)", "for (k = 0; k < (sparse ? 1 : 8); k++)"),
    ("#define AVG_RESOLVED", " 5e-12", " (sparse ? 0.1 : 5e-12)"),
    ("static void avg_nested", "refine = 0.8", "refine = sparse ? 0.2 : 0.8"),
    ("static void avg_nested", "attempt == 4", "attempt == (sparse ? 0 : 4)"),
    ("static void avg_conditional", "attempt == 4", "attempt == (sparse ? 0 : 4)"),
)


def activations() -> list[str]:
    """All that there is a rule for."""
    return sorted(path.stem for path in (rules_folder() / "activations").glob("*.toml"))


def sparse(text: str) -> str:
    """The text with fewer nodes where the variable ``sparse`` of the driver is not 0."""
    for start, before, after in SPARSE:
        head, found, rest = text.partition(start)
        assert before in rest or not found, f"{start} has no {before}"
        text = head + found + rest.replace(before, after, 1)
    return f"extern int sparse;\n{text}"


def check(activation: str, order: int, inputs: str, sanitizer: str, network: str = "mlp") -> tuple[bool, str]:
    """Build and run one theory.

    Returns:
        Whether all is well, and what was said: the line of the driver, or the end of what went wrong.
    """
    theory = pt.theory(network, "all", order)
    _, source = c_source(theory, inputs, choose_functions(theory.network, activation, {}), True)
    compiler, flags = SANITIZERS[sanitizer]
    driver = DRIVER.read_text(encoding="utf-8").replace("@NAME@", source.name)
    driver = driver.replace("@WIDTHS@", "NULL" if theory.network.passes_neurons else "widths")
    with TemporaryDirectory(prefix="pertheory-sanitize-") as folder:
        texts = {f"{source.name}.c": sparse(source.source), f"{source.name}.h": source.header}
        for name, text in {**texts, "pertheory.h": header_text(), "driver.c": driver}.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        # the runtime of OpenMP is not built for the thread sanitizer: its own reports are none, and it asks for this
        environment = {**os.environ, "TSAN_OPTIONS": "ignore_noninstrumented_modules=1"}
        command = [compiler, *COMMON, *flags, "-o", "driver", "driver.c", f"{source.name}.c", "-lm"]
        for step in (command, ["./driver"]):
            done = subprocess.run(step, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0 or done.stderr:
                said = re.sub(r"\n+", "\n", (done.stdout + done.stderr).strip())
                return False, f"{step[0]}: exit status {done.returncode}\n{said[:3000]}"
    return True, done.stdout.strip()


def cases(options: argparse.Namespace) -> Iterator[tuple[str, int, str, str]]:
    """What is to be built, the quick ones first."""
    for order, inputs in ((0, "one"), (0, "many"), (1, "one"), (1, "many")):
        if order not in options.orders or inputs not in options.inputs:
            continue
        for sanitizer, (compiler, _) in SANITIZERS.items():
            if shutil.which(compiler):
                yield from ((activation, order, inputs, sanitizer) for activation in options.activations)


def main() -> int:
    """Check what is asked for, everything by default; exit status 1 if anything was reported."""
    parser = argparse.ArgumentParser(prog="python -m tests.emit.sanitize", description=__doc__)
    parser.add_argument("--activations", nargs="+", default=activations(), choices=activations(), metavar="NAME")
    parser.add_argument("--orders", nargs="+", type=int, default=[0, 1], choices=[0, 1])
    parser.add_argument("--inputs", nargs="+", default=["one", "many"], choices=["one", "many"])
    options = parser.parse_args()
    for sanitizer, (compiler, _) in SANITIZERS.items():
        if not shutil.which(compiler):
            print(f"no {compiler} here: nothing is checked with the {sanitizer} sanitizer")
    failed = count = 0
    for case in cases(options):
        start = time.monotonic()
        right, said = check(*case)
        activation, order, inputs, sanitizer = case
        what = f"{activation}, order {order}, {inputs}, {sanitizer} ({time.monotonic() - start:.0f} s)"
        print(f"{what}: {said if right else 'FAILED ' + said}", flush=True)
        count, failed = count + 1, failed + (not right)
    print(f"{count - failed} of {count} clean")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
