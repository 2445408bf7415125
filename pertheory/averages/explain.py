"""What averaged what: the account of a run, next to the table of `choose.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pertheory.averages.account import Tally
from pertheory.averages.choose import TABLE
from pertheory.averages.quadrature import Array
from pertheory.functions.activation import Activation


class Counted(Activation):
    """An activation that counts at how many numbers it is evaluated."""

    points = 0

    @staticmethod
    def of(function: Activation) -> Counted:
        """The same function, counted."""
        return Counted(function.name, function.pieces, function.parameters)

    def tabulate(self, x: Array, orders: Iterable[int], absolute: bool = False) -> dict[int, Array]:
        """Evaluate and count."""
        object.__setattr__(self, "points", self.points + int(np.size(x)))
        return super().tabulate(x, orders, absolute)


def explained(used: Mapping[tuple[str, str], Tally]) -> str:
    """A line for each kind of average and method that was used, in the order of the table."""
    order = {(row.kind, row.method): n for n, row in enumerate(TABLE)}
    reasons = {(row.kind, row.method): (row.tried, row.why) for row in TABLE}
    head = ("averages of", "method", "averages", "points", "largest error", "tried", "why")
    rows = [head]
    for key in sorted(used, key=lambda key: order[key]):
        tally = used[key]
        rows.append(
            (*key, str(tally.averages), str(tally.points), f"{tally.worst:.1e}", *reasons[key]),
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
