"""A closed theory on one input, layer by layer, in any arithmetic: fractions, many digits, series, symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pertheory.closure import close
from pertheory.errors import InputError
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor
from pertheory.solve.averages import Averages, Element
from pertheory.solve.layer import InTensors, SingleInputLayer, first_layer
from pertheory.worker import Node


class Flow:
    """The recursions of some tensors, closed, on one input.

    Args:
        rule: the network.
        averages: the class of the activation; fixes the arithmetic.
        couplings: every hyperparameter, as an element or as a sequence with one for each layer from the first.
        tensors: names such as "V" or "G{1}", or tensors; what they need comes with them.
        order: the power of 1/n that is kept, as in `pertheory.theory`.
        widths: n_0, n_1, .. up to the layer below the last one, if they are not all equal.

    Example:
        >>> from fractions import Fraction
        >>> from pertheory.rulebook.network import network
        >>> from pertheory.solve.averages import TwoSlopes
        >>> relu = TwoSlopes(Fraction, {"s": (Fraction(1), Fraction(0))})
        >>> couplings = {"C_b": 0, "C_W": 2, "lambda_b": 0, "lambda_W": 1}
        >>> flow = Flow(network("mlp"), relu, couplings, ["V"], 1)
        >>> [str(flow.at(state, "V")) for state in flow.layers(Fraction(1, 2), 3)]
        ['0', '5', '10']
    """

    def __init__(
        self,
        rule: Network,
        averages: Averages,
        couplings: Mapping[str, Any],
        tensors: Sequence[str | Tensor] = ("V",),
        order: int = 1,
        widths: Sequence[Any] | None = None,
    ) -> None:
        self.rule, self.averages, self.widths = rule, averages, widths
        self.couplings = dict(couplings)
        if missing := [name for name, _ in rule.hyperparameters if name not in self.couplings]:
            raise InputError(f"no value for the hyperparameter {missing[0]} of {rule.name}")
        self.last = len(rule.sublayers) - 1
        closed = close(rule, tensors, order)
        self.nodes = tuple(node for node in closed.nodes if node.sublayer == self.last)
        self._names = SingleInputLayer(rule, averages, {}, averages.number(0))

    def at(self, state: Mapping[Node, Element], name: str) -> Element:
        """A tensor of a layer by name.

        Raises:
            InputError: the flow has no such tensor.
        """
        node = self._names.node(name)
        if node not in state:
            raise InputError(f"{name} is not among the tensors of this flow: {', '.join(n.key for n in self.nodes)}")
        return state[node]

    def layers(self, product: Element, depth: int) -> Iterator[dict[Node, Element]]:
        """The tensors of the layers 1, 2, .., depth.

        Args:
            product: x.x/n_0 of the input.
            depth: of the last layer.
        """
        heads = self._names.node("K"), self._names.node("Theta")
        first = first_layer(self.rule, self.averages.number, self._couplings(0), product)
        known = dict(zip(heads, first, strict=True))
        state = {node: known.get(node, self.averages.number(0)) for node in self.nodes}
        yield state
        for layer in range(1, depth):
            step = self.step(state[heads[0]], layer)
            ratio = None if self.widths is None else _ratio(self.widths, layer)
            state = {node: evaluated(step.polynomial(node), state, ratio, step.averages.number) for node in self.nodes}
            yield state

    def step(self, kernel: Element, layer: int = 0) -> SingleInputLayer:
        """The recursions from a layer with some kernel to the next."""
        return SingleInputLayer(self.rule, self.averages, self._couplings(layer), kernel)

    def _couplings(self, layer: int) -> dict[str, Element]:
        return {name: value[layer] if isinstance(value, Sequence) else value for name, value in self.couplings.items()}


def evaluated(polynomial: InTensors, state: Mapping[Node, Element], ratio: Element | None, number: Any) -> Element:
    """A polynomial in tensors, at their values; every one carries a power of n/n_prev, which is ``ratio``."""
    total = number(0)
    for factors, value in polynomial.items():
        for factor in factors:
            value = value * state[factor]
            if ratio is not None:
                value = value * ratio ** (len(factor.kind.pairs) - 1 + factor.order)
        total = total + value
    return total


def _ratio(widths: Sequence[Any], layer: int) -> Any:
    if layer >= len(widths):
        raise InputError(f"widths has {len(widths)} entries; a run to layer {layer + 1} needs n_0 to n_{layer}")
    return [b / a for a, b in pairwise(widths)][layer - 1]
