"""Variances, learning rates and fluctuations of a network of given depth and width, at criticality.

Everything comes from the derived recursions, iterated on one input: nothing here holds at large depth only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pertheory.algebra.polynomial import Polynomial
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.initialise.record import Initialisation, Rates
from pertheory.rulebook.network import Network
from pertheory.rulebook.values import whole
from pertheory.solve.channels import outer, strengths
from pertheory.solve.classify import critical
from pertheory.solve.critical import at_rest, fixed_points
from pertheory.solve.criticality import Criticality
from pertheory.solve.flow import Flow
from pertheory.solve.layer import SingleInputLayer, first_layer, input_product
from pertheory.solve.numbers import Doubles, WithSymbols, named_functions
from pertheory.solve.phases import FOLLOWED, LayerMap

#: V/(n K^2), or the same of the tangent kernel, from which an expansion in 1/width is no longer small
TOO_MUCH = 0.3
#: a signal keeps its size if its mean square falls by no more than this
KEPT, LOOKS = 0.81, 400
MOST_DEPTH, MOST_WIDTH = 1000, 10**7
#: chi_parallel of a fixed point that is stable beyond rounding lies below one by more
SETTLED = 1e-7


def initialise(
    activation: str | Path | Activation,
    network: str | Path | Network = "mlp",
    width: int = 512,
    depth: int = 24,
    **parameters: Any,
) -> Initialisation:
    """How to initialise a network of an activation so that signals and gradients keep their size.

    Args:
        activation: a name, a formula, a file or an `Activation`.
        network: a network, its name or path.
        width: n of the hidden layers.
        depth: the number of layers of weights.
        parameters: of the activation and of the network, numbers.

    Raises:
        InputError: an unknown name, or a width or depth that is none.
        UnsupportedError: averages exist for no kernel.

    Equation:
        Learning rates: the equivalence principle (p. 244 of the book), carried out at every layer.

    Example:
        >>> found = initialise("relu", width=100, depth=11)
        >>> found.C_W, round(found.fluctuation, 6)
        (2.0, 0.5)
    """
    n, last = whole(width, "width", 1, MOST_WIDTH), whole(depth, "depth", 1, MOST_DEPTH)
    found = critical(activation, network, **parameters)
    if not found.points or found.universality == "none":
        low, high = found.searched.low, found.searched.high
        why = f"no variances keep both signals and gradients, for K = 0 and from {low:g} to {high:g}"
        warnings = (f"{found.name} is not critical: {why}", *found.notes)
        return Initialisation(found, n, last, None, None, {}, 1.0, None, (), None, None, warnings)
    return _Network(found, n, last).initialisation()


class _Network:
    """A network at its critical point, layer by layer."""

    def __init__(self, found: Criticality, width: int, depth: int) -> None:
        self.found, self.width, self.depth = found, width, depth
        self.rule, self.own = found.network, outer(found.network)
        self.point = found.points[0]
        self.functions = named_functions(self.rule, found.activation)
        self.couplings = at_rest(self.rule, Doubles(self.functions), found.couplings())

    def initialisation(self) -> Initialisation:
        """Everything, for inputs of mean square one, or at the fixed point where that is isolated."""
        product = 1.0
        if self.point.K:
            product = float(input_product(self.rule, float, self.couplings, self.point.K))
        kept = self.kept()
        try:
            kernels = self.kernels(product)
        except UnsupportedError:  # averages of such signals do not exist
            kernels = [product, math.inf]
        grows = self.point.K == 0 and not kernels[-1] <= kernels[0] / KEPT
        if grows and kept is not None:
            product = kept
            kernels = self.kernels(product)
        layers = self.rates(product, kernels)
        v, ntk = self.fluctuations(product, layers, kernels)
        return Initialisation(
            self.found,
            self.width,
            self.depth,
            self.point.C_b,
            self.point.C_W,
            self.others,
            product,
            kept,
            layers,
            v,
            ntk,
            tuple(self.warnings(product, v, ntk, grows)),
        )

    @property
    def others(self) -> dict[str, float]:
        """The hyperparameters that are neither solved for nor learning rates."""
        own = (*self.own, *self.groups)
        return {name: float(value) for name, value in self.couplings.items() if name not in own}

    def kernels(self, product: float) -> list[float]:
        """K of every layer."""
        averages = Doubles(self.functions)
        kernels = [float(first_layer(self.rule, float, self.couplings, product)[0])]
        while len(kernels) < self.depth:
            if self.point.K:
                kernels.append(kernels[-1])  # it stands still
            else:
                kernels.append(float(SingleInputLayer(self.rule, averages, self.couplings, kernels[-1]).kernel_above))
        return kernels

    def kept(self) -> float | None:
        """The mean square of inputs up to which the kernel falls to no less than `KEPT` of itself, to a few percent."""
        if self.point.K != 0 or self.depth == 1:
            return None
        high = float(first_layer(self.rule, float, self.couplings, 1.0)[0])
        starts = np.geomspace(FOLLOWED.low, high, LOOKS)
        layers = LayerMap(self.rule, self.found.activation, self.found.numbers)
        kernels, none, weight = starts, np.zeros(LOOKS), np.full(LOOKS, self.point.C_W)
        for _ in range(self.depth - 1):
            kernels = np.maximum(layers.above(kernels, none, weight), FOLLOWED.low)
        held = (kernels >= KEPT * starts) & (kernels <= starts / KEPT)
        held[0] = True  # the lowest one cannot fall
        kept = np.arange(1, len(held) if held.all() else int(np.argmin(held)))
        return float(input_product(self.rule, float, self.couplings, starts[kept[-1]])) if len(kept) else None

    def rates(self, product: float, kernels: Sequence[float]) -> tuple[Rates, ...]:
        """Learning rates with which every group contributes as much to Theta of the last layer, which is one."""
        symbols = WithSymbols(Doubles(self.functions, kernels))
        couplings = {name: symbols.constant(value) for name, value in self.couplings.items()}
        couplings |= {name: Polynomial.symbol(name, 1.0) for name in self.groups}
        start = first_layer(self.rule, symbols.number, couplings, symbols.constant(product))[1]
        steps = [SingleInputLayer(self.rule, symbols, couplings, symbols.constant(k)) for k in kernels[:-1]]
        sources = [start, *(step.polynomial(step.node("Theta")).get((), symbols.number(0)) for step in steps)]
        passed = [float(step.own_coefficient("Theta").coefficient()) for step in steps]
        through = [math.prod(passed[layer:]) for layer in range(self.depth)]
        shares = [
            {name: value * share for name in self.groups if (value := float(source.coefficient((name, 1))))}
            for source, share in zip(sources, through, strict=True)
        ]
        count = sum(map(len, shares))
        c_b, c_w = float(self.point.C_b), float(self.point.C_W)
        found = []
        for layer, (own, kernel) in enumerate(zip(shares, kernels, strict=True), start=1):
            rate = {name: 1 / (count * share) for name, share in own.items()}
            bias, weight = (rate.pop(name, 0.0) for name in (self.own.bias_rate, self.own.weight_rate))
            ntk = bias / c_b if c_b else bias, weight / c_w
            found.append(Rates(layer, kernel, bias, weight, *ntk, tuple(rate.items())))
        return tuple(found)

    @cached_property
    def groups(self) -> list[str]:
        """The hyperparameters that are learning rates and nothing else."""
        rates = (own.learning_rate for own in self.rule.parameters if own.learning_rate is not None)
        used = {symbol for strength in strengths(self.rule) for symbol, _ in strength.powers}
        return list(dict.fromkeys(symbol for rate in rates for symbol, _ in rate.powers if symbol not in used))

    def fluctuations(
        self, product: float, layers: Sequence[Rates], kernels: Sequence[float]
    ) -> tuple[float | None, float | None]:
        """The relative variances of K and of Theta at the last layer."""
        couplings: dict[str, Any] = dict(self.couplings)
        for name in self.groups:
            couplings[name] = [self._rate(own, name) for own in layers]
        wanted = ["V", "A", "B", "Theta"] if self.groups else ["V"]
        try:
            flow = Flow(self.rule, Doubles(self.functions, kernels), couplings, wanted, 1)
            *_, last = flow.layers(product, self.depth)
        except UnsupportedError:
            return None, None
        at = {name: float(flow.at(last, name)) for name in ("K", *wanted)}
        v = at["V"] / (self.width * at["K"] ** 2)
        return v, (at["A"] + 2 * at["B"]) / (self.width * at["Theta"] ** 2) if self.groups else None

    def _rate(self, layer: Rates, name: str) -> float:
        own = {self.own.bias_rate: layer.bias, self.own.weight_rate: layer.weight, **dict(layer.inner)}
        return own.get(name, 0.0)

    def warnings(self, product: float, v: float | None, ntk: float | None, grows: bool) -> Iterator[str]:
        """What a practitioner should know before pasting anything."""
        found = self.found
        if grows:
            yield f"signals of mean square 1 explode; these numbers are for inputs of mean square {product:.3g}"
        if found.universality == "half-stable":
            yield f"{found.name} is half-stable: {self._drift()}; scale inputs to mean square {product:.5g}"
        usable = [point for point in found.points if point.stability != "unstable"]
        if len(usable) > 1:
            yield f"{len(usable)} critical points could be used; these numbers are for that of K = {self.point.K:.5g}"
        for what, value in (("V/(n K^2)", v), ("the relative variance of the tangent kernel", ntk)):
            if value is not None and value > TOO_MUCH:
                enough = math.ceil(self.width * value / TOO_MUCH)
                yield (
                    f"{what} is {value:.3g} at depth {self.depth}: networks differ too much from each other; "
                    f"a width of {enough} brings it to {TOO_MUCH}"
                )
        yield from found.notes

    def _drift(self) -> str:
        """Where signals beside a half-stable point go, on the side from which they do not come back."""
        kernel, above = self.point.K, self.point.stability.endswith("below")
        fixed = fixed_points(self.rule, self.found.activation, self.found.couplings())
        ends = [p.kernel for p in fixed if p.parallel < 1 - SETTLED and (p.kernel > kernel) == above]
        to = f"to {min(ends, key=lambda end: abs(end - kernel)):.5g}" if ends else "and do not come back"
        return f"signals {'above' if above else 'below'} the mean square {kernel:.5g} drift away with depth, {to}"
