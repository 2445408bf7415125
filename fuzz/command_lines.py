"""Hostile command lines: every verb and flag, with values, files and places that nobody would give on purpose.

Each runs in a process of its own, in a folder with files of every kind that is not what was expected. A fault is: an
exit status other than 0, 1 (of `check` alone) and 2, a traceback, more than one line of error, output beside an error,
an internal error, a temporary file that stays, a command that waits for ever, JSON that is none, a NaN or an infinity
without a warning. Legitimate long work is cut off by the limit of processor time and counted as "slow".
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from fuzz.campaign import BYTES, SECONDS
from fuzz.command_files import make_files
from fuzz.command_values import NUMBERS, OFTEN, OUTS, PLACES, RIGHT, STRAY, TEXTS, USUAL, VALUES, WHOLE, WORDS
from pertheory.cli.options import place
from pertheory.files import PREFIX

#: Seconds of waiting (not of work) after which a command hangs; a busy machine has room in it.
PATIENCE = 600
#: What stands in a text for a number that there is not.
NO_NUMBER = re.compile(r"""(?<![\w./"'])-?(nan|inf)(?![\w./"'])""", re.IGNORECASE)
#: Verbs that print such words for something else: pieces from -inf to inf, a chapter of the book.
WORDED = {"check", "describe", "list"}
#: How often a verb is drawn, 3 if it is not named: what loads JAX, or checks the book, takes seconds.
SHARES = {"run": 8, "predict": 5, "infer": 5, "derive": 4, "simulate": 1, "check": 1, "list": 1}


@lru_cache(maxsize=1)
def verbs() -> dict[str, list[argparse.Action]]:
    """The arguments of every verb, as its parser knows them."""
    from pertheory.cli.verbs import build_parser

    choices = next(own.choices for own in build_parser()._actions if own.dest == "verb")
    return {name: parser._actions for name, parser in dict(choices or {}).items()}


def draw(source: random.Random) -> Any:
    """The arguments of a command, mostly small work with something wrong in it."""
    verb = source.choices(list(verbs()), [SHARES.get(name, 3) for name in verbs()])[0]
    own = [_argument(source, action, verb) for action in verbs()[verb]]
    if source.random() < 0.2:  # flags in any order
        source.shuffle(own)
    arguments = [*_few(source, verb), verb, *(text for texts in own for text in texts), *_few(source, verb)]
    if source.random() < 0.1:  # something lost, or two exchanged
        del arguments[source.randrange(len(arguments))]
    if arguments and source.random() < 0.05:
        i, j = source.randrange(len(arguments)), source.randrange(len(arguments))
        arguments[i], arguments[j] = arguments[j], arguments[i]
    return arguments


def _argument(source: random.Random, action: argparse.Action, verb: str) -> list[str]:
    """An argument of a verb: what it needs nearly always, all else now and then."""
    usual = USUAL.get((verb, action.dest), 0.97 if action.required else OFTEN.get(action.dest, 0.12))
    if source.random() >= usual or action.dest == "help":
        return []
    if action.nargs == 0:
        return [action.option_strings[0]]
    count = source.choice((1, 1, 1, 2, 3)) if action.nargs in ("*", "+") else 1
    given = [_value(source, action, verb) for _ in range(count)]
    if not action.option_strings:
        return given
    flag = action.option_strings[0]
    return [f"{flag}={given[0]}", *given[1:]] if source.random() < 0.5 else [flag, *given]


def _value(source: random.Random, action: argparse.Action, verb: str) -> str:
    """One that is right in most cases."""
    good, bad = VALUES.get((verb, action.dest)) or VALUES.get(action.dest) or _unknown(action)
    return source.choice(good if good and source.random() < RIGHT else bad)


def _unknown(action: argparse.Action) -> tuple[list[str], list[str]]:
    """What a flag that nobody has described may be given: by its choices or its type."""
    if action.choices is not None:
        return [str(own) for own in action.choices], WORDS
    if action.type is place:
        return PLACES, OUTS
    kind = getattr(action.type, "__name__", "")
    return (["1", "2", "3"], WHOLE if kind.startswith("--") else NUMBERS) if action.type is not None else ([], TEXTS)


def _few(source: random.Random, verb: str) -> list[str]:
    """Now and then something that does not belong there."""
    return [source.choice([*STRAY, verb])] if source.random() < 0.04 else []


@lru_cache(maxsize=1)
def _place() -> Path:
    """The folder of this process, with the files, a cache, and a place for what is said."""
    place = Path(tempfile.mkdtemp(prefix="lines-"))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(place, ignore_errors=True))
    make_files(place / "files")
    return place


def judge(arguments: Any) -> str:
    """Run the command and look at what it says."""
    import pertheory.infer.aspect
    import pertheory.infer.posterior
    import pertheory.initialise.numbers
    import pertheory.training.prediction  # noqa: F401

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
    if status == 0:
        _look(arguments, out, err)
    return {0: "done", 1: "a check failed", 2: "refused"}[status]


def _look(arguments: list[str], out: str, err: str) -> None:
    """See that what is printed is JSON where it looks so, and that no number is missing in silence."""
    if out.startswith(("{", "[")):
        try:
            json.loads(out, parse_constant=_refuse_constant)
        except ValueError as error:
            raise AssertionError(f"no JSON ({error}): {out[:200]!r}") from None
    missing = None if out.startswith("usage: ") else NO_NUMBER.search(out)
    if missing and "warning: " not in err and not any(own in WORDED or NO_NUMBER.search(own) for own in arguments):
        around = out[max(missing.start() - 100, 0) : missing.end() + 20]
        raise AssertionError(f"{missing[0]} without a warning: {around!r}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


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
