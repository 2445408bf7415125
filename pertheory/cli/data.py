"""What verbs that learn from data share: training and test sets in files, and errors that name flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from pertheory.cli.inputs import read_inputs
from pertheory.cli.options import place
from pertheory.errors import InputError

T = TypeVar("T")


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--train``, ``--targets`` and ``--test``."""
    parser.add_argument("--train", type=place, required=True, help=".csv, .json or .npy file, one row a training input")
    parser.add_argument("--targets", type=place, required=True, help="likewise, one column an output")
    parser.add_argument("--test", type=place, required=True, help="likewise, one row a test input")


def read_data(options: argparse.Namespace, *names: str) -> dict[str, list[list[float]]]:
    """The tables in the files of some flags.

    Raises:
        InputError: as `read_inputs`, with the flag.
    """
    tables = {}
    for name in names:
        try:
            tables[name] = read_inputs(getattr(options, name))
        except InputError as error:
            raise InputError(str(error).replace("--inputs", _flag(name), 1)) from None
    return tables


def flagged(options: argparse.Namespace, call: Callable[[], T]) -> T:
    """Do it; in an error that begins with the name of an argument, the flag stands there."""
    try:
        return call()
    except InputError as error:
        name = str(error).replace(":", " ").replace("=", " ").split()[0]
        if name in vars(options):
            raise InputError(f"{_flag(name)}{str(error).removeprefix(name)}") from None
        raise


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
