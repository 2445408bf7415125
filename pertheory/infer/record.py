"""What a network knows after it has seen data, as a record that shows itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pertheory import html
from pertheory.errors import InputError
from pertheory.infer.conditioning import Conditioned
from pertheory.infer.contraction import Array
from pertheory.infer.hidden import KernelResponse
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import whole
from pertheory.run.arguments import real_array
from pertheory.text import plural

#: what the coefficients of 1, 1/n, 1/n^2 are called
ORDERS = ("leading", "first", "second", "third", "fourth", "fifth", "sixth")


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
    """The posterior of the outputs at test inputs; made by `pertheory.infer.posterior.posterior`.

    Attributes:
        heading: network, depth and order.
        closure: "exact", or "pairs" for a rule that is kept to pairs of neurons, an approximation.
        order: the power of 1/n that is kept.
        width: the last hidden width n, or None.
        layers: the prior of every layer conditioned on the same data, as if it were the last: a `Conditioned` each.
        widths: the width below each layer, or None.
        response: tells how a kernel answers to that of a layer below.
    """

    heading: str
    closure: str
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
    def last_layer(self) -> tuple[Array, ...]:
        """Likewise of the mean prediction of networks whose last layer alone is trained to the end, of shape (T, n_L).

        What it lacks of `mean` is what Bayes learns in hidden layers.
        """
        return tuple(self.last.last_layer(k) for k in range(self.order + 1))

    @property
    def log_evidence(self) -> tuple[float, ...]:
        """Likewise of the log evidence."""
        return tuple(self.last.log_evidence(k) for k in range(self.order + 1))

    @property
    def expansion(self) -> float:
        """The variance over networks of the log evidence, well below 1 where the series is of use.

        It is taken at the width; without one it is the coefficient of 1/n.
        """
        return self.last.fluctuation / (self.width or 1.0)

    def kernel(self, layer: int) -> tuple[Array, Array]:
        """The kernel of a layer as the data leave it, over training and test inputs: coefficients of 1 and 1/n.

        That is the covariance of the preactivations of the layer given the layers below, its mean over networks
        weighted by the evidence of the data at the last layer; n is the width below the layer.

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
            widths: of the last hidden layer; a row for each. By default those of the run.

        Raises:
            InputError: a width is no positive number.
        """
        given = real_array(widths, "widths")
        if given.ndim != 1 or not ((given > 0) & np.isfinite(given)).all():
            raise InputError(f"widths must be positive numbers in a row, not {shown(widths)}")
        found = []
        for depth, own in enumerate(self.layers, 1):
            orders = range(self.order + 1)
            coefficients = None if own.is_singular else tuple(own.log_evidence(k) for k in orders)
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
        if self.closure != "exact":
            found["closure"] = self.closure
        for name in ("mean", "covariance", "log_evidence"):
            series = [np.asarray(own).tolist() for own in getattr(self, name)]
            found[name] = dict(zip(ORDERS[: self.order + 1], series, strict=True))
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
            lines.append(("expansion parameter", f"{self.expansion:.3g}{'/n' if self.width is None else ''}"))
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
