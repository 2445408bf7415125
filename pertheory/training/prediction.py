"""What networks of finite width predict when they have been trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.functions.activation import Activation
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import one_of, whole
from pertheory.run.arguments import check_digits, check_widths
from pertheory.theory import Theory
from pertheory.training.data import WIDEST, check_data, check_schedule, check_width, course_of
from pertheory.training.moments import LEADING, Moments, Parts
from pertheory.training.result import COVARIANCE, MEAN, Trained
from pertheory.training.series import Expansion, full
from pertheory.training.spectrum import expansion_parameter, fluctuation, largest_eta, lost_digits
from pertheory.training.start import Setup, check_training, start_of

#: the expansion parameter above which the first order is no small correction
LARGEST_EXPANSION = 0.3
NEARLY_EQUAL = (
    "some training inputs are nearly equal, so that the first order is known to {} of itself; leave one of them out, "
    "or train for fewer steps"
)
#: what is said of rules that are not sound
APPROXIMATE = " (an approximation: pairs only)"
#: what happens above it
LARGE = ("refuse", "warn")


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
    if not isinstance(theory, Theory):
        raise InputError(f'theory must be one that pt.theory makes, as pt.theory("mlp", order=1), not {shown(theory)}')
    data, schedule = check_data(train, targets, test), check_schedule(eta, steps, update)
    depth, ensemble = whole(depth, "depth", 1), whole(ensemble, "ensemble", 1, WIDEST)
    own, below = check_width(width), check_widths(widths, depth, data.train.shape[1], theory.network)
    if below is not None and len(below) > 1:
        own = check_width(below[-1]) if own is None else own
        if own != below[-1]:
            raise InputError(f"width is the last of widths, {below[-1]:g}, not {own}")
    check_training(data)
    setup = Setup(theory, backend, data, activation, depth, dict(options, widths=widths))
    start = start_of(setup)
    course = course_of(schedule, start.eigenvalues)
    moments = Moments(course, start.tensor, start.theta, start.modes.T @ data.targets)
    check_digits(lost_digits(moments), NEARLY_EQUAL)
    squares = fluctuation(moments)
    expansion = expansion_parameter(moments, squares) / (own or 1)
    if own:
        _check_expansion(expansion, own, large)
    shape = (len(data.test), data.targets.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        found = moments.predicted()
        mean = _expansion(_finite(found.mean), MEAN, shape)
        covariance = _expansion(_finite(found.covariance), COVARIANCE, shape * 2).divided(ensemble)
    return Trained(
        f"{theory.network.name} of depth {depth}{APPROXIMATE * (theory.network.closure != 'exact')}",
        schedule,
        data,
        mean,
        covariance,
        expansion,
        largest_eta(moments, squares),
        own,
        ensemble,
        setup,
        course,
        _expansion(found.change, sorted(found.change), shape * 2),
    )


def _finite(parts: Parts) -> Parts:
    """The same.

    Raises:
        InputError: a part is not finite.
    """
    if not all(np.isfinite(part).all() for part in parts.values()):
        raise InputError("the prediction leaves the range of doubles; use smaller targets")
    return parts


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
