"""Halves of trees as directions in the space of parameters, and the product of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

from pertheory.simulate.forest import Half, Metric, Tree
from pertheory.simulate.jaxed import jax, jnp
from pertheory.simulate.network import Direction, Sampled, push, times

Heads = Mapping[str, Any]


class Outputs:
    """The outputs of one network at the end of one layer, and their derivatives; everything is computed once.

    Args:
        sampled: the setting.
        parameters: of the network.
        layer: whose preactivations are the outputs.
        key: of the random output weights.
        fields: the fields below the last sublayer for all inputs, where they are known already.
    """

    def __init__(
        self, sampled: Sampled, parameters: Mapping[Any, Any], layer: int, key: Any, fields: Any = None
    ) -> None:
        self.sampled, self.parameters, self.layer, self.key = sampled, parameters, layer, key
        self.inputs = jnp.asarray(sampled.setting.inputs)
        self._halves: dict[Half, Direction] = {}
        self._features: dict[str, Heads] = {}
        self.fields = self.propagated() if fields is None else fields

    def propagated(self) -> Any:
        """The fields below the last sublayer, for all inputs."""
        sampled, parameters, layer = self.sampled, self.parameters, self.layer
        none = {place: jnp.zeros((1, width)) for place, width in sampled.places(layer).items()}
        return jax.vmap(lambda x: sampled.body(parameters, x, layer, (), none)[0][0])(self.inputs)

    def features(self, field: str) -> Heads:
        """What outputs are linear in, for each input."""
        if field not in self._features:
            self._features[field] = jax.vmap(lambda own: self.sampled.outputs(self.layer, field, own))(self.fields)
        return self._features[field]

    def spread(self, name: str, columns: int) -> float:
        """The variance of an output weight."""
        setting = self.sampled.setting
        return setting.variance(setting.rule.parameter(name), self.layer) / columns

    def head(self, field: str, number: int) -> Heads:
        """Output weights: random signs of the right size, or for a dual head the weights times a preactivation.

        What a layer passes on comes from a neuron of its own for each number: for dual heads from the last ones.
        """
        found: dict[str, Any] = {}
        for place, (name, value) in enumerate(sorted(self.features(field).items())):
            columns = value.shape[-1]
            if not name:
                one = jnp.zeros(columns).at[number].set(1.0)
                found[name] = one if number >= 0 else value[:, number, None] * one
            elif number < 0:
                found[name] = self.spread(name, columns) * value
            else:
                key = jax.random.fold_in(jax.random.fold_in(self.key, number), place)
                found[name] = sqrt(self.spread(name, columns)) * jax.random.rademacher(key, (columns,), jnp.float64)
        return found

    def metric(self, metric: Metric) -> tuple[Any, Any]:
        """The covariance of outputs, over pairs of inputs, and what the layer passes on, over inputs and neurons."""
        features = self.features(metric.field)
        total = 0.0
        for name, value in features.items():
            if name:
                total += self.spread(name, value.shape[-1]) * times(value, value.T)
        return total, features.get("")

    def tree(self, tree: Tree) -> Any:
        """A tree over the inputs in its slots."""
        product: Callable[..., Any] = lambda a, b: self.product(a, b, tree.same)  # noqa: E731
        for _ in range(tree.second.axes):
            product = jax.vmap(product, (None, 0))
        for _ in range(tree.first.axes):
            product = jax.vmap(product, (0, None))
        return product(self.half(tree.first), self.half(tree.second))

    def half(self, half: Half) -> Direction:
        """A half over the inputs that it depends on."""
        if half not in self._halves:
            below = [self.half(own) for own, _ in half.below]
            function: Callable[..., Direction] = lambda x, head, *along: self.direction(half, x, head, along)  # noqa: E731
            count = 2 + len(below)
            for number, (own, _) in reversed(list(enumerate(half.below))):
                for _ in range(own.axes):
                    function = jax.vmap(function, [0 if i == 2 + number else None for i in range(count)])
            if half.head < 0:
                function = jax.vmap(function, [0 if i == 1 else None for i in range(count)])
            function = jax.vmap(function, [0 if i == 0 else None for i in range(count)])
            self._halves[half] = function(self.inputs, self.head(half.field, half.head), *below)
        return self._halves[half]

    def direction(self, half: Half, x: Any, head: Heads, along: tuple[Direction, ...]) -> Direction:
        """The gradient of the derivative of one output at one input along given directions."""
        everything = (1 << len(along)) - 1

        def value(probes: Any) -> tuple[Any, Any]:
            fields, into = self.sampled.body(self.parameters, x, self.layer, along, probes)
            jet = push(lambda own: self.sampled.outputs(self.layer, half.field, own), fields)
            total = sum(head[name] @ own for name, own in jet[everything].items())
            for bit, (direction, (_, same)) in enumerate(zip(along, half.below, strict=True)):
                if same:
                    rest = jet[everything & ~(1 << bit)]
                    total += self.weighted(direction.head, rest)
            return total, (into, jet[everything])

        probes = {p: jnp.zeros((1 << len(along), n)) for p, n in self.sampled.places(self.layer).items()}
        back, (into, own) = jax.grad(value, has_aux=True)(probes)
        return Direction(back, into, {name: entry for name, entry in own.items() if name})

    def weighted(self, first: Heads, second: Heads) -> Any:
        """The product of two gradients by output weights."""
        return sum(self.sampled.rate(self.layer, p, v.shape[-1]) * (v @ second[p]) for p, v in first.items())

    def product(self, first: Direction, second: Direction, same: bool) -> Any:
        """Two gradients contracted with the learning rates."""
        total = self.weighted(first.head, second.head) if same else 0.0
        for own, number, feeding in self.sampled.sublayers(self.layer):
            places = [((own, number, f), c, channel) for f, cs in feeding for c, channel in enumerate(cs)]
            for one, c, channel in places:
                for other, d, partner in places:
                    if channel.parameter and channel.parameter == partner.parameter:
                        a, b = first.into[one, c], second.into[other, d]
                        back = first.back[one][: len(a)] @ second.back[other][: len(b)].T
                        rate = self.sampled.rate(own, channel.parameter, a.shape[-1])
                        total += rate * jnp.sum(back * (a @ b.T))
        return total
