"""What is drawn: a network of a rule with numbers for everything, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.functions.chosen import choose_functions
from pertheory.functions.formula import show
from pertheory.rulebook.architecture import IDENTITY, Network, Parameter
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import whole
from pertheory.run.arguments import check_hyperparameters, check_inputs, check_widths

#: How entries of a parameter may be distributed; all have mean zero and the variance of the rule.
DISTRIBUTIONS = ("gaussian", "uniform")
#: Numbers of one layer's weights beyond which a single network is too large to be drawn by the block.
LARGEST = 10**8


@dataclass(frozen=True)
class Setting:
    """Everything that the law of a network depends on.

    Attributes:
        rule: the network; it need not be sound.
        functions: the activation of each function of the rule.
        inputs: one row an input.
        widths: n_0 .. n_(depth-1).
        layers: the hyperparameters of each layer, 1 .. depth.
    """

    rule: Network
    functions: tuple[tuple[str, Activation], ...]
    inputs: tuple[tuple[float, ...], ...]
    widths: tuple[int, ...]
    layers: tuple[tuple[tuple[str, float], ...], ...]

    @property
    def depth(self) -> int:
        """The number of weight layers."""
        return len(self.layers)

    @property
    def is_gaussian(self) -> bool:
        """Whether, given the layer below, preactivations are Gaussian."""
        return all(parameter.distribution == "gaussian" for parameter in self.rule.parameters)

    @property
    def drops(self) -> int | None:
        """The order from which derivatives of an activation have deltas at kinks, which differentiation drops."""
        orders = [own.jump_order for _, own in self.functions if own.jump_order is not None]
        return min(orders) + 1 if orders else None

    def variance(self, parameter: Parameter, layer: int) -> float:
        """Of one entry, times the width below for a weight."""
        return parameter.variance.value(dict(self.layers[layer - 1]))

    def rate(self, parameter: Parameter, layer: int) -> float:
        """The learning rate of one entry, likewise; 0 where it is not trained."""
        own = parameter.learning_rate
        return 0.0 if own is None else own.value(dict(self.layers[layer - 1]))

    def below(self, layer: int) -> int:
        """The width that a layer acts on."""
        return self.widths[layer - 1]

    def width(self, layer: int) -> int:
        """How many neurons a layer has below the last; the outputs of the last are as many as are looked at."""
        return self.widths[layer]

    @property
    def mark(self) -> int:
        """A number of 32 bits for all of it: with one seed, settings that differ draw independent networks."""
        return int(digest(self.key())[:8], 16)

    def key(self) -> dict[str, Any]:
        """All of it as plain values."""
        rule = asdict(self.rule)
        for name in ("title", "source", "closure", "activations", "hyperparameters"):
            del rule[name]
        functions = {
            name: [[p.lower, p.upper, show(p.node)] for p in own.pieces]
            + [[key, float(value)] for key, value in own.parameters]
            for name, own in self.functions
        }
        return {
            "rule": json.loads(json.dumps(rule, default=str)),
            "functions": functions,
            "inputs": self.inputs,
            "widths": self.widths,
            "layers": [dict(layer) for layer in self.layers],
        }


def digest(value: Any) -> str:
    """A name for plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def make_setting(
    rule: Network,
    inputs: Any,
    activation: Any,
    depth: int,
    widths: int | Sequence[int],
    parameters: Mapping[str, float] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Setting:
    """A setting from what people give.

    Args:
        rule: the network.
        inputs: one row an input, shape (D, n_0).
        activation: as in `pertheory.run.model.Model.layers`.
        depth: number of weight layers, from 2: in the first nothing fluctuates.
        widths: n_1 .. n_(depth-1), or one number for all.
        parameters: of the activation.
        hyperparameters: a number, or one for each layer.

    Raises:
        InputError: something of this is wrong.
        UnsupportedError: the rule cannot be drawn.
    """
    depth = whole(depth, "depth", 2, 1000)
    table = check_inputs(inputs)
    given = [whole(widths, "widths", 1)] * (depth - 1) if isinstance(widths, int) else widths
    found = check_widths(given, depth, table.shape[1], rule)
    if found is None:
        raise InputError("widths: networks that are drawn need them; give n_1 .. n_(depth-1), or one for all")
    numbers = tuple(int(width) for width in found)
    for below, above in pairwise(numbers):
        if below * above > LARGEST:
            raise InputError(f"widths: {above} x {below} weights are more than are drawn ({LARGEST:.0e})")
    for parameter in rule.parameters:
        if parameter.distribution not in DISTRIBUTIONS:
            raise UnsupportedError(
                f"{rule.source or rule.name}: parameters.{parameter.name}.distribution: "
                f"{shown(parameter.distribution)} cannot be drawn; those that can are {', '.join(DISTRIBUTIONS)}"
            )
    if any(not names for _, names in rule.inputs):
        raise UnsupportedError(f"{rule.source or rule.name}: input: a field that nothing feeds cannot be drawn")
    functions = choose_functions(rule, activation, {} if parameters is None else parameters)
    assert IDENTITY not in functions
    layers = check_hyperparameters(rule, depth, {} if hyperparameters is None else hyperparameters)
    return Setting(
        rule,
        tuple(sorted(functions.items())),
        tuple(map(tuple, table.tolist())),
        numbers,
        tuple(tuple(sorted(layer.items())) for layer in layers),
    )
