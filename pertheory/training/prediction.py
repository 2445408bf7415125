"""What networks of finite width predict when they have been trained: `trained`, and what it returns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory import html
from pertheory.errors import InputError
from pertheory.functions.activation import Activation
from pertheory.rulebook.values import one_of, whole
from pertheory.run.memory import check_memory
from pertheory.text import plural
from pertheory.theory import Theory
from pertheory.training.data import Data, Schedule, check_data, check_schedule, check_targets, check_width, course_of
from pertheory.training.moments import LEADING, PART, Moments, Parts
from pertheory.training.probe import PROBE, hidden_moments
from pertheory.training.series import Expansion, Loss, full
from pertheory.training.spectrum import expansion_parameter, largest_eta
from pertheory.training.start import Setup, start_of
from pertheory.training.times import Array

#: the parts of mean and covariance, in the order in which they are shown
MEAN, COVARIANCE = ("H1", "AB", "PQ", "RSTU"), ("G1", "H1", "DF", "AB", "PQ", "RSTU")
#: arrays with an axis for each of four inputs that are held at once: tensors, over inputs and over modes, and weights
ARRAYS = 30
#: the expansion parameter above which the first order is no small correction
LARGEST_EXPANSION = 0.3
#: what happens above it
LARGE = ("refuse", "warn")


@dataclass(frozen=True, repr=False)
class Trained:
    """Outputs of trained networks at test inputs, to order 1/n; make one with `trained`.

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
    moments: Moments = field(repr=False)

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
        wanted = check_targets(targets, len(self.data.test), "test_targets")
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
        shape = np.shape(self.covariance.leading)
        parts = sorted(self.moments.change().items())
        return Expansion(np.zeros(shape), {name: full(part, shape) for name, part in parts})

    def hidden_change(self) -> Expansion:
        """How far training moves the kernel of the last hidden layer on average, by what moves it; shape (M, M).

        That is the mean of s(z_a) s(z_b) over the neurons of the layer: what features of a network mean to a new output
        that is trained on them. It is of order 1/n too.

        Raises:
            InputError: there is no hidden layer.
            UnsupportedError: outputs of the network are more than one weight matrix away from functions of a layer.
        """
        shape = (len(self.data.test),) * 2
        parts = hidden_moments(self.setup, self.moments).change(PROBE, PART)
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
        return {
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


def trained(
    theory: Theory,
    train: npt.ArrayLike,
    targets: npt.ArrayLike,
    test: npt.ArrayLike,
    eta: float | None = None,
    steps: float | str = "inf",
    *,
    activation: str | Path | Activation | Mapping[str, Any] = "tanh",
    depth: int,
    width: int | None = None,
    widths: Sequence[int] | None = None,
    ensemble: int = 1,
    update: str = "gradient",
    large: str = "refuse",
    backend: str = "numpy",
    **options: Any,
) -> Trained:
    """Mean and covariance of the outputs of trained networks at finite width, by a closed formula.

    Args:
        theory: to order 1, with all tensors: ``pt.theory("mlp", order=1)``.
        train: one row a training input, shape (N, n_0).
        targets: one row a training input, one column an output, shape (N, n_L).
        test: one row a test input, shape (M, n_0).
        eta: multiplies the error signal of the loss sum (z - y)^2 / 2; learning rates of parameters are lambda_b and
            lambda_W / n. Gradient flow has none.
        steps: of full-batch gradient descent: a number, "inf", or "flow:3.5" for gradient flow to a time.
        activation: a name, a formula, or an `Activation`.
        depth: number of weight layers.
        width: the width n of all hidden layers, or the last of ``widths``, for totals.
        widths: n_1 .. n_(depth-1) where they differ; coefficients are of 1 over the last of them.
        ensemble: how many networks a prediction is averaged over.
        update: "gradient", or "newton": leaves carry the inverse of the mean tangent kernel as well.
        large: "refuse" or "warn" where the expansion parameter at the width is above 0.3.
        backend: what computes the tensors, "numpy" or "c".
        options: of a run, such as ``C_b``, ``C_W``, ``lambda_b``, ``lambda_W``, ``parameters``, ``rtol``.

    Raises:
        InputError: shapes that do not fit, an eta beyond stability, a singular kernel, an expansion parameter that is
            large, a theory that lacks a tensor.
        DivergentAverageError: a tensor that is needed is infinite, as for ReLU.

    Equation:
        The average over networks of (inf.154) and of its counterparts for any number of steps.
    """
    one_of(LARGE, large, "large")
    data, schedule = check_data(train, targets, test), check_schedule(eta, steps, update)
    depth, ensemble = whole(depth, "depth", 1), whole(ensemble, "ensemble", 1)
    own = check_width(widths[-1] if width is None and widths else width)
    check_memory(ARRAYS * 8 * len(data.inputs) ** 4, f"{plural(len(data.inputs), 'input')}: training needs")
    setup = Setup(theory, backend, data, activation, depth, dict(options, widths=widths))
    start = start_of(setup)
    course = course_of(schedule, start.eigenvalues)
    moments = Moments(course, start.tensor, start.theta, start.modes.T @ data.targets)
    expansion = expansion_parameter(moments) / (own or 1)
    if own:
        _check_expansion(expansion, own, large)
    shape = (len(data.test), data.targets.shape[1])
    covariance = _expansion(moments.covariance(), COVARIANCE, shape * 2).divided(ensemble)
    return Trained(
        f"{theory.network.name} of depth {depth}",
        schedule,
        data,
        _expansion(moments.mean(), MEAN, shape),
        covariance,
        expansion,
        largest_eta(moments),
        own,
        ensemble,
        setup,
        moments,
    )


def _expansion(parts: Parts, names: Sequence[str], shape: tuple[int, ...]) -> Expansion:
    nothing = np.zeros(())
    return Expansion(
        full(parts.get(LEADING, nothing), shape), {name: full(parts.get(name, nothing), shape) for name in names}
    )


def _check_expansion(expansion: float, width: float, large: str) -> None:
    """See that the first order is a small correction.

    Raises:
        InputError: it is not.
    """
    if expansion <= LARGEST_EXPANSION:
        return
    text = (
        f"the expansion parameter is {expansion:.3g} at width {width:g}, above {LARGEST_EXPANSION:g}: orders beyond "
        f"1/n are not small; from width {np.ceil(expansion * width / LARGEST_EXPANSION):.0f} on they are"
    )
    if large == "refuse":
        raise InputError(text)
    warnings.warn(text, stacklevel=3)
