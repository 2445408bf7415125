"""How long work takes, estimated before it is done; what is clearly long asks for ``--yes``.

Expanded forms and programs are estimated from counts: how many ways Leibniz' rule has in the diagrams, which are
derived by then and cost next to nothing. The seconds for each were measured on a slow machine, to a factor of three.
A run is estimated from what it has taken so far.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pertheory.cli.options import LayerProgress
from pertheory.errors import InputError
from pertheory.progress import show_time

if TYPE_CHECKING:
    from pertheory.recursion import Recursion
    from pertheory.theory import Theory

#: Seconds of processor time that nobody is asked about; of networks that are drawn, where minutes are usual.
QUICK, QUICK_DRAWING = 10.0, 600.0
#: Seconds for one way of Leibniz' rule: in an expanded form; in a program, in C, and where functions have kinks.
EXPANDED, LOWERED, PRINTED, COMBINED = 2e-5, 1e-4, 5e-4, 1.1e-3
#: Seconds of a run that tell how long all of it takes.
TELLING = 1.0


def check_time(seconds: float, what: str, options: argparse.Namespace, quick: float | None = None) -> None:
    """Ask for ``--yes`` where work is longer than nobody is asked about.

    Raises:
        InputError: it is, and nobody said yes.
    """
    if seconds > (QUICK if quick is None else quick) and not options.yes:
        raise InputError(f"{what} takes about {show_time(seconds)} of processor time; to go on all the same, add --yes")


def check_expansion(recursions: Iterable[Recursion], options: argparse.Namespace) -> None:
    """Ask before recursions are expanded, average by average.

    Raises:
        InputError: as `check_time`.
    """
    for recursion in recursions:
        check_time(EXPANDED * recursion.ways, f"the expanded form of {recursion.tensor.name}", options)


def check_program(closed: Theory, each: float, options: argparse.Namespace) -> None:
    """Ask before a program over several inputs is written or compiled.

    Args:
        closed: the theory; over one input its program is short.
        each: seconds a way.
        options: of the command line.

    Raises:
        InputError: as `check_time`.
    """
    ways = sum(closed.recursion(node).ways for node in closed.nodes)
    check_time(each * ways, f"the program of {closed.network.name} to order 1/n^{closed.order}", options)


class CheckedProgress(LayerProgress):
    """Shows how far a run is, and asks as soon as it is known to be long; nothing has been written by then."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self._options, self._begun = options, -1.0

    def __call__(self, layer: int, depth: int, done: float = 0.0) -> None:
        """Look at the time that the part that is done has taken; what comes before the first call is not of the run."""
        if self._begun < 0:
            self._begun = time.process_time()
        used, part = time.process_time() - self._begun, self.part(layer, depth, done)
        if used > TELLING and part and used / part - used > QUICK:  # what is nearly done goes on
            check_time(used / part, "the run", self._options)
        super().__call__(layer, depth, done)


class CheckedDrawing:
    """Asks as soon as networks that are drawn are known to take long; batches that were kept by then are not lost."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._now = time.process_time if options.jobs == 1 else time.monotonic  # what workers use is not known here
        self._first: tuple[float, float] | None = None

    def __call__(self, done: float, total: float) -> None:
        """Look at the time since the first batch, which has compiled as well."""
        if self._first is None:
            self._first = done, self._now()
            return
        before, begun = self._first
        left = (self._now() - begun) * (total - done) / (done - before)
        check_time(left, "drawing the networks that are left", self._options, QUICK_DRAWING)
