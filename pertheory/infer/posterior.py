"""Bayesian inference with networks of finite width: a theory and data in."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.closure import Closure
from pertheory.errors import DivergentAverageError, InputError
from pertheory.functions.activation import Activation
from pertheory.infer.checks import check_noise
from pertheory.infer.conditioning import Conditioned
from pertheory.infer.contraction import Array, Slabs
from pertheory.infer.expansion import Cumulant
from pertheory.infer.hidden import KernelResponse
from pertheory.infer.pure import cumulants_of, key_of, pure_part
from pertheory.infer.record import Posterior
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import whole
from pertheory.run.arguments import check_digits, check_inputs, check_targets, check_widths
from pertheory.run.model import Model
from pertheory.run.states import LayerState
from pertheory.text import plural

#: the variance over networks of the logarithm of the evidence, or V/(n K^2), above which orders beyond are not small
LARGE = 0.5
#: rounding
ROUNDED = 1e-16
NEARLY_SINGULAR = (
    "the kernel of the training inputs is nearly singular, so that the posterior is known to {} of itself; give a "
    "larger noise, or inputs that differ more"
)
#: the widest network
WIDEST = 10**12


def posterior(
    theory: Closure,
    train: npt.ArrayLike,
    targets: npt.ArrayLike,
    test: npt.ArrayLike,
    noise: float = 0.0,
    *,
    activation: str | Path | Activation | Mapping[str, Any] = "tanh",
    depth: int,
    width: float | None = None,
    widths: Sequence[int] | None = None,
    **options: Any,
) -> Posterior:
    """Bayesian inference with networks at finite width: the prior of a theory, conditioned on data.

    Args:
        theory: to the order that is wanted, with the tensors G, V (order 1), V6 (order 2): others are not computed.
        train: one row a training input, shape (N, n_0).
        targets: one row a training input, one column an output, shape (N, n_L).
        test: one row a test input, shape (T, n_0).
        noise: a variance added to the kernel of the training inputs.
        activation: a name, a formula, or an `Activation`.
        depth: number of weight layers.
        width: of all hidden layers, or the last of ``widths``; totals are for it.
        widths: n_1 .. n_(depth-1) where they differ; coefficients are of 1 over the last of them.
        options: of a run, such as ``C_b``, ``C_W``, ``parameters``, ``rtol``.

    Raises:
        InputError: shapes that do not fit, negative noise, a training block that is singular, more outputs than the
            last hidden layer has neurons, a theory that lacks a tensor.
        DivergentAverageError: a tensor that is needed is infinite.
    """
    inputs, answers, noise = _checked(train, targets, test, noise)
    outputs = answers.shape[1]
    own = pure_part(theory)
    depth = whole(depth, "depth", 1)
    check_widths(widths, depth, inputs.shape[1], own.network)
    if widths is not None and len(widths) and width is None:
        width = widths[-1]
    if width is not None:
        width = float(whole(width, "width", 1, WIDEST))
        if widths is not None and len(widths) and widths[-1] != width:
            raise InputError(f"width is the last of widths, {shown(widths[-1])}, not {width:g}")
        if depth > 1 and outputs > width:
            raise InputError(
                f"targets has {plural(outputs, 'column')}, more outputs than the last hidden layer has neurons, "
                f"{width:g}; 1/n is small only for widths well above the number of outputs"
            )
    model = Model(own)
    run = model(inputs, activation, depth, widths=widths, **options)
    layers = tuple(_conditioned(state, own.order, answers, noise) for state in run)
    response = KernelResponse(theory, inputs, activation, depth, options)
    below = [None] * depth if width is None else [width] * depth if widths is None else [None, *map(float, widths)]
    closure = own.network.closure
    mark = "" if closure == "exact" else ", keeping pairs only, an approximation"
    title = f"{own.network.name} of depth {depth} to order 1/n^{own.order}{mark}"
    found = Posterior(title, closure, own.order, width, layers, tuple(below), response)
    _warn(found, run.error)
    return found


def _checked(train: Any, targets: Any, test: Any, noise: Any) -> tuple[Array, Array, float]:
    """All inputs, the training inputs first, targets and noise."""
    tables = []
    for name, given in (("train", train), ("test", test)):
        try:
            tables.append(check_inputs(given))
        except InputError as error:
            raise InputError(f"{name}: {str(error).removeprefix('inputs: ')}") from None
    if tables[0].shape[1] != tables[1].shape[1]:
        raise InputError(f"test has {plural(tables[1].shape[1], 'number')} a row, train has {tables[0].shape[1]}")
    answers = check_targets(targets)
    if len(answers) != len(tables[0]):
        raise InputError(
            f"targets has {plural(len(answers), 'row')}, train has {len(tables[0])}: one for each is needed"
        )
    return np.concatenate(tables), answers, check_noise(noise)


def _conditioned(state: LayerState, order: int, targets: Array, noise: float) -> Conditioned:
    """The outputs, were this layer the last."""
    leading, *others = cumulants_of(order)
    for own in (leading, *others):
        if np.isnan(state[key_of(own)]).any():
            raise DivergentAverageError(f"{key_of(own)} of layer {state.layer} is infinite for this activation")
    cumulants: dict[tuple[int, int], Slabs] = {own: np.asarray(state[key_of(own)]) for own in others}
    return Conditioned(state[key_of(leading)], cumulants, targets, noise)


def _warn(found: Posterior, error: float) -> None:
    """Raise what is wrong with the last layer now, and say where numbers are less exact, or corrections not small."""
    found.last.log_evidence()
    # each order has one more inverse of the kernel, between which what is nearly equal cancels
    lost = max(error * found.last.condition, ROUNDED * found.last.condition ** (found.order + 1))
    check_digits(lost, NEARLY_SINGULAR, 4)
    if found.width is None:
        return
    if found.expansion > LARGE:
        warnings.warn(
            f"the expansion parameter is {found.expansion:.2g} at width {found.width:g}: the log evidence "
            "fluctuates so much from network to network that orders beyond the computed ones are not small",
            stacklevel=3,
        )
    four = found.last.cumulants.get(Cumulant(2, 0))
    if four is not None:
        kernel = np.diagonal(found.last.kernel)
        share = (
            float(np.max(np.einsum("aaaa->a", np.asarray(four)) / np.where(kernel > 0, kernel, np.inf) ** 2))
            / found.width
        )
        if share > LARGE:
            warnings.warn(
                f"V/(n K^2) is {share:.2g} at width {found.width:g}: kernels fluctuate so much from network to network "
                "that orders beyond the computed ones are not small",
                stacklevel=3,
            )
    if np.any(np.einsum("titi->ti", found.total("covariance")) < 0):
        warnings.warn(
            f"a variance is negative at width {found.width:g}: the first order exceeds the leading one", stacklevel=3
        )
