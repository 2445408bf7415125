"""Entry point of the command ``pertheory``: what surrounds it is put in order before anything is loaded.

Exit status: 0 done; 1 a check failed; 2 bad input, with one line on standard error and nothing written. A command that
is stopped removes its temporary files and ends with 128 + the number of the signal: 130 for an interrupt.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

#: Objects that are made before cycles among them are looked for: recursions are millions of tuples without any, and
#: looking every 700 objects, as Python does, is a tenth of the time of a long command.
GARBAGE = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    if arguments is not None:
        with _signals() as received:
            return _run(arguments, received)
    _open_descriptors()
    gc.set_threshold(GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        # a character that the terminal does not have is shown by its number
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with _signals() as received:
        status = _run(sys.argv[1:], received)
    if received and status > 128:  # what a library was at, XLA compiling, does not survive that Python takes it apart
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to be done: an interrupt just ends us
    return status


def _run(arguments: Sequence[str], received: Sequence[int]) -> int:
    try:
        from pertheory.cli.verbs import execute

        return execute(arguments)
    except KeyboardInterrupt:
        return _ended(signal.SIGINT)
    except _Ended as end:
        return _ended(end.number)
    except Exception as error:
        if received:  # while a library was loaded, which took what the signal raised for a failure of its own
            return _ended(received[0])
        from pertheory.cli.verbs import report

        return report(error)


def _ended(number: int) -> int:
    if number == signal.SIGINT:
        with suppress(OSError):
            print("pertheory: interrupted", file=sys.stderr, flush=True)
    return 128 + number


class _Ended(BaseException):
    """Somebody wants us to end: not an error, but files and processes of ours have to be cleared away."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Let the signals that would end us raise; those that the caller has us ignore, as nohup does, are left alone.

    Yields:
        The numbers of those that came.
    """
    received: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else _Ended(number)

    changed = {}
    for name, usual in (
        ("SIGINT", signal.default_int_handler),
        ("SIGTERM", signal.SIG_DFL),
        ("SIGHUP", signal.SIG_DFL),
    ):
        number = getattr(signal, name, None)
        with suppress(ValueError):  # not in the main thread
            if number is not None and signal.getsignal(number) is usual:
                signal.signal(number, end)
                changed[number] = usual
    try:
        yield received
    finally:
        for number, usual in changed.items():
            signal.signal(number, usual)


def _open_descriptors() -> None:
    """Open the three standard streams where the caller has closed them, lest a file of ours take their place."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
