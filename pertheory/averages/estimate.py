"""What every method hands back."""

from __future__ import annotations

from typing import NamedTuple

#: What one operation may lose, relative to the size of its terms.
ROUNDING = 1e-15
#: Conditional variances below this fraction of a variance are rounding: the variables are collinear.
COLLINEAR = 3e-15


class Estimate(NamedTuple):
    """An average, a bound of its error, and the scale that the error is compared with.

    The scale of an average is that of the absolute value of what is averaged. An error that a method cannot vouch for
    is infinite.
    """

    value: float
    error: float
    scale: float

    @property
    def relative(self) -> float:
        """The error relative to the scale."""
        return self.error / self.scale if self.scale else 0.0 if self.error == 0 else float("inf")
