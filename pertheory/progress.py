"""What takes longer than two seconds says what it does and how long it will take.

On standard error, never on standard output; where a person looks on (Python's own prompt, IPython, a notebook, a
command at a terminal), or where it is asked for. With tqdm, where that is installed, or in plain text. A thread writes,
so that a single long step is seen as well; it ends with what it tells of.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from pertheory.errors import InputError
from pertheory.text import line, shown

#: Seconds before anything is shown that nobody asked for, and between two looks.
PATIENCE, BETWEEN = 2.0, 0.5
#: Seconds between two lines where a line cannot be overwritten.
BETWEEN_LINES = 10.0

#: Called with what is done and with how much there is, as far as that is known.
Report: TypeAlias = Callable[[float, float], None]

_busy: ContextVar[bool] = ContextVar("busy", default=False)
_automatic: ContextVar[bool | None] = ContextVar("automatic", default=None)


def interactive() -> bool:
    """Whether a person works with this Python: at its prompt, in IPython, in a notebook."""
    ipython = sys.modules.get("IPython")
    return hasattr(sys, "ps1") or (ipython is not None and ipython.get_ipython() is not None)


@contextmanager
def automatic(show: bool) -> Iterator[None]:
    """Settle whether progress is shown where nobody says so, in place of `interactive`."""
    token = _automatic.set(show)
    try:
        yield
    finally:
        _automatic.reset(token)


@contextmanager
def progress(what: str, show: bool | None = None, *, thread: bool = True) -> Iterator[Report]:
    """Show how far a piece of work is, while the body runs; inside another one nothing is shown.

    Args:
        what: is done, as in "deriving V".
        show: True shows it at once, False never, None after two seconds and where a person looks on.
        thread: whether a thread writes; False where processes are forked meanwhile, and then only reports are shown.

    Yields:
        What the body calls to report.
    """
    wanted = show
    if wanted is None:
        wanted = interactive() if _automatic.get() is None else _automatic.get()
    if _busy.get() or not wanted or sys.stderr is None:
        token = _busy.set(True)
        try:
            yield _ignore
        finally:
            _busy.reset(token)
        return
    display = _Display(line(what), 0.0 if show else PATIENCE)
    token = _busy.set(True)
    if thread:
        display.start()
    try:
        yield display.report
    finally:
        _busy.reset(token)
        display.end()


def _ignore(done: float, total: float) -> None:
    """Where nothing is shown."""


def check_progress(value: Any) -> bool | None:
    """What was given as ``progress`` and is no function.

    Raises:
        InputError: neither True, False nor None.
    """
    if value is not None and not isinstance(value, bool):
        raise InputError(f"progress must be a function of two numbers, True, False or None, not {shown(value)}")
    return value


class _Display:
    """Writes what was reported last."""

    def __init__(self, what: str, delay: float) -> None:
        self.what, self.delay = what, delay
        self.begun = time.monotonic()
        self.state = (0.0, 0.0, 0.0)  # what is done, how much there is, after how many seconds that was reported
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._writer: _Plain | _Bar | None = None
        self._last = 0.0

    def start(self) -> None:
        """Write from a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="pertheory-progress", daemon=True)
        self._thread.start()

    def report(self, done: float, total: float) -> None:
        """Keep how far it is; the thread shows it."""
        now = time.monotonic()
        self.state = (done, total, now - self.begun)
        if self._thread is None and now - self.begun >= self.delay and now - self._last >= BETWEEN:
            self._show()

    def end(self) -> None:
        """Clear away what was shown."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._writer is not None:
            self._writer.close()

    def _run(self) -> None:
        if not self._over.wait(self.delay):
            self._show()
            while not self._over.wait(BETWEEN):
                self._show()

    def _show(self) -> None:
        self._last = time.monotonic()
        if self._writer is None:
            self._writer = _writer(self.what, self._last - self.begun)
        self._writer.write(*self.state, self._last - self.begun)


def _writer(what: str, elapsed: float) -> _Plain | _Bar:
    try:
        return _Bar(what, elapsed)
    except ImportError:
        return _Plain(what)


class _Bar:
    """A bar of tqdm."""

    def __init__(self, what: str, elapsed: float) -> None:
        from tqdm import tqdm

        self._form = "{l_bar}{bar}| {n:.4g} of {total:.4g} [{elapsed}<{remaining}]"
        wide, high = shutil.get_terminal_size()  # tqdm shows nothing where a terminal says that its size is 0
        form = "{desc}: {elapsed}"
        self._bar = tqdm(desc=what, file=sys.stderr, leave=False, bar_format=form, ncols=wide, nrows=high)
        self._bar.start_t -= elapsed

    def write(self, done: float, total: float, *_: float) -> None:
        """Draw it anew."""
        if total:
            self._bar.bar_format, self._bar.total = self._form, total
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        """Take it away."""
        self._bar.close()


class _Plain:
    """A line that is overwritten, or lines now and then in a file."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._overwrites = sys.stderr.isatty() or "ipykernel" in sys.modules
        self._long = 0
        self._next = 0.0

    def write(self, done: float, total: float, reported: float, elapsed: float) -> None:
        """Write it anew."""
        if not self._overwrites and elapsed < self._next:
            return
        self._next = elapsed + BETWEEN_LINES
        ahead = reported * (total - done) / done - (elapsed - reported) if done else 0.0
        left = f", about {show_time(ahead)} left" if ahead > 1 else ""  # what is overdue is not foretold
        much = f" {done:.4g} of {total:.4g}," if total else ""
        self._put(f"{self._what}:{much} {show_time(elapsed)}{left}")

    def _put(self, text: str) -> None:
        start, end = ("\r", "") if self._overwrites else ("", "\n")
        print(f"{start}{text.ljust(self._long)}", end=end, file=sys.stderr, flush=True)
        self._long = len(text)

    def close(self) -> None:
        """Take the line away."""
        if self._overwrites:
            self._put("")
            print(end="\r", file=sys.stderr, flush=True)


def show_time(seconds: float) -> str:
    """A time for people.

    Example:
        >>> show_time(7), show_time(150), show_time(10000)
        ('7 s', '2 min', '2.8 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
