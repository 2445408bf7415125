"""What data say about the kernel of a hidden layer: how the evidence answers to a change of that kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pertheory.averages.gaussian import GaussianAverages
from pertheory.closure import Closure
from pertheory.errors import UnsupportedError
from pertheory.functions.chosen import choose_functions
from pertheory.infer.conditioning import Conditioned
from pertheory.infer.contraction import Array, contract
from pertheory.infer.expansion import Cumulant, diagrams
from pertheory.infer.pure import pure_part
from pertheory.run.arguments import check_hyperparameters
from pertheory.run.evaluate import Evaluator
from pertheory.run.model import Model

_SHIFT, _FOUR = Cumulant(1, 1), Cumulant(2, 0)


class KernelResponse:
    """How kernels answer to a change of one below them: the derived recursion of G{1}, without fluctuations.

    Args:
        theory: with G{1} and V.
        inputs: training and test inputs.
        activation: of the network.
        depth: number of weight layers.
        options: of the run.
    """

    def __init__(self, theory: Closure, inputs: Array, activation: Any, depth: int, options: Mapping[str, Any]) -> None:
        self._theory, self._inputs = theory, inputs
        rule = theory.network
        own = {name: value for name, value in options.items() if name in dict(rule.hyperparameters)}
        self._layers = check_hyperparameters(rule, depth, own)
        self._functions = choose_functions(rule, activation, options.get("parameters") or {})
        self._rtol = options.get("rtol", 1e-9)
        self._smooth = all(function.is_smooth for function in self._functions.values())

    @cached_property
    def _evaluator(self) -> Evaluator:
        """The kernels of G{1} and what it reads."""
        model = Model(pure_part(self._theory, 1))
        return Evaluator(model.program) if self._smooth else model.kinked(len(self._inputs))

    @cached_property
    def _averages(self) -> Any:
        """Gaussian averages, each computed once: they depend on the kernel alone."""
        averages = GaussianAverages(self._functions, self._rtol, distinct=not self._smooth)
        known: dict[Any, Any] = {}

        def average(covariance: Array, requests: Sequence[Any]) -> Any:
            key = covariance.tobytes(), tuple(requests)
            if key not in known:
                known[key] = averages(covariance, requests)
            return known[key]

        return average

    def shift(self, layers: Sequence[Conditioned], layer: int) -> Array:
        """The coefficient of 1/n of the mean kernel of a layer, given the data.

        Two things add up: the kernel's own correction, and its covariance with the log evidence, n V of the layer times
        the slope of the log evidence in the kernel of the layer.
        """
        own, last = layers[layer - 1], layers[-1]
        if layer == len(layers):
            return last.outputs_kernel(1)
        if self._theory.network.passes_neurons:
            name = self._theory.network.name
            raise UnsupportedError(f"{name} passes neurons on, so that a layer is not Gaussian given a kernel below it")
        if not self._smooth and len({row.tobytes() for row in self._inputs + 0.0}) < len(self._inputs):
            raise UnsupportedError("hidden kernels of kinked activations need inputs that differ; one is given twice")
        slope = [diagram for diagram in diagrams(1) if diagram.vertices == (_SHIFT,)]
        found = np.array(own.cumulants[_SHIFT])
        for a, b in zip(*np.triu_indices(own.samples), strict=True):
            change = self._carried(layers, layer, np.asarray(own.cumulants[_FOUR][a, b]))  # type: ignore[index]
            found[a, b] += float(contract(slope, {_SHIFT: change}, last.legs))
            found[b, a] = found[a, b]
        return found

    def _carried(self, layers: Sequence[Conditioned], layer: int, change: Array) -> Array:
        """A change of the kernel of a layer, as it arrives at the last one."""
        for below in range(layer - 1, len(layers) - 1):
            kernel = layers[below].kernel
            none = np.broadcast_to(0.0, (len(kernel),) * 4)  # no fluctuations of its own
            state = {"G": kernel, "G{1}": change, "V": none}
            change = self._evaluator.step(state, self._layers[below + 1], self._averages)["G{1}"]
        return np.asarray(change)
