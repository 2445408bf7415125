"""What several verbs share: flags, input files, and output that is written whole or not at all."""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pertheory.errors import InputError
from pertheory.rulebook.names import is_name, visible

#: Every order costs several times the one before it; a larger one is a slip of the keyboard, not a request.
MOST_ORDER = 10

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


def add_work(parser: argparse.ArgumentParser) -> None:
    """``--jobs``, ``--no-cache`` and ``--yes``."""
    parser.add_argument("--jobs", type=whole("--jobs", 1), default=1, help="derive on so many processes (default 1)")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor keep derived diagrams on disk")
    parser.add_argument("--yes", action="store_true", help="go on even if very many tensors are needed")


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
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(options.jobs) as executor:
        yield {"executor": executor, "store": store}


def limit(options: argparse.Namespace) -> int | None:
    """How large a closure may become without ``--yes``."""
    from pertheory.closure import LIMIT

    return None if options.yes else LIMIT


def add_order(parser: argparse.ArgumentParser, default: int, meaning: str) -> None:
    """``--order``."""
    kind = whole("--order", 0, MOST_ORDER)
    parser.add_argument("--order", type=kind, default=default, help=f"{meaning} (default {default})")


def add_output(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """``--format`` and ``--out``."""
    parser.add_argument("--format", choices=formats, default=formats[0], help=f"output format (default {formats[0]})")
    parser.add_argument("--out", type=Path, help="write to this file instead of standard output")


def whole(flag: str, least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument type: whole numbers from ``least``, up to ``most`` if it is given."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
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
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number or a comma list of numbers") from None
    if not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} holds NaN or infinity")
    return values


def parameter(text: str) -> tuple[str, float]:
    """An argument type: ``name=value``."""
    name, equals, value = text.partition("=")
    if not equals or not is_name(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    try:
        number = float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r}: the value must be finite")
    return name, number


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


def read_inputs(path: Path) -> list[list[float]]:
    """Inputs from a .csv, .json (list of lists) or .npy file, one row per input.

    Raises:
        InputError: no such file, another ending, ragged or non-numeric rows, NaN, nothing in it.
    """
    if not path.is_file():
        raise InputError(f"--inputs {path}: {'is not a file' if path.exists() else 'no such file'}")
    suffix = path.suffix.lower()
    readers = {".csv": _read_csv, ".json": _read_json, ".npy": _read_npy}
    if suffix not in readers:
        raise InputError(f"--inputs {path}: must end in .csv, .json or .npy")
    try:
        rows = readers[suffix](path)
    except OSError as error:
        raise InputError(f"--inputs {path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"--inputs {path}: is not text; a {suffix} file was expected") from None
    if not rows or not rows[0]:
        raise InputError(f"--inputs {path}: holds no rows of numbers")
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise InputError(f"--inputs {path}: row {number + 1} has {len(row)} numbers, row 1 has {len(rows[0])}")
        for column, value in enumerate(row):
            if not math.isfinite(value):
                raise InputError(f"--inputs {path}: row {number + 1}, column {column + 1} is {value}, not finite")
    return rows


def _read_csv(path: Path) -> list[list[float]]:
    rows: list[list[float]] = []
    with path.open(newline="", encoding="utf-8-sig") as handle:
        try:
            for number, row in enumerate(csv.reader(handle)):
                if not row or all(not cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
                    continue
                values = []
                for column, cell in enumerate(row):
                    try:
                        values.append(float(cell))
                    except ValueError:
                        hint = "" if rows else "; a line that is not data starts with #"
                        raise InputError(
                            f"--inputs {path}: line {number + 1}, column {column + 1}: {cell!r} is not a number{hint}"
                        ) from None
                rows.append(values)
        except csv.Error as error:
            raise InputError(f"--inputs {path}: is not a table of numbers ({error})") from None
    return rows


def _read_json(path: Path) -> list[list[float]]:
    text = path.read_text(encoding="utf-8")
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--inputs {path}: not valid JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise InputError(f"--inputs {path}: nested too deeply; must be a list of lists of numbers") from None
    except ValueError:  # Python does not read whole numbers of more than a few thousand digits
        raise InputError(f"--inputs {path}: holds a number too large for a double") from None
    if not isinstance(table, list) or not all(isinstance(row, list) for row in table):
        raise InputError(f"--inputs {path}: must be a list of lists of numbers, one list per input")
    rows: list[list[float]] = []
    for number, row in enumerate(table):
        for value in row:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"--inputs {path}: row {number + 1} holds {value!r}, which is not a number")
        try:
            rows.append([float(value) for value in row])
        except OverflowError:
            raise InputError(f"--inputs {path}: row {number + 1} holds a number too large for a double") from None
    return rows


def _read_npy(path: Path) -> list[list[float]]:
    import numpy as np

    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise InputError(f"--inputs {path}: not a .npy file of numbers") from None
    if not isinstance(table, np.ndarray):
        raise InputError(f"--inputs {path}: is an archive of arrays; must be one .npy array with one row per input")
    if table.ndim != 2 or table.dtype.kind not in "fiu":
        raise InputError(
            f"--inputs {path}: holds {table.ndim}-dimensional data of type {table.dtype}; "
            "must be a table of real numbers with one row per input"
        )
    return [[float(value) for value in row] for row in table]


def write_text(text: str, out: Path | None) -> None:
    """Text to standard output, or to a file that appears only when it is complete."""
    text = visible(text)  # a terminal obeys what it cannot show
    if out is None:
        print(text)
        return
    write_whole(out, lambda path: path.write_text(text + "\n", encoding="utf-8"))


def check_out(out: Path | None) -> None:
    """See that a file can be written, before any work.

    Raises:
        InputError: the folder does not exist, or ``out`` is a folder.
    """
    if out is None:
        return
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist")
    if out.is_dir():
        raise InputError(f"--out {out}: is a folder; name a file")


def write_whole(out: Path, writer: Callable[[Path], Any]) -> None:
    """Let ``writer`` fill a temporary file next to ``out`` and then move it there.

    A device or a pipe is written to as it is, and a link stays: the file that it points to is replaced.

    Raises:
        InputError: the folder does not exist or cannot be written to.
    """
    check_out(out)
    try:
        if out.exists() and not out.is_file():
            writer(out)
            return
        with _replacing(out) as temporary:
            writer(temporary)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error})") from None


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary file that takes the place of ``out`` if all goes well, and vanishes otherwise."""
    target = out.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".pertheory-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def collect_output(out: Path | None) -> Iterator[IO[bytes]]:
    """A file that can be filled bit by bit; what is in it appears at its place at the end, whole or not at all.

    For standard output, a device or a pipe it is a temporary file that is copied there.

    Raises:
        InputError: the folder does not exist or cannot be written to.
    """
    check_out(out)
    try:
        if out is not None and (out.is_file() or not out.exists()):
            with _replacing(out) as temporary, temporary.open("wb") as handle:
                yield handle
                handle.flush()
            return
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            yield spool
            spool.seek(0)
            if out is not None:
                with out.open("wb") as device:
                    shutil.copyfileobj(spool, device)
                return
            while sys.stdout is not None and (part := spool.read(1 << 20)):
                sys.stdout.write(part.decode())  # only ASCII is written, so that no character is cut in two
    except OSError as error:
        if out is None:
            raise
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error})") from None


def closure_progress(done: int, found: int) -> None:
    """How far the derivation of a closed set is; a line that is overwritten, only where a person looks at it."""
    if sys.stderr.isatty():
        end = "\n" if done == found else "\r"
        print(f"derived {done} of {found} tensors found so far", end=end, file=sys.stderr, flush=True)


class LayerProgress:
    """How far a run is, likewise, and when it may end."""

    def __init__(self) -> None:
        self._start = self._shown = time.monotonic()

    def __call__(self, layer: int, depth: int, done: float = 0.0) -> None:
        """Show that so much of a layer is done; the first layer takes no time."""
        now = time.monotonic()
        last = layer == depth and done >= 1
        if not sys.stderr.isatty() or (now - self._shown < 0.2 and not last):
            return
        self._shown = now
        whole = max(layer - 2 + done, 0.0) / max(depth - 1, 1)
        left = (now - self._start) * (1 - whole) / whole if whole else 0.0
        text = f"layer {layer} of {depth}" + (f", about {show_time(left)} left" if left > 2 else "")
        print(f"{text:<60}", end="\n" if last else "\r", file=sys.stderr, flush=True)


def show_time(seconds: float) -> str:
    """A time for people.

    Example:
        >>> show_time(7), show_time(150), show_time(10000)
        ('7 s', '2 min', '2.8 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
