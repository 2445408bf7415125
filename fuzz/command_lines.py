"""Hostile command lines: every verb and flag, with values, files and places that nobody would give on purpose.

Each runs in a process of its own, in a folder with files of every kind that is not what was expected. A fault is: an
exit status other than 0, 1 (of `check` alone) and 2, a traceback, more than one line of error, output beside an error,
an internal error, a temporary file that stays, a command that waits for ever. Legitimate long work is cut off by the
limit of processor time and counted as "slow".
"""

from __future__ import annotations

import atexit
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from fuzz.campaign import BYTES, SECONDS
from fuzz.command_files import make_files
from pertheory.files import PREFIX

#: Seconds of waiting (not of work) after which a command hangs; a busy machine has room in it.
PATIENCE = 600
VERBS = ("derive", "describe", "emit", "run", "check", "list", "draw")
TENSORS = [
    *("G", "K", "H", "Theta", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U", "G{1}", "V{0}", "H{2}", "V{99}"),
    *(
        "all",
        "every",
        "V6",
        "v",
        "",
        ",",
        "V,G",
        "K,,",
        "V{",
        "V{-1}",
        "V{1}{1}",
        "V{1e3}",
        "{}",
        "@",
        "z",
        "z(1)",
        "z(1) z(2)",
    ),
    *(
        "z(1) z(2) @ 12",
        "z(1)\nz(2) @ 12",
        "z(1) z(2) H(3,4) @ 13,24",
        "H(1,2) @ 12",
        "z(1) z(1) @ 11",
        "z(1) z(2) @ 21",
    ),
    *(
        "tree(1-2) @ 12",
        "tree(1-1) @ 11",
        "tree(1-2, 2-3, 3-4) @ 12,34",
        "tree() @",
        "dH(0;1,2) z(3) @ 01,23",
        "H(1,2)\t@\u202812",
    ),
    *(
        "ddH_I(0;1,2,3) @ 01,23",
        "ddH_II(0,1;2,3) @ 01,23",
        "z(a) z(b) z(c) z(d) @ ab,cd",
        "z(é) z(2) @ é2",
        "\u0661(1) @ 11",
    ),
    *("V" * 5000, "z(" * 2000, "(" * 3000, "V\x1b[31m", "V\x00", "V\udcff", "-V", "--", "../V", "V.toml", "1", "نظرية"),
    " ".join(f"z({c})" for c in "abcdefghijkl") + " @ ab,cd,ef,gh,ij,kl",
    " ".join(f"z({c})" for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") + " @ ab",
]
WHOLE = [
    "0",
    "1",
    "2",
    "3",
    "1",
    "2",
    "-1",
    "",
    "x",
    "1.5",
    "1e3",
    "10",
    "11",
    "1000000000",
    "9" * 5000,
    "0x10",
    " 2 ",
    "٢",
    "1_0",
    "nan",
]
DEPTHS = ["1", "2", "3", "2", "1", *WHOLE, "100000"]
ORDERS = ["0", "0", "0", "1", *WHOLE]
NUMBERS = [
    *(
        "0",
        "1",
        "1.7",
        "0.3",
        "2",
        "-1",
        "1e-300",
        "1e300",
        "1e308",
        "1e400",
        "-0",
        "nan",
        "inf",
        "-inf",
        "",
        ",",
        "1,2",
        "1,2,3",
    ),
    *("1,,2", "1;2", "x", "1e", "0x1p3", "1_0", "٣", "9" * 4000, "5e-324", "1 2", "1,-1", "None", "\n1", "1\n"),
]
ACTIVATIONS = [
    *(
        "tanh",
        "relu",
        "gelu",
        "sin",
        "x2",
        "erf",
        "leaky_relu",
        "selu",
        "linear",
        "swish",
        "softplus",
        "relu6",
        "hard_tanh",
    ),
    *(
        "x",
        "x^2",
        "tanh(x)+x",
        "max(0,x)",
        "max(0, x-4)",
        "exp(-x^2)",
        "1/x",
        "log(x)",
        "x^x",
        "x^1e9",
        "9^9^9",
        "exp(exp(x))",
    ),
    *(
        "(1e150+x)^12",
        "sqrt(x)",
        "x +",
        "y",
        "x x",
        "sin(sin(sin(x)))",
        "abs(x)^3",
        "0",
        "1",
        "pi",
        "1e308*x",
        "1e-308*x",
    ),
    *(
        "tanh(1000*x)",
        "\n",
        "x\n+x",
        "import os",
        "__import__('os')",
        "x.__class__",
        "(" * 100 + "x",
        "x" + "+x" * 300,
        "é",
        "\u2028",
    ),
    *(
        "x\udcff",
        "own.toml",
        "no.toml",
        "binary.toml",
        "folder.toml",
        "pipe.toml",
        "deep.toml",
        "activation.toml",
        "TANH",
        "tahn",
    ),
]
NETWORKS = [
    *(
        "mlp",
        "mlp",
        "mlp",
        "residual",
        "projection",
        "mpl",
        "",
        "own.toml",
        "no.toml",
        "binary.toml",
        "folder.toml",
        "pipe.toml",
    ),
    *(
        "deep.toml",
        "bigint.toml",
        "activation.toml",
        "folder",
        "/",
        ".",
        "~",
        "/dev/null",
        "/dev/zero",
        "n" * 5000,
        "a/" * 500,
        "mlp\n",
    ),
    *("\udcff.toml", "mlp\x1b", "../mlp", "huge.toml", "link.toml", "loop.toml", "one.csv", "mlp.toml"),
]
OUTS = [
    *(
        "out",
        "out.json",
        "out",
        "folder",
        "no/out",
        "one.csv/out",
        "/dev/null",
        "/dev/full",
        "/proc/out",
        "",
        ".",
        "/",
        "a" * 300,
    ),
    *(
        "\udcff",
        "new\nline",
        "pipe",
        "link",
        "loop",
        "readonly/out",
        "/dev/stdout",
        "/dev/fd/1",
        "/dev/fd/99",
        "-",
        "~",
        "é",
        "--out",
    ),
    *("dangling", "folder.toml", "kept"),
]
FORMATS = ["text", "json", "latex", "npz", "svg", "", "JSON", "text\n", "é"]
PARAMS = [
    "slope=1",
    "C_W=2",
    "slope=nan",
    "slope",
    "=",
    "=1",
    "beta=1e400",
    "a b=1",
    "é=1",
    "C_W=-1",
    "gamma=0.5",
    "x=1",
    "slope=" + "9" * 999,
]


def draw(source: random.Random) -> Any:
    """The arguments of a command, mostly small work with something wrong in it."""
    verb = source.choices(VERBS, (5, 3, 4, 10, 1, 1, 3))[0]
    arguments = [*_few(source, verb), verb, *_OF[verb](source), *_few(source, verb)]
    if source.random() < 0.1:  # something lost, or two exchanged
        del arguments[source.randrange(len(arguments))]
    if arguments and source.random() < 0.05:
        i, j = source.randrange(len(arguments)), source.randrange(len(arguments))
        arguments[i], arguments[j] = arguments[j], arguments[i]
    return arguments


def _pick(source: random.Random, flag: str, values: list[str], share: float, good: Sequence[str] = ()) -> list[str]:
    """A flag, now and then, with a value that is right in most cases if such are given."""
    if source.random() >= share:
        return []
    value = source.choice(good if good and source.random() < 0.85 else values)
    return [f"{flag}={value}"] if source.random() < 0.5 else [flag, value]


def _work(source: random.Random) -> list[str]:
    return [
        *_pick(source, "--network", NETWORKS, 0.3, ["mlp", "residual", "projection", "own.toml"]),
        *_pick(source, "--closure", ["exact", "pairs", "none", ""], 0.1, ["exact"]),
        *_pick(source, "--jobs", ["1", "2", "0", "-1", "x", "1000000000", "257"], 0.06),
        *(["--no-cache"] if source.random() < 0.05 else []),
        *(["--yes"] if source.random() < 0.02 else []),
    ]


def _tensors(source: random.Random) -> list[str]:
    good = ["V", "G", "F", "K", "Theta", "A", "D", "all"]
    return [source.choice(good if source.random() < 0.7 else TENSORS) for _ in range(source.choice((1, 1, 1, 2, 3)))]


def _derive(source: random.Random) -> list[str]:
    return [
        *(_tensors(source) if source.random() < 0.9 else []),
        *(["--list"] if source.random() < 0.1 else []),
        *_pick(source, "--order", ORDERS, 0.4, ["0", "1"]),
        *_pick(source, "--form", ["diagram", "expanded", ""], 0.2),
        *_pick(source, "--explain", WHOLE, 0.15),
        *_work(source),
        *_output(source),
    ]


def _output(source: random.Random) -> list[str]:
    return [
        *_pick(source, "--format", FORMATS, 0.4, ["text", "json"]),
        *_pick(source, "--out", OUTS, 0.4, ["text", "json"]),
    ]


def _draw(source: random.Random) -> list[str]:
    return [
        *(_tensors(source) if source.random() < 0.9 else []),
        *_pick(source, "--order", ORDERS, 0.4, ["0", "1"]),
        *_pick(source, "--form", ["tensor", "recursion", "theory", ""], 0.4),
        *_pick(source, "--explain", WHOLE, 0.15),
        *_work(source),
        *_pick(source, "--out", [*OUTS, "p.pdf", "p.svg/q.svg"], 0.5, ["p.svg", "p.tex", "p.html"]),
    ]


def _describe(source: random.Random) -> list[str]:
    return [source.choice(TENSORS), *_output(source)]


def _emit(source: random.Random) -> list[str]:
    return [
        *_pick(source, "--target", ["numpy", "numpy", "c", "fortran", ""], 0.97, ["numpy", "c"]),
        *_pick(source, "--out", OUTS, 0.97, ["out", "kept", "link", "/dev/null"]),
        *_pick(source, "--order", ["0", *ORDERS], 0.95, ["0", "1"]),
        *(["--tensors", *_tensors(source)] if source.random() < 0.6 else []),
        *_pick(source, "--activation", ACTIVATIONS, 0.5, ["tanh", "relu", "gelu", "x^2"]),
        *_pick(source, "--inputs", ["one", "many", "none", "two.csv"], 0.4),
        *_work(source),
    ]


def _run(source: random.Random) -> list[str]:
    return [
        *_pick(source, "--activation", ACTIVATIONS, 0.97, ["tanh", "relu", "gelu", "x^2"]),
        *_pick(source, "--inputs", sorted(_names()), 0.98, ["one.csv", "two.csv", "good.npy"]),
        *_pick(source, "--depth", DEPTHS, 0.97, ["1", "2", "3"]),
        *_pick(source, "--order", ["0", "0", *ORDERS], 0.9, ["0", "1"]),
        *(["--tensors", *_tensors(source)] if source.random() < 0.5 else []),
        *_pick(source, "--C_b", NUMBERS, 0.1, ["0.3"]),
        *_pick(source, "--C_W", NUMBERS, 0.2, ["1.7", "1"]),
        *_pick(source, "--lambda_b", NUMBERS, 0.1, ["1"]),
        *_pick(source, "--lambda_W", NUMBERS, 0.1, ["1"]),
        *_pick(source, "--widths", [*NUMBERS, "8", "8,8", "64,64"], 0.15, ["8", "8,8"]),
        *_pick(source, "--param", PARAMS, 0.15, ["C_W=2", "slope=1"]),
        *_pick(source, "--rtol", [*NUMBERS, "1e-9", "1e-4", "1e-16"], 0.15, ["1e-9", "1e-6"]),
        *_pick(source, "--backend", ["numpy", "numpy", "numpy", "abacus", ""], 0.2, ["numpy"]),
        *_work(source),
        *_output(source),
    ]


def _check(source: random.Random) -> list[str]:
    return [
        *_pick(
            source, "--equation", ["8.97", "4.36", "0", "", "8", "x", "8.97\n", "9" * 500, "-1"], 0.97, ["8.97", "4.36"]
        ),
        *_pick(source, "--chapter", ["", "x", "99", "-1", "8\n"], 0.2),
        *_output(source),
    ]


def _few(source: random.Random, verb: str) -> list[str]:
    """Now and then something that does not belong there."""
    if source.random() > 0.04:
        return []
    return [
        source.choice(
            ["--help", "--version", "-h", "--", "-", "", "--bad\nflag", "-x", verb, "\x1b", "--out", "é", "@file"]
        )
    ]


def _list(source: random.Random) -> list[str]:
    kinds = ["tensors", "networks", "activations", "methods", "equations", "", "V", "tensors\n"]
    return [*([source.choice(kinds)] if source.random() < 0.8 else []), *_output(source)]


_OF = {
    "derive": _derive,
    "describe": _describe,
    "emit": _emit,
    "run": _run,
    "check": _check,
    "list": _list,
    "draw": _draw,
}


@lru_cache(maxsize=1)
def _place() -> Path:
    """The folder of this process, with the files, a cache, and a place for what is said."""
    place = Path(tempfile.mkdtemp(prefix="lines-"))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(place, ignore_errors=True))
    make_files(place / "files")
    return place


@lru_cache(maxsize=1)
def _names() -> list[str]:
    """Names of input files: the same in every process."""
    with tempfile.TemporaryDirectory() as folder:
        return make_files(Path(folder))


def judge(arguments: Any) -> str:
    """Run the command and look at what it says."""
    import pertheory.cli.verbs
    import pertheory.run.model
    import pertheory.theory  # noqa: F401

    place = _place()
    folder = place / "files"
    before = _contents(folder)
    status, out, err, seconds = _child(arguments, folder, place)
    if _contents(folder) != before:
        left = [path.name for path in folder.rglob("*") if path.name.startswith(PREFIX)]
        shutil.rmtree(folder)
        make_files(folder)
        if left and status >= 0:
            raise AssertionError(f"left behind: {left}")
    if status in (-signal.SIGXCPU, -signal.SIGKILL) and seconds > 0.9 * SECONDS:
        print(f"slow: {json.dumps(arguments)}", file=sys.stderr, flush=True)
        return "slow"
    lines = err.splitlines()
    errors = [line for line in lines if "error: " in line and line.startswith("pertheory")]
    if status not in (0, 2) and not (status == 1 and "check" in arguments):
        raise AssertionError(f"exit status {status}: {err[-300:]}")
    if "Traceback" in err or "internal error" in err:
        raise AssertionError(err[-300:])
    if status == 2 and (len(errors) != 1 or lines[-1] != errors[0] or (out and "/dev/" not in str(arguments))):
        raise AssertionError(f"more than one line of error: {err[-300:]!r}, output {out[:100]!r}")
    if status != 2 and errors:
        raise AssertionError(f"an error with status {status}: {errors[0]}")
    if any(not line.isprintable() for line in lines):
        raise AssertionError(f"unprintable: {err[-300:]!r}")
    return {0: "done", 1: "a check failed", 2: "refused"}[status]


def _contents(folder: Path) -> set[tuple[str, int, int]]:
    """What lies in a folder, and when it was written."""
    found = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            facts = entry.stat(follow_symlinks=False)
            found.add((entry.name, facts.st_ino, facts.st_mtime_ns))
    return found


def _child(arguments: list[str], folder: Path, place: Path) -> tuple[int, str, str, float]:
    """The exit status (minus the signal), both outputs and the processor time of a command in a forked process."""
    said = {1: place / "stdout", 2: place / "stderr"}
    before = os.times()
    child = os.fork()
    if child == 0:
        status = 3
        try:
            status = _command(arguments, folder, place, said)
        finally:
            os._exit(status)
    deadline = time.monotonic() + PATIENCE
    feeder = _reader(folder)
    while True:
        done, how = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError("it waits for ever")
        time.sleep(0.005)
    os.close(feeder)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    texts = [path.read_bytes().decode("utf-8", "replace") for path in said.values()]
    return os.waitstatus_to_exitcode(how), texts[0], texts[1], seconds


def _reader(folder: Path) -> int:
    """Somebody at the other end of the pipe to which commands may write."""
    return os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)


def _command(arguments: list[str], folder: Path, place: Path, said: dict[int, Path]) -> int:
    os.setsid()
    signal.setitimer(signal.ITIMER_PROF, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS) + 1))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    os.chdir(folder)
    os.environ["PERTHEORY_CACHE"] = str(place / "cache")
    for number, path in said.items():
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    from pertheory.cli.main import main

    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 3
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 3
    sys.stdout.flush()
    sys.stderr.flush()
    return status
