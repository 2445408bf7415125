"""Input files: tables of numbers, one row per input, as .csv, .json or .npy."""

from __future__ import annotations

import csv
import json
import math
import os
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pertheory.errors import InputError
from pertheory.rulebook.values import read_number

if TYPE_CHECKING:
    import numpy as np


def read_inputs(path: Path) -> list[list[float]]:
    """Inputs from a .csv, .json (list of lists) or .npy file, one row per input.

    Raises:
        InputError: no such file, another ending, ragged or non-numeric rows, NaN, nothing in it.
    """
    if not path.is_file():
        raise InputError(f"--inputs {path}: {_missing(path)}")
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


def _missing(path: Path) -> str:
    """Why there is nothing to be read."""
    return "is not a file" if path.exists() else "leads nowhere" if path.is_symlink() else "no such file"


def _read_csv(path: Path) -> list[list[float]]:
    rows: list[list[float]] = []
    with path.open(newline="", encoding="utf-8-sig") as handle:
        try:
            for number, row in enumerate(csv.reader(handle)):
                if not row or (len(row) == 1 and not row[0].strip()) or row[0].lstrip().startswith("#"):
                    continue
                values = []
                for column, cell in enumerate(row):
                    try:
                        values.append(read_number(cell))
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
    text = path.read_text(encoding="utf-8-sig")
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

    with path.open("rb") as handle:
        if handle.read(4) == b"PK\x03\x04":
            raise InputError(f"--inputs {path}: is an archive of arrays; must be one .npy array with one row per input")
        handle.seek(0)
        try:
            shape, kind = _npy_header(handle)
        except Exception:  # NumPy reads the header as Python and raises whatever that does
            raise InputError(f"--inputs {path}: not a .npy file of numbers") from None
        if kind.hasobject:
            raise InputError(f"--inputs {path}: not a .npy file of numbers, but of Python objects")
        if len(shape) != 2 or kind.kind not in "fiu":
            raise InputError(
                f"--inputs {path}: holds {len(shape)}-dimensional data of type {str(kind)[:80]}; "
                "must be a table of real numbers with one row per input"
            )
        if not all(type(length) is int for length in shape):  # NumPy takes True for one
            raise InputError(f"--inputs {path}: not a .npy file of numbers")
        there = os.fstat(handle.fileno()).st_size - handle.tell()
        if min(shape) < 0 or shape[0] * shape[1] * kind.itemsize > there:
            raise InputError(f"--inputs {path}: says that it holds {shape[0]} x {shape[1]} numbers, but is too short")
        if 0 in shape:  # whatever the other length may be
            return []
        handle.seek(0)
        table = np.lib.format.read_array(handle, allow_pickle=False)
    with np.errstate(over="ignore"):  # what is too large for a double is infinite, and found by the caller
        rows: list[list[float]] = table.astype(np.float64).tolist()
    return rows


def _npy_header(handle: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of the numbers that a .npy file promises."""
    from numpy.lib import format as npy

    version = npy.read_magic(handle)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in read:  # (3, 0) is for names of columns that are not Latin
        raise ValueError(f"version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, _, kind = read[version](handle)
    return shape, kind
