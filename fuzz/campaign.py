"""What a campaign is, and how one is run: examples from seeds, each under limits, faults kept as files.

An example is a value that JSON can hold, so that one that goes wrong can be kept in ``fuzz/crashers/NAME/`` and run
again by the tests. The limits are the system's: processor time by a timer of the process (which fires however busy
the machine is only after that much work of our own) and memory by the size of the address space.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

HERE = Path(__file__).parent
#: What one example may take: seconds of processor time, and bytes of address space of the whole process.
SECONDS = 10.0
BYTES = 4 << 30


class Campaign(Protocol):
    """A module of this folder: what it tries and how it judges."""

    def draw(self, source: random.Random) -> Any:
        """A new example, a value that JSON can hold; the same one for the same state of the source."""

    def judge(self, example: Any) -> str:
        """Try an example and say in a word what came of it ("accepted", "refused"); raise where that is a fault."""


class TooSlow(Exception):
    """An example took more than `SECONDS` of processor time."""


@contextmanager
def confined(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `TooSlow` where the body takes more processor time of this process than it may."""

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(size: int = BYTES) -> None:
    """Let this process and its children have so much address space and no more."""
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def keep(name: str, example: Any, reason: str) -> Path:
    """Write a crasher to its folder, named by its content."""
    text = json.dumps({"reason": reason, "example": example}, indent=1)
    folder = HERE / "crashers" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(json.dumps(example).encode()).hexdigest()[:16]}.json"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def crashers(name: str) -> list[Any]:
    """The examples that were kept, oldest name first."""
    paths = sorted((HERE / "crashers" / name).glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8"))["example"] for path in paths]


def run(name: str, campaign: Campaign, count: int, seed: int) -> tuple[Counter[str], float]:
    """Try so many examples; count what came of them, keep what went wrong.

    Returns:
        How often each outcome occurred ("fault" among them), and the most processor time that one example took.
    """
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for number in range(count):
        example = campaign.draw(random.Random(f"{name} {seed} {number}"))
        start = sum(os.times()[:4])  # with that of processes of its own
        try:
            with confined():
                outcome = campaign.judge(example)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome = "fault"
            print(f"{name}: {type(error).__name__}: {error}"[:400], "kept as", keep(name, example, repr(error)[:400]))
        outcomes[outcome] += 1
        slowest = max(slowest, sum(os.times()[:4]) - start)
    return outcomes, slowest


def share(name: str, count: int, seed: int) -> tuple[Counter[str], float]:
    """One share of a campaign, in a process of its own."""
    limit_memory()
    return run(name, importlib.import_module(f"fuzz.{name}"), count, seed)
