"""The verbs of the command ``pertheory``, and what it says when one goes wrong."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pertheory import __version__
from pertheory.cli import aspect, check, critical, derive, describe, draw, emit, infer, init, predict, run, simulate
from pertheory.cli import list as listing
from pertheory.errors import PertheoryError
from pertheory.progress import automatic
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import line

VERBS = (listing, derive, describe, draw, emit, run, simulate, critical, init, aspect, infer, predict, check)
#: Characters of the longest message.
LONGEST = 2000


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As usual; what was given is kept for what an error says."""
        self._given = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        if "are required" in message and (flag := self._unknown_flag()):
            message += f"; {flag!r} is no flag: a formula or name that begins with - stands at the end, after --"
        self.exit(2, f"{self.prog}: error: {_message(message)} (see {self.prog} --help)\n")

    def _unknown_flag(self) -> str:
        """The first thing given that begins with - as flags do and is none, if there is one."""
        names = (own.partition("=")[0] for own in self._given if own.startswith("-") and own != "--")
        return next((own for own in names if own not in self._option_string_actions), "")

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is not sys.stderr:
            super()._print_message(message, file)
        else:
            _say(message.rstrip("\n"))

    def refuse(self, rest: Sequence[str]) -> NoReturn:
        """The error about arguments that are left over."""
        given = rest[0]
        if given.startswith("-"):
            flag = given.partition("=")[0]
            flags = [text for text in self._option_string_actions if text.startswith("--")]
            self.error(f"unknown flag {flag!r}; {nearest(flag, flags)}")
        self.error(f"unexpected argument {given!r}; arguments without a flag stand together, before the flags")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = _Parser(
        prog="pertheory",
        description="Derive the finite-width recursions of deep networks by machine, and compute them.",
        epilog="example: pertheory derive F --format latex",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pertheory {__version__}")
    parser.set_defaults(action=partial(_introduce, parser), parser=parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    for verb in VERBS:
        own = verbs.add_parser(
            verb.__name__.rpartition(".")[2],
            help=verb.SUMMARY,
            description=verb.SUMMARY,
            epilog=f"example: {verb.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,  # leaves the example on one line, to be copied
            allow_abbrev=False,
        )
        verb.add_arguments(own)
        own.set_defaults(action=verb.main, parser=own)
    return parser


def _introduce(parser: argparse.ArgumentParser, _: argparse.Namespace) -> int:
    """What stands for no verb at all: what there is."""
    parser.print_help()
    return 0


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _execute(arguments)


def _execute(arguments: Sequence[str]) -> int:
    try:
        parser = build_parser()
        for given in arguments:
            if "\0" in given:  # no name of a file, formula or tensor has one
                parser.error(f"{given!r} holds a NUL character")
        options, rest = parser.parse_known_args(arguments)
        if rest:
            options.parser.refuse(rest)
        with automatic(sys.stderr is not None and sys.stderr.isatty()):
            status: int = options.action(options)
        sys.stdout.flush()
        return status
    except PertheoryError as error:
        return _refuse(str(error))
    except RecursionError:
        return _refuse("the input is nested too deeply")
    except MemoryError:
        return _refuse("not enough memory; use fewer inputs or a lower order")
    except BrokenPipeError:  # the reader of our output has gone, as in "pertheory derive A6 | head"
        _drop_output()
        return 0
    except OSError as error:  # a path that the system refuses, or standard output on a full disk
        place = "standard output" if error.filename is None else line(str(error.filename))[:80]
        _drop_output()
        return _refuse(f"{place}: {error.strerror or error}")


def report(error: Exception) -> int:
    """Say that there is a fault in pertheory itself, and return the exit status."""
    if sys.flags.dev_mode:
        raise error
    where = traceback.extract_tb(error.__traceback__)[-1]
    return _refuse(
        f"internal error, a fault of pertheory ({type(error).__name__}: {error}; {Path(where.filename).name}, line "
        f"{where.lineno}); please report it with the command that you gave (python -X dev shows more)"
    )


def _refuse(message: str) -> int:
    _say(f"pertheory: error: {_message(message)}")
    return 2


def _message(text: str) -> str:
    """A message on one line; a long one loses its middle."""
    text = line(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def _say(text: str) -> None:
    """A line on standard error; if nobody can hear it, the exit status has to tell."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _drop_output() -> None:
    """Let what is still in the buffer go nowhere, so that the interpreter does not complain at its end."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _say(f"pertheory: warning: {_message(str(message))}")
