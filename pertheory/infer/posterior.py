"""What a network knows after it has seen data: the posterior of its outputs at finite width."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory import html
from pertheory.closure import Closure
from pertheory.errors import DivergentAverageError, InputError
from pertheory.functions.activation import Activation
from pertheory.infer.conditioning import Conditioned, check_noise, check_targets
from pertheory.infer.contraction import Array
from pertheory.infer.hidden import KernelResponse
from pertheory.infer.pure import cumulants_of, key_of, pure_part
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import whole
from pertheory.run.arguments import check_inputs
from pertheory.run.model import Model
from pertheory.run.states import LayerState
from pertheory.text import plural

#: the variance over networks of the logarithm of the evidence above which the first order is no small correction
LARGE = 0.5
#: what the coefficients of 1, 1/n, 1/n^2 are called
ORDERS = ("leading", "first", "second", "third")


class Evidence(NamedTuple):
    """The log evidence of a depth.

    Attributes:
        depth: weight layers.
        coefficients: of 1, 1/n, ..; None where the leading kernel is singular, so that there is no density.
        width: the last hidden width, or None.
    """

    depth: int
    coefficients: tuple[float, ...] | None
    width: float | None

    @property
    def total(self) -> float | None:
        """At the width; None without one."""
        if self.coefficients is None or self.width is None:
            return None
        return float(summed(self.coefficients, self.width))


def summed(coefficients: Sequence[Any], width: float) -> Any:
    """A series in 1/n at a width."""
    return sum(np.asarray(own) / width**power for power, own in enumerate(coefficients))


@dataclass(frozen=True, repr=False)
class Posterior:
    """The posterior of the outputs at test inputs; make one with `posterior`.

    Attributes:
        heading: network, activation, depth.
        order: the power of 1/n that is kept.
        width: the last hidden width n, or None.
        layers: the prior of every layer conditioned on the same data, as if it were the last: a `Conditioned` each.
        widths: the width below each layer, or None.
        response: tells how a kernel answers to that of a layer below.
    """

    heading: str
    order: int
    width: float | None
    layers: tuple[Conditioned, ...] = field(repr=False)
    widths: tuple[float | None, ...]
    response: KernelResponse

    @property
    def last(self) -> Conditioned:
        """The outputs."""
        return self.layers[-1]

    @property
    def noise(self) -> float:
        """The variance that is added to the training block."""
        return self.last.noise

    @property
    def outputs(self) -> int:
        """n_L."""
        return int(self.last.targets.shape[1])

    @property
    def mean(self) -> tuple[Array, ...]:
        """The coefficients of 1, 1/n, .. of the posterior mean, each of shape (T, n_L)."""
        return tuple(self.last.mean(k) for k in range(self.order + 1))

    @property
    def covariance(self) -> tuple[Array, ...]:
        """Likewise of the covariance, each of shape (T, n_L, T, n_L); different outputs are coupled from 1/n on."""
        return tuple(self.last.covariance(k) for k in range(self.order + 1))

    @property
    def log_evidence(self) -> tuple[float, ...]:
        """Likewise of the log evidence."""
        return tuple(self.last.log_evidence(k) for k in range(self.order + 1))

    @property
    def expansion(self) -> float:
        """n times the variance over networks of the log evidence: over n it should be well below 1."""
        return self.last.fluctuation

    def kernel(self, layer: int) -> tuple[Array, Array]:
        """The kernel of a layer as the data leave it, over training and test inputs: coefficients of 1 and 1/n.

        That is the covariance of the preactivations of the layer given the layers below, its mean over networks weighted
        by the evidence of the data at the last layer; n is the width below the layer.

        Raises:
            InputError: there is no such layer; the theory is of order 0.
        """
        layer = whole(layer, "layer", 1, len(self.layers))
        if not self.order:
            raise InputError("the theory is of order 0, at which data do not change a kernel; make it with order=1")
        own = self.layers[layer - 1]
        return own.kernel, self.response.shift(self.layers, layer)

    def evidence(self, widths: Sequence[float] = ()) -> tuple[Evidence, ...]:
        """The log evidence of networks of every depth up to this one: model comparison.

        Args:
            widths: of all hidden layers; a row for each. By default those of the run.
        """
        found = []
        for depth, own in enumerate(self.layers, 1):
            coefficients = None
            with suppress(InputError):  # a kernel that is singular at small depth has no density
                coefficients = tuple(own.log_evidence(k) for k in range(self.order + 1))
            found += [Evidence(depth, coefficients, width) for width in widths or (self.widths[depth - 1],)]
        return tuple(found)

    def total(self, name: str) -> Any:
        """``mean``, ``covariance`` or ``log_evidence`` summed up at the width.

        Raises:
            InputError: no width was given.
        """
        if self.width is None:
            raise InputError("a total needs a width, as in posterior(.., width=128)")
        return summed(getattr(self, name), self.width)

    def record(self, widths: Sequence[float] = ()) -> dict[str, Any]:
        """The result as the command line writes it in JSON; widths as for `evidence`."""
        found: dict[str, Any] = {"schema": "pertheory.infer/1", "noise": self.noise, "outputs": self.outputs}
        for name in ("mean", "covariance", "log_evidence"):
            series = [np.asarray(own).tolist() for own in getattr(self, name)]
            found[name] = dict(zip(ORDERS, series, strict=False))
            if self.width is not None:
                found[name]["total"] = np.asarray(self.total(name)).tolist()
        found["expansion"] = self.expansion
        head, rows = self.evidence_rows(widths)
        found["evidence"] = [dict(zip(head, row, strict=True)) for row in rows]
        return found

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """A table of mean and variance at every test point and output: its head, and its rows."""
        head = ["test", "output", *(f"mean {own}" for own in ORDERS[: self.order + 1])]
        head += [f"variance {own}" for own in ORDERS[: self.order + 1]]
        series: list[Array] = [*self.mean, *(np.einsum("titi->ti", own) for own in self.covariance)]
        if self.width is not None:
            head += ["mean total", "variance total"]
            series += [self.total("mean"), np.einsum("titi->ti", self.total("covariance"))]
        places = np.ndindex(*self.mean[0].shape)
        return head, [[*place, *(float(own[place]) for own in series)] for place in places]

    def evidence_rows(self, widths: Sequence[float] = ()) -> tuple[list[str], list[list[Any]]]:
        """The log evidence of every depth as a table, or to be plotted: its head, and its rows."""
        rows: list[list[Any]] = []
        for own in self.evidence(widths):
            row = [own.depth, *(own.coefficients or (None,) * (self.order + 1))]
            rows.append([*row, own.width, own.total] if widths or self.width is not None else row)
        head = ["depth", *ORDERS[: self.order + 1], "width", "total"]
        return head[: len(rows[0])], rows

    def facts(self) -> list[tuple[str, Any]]:
        """What holds for all test points, a line each."""
        names = [f"log evidence, {own}" for own in ORDERS[: self.order + 1]]
        lines: list[tuple[str, Any]] = [("noise", self.noise), ("outputs", self.outputs)]
        lines += zip(names, self.log_evidence, strict=True)
        if self.width is not None:
            lines.append((f"log evidence at n = {self.width:g}", float(self.total("log_evidence"))))
        if self.order:
            lines.append(("expansion parameter", f"{self.expansion:.3g}/n"))
        return lines

    def __repr__(self) -> str:
        tests = plural(self.last.samples - self.last.training, "test point")
        return f"Posterior({self.heading}; {tests}, {plural(self.outputs, 'output')}, noise {self.noise:g})"

    def _repr_html_(self) -> str:
        head, rows = self.rows()
        return html.page(
            f"posterior of {self.heading}, in powers of 1/n",
            html.facts(self.facts()),
            html.table(head, rows, "test point"),
            html.folded("log evidence of every depth", html.table(*self.evidence_rows())),
        )


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
    if widths is not None and len(widths) and width is None:
        width = widths[-1]
    if width is not None:
        width = float(whole(width, "width", 1))
        if widths is not None and len(widths) and widths[-1] != width:
            raise InputError(f"width is the last of widths, {shown(widths[-1])}, not {width:g}")
        if outputs > width:
            raise InputError(
                f"targets has {outputs} columns, more outputs than the {width:g} neurons of the last hidden layer; 1/n "
                "is small only for widths well above the number of outputs"
            )
    model = Model(own)
    run = model(inputs, activation, depth, widths=widths, **options)
    layers = tuple(_conditioned(state, own.order, answers, noise) for state in run)
    response = KernelResponse(theory, inputs, activation, depth, options)
    below = [None] * depth if width is None else [width] * depth if widths is None else [None, *map(float, widths)]
    title = f"{theory.network.name} of depth {depth} to order 1/n^{own.order}"
    found = Posterior(title, own.order, width if depth > 1 else None, layers, tuple(below), response)
    _warn(found)
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
        raise InputError(f"test has {tables[1].shape[1]} numbers a row, train has {tables[0].shape[1]}")
    answers = check_targets(targets)
    if len(answers) != len(tables[0]):
        raise InputError(f"targets has {plural(len(answers), 'row')}, train has {len(tables[0])}: one for each is needed")
    return np.concatenate(tables), answers, check_noise(noise)


def _conditioned(state: LayerState, order: int, targets: Array, noise: float) -> Conditioned:
    """The outputs, were this layer the last."""
    leading, *others = cumulants_of(order)
    for own in (leading, *others):
        if np.isnan(state[key_of(own)]).any():
            raise DivergentAverageError(f"{key_of(own)} of layer {state.layer} is infinite for this activation")
    cumulants = {own: np.asarray(state[key_of(own)]) for own in others}
    return Conditioned(state[key_of(leading)], cumulants, targets, noise)


def _warn(found: Posterior) -> None:
    """Raise what is wrong with the last layer now, and say where the first order is no small correction."""
    fluctuation = found.expansion if found.order else 0.0
    found.last.log_evidence()
    if found.width is None:
        return
    if fluctuation / found.width > LARGE:
        warnings.warn(
            f"the expansion parameter is {fluctuation / found.width:.2g} at width {found.width:g}: the log evidence "
            "fluctuates so much from network to network that orders beyond the computed ones are not small",
            stacklevel=3,
        )
    if np.any(np.einsum("titi->ti", found.total("covariance")) < 0):
        warnings.warn(
            f"a variance is negative at width {found.width:g}: the first order exceeds the leading one", stacklevel=3
        )
