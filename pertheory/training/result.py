"""What a prediction for trained networks returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory import html
from pertheory.errors import InputError
from pertheory.run.arguments import check_targets
from pertheory.text import plural
from pertheory.training.data import Data, Schedule
from pertheory.training.moments import PART
from pertheory.training.probe import PROBE, hidden_moments
from pertheory.training.series import Expansion, Loss, full
from pertheory.training.start import Setup
from pertheory.training.times import Array, Course

#: the parts of mean and covariance, in the order in which they are shown
MEAN, COVARIANCE = ("H1", "AB", "PQ", "RSTU"), ("G1", "H1", "DF", "AB", "PQ", "RSTU")


@dataclass(frozen=True, repr=False)
class Trained:
    """Outputs of trained networks at test inputs, to order 1/n; make one with `pertheory.trained`.

    Attributes:
        heading: network, activation, depth.
        schedule: how they are trained.
        data: on what.
        mean: of the outputs, shape (M, n_L), M test inputs.
        covariance: likewise, shape (M, n_L, M, n_L); of the mean over an ensemble where ``ensemble`` > 1.
        expansion: the expansion parameter: the mean square of what the tangent kernel of a network differs from its
            mean, relative to it and to what training has undone of the error, in the mode in which it is largest. Its
            coefficient of 1/n if no width was given.
        eta_max: the learning rate below which gradient descent converges, to order 1/n.
        width: n, or None.
        ensemble: how many networks the prediction is averaged over.
    """

    heading: str
    schedule: Schedule
    data: Data = field(repr=False)
    mean: Expansion
    covariance: Expansion
    expansion: float
    eta_max: Expansion
    width: int | None
    ensemble: int
    setup: Setup = field(repr=False)
    course: Course = field(repr=False)
    _change: Expansion = field(repr=False)

    @property
    def outputs(self) -> int:
        """n_L."""
        return int(self.data.targets.shape[1])

    def loss(self, targets: npt.ArrayLike) -> Loss:
        """The expected test loss.

        Args:
            targets: of the test inputs, shape (M, n_L).

        Raises:
            InputError: another shape.
        """
        wanted = check_targets(targets, "test_targets", len(self.data.test))
        if wanted.shape != self.mean.leading.shape:
            raise InputError(f"test_targets has {wanted.shape[1]} columns, targets {self.outputs}")
        off = self.mean.leading - wanted
        parts = {name: np.asarray(np.sum(off * part)) for name, part in self.mean.parts.items()}
        bias = Expansion(np.asarray(np.sum(off**2) / 2), parts)

        def trace(array: Array) -> Array:
            return np.asarray(np.einsum("aiai->", array) / 2)

        parts = {name: trace(part) for name, part in self.covariance.parts.items()}
        return Loss(bias, Expansion(trace(self.covariance.leading), parts))

    def kernel_change(self) -> Expansion:
        """How far training moves the tangent kernel at test inputs on average, by tensor: representation learning.

        Shape (M, n_L, M, n_L): what couples different outputs stands off the diagonal. It is of order 1/n, and
        vanishes at infinite width.

        Equation:
            The mean of H(t) - H(0), of which the step is "inf.H step" in rules/book.
        """
        return self._change

    def hidden_change(self) -> Expansion:
        """How far training moves the kernel of the last hidden layer on average, by what moves it; shape (M, M).

        That is the mean of s(z_a) s(z_b) over the neurons of the layer: what features of a network mean to a new output
        that is trained on them. It is of order 1/n too.

        Raises:
            InputError: there is no hidden layer.
            UnsupportedError: outputs of the network are more than one weight matrix away from functions of a layer.
        """
        shape = (len(self.data.test),) * 2
        parts = hidden_moments(self.setup, self.course).change(PROBE, PART)
        return Expansion(np.zeros(shape), {name: full(part[:, 0, :, 0], shape) for name, part in sorted(parts.items())})

    def facts(self) -> list[tuple[str, Any]]:
        """What holds for all test inputs, a line each."""
        at = "1/n" if self.width is None else f"at n = {self.width:g}"
        shift = float(self.eta_max.first)
        lines: list[tuple[str, Any]] = [
            ("training", str(self.schedule)),
            ("largest stable eta", f"{float(self.eta_max.leading):.6g} {'-' if shift < 0 else '+'} {abs(shift):.4g}/n"),
            ("expansion parameter", f"{self.expansion:.4g} {at if self.width else 'times ' + at}"),
        ]
        for name, own in (("mean", self.mean), ("covariance", self.covariance)):
            near = own.width_for(10)
            text = "no width: it is 0 there" if near is None else f"n = {near:.4g}"
            lines.append((f"{name} within 10% of infinite width from", text))
        return lines if self.ensemble == 1 else [*lines, ("averaged over", plural(self.ensemble, "network"))]

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Mean and variance at every test input and output: the head of a table, and its rows."""
        head, series = ["test", "output"], []
        for name, own, parts in (("mean", self.mean, MEAN), ("variance", self.covariance, COVARIANCE)):
            head += [name, f"{name}, 1/n", *parts] + ([f"{name}, total"] if self.width else [])
            arrays = [own.leading, own.first, *(own.parts[part] for part in parts)]
            arrays += [own.at(self.width)] if self.width else []
            series += [array if array.ndim == 2 else np.einsum("aiai->ai", array) for array in arrays]
        return head, [
            [*place, *(float(own[place]) for own in series)] for place in np.ndindex(*self.mean.leading.shape)
        ]

    def record(self) -> dict[str, Any]:
        """The result as the command line writes it in JSON."""
        rule = self.setup.theory.network
        return {
            "network": rule.name,
            "closure": rule.closure,
            "depth": self.setup.depth,
            "eta": self.schedule.eta,
            "steps": self.schedule.given,
            "update": self.schedule.update,
            "outputs": self.outputs,
            "width": self.width,
            "ensemble": self.ensemble,
            "mean": self.mean.record(self.width),
            "covariance": self.covariance.record(self.width),
            "expansion": self.expansion,
            "eta_max": {"leading": float(self.eta_max.leading), "first": float(self.eta_max.first)},
            "width_for_10_percent": {"mean": self.mean.width_for(10), "covariance": self.covariance.width_for(10)},
        }

    def __repr__(self) -> str:
        tests = plural(len(self.data.test), "test input")
        return f"Trained({self.heading}, {self.schedule}; {tests}, {plural(self.outputs, 'output')})"

    def _repr_html_(self) -> str:
        return html.page(
            f"trained {self.heading}, in powers of 1/n",
            html.facts(self.facts()),
            html.table(*self.rows(), "test input"),
        )
