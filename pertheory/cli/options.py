"""What several verbs share: flags, input files, and output that is written whole or not at all."""

from __future__ import annotations

import argparse
import codecs
import math
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pertheory.errors import InputError
from pertheory.files import replacing
from pertheory.progress import show_time
from pertheory.rulebook.names import is_name, visible
from pertheory.rulebook.values import read_number, read_whole

#: Every order costs several times the one before it; a larger one is a slip of the keyboard, not a request.
MOST_ORDER = 10

#: No machine derives faster with more processes.
MOST_JOBS = 256

#: Powers of 1/n at which a recursion, and the programs of a theory, still take seconds; beyond, minutes or hours.
QUICK_RECURSION, QUICK_THEORY = 3, 2

#: Bytes of output that wait in memory before they go to a temporary file.
IN_MEMORY = 10_000_000


def add_network(parser: argparse.ArgumentParser) -> None:
    """``--network`` and ``--closure``."""
    parser.add_argument("--network", default="mlp", help="name of a network rule or path to a rule file (default mlp)")
    parser.add_argument(
        "--closure",
        choices=("exact", "pairs"),
        default="exact",
        help="exact: refuse rules that are not sound; pairs: derive them keeping pairs only, an approximation",
    )


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """``--param``."""
    meaning = "a parameter of the activation or a further hyperparameter of the network"
    parser.add_argument("--param", type=parameter, action="append", default=[], metavar="NAME=VALUE", help=meaning)


def add_work(parser: argparse.ArgumentParser) -> None:
    """``--jobs``, ``--no-cache`` and ``--yes``."""
    kind = whole("--jobs", 1, MOST_JOBS)
    parser.add_argument("--jobs", type=kind, default=1, help="derive on so many processes (default 1)")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor keep derived diagrams on disk")
    parser.add_argument("--yes", action="store_true", help="do even what is estimated to take long")


@contextmanager
def working(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The executor and the store that the flags of `add_work` ask for, as keyword arguments."""
    store = None
    if not options.no_cache:
        from pertheory.store import Store

        store = Store()
    if options.jobs == 1:
        yield {"executor": None, "store": store}
        return
    from pertheory.worker import processes

    with processes(options.jobs) as executor:
        yield {"executor": executor, "store": store}


def limit(options: argparse.Namespace) -> int | None:
    """How large a closure may become without ``--yes``."""
    from pertheory.closure import LIMIT

    return None if options.yes else LIMIT


def add_order(parser: argparse.ArgumentParser, default: int, meaning: str) -> None:
    """``--order``."""
    kind = whole("--order", 0, MOST_ORDER)
    parser.add_argument("--order", type=kind, default=default, help=f"{meaning} (default {default})")


def add_explain(parser: argparse.ArgumentParser, verb: str) -> None:
    """``--explain``."""
    meaning = f"{verb} how term N of the expanded form came about, move by move"
    parser.add_argument("--explain", type=whole("--explain", 1), metavar="N", help=meaning)


def add_output(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """``--format`` and ``--out``."""
    parser.add_argument("--format", choices=formats, default=formats[0], help=f"output format (default {formats[0]})")
    parser.add_argument("--out", type=place, help="write to this file instead of standard output")


def whole(flag: str, least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument type: whole numbers from ``least``, up to ``most`` if it is given."""

    def parse(text: str) -> int:
        try:
            value = read_whole(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, not {value}")
        return value

    parse.__name__ = flag
    return parse


def numbers(text: str) -> list[float]:
    """An argument type: a number or a comma list of numbers."""
    try:
        values = [read_number(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number or a comma list of numbers") from None
    if not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} holds NaN or infinity")
    return values


def place(text: str) -> Path:
    """An argument type: the path of a file or a folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; name a file or a folder")
    return Path(text)


def number(text: str) -> float:
    """An argument type: a number."""
    try:
        return read_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parameter(text: str) -> tuple[str, float]:
    """An argument type: ``name=value``."""
    name, equals, value = text.partition("=")
    if not equals or not is_name(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    try:
        found = read_number(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is not a number") from None
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"{text!r}: the value must be finite")
    return name, found


def check_work(names: Sequence[str], order: int, relative: bool, options: argparse.Namespace) -> None:
    """Ask for ``--yes`` where a slip of the keyboard would cost hours.

    Args:
        names: of tensors, all of them known.
        order: as it was given.
        relative: whether it counts from the leading order of each tensor, or is the power of 1/n that is kept.
        options: with the flags of `add_work`.

    Raises:
        InputError: more is asked for than takes seconds, and nobody said yes.
    """
    from pertheory.rulebook.tensors import find_tensor

    most = QUICK_RECURSION if relative else QUICK_THEORY
    for name in names:
        power = order
        if name not in ("all", "every"):
            tensor, fixed = find_tensor(name)
            leading = tensor.pairs - 1
            power = (
                leading + (fixed or 0) if fixed is not None else leading + order if relative else max(order, leading)
            )
        if power > most and not options.yes:
            raise InputError(
                f"{name} is of order 1/n^{power}, and what is above {most} can take minutes or hours; to go on all the "
                "same, add --yes"
            )


def tensor_list(given: Sequence[str]) -> list[str]:
    """Tensor names from the command line; plain names may be joined by commas, observables stand by themselves."""
    found: list[str] = []
    for item in given:
        if "(" in item or "@" in item:
            found.append(item)
        else:
            found.extend(part.strip() for part in item.split(",") if part.strip())
    if not found:
        raise InputError("--tensors needs at least one name, or all")
    return check_names(found)


def check_names(names: Sequence[str]) -> list[str]:
    """Names of tensors, after a look at each, so that a wrong one is an error before any work.

    Raises:
        InputError: unknown name, malformed observable, or an order as in ``V{99}`` that is too high.
    """
    from pertheory.rulebook.tensors import find_tensor

    for name in names:
        if name not in ("all", "every"):
            _, order = find_tensor(name)
            if order is not None and order > MOST_ORDER:
                raise InputError(f"{name}: the order must be at most {MOST_ORDER}")
    return list(names)


def write_text(text: str, out: Path | None) -> None:
    """Text to standard output, or to a file that appears only when it is complete."""
    with collect_output(out) as handle:
        # a terminal obeys what it cannot show
        handle.write(f"{visible(text)}\n".encode("utf-8", "backslashreplace"))


def check_out(out: Path | None, flag: str = "--out") -> None:
    """See that a file can be written, before any work.

    Raises:
        InputError: the folder does not exist, or ``out`` is a folder.
    """
    if out is None:
        return
    if not out.parent.is_dir():
        raise InputError(f"{flag} {out}: the folder {out.parent} does not exist")
    if out.is_dir():
        raise InputError(f"{flag} {out}: is a folder; name a file")


def check_plot(options: argparse.Namespace) -> None:
    """See that a picture can be written to ``--plot``, before any work.

    Raises:
        InputError: as `check_out`; another kind of file; ``--out`` is the same one.
    """
    plot: Path | None = options.plot
    if plot is None:
        return
    if plot.suffix.lower() != ".svg":
        raise InputError(f"--plot {plot}: must end in .svg")
    check_out(plot, "--plot")
    if options.out is not None and os.path.realpath(plot) == os.path.realpath(options.out):
        raise InputError(f"--plot {plot}: is the file of --out; name another one")


@contextmanager
def collect_output(out: Path | None) -> Iterator[IO[bytes]]:
    """A file that can be filled bit by bit; what is in it appears at its place at the end, whole or not at all.

    For standard output, an open descriptor (/dev/stdout, /dev/fd/3), a device or a pipe it is a temporary file that is
    copied there.

    Raises:
        InputError: the folder does not exist or cannot be written to.
    """
    check_out(out)
    try:
        if out is not None and _descriptor(out) is None and (out.is_file() or not out.exists()):
            with replacing(out) as temporary, temporary.open("wb") as handle:
                yield handle
                handle.flush()
            return
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            yield spool
            spool.seek(0)
            if out is not None:
                with _device(out) as device:
                    shutil.copyfileobj(spool, device)
                return
            lines = codecs.getreader("utf-8")(spool)
            while sys.stdout is not None and (part := lines.read(1 << 20)):
                sys.stdout.write(part)
    except BrokenPipeError:
        raise
    except OSError as error:
        if out is None:
            raise
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error})") from None


def _descriptor(out: Path) -> int | None:
    """The number of an open descriptor that a path of the system names, such as /dev/stdout."""
    named = {"/dev/stdout": 1, "/dev/stderr": 2}
    match = re.fullmatch(r"/(?:dev|proc/self)/fd/([0-9]{1,6})", str(out))
    return int(match[1]) if match else named.get(str(out))


def _device(out: Path) -> IO[bytes]:
    """What is no file that could be replaced, for writing; a descriptor goes on where it stands."""
    number = _descriptor(out)
    if number is None:
        return out.open("wb")
    if sys.stdout is not None:
        sys.stdout.flush()
    return os.fdopen(os.dup(number), "wb")


def closure_progress(done: int, found: int) -> None:
    """How far the derivation of a closed set is; a line that is overwritten, only where a person looks at it."""
    if sys.stderr.isatty():
        end = "\n" if done == found else "\r"
        print(f"derived {done} of {found} tensors found so far", end=end, file=sys.stderr, flush=True)


class LayerProgress:
    """How far a run is, likewise, and when it may end."""

    def __init__(self) -> None:
        self._start = self._shown = time.monotonic()

    @staticmethod
    def part(layer: int, depth: int, done: float) -> float:
        """How much of a run is done."""
        return max(layer - 2 + done, 0.0) / max(depth - 1, 1)

    def __call__(self, layer: int, depth: int, done: float = 0.0) -> None:
        """Show that so much of a layer is done; the first layer takes no time."""
        now = time.monotonic()
        last = layer == depth and done >= 1
        if not sys.stderr.isatty() or (now - self._shown < 0.2 and not last):
            return
        self._shown = now
        whole = self.part(layer, depth, done)
        left = (now - self._start) * (1 - whole) / whole if whole else 0.0
        text = f"layer {layer} of {depth}" + (f", about {show_time(left)} left" if left > 2 else "")
        print(f"{text:<60}", end="\n" if last else "\r", file=sys.stderr, flush=True)
