"""Emitted C of every activation under sanitizers: ``make sanitize``, or ``python -m tests.emit.sanitize --help``.

Each theory is compiled by gcc with the address and undefined-behaviour sanitizers, and where there is clang also with
the memory and the thread sanitizer (with OpenMP, the last), and run on inputs whose covariances are hard
(``sanitize.c.txt``). No sanitizer may report, each status must be a documented one, and each result finite unless the
status says otherwise. Averages over three and four inputs would take minutes each under sanitizers: there the same code
runs on fewer nodes (`SPARSE`), as the driver says; one and two inputs have all of them. For the thread sanitizer
threads are started however few entries there are (`THREADS`). Before a sanitizer is believed it has to report a fault
of its kind that is planted (`PLANTED`). No part of ``make test``: order 1 on many inputs takes minutes for some
activations, half an hour for exp.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
#: Entries that are worth starting threads for: more than four inputs have, so that no thread would be there to be seen;
#: and the first thread would often be through with all rows before another has come.
THREADS = (("#define PT_PARALLEL 32768", "#define PT_PARALLEL 0"), (" schedule(dynamic) ", " schedule(static, 1) "))

#: One line of G's recursion in the theory of relu at order 0, and what stands in its place to be found.
LINE = "row[b] = C_b + C_W * avg_s0_s0_ab_row[b];"
PLANTED = {
    "address,undefined": LINE.replace("row[b]", "row[b + 1000000]", 1),
    "memory": f"if (b) {LINE}",
    "thread": LINE.replace("row[b]", "result[0]", 1),
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


def prepared(text: str, sanitizer: str) -> str:
    """The text with fewer nodes where the variable ``sparse`` of the driver is not 0, and threads that are seen."""
    for start, before, after in SPARSE:
        head, found, rest = text.partition(start)
        assert before in rest or not found, f"{start} has no {before}"
        text = head + found + rest.replace(before, after, 1)
    if sanitizer == "thread":
        for before, after in THREADS:
            assert before in text, f"{before} is not there"
            text = text.replace(before, after)
    return f"extern int sparse;\n{text}"


def check(
    activation: str,
    order: int,
    inputs: str,
    sanitizer: str,
    network: str = "mlp",
    change: Callable[[str], str] = str,
) -> tuple[bool, str]:
    """Build and run one theory.

    Args:
        change: what is done to the text of the library before.

    Returns:
        Whether all is well, and what was said: the line of the driver, or the end of what went wrong.
    """
    theory = pt.theory(network, "all", order)
    _, source = c_source(theory, inputs, choose_functions(theory.network, activation, {}), True)
    compiler, flags = SANITIZERS[sanitizer]
    driver = DRIVER.read_text(encoding="utf-8").replace("@NAME@", source.name)
    driver = driver.replace("@WIDTHS@", "NULL" if theory.network.passes_neurons else "widths")
    with TemporaryDirectory(prefix="pertheory-sanitize-") as folder:
        library = prepared(change(source.source), sanitizer)
        texts = {f"{source.name}.c": library, f"{source.name}.h": source.header}
        for name, text in {**texts, "pertheory.h": header_text(), "driver.c": driver}.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        # the runtime of OpenMP is not built for the thread sanitizer: its own reports are none, and it asks for this
        environment = {**os.environ, "TSAN_OPTIONS": "ignore_noninstrumented_modules=1", "OMP_NUM_THREADS": "4"}
        command = [compiler, *COMMON, *flags, "-o", "driver", "driver.c", f"{source.name}.c", "-lm"]
        for step in (command, ["./driver"]):
            done = subprocess.run(step, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0 or done.stderr:
                said = re.sub(r"\n+", "\n", (done.stdout + done.stderr).strip())
                return False, f"{step[0]}: exit status {done.returncode}\n{said[:3000]}"
    return True, done.stdout.strip()


def finds(sanitizer: str) -> bool:
    """Whether it reports the fault that is planted for it, when the library runs."""
    right, said = check("relu", 0, "many", sanitizer, change=lambda text: text.replace(LINE, PLANTED[sanitizer], 1))
    return not right and said.startswith("./driver") and "Sanitizer" in said


def cases(options: argparse.Namespace, sanitizers: list[str]) -> Iterator[tuple[str, int, str, str]]:
    """What is to be built, the quick ones first."""
    for order, inputs in ((0, "one"), (0, "many"), (1, "one"), (1, "many")):
        if order in options.orders and inputs in options.inputs:
            for sanitizer in sanitizers:
                if sanitizer != "thread" or inputs == "many":  # one input has no loop that threads share
                    yield from ((activation, order, inputs, sanitizer) for activation in options.activations)


def main() -> int:
    """Check what is asked for, everything by default; exit status 1 if anything was reported."""
    parser = argparse.ArgumentParser(prog="python -m tests.emit.sanitize", description=__doc__)
    parser.add_argument("--activations", nargs="+", default=activations(), choices=activations(), metavar="NAME")
    parser.add_argument("--orders", nargs="+", type=int, default=[0, 1], choices=[0, 1])
    parser.add_argument("--inputs", nargs="+", default=["one", "many"], choices=["one", "many"])
    parser.add_argument("--network", default="mlp", metavar="NAME", help="one that fits these activations")
    parser.add_argument("--sanitizers", nargs="+", default=list(SANITIZERS), choices=list(SANITIZERS), metavar="NAME")
    options = parser.parse_args()
    there = [name for name in options.sanitizers if shutil.which(SANITIZERS[name][0])]
    for sanitizer in options.sanitizers:
        if sanitizer not in there:
            print(f"no {SANITIZERS[sanitizer][0]} here: nothing is checked with the {sanitizer} sanitizer")
        elif not finds(sanitizer):
            print(f"the {sanitizer} sanitizer does not work here: it has not found the fault that was planted for it")
            return 1
    failed = count = 0
    for case in cases(options, there):
        start = time.monotonic()
        right, said = check(*case, options.network)
        activation, order, inputs, sanitizer = case
        what = f"{activation}, order {order}, {inputs}, {sanitizer} ({time.monotonic() - start:.0f} s)"
        print(f"{what}: {said if right else 'FAILED ' + said}", flush=True)
        count, failed = count + 1, failed + (not right)
    print(f"{count - failed} of {count} clean")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
