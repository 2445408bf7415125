"""Commands that are stopped at random moments: nothing broken, nothing left behind, the same bytes the next time.

Each example starts a command in a folder of its own, with caches of its own that are empty or of an earlier part of the
work, and sends it a signal. Then it runs the command to its end in the same folder. A fault is: a process of ours that
lives on, a result that is there but not whole, a temporary file (after a kill only one that outlives the next run), a
traceback, a warning of the second run (it has met something damaged), or other bytes than those of a run in peace.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pertheory.files import PREFIX

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
RUN = ["run", "--activation", "tanh", "--inputs", "inputs.csv", "--depth", "3", "--format", "json", "--out", "result"]
#: Of networks that learn.
DATA = [
    *("--activation", "tanh", "--train", "inputs.csv", "--targets", "inputs.csv", "--test", "inputs.csv"),
    *("--depth", "2", "--format", "json", "--out", "result"),
]
COMMANDS = {
    "derive": ["derive", "V", "F", "--order", "1", "--jobs", "2", "--format", "json", "--out", "result"],
    "run": RUN,
    # of relu, whose averages are a closed form: most of the rest would be the compiler's time
    "compile": [*RUN[:2], "relu", *RUN[3:], "--order", "0", "--tensors", "G", "--backend", "c"],
    "infer": ["infer", *DATA, "--noise", "0.1", "--plot", "result.svg"],
    "predict": ["predict", *DATA, "--eta", "0.1", "--steps", "3"],
    # in batches that are kept as they finish, and on which the next run goes on
    "simulate": [
        *(
            "simulate",
            "--activation",
            "tanh",
            "--inputs",
            "inputs.csv",
            "--depth",
            "2",
            "--order",
            "0",
            "--tensors",
            "G",
        ),
        *("--samples", "640", "--batch", "64", "--store", "kept", "--format", "json", "--out", "result"),
    ],
    "emit": ["emit", "--target", "c", "--order", "0", "--tensors", "G", "--activation", "relu", "--out", "result"],
}
INPUTS = "1,0.5\n0.2,-1\n-0.3,0.8\n"
#: What a command writes, and what else may lie in its folder.
RESULTS = {"result", "result.svg", "kept"}
KNOWN = {*RESULTS, "cache", "inputs.csv"}
#: Seconds after which a command, or a process that it has left, hangs.
PATIENCE = 600
#: Runs in peace: the first one may have to read everything from disk, and most stops would come after the end.
PEACEFUL = 3


def draw(source: random.Random) -> Any:
    """A command, a signal, and when: as a fraction of the time that the command takes in peace."""
    return {
        "command": source.choice(list(COMMANDS)),
        "signal": source.choice(SIGNALS),
        "moment": round(source.random(), 3),
    }


def judge(example: Any) -> str:
    """Stop the command, run it again, and compare."""
    name = example["command"]
    expected, seconds = in_peace(name)
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        folder = Path(place)
        (folder / "inputs.csv").write_text(INPUTS)
        outcome = _stopped(name, folder, example, seconds)
        found = results(folder)
        if not expected.items() >= found.items():
            raise AssertionError("a result that is not whole")
        if example["signal"] != "SIGKILL" and (left := leftovers(folder)):
            raise AssertionError(f"left behind: {left}")
        said = _finish(name, folder)
        if said:
            raise AssertionError(f"the next run says {said}")
        if results(folder) != expected:
            raise AssertionError("the next run has another result")
        if left := leftovers(folder):
            raise AssertionError(f"the next run leaves behind: {left}")
    return outcome


def _start(name: str, folder: Path) -> subprocess.Popen[str]:
    """Standard output is a pipe that all processes of the command share: it ends when the last of them does."""
    environment = {**os.environ, "PERTHEORY_CACHE": str(folder / "cache"), "TMPDIR": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", "pertheory.cli.main", *COMMANDS[name]]
    with heeded():
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@contextmanager
def heeded() -> Iterator[None]:
    """Let processes that are started heed the signals that we were told to ignore, as by nohup."""
    usual = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in usual}
    try:
        for number, own in usual.items():
            if before[number] is signal.SIG_IGN:
                signal.signal(number, own)
        yield
    finally:
        for number, own in before.items():
            if own is signal.SIG_IGN:
                signal.signal(number, own)


def _stopped(name: str, folder: Path, example: Any, seconds: float) -> str:
    number = getattr(signal, example["signal"])
    with _start(name, folder) as process:
        time.sleep(example["moment"] * seconds)
        process.send_signal(number)
        try:
            said = process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError("a process lives on") from None
    if process.returncode == 0:
        return f"{name}: done before {example['signal']}"
    if process.returncode in (1, -number) and "KeyboardInterrupt" in said and not _inside(said):
        return f"{name}: {example['signal']} before the first line of ours"
    if process.returncode not in (-number, 128 + number):
        raise AssertionError(f"exit status {process.returncode} after {example['signal']}: {said[-300:]}")
    if "Traceback" in said:
        raise AssertionError(said[-300:])
    return f"{name}: {example['signal']}"


def _inside(traceback: str) -> bool:
    """Whether a function of ours was running, and not only files loaded that make up the start of the command."""
    frames = [line.strip() for line in traceback.splitlines() if line.strip().startswith("File ")]
    return any("pertheory" in line and not line.endswith("in <module>") for line in frames)


def _finish(name: str, folder: Path) -> str:
    with _start(name, folder) as process:
        said = process.communicate(timeout=PATIENCE)[1]
    return said if process.returncode == 0 else f"exit status {process.returncode}: {said}"


@cache
def in_peace(name: str) -> tuple[dict[str, bytes], float]:
    """The results of a command that nobody stops, and the seconds that it takes at its fastest."""
    found = [_undisturbed(name) for _ in range(PEACEFUL)]
    if any(own != found[0][0] for own, _ in found):
        raise AssertionError("in peace it has different results")
    return found[0][0], min(seconds for _, seconds in found)


def _undisturbed(name: str) -> tuple[dict[str, bytes], float]:
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        folder = Path(place)
        (folder / "inputs.csv").write_text(INPUTS)
        start = time.monotonic()
        said = _finish(name, folder)
        if said:
            raise AssertionError(f"in peace it says {said}")
        return results(folder), time.monotonic() - start


def results(folder: Path) -> dict[str, bytes]:
    """What is at the places that were asked for, by path."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] in RESULTS]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if not _temporary(path)}


def leftovers(folder: Path) -> list[str]:
    """What is neither a result nor an entry of a cache."""
    found = [path.relative_to(folder) for path in folder.rglob("*")]
    return sorted(str(path) for path in found if path.parts[0] not in KNOWN or _temporary(path) or _strange(path))


def _temporary(path: Path) -> bool:
    return any(part.startswith(PREFIX) for part in path.parts)


def _strange(path: Path) -> bool:
    return path.parts[0] == "cache" and path.suffix not in ("", ".json", ".so")
