"""How to initialise and train a network, as a record that shows itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from pertheory import html
from pertheory.initialise.frameworks import NAME, WITH_GAINS, compared, own_gain
from pertheory.solve.criticality import Criticality
from pertheory.text import line


class Rates(NamedTuple):
    """Learning rates of one layer, for a global rate of one.

    Attributes:
        layer: from 1.
        kernel: the mean square of its preactivations.
        bias, weight: lambda_b and lambda_W: in the standard parameterisation every bias learns at ``bias`` and every
            weight at ``weight`` over the fan-in.
        ntk_bias, ntk_weight: the same where parameters of variance one are multiplied by sqrt(C_b) and by
            sqrt(C_W/fan-in); a bias without variance is not multiplied.
        inner: the learning rates of the other parameters of the rule by name, such as lambda_W1 of a residual block.
    """

    layer: int
    kernel: float
    bias: float
    weight: float
    ntk_bias: float
    ntk_weight: float
    inner: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Initialisation:
    """How to initialise and train a network of an activation; see `initialise`.

    Attributes:
        criticality: of the activation in the network.
        width, depth: n, and the number of layers of weights.
        C_b, C_W: variances of biases, and of weights times the fan-in; None where nothing is critical.
        others: the values of hyperparameters that are neither these nor learning rates, such as the variances of inner
            parameters of a residual block.
        mean_square: of the components of an input, for which all numbers are.
        kept: the largest mean square with which a signal keeps its size to 10 percent through all layers; None where
            every one does, or none is known.
        layers: learning rates, from the first layer; with them every group of parameters (biases and weights of a
            layer) contributes the same share to the tangent kernel of the outputs, which is one.
        fluctuation: V/(n K^2) at the last layer, the relative variance of K from one network to another.
        ntk_fluctuation: (A + 2 B)/(n Theta^2) there, the same of the tangent kernel of one output.
        warnings: a line each.
    """

    criticality: Criticality
    width: int
    depth: int
    C_b: float | None
    C_W: float | None
    others: Mapping[str, float]
    mean_square: float
    kept: float | None
    layers: tuple[Rates, ...]
    fluctuation: float | None
    ntk_fluctuation: float | None
    warnings: tuple[str, ...]

    @property
    def gain(self) -> float | None:
        """The root of C_W: the standard deviation of weights times the root of the fan-in, as PyTorch has gains.

        An orthogonal square matrix times it has entries of the same variance.
        """
        return None if self.C_W is None else math.sqrt(self.C_W)

    @cached_property
    def framework_gain(self) -> float | None:
        """What PyTorch's calculate_gain has for the activation, None where it has nothing."""
        return own_gain(WITH_GAINS, self.criticality.activation)

    @property
    def bias_std(self) -> float | None:
        """The root of C_b."""
        return None if self.C_b is None else math.sqrt(self.C_b)

    @property
    def uniform(self) -> float | None:
        """The bound of a uniform distribution with the variance C_W, for a fan-in of one."""
        return None if self.C_W is None else math.sqrt(3 * self.C_W)

    def to_json(self) -> dict[str, Any]:
        """The record as plain values."""
        return {
            "schema": "pertheory.init/1",
            "network": self.criticality.network.name,
            "activation": line(self.criticality.activation.name),
            "class": self.criticality.universality,
            "width": self.width,
            "depth": self.depth,
            "C_b": self.C_b,
            "C_W": self.C_W,
            "weight_std": self.gain,
            "weight_std_at_width": None if self.gain is None else self.gain / math.sqrt(self.width),
            "uniform_bound": self.uniform,
            "bias_std": self.bias_std,
            "others": dict(self.others),
            "gain": self.gain,
            "framework_gain": self.framework_gain,
            "inputs": {"mean_square": self.mean_square, "kept": self.kept},
            "learning_rates": [self._rates(own) for own in self.layers],
            "fluctuation": self.fluctuation,
            "ntk_fluctuation": self.ntk_fluctuation,
            "warnings": list(self.warnings),
        }

    def _rates(self, own: Rates) -> dict[str, Any]:
        at_width = own.weight / self.width if own.layer > 1 else None  # the fan-in of the first is that of the inputs
        return {
            "layer": own.layer,
            "K": own.kernel,
            "bias": own.bias,
            "weight": own.weight,
            "weight_at_width": at_width,
            "ntk": {"bias": own.ntk_bias, "weight": own.ntk_weight},
            "inner": dict(own.inner),
        }

    def rows(self) -> list[tuple[str, str]]:
        """What and value, for people."""
        rows = [("class", self.criticality.universality)]
        if self.C_W is not None and self.C_b is not None:
            root = math.sqrt(self.width)
            rows += [
                ("weights", f"variance {self.C_W:.8g}/fan-in: std {self.gain:.7g}/sqrt(fan-in)"),
                ("", f"at width {self.width}: std {math.sqrt(self.C_W) / root:.6g}"),
                ("", f"uniform: within {math.sqrt(3 * self.C_W):.7g}/sqrt(fan-in); orthogonal: gain {self.gain:.7g}"),
                ("biases", f"variance {self.C_b:.8g}: std {self.bias_std:.7g}"),
                *(("with", f"{name} = {value:.6g}") for name, value in self.others.items()),
                ("inputs", f"of mean square {self.mean_square:.6g}"),
            ]
            if self.kept is not None:
                rows.append(("", f"up to {self.kept:.3g} signals keep their size to 10% through {self.depth} layers"))
            rows += [
                ("K", f"{self.layers[0].kernel:.6g} at layer 1, {self.layers[-1].kernel:.6g} at layer {self.depth}"),
                ("V/(n K^2)", _shown(self.fluctuation)),
                ("tangent kernel", f"relative variance {_shown(self.ntk_fluctuation)}"),
            ]
        if (own := self.framework_gain) is not None:
            rows.append((f"{NAME}'s gain", f"{own:.6g}: {compared(self.criticality, self.gain, own)}"))
        return [*rows, *(("warning", own) for own in self.warnings)]

    @property
    def title(self) -> str:
        """One line."""
        own = self.criticality
        return f"{own.name} in {own.network.name}, width {self.width}, depth {self.depth}: initialisation"

    def __str__(self) -> str:
        lines = [self.title, *(f"  {what:<14} {value}" for what, value in self.rows())]
        table = self._table()
        if len(table) > 1:
            lines.append("  learning rates by layer, for a global rate of 1 (of weights over the fan-in)")
            lines += ["    " + "".join(cell.ljust(12) for cell in row).rstrip() for row in table]
        return "\n".join(lines)

    def _table(self) -> list[list[str]]:
        """A head and the learning rates; layers that learn alike share a row."""
        inner = list(dict.fromkeys(name for own in self.layers for name, _ in own.inner))
        table = [["layer", "biases", "weights", "NTK biases", "weights", *inner]]
        rows = [(own.layer, [*own[2:6], *(dict(own.inner).get(name, 0.0) for name in inner)]) for own in self.layers]
        shown = [(layer, [f"{rate:.5g}" for rate in rates]) for layer, rates in rows if any(rates)]
        for rates, same in groupby(shown, key=lambda row: row[1]):
            layers = [layer for layer, _ in same]
            table.append([f"{layers[0]}" if len(layers) == 1 else f"{layers[0]}-{layers[-1]}", *rates])
        return table

    def _repr_html_(self) -> str:
        head, *rows = self._table()
        return html.page(self.title, html.facts(self.rows()), html.table(head, rows, "layer"))


def _shown(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
