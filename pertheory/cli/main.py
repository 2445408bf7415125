"""Entry point of the command ``pertheory``.

Exit status: 0 done; 1 a check failed; 2 bad input, with one line on standard error and nothing written.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from pertheory import __version__
from pertheory.cli import check, derive, describe, emit, run
from pertheory.errors import PertheoryError
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import line

VERBS = (derive, describe, emit, run, check)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {line(message)} (see {self.prog} --help)\n")

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
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
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


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    try:
        options, rest = build_parser().parse_known_args(arguments)
        if rest:
            options.parser.refuse(rest)
        status: int = options.action(options)
        if sys.stdout is not None:  # None where the caller has closed it
            sys.stdout.flush()
        return status
    except PertheoryError as error:
        print(f"pertheory: error: {line(str(error))}", file=sys.stderr)
        return 2
    except RecursionError:
        print("pertheory: error: the input is nested too deeply", file=sys.stderr)
        return 2
    except MemoryError:
        print("pertheory: error: not enough memory; use fewer inputs or a lower order", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as in "pertheory derive A6 | head"
        _drop_output()
        return 0
    except OSError as error:  # a path that the system refuses, or standard output on a full disk
        place = "standard output" if error.filename is None else line(str(error.filename))[:80]
        print(f"pertheory: error: {place}: {error.strerror or error}", file=sys.stderr)
        _drop_output()
        return 2
    except KeyboardInterrupt:
        print("pertheory: interrupted", file=sys.stderr)
        return 130


def _drop_output() -> None:
    """Let what is still in the buffer go nowhere, so that the interpreter does not complain at its end."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"pertheory: warning: {line(str(message))}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
