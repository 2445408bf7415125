"""Quantities to order 1/n, by what makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pertheory.training.times import Array


@dataclass(frozen=True)
class Expansion:
    """Something to order 1/n.

    Attributes:
        leading: at infinite width.
        parts: the coefficient of 1/n, by what makes it; each array is shaped as ``leading``.
    """

    leading: Array
    parts: Mapping[str, Array]

    @property
    def first(self) -> Array:
        """The coefficient of 1/n."""
        return np.asarray(sum(self.parts.values(), np.zeros_like(self.leading)))

    def at(self, width: float) -> Array:
        """leading + first / n."""
        return np.asarray(self.leading + self.first / width)

    def width_for(self, percent: float) -> float | None:
        """The width n at which first / n is so small against leading, both by their norms; None if that is 0."""
        norm = float(np.linalg.norm(self.leading))
        return float(np.linalg.norm(self.first)) / (percent / 100 * norm) if norm else None

    def divided(self, number: float) -> Expansion:
        """Over a number."""
        return Expansion(self.leading / number, {name: part / number for name, part in self.parts.items()})

    def record(self, width: float | None) -> dict[str, Any]:
        """As nested lists, as the command line writes it in JSON."""
        found: dict[str, Any] = {"leading": self.leading.tolist(), "first": self.first.tolist()}
        found["parts"] = {name: part.tolist() for name, part in self.parts.items()}
        return found if width is None else found | {"total": self.at(width).tolist()}


@dataclass(frozen=True)
class Loss:
    """The expected loss at the test inputs, the sum over inputs and outputs of (z - y)^2 / 2.

    Attributes:
        bias: half the squared deviation of the mean prediction from the targets.
        variance: half the variance of predictions.
    """

    bias: Expansion
    variance: Expansion

    @property
    def total(self) -> Expansion:
        """Bias and variance together."""
        names = dict.fromkeys((*self.variance.parts, *self.bias.parts))
        nothing = np.zeros(())
        parts = {name: self.bias.parts.get(name, nothing) + self.variance.parts.get(name, nothing) for name in names}
        return Expansion(self.bias.leading + self.variance.leading, parts)

    def record(self, width: float | None) -> dict[str, Any]:
        """As the command line writes it in JSON."""
        return {name: getattr(self, name).record(width) for name in ("bias", "variance", "total")}

    def facts(self, width: float | None) -> list[tuple[str, str]]:
        """A line each."""
        found = []
        for name in ("bias", "variance", "total"):
            own = getattr(self, name)
            text = f"{float(own.leading):.6g} + {float(own.first):.6g}/n"
            found.append((f"test loss, {name}", text if width is None else f"{text} = {float(own.at(width)):.6g}"))
        return found


def full(array: Array, shape: tuple[int, ...]) -> Array:
    """An array of this shape; a part that vanishes has none of its own."""
    return np.array(np.broadcast_to(array, shape))
