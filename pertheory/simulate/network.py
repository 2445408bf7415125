"""Networks of any rule in JAX: their parameters, and their preactivations with directional derivatives.

A *jet* holds a function of as many directions in the space of parameters as one likes, one entry a set of them (bit j
of its number: direction j): the function, its derivative along 0, along 1, along 0 and 1, ... Functions are pushed
forward by `jax.jvp` inside `jax.jvp`; weights act on each entry. A direction is a sum of outer products of what comes
back to a preactivation and what went into its weights, so that no matrix of derivatives is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import sqrt
from typing import Any, NamedTuple

from pertheory.rulebook.architecture import IDENTITY, INPUT, Channel, Parameter
from pertheory.simulate.functions import in_jax
from pertheory.simulate.jaxed import jax, jnp
from pertheory.simulate.setting import Setting

Fields = Mapping[str, Any]
#: Rows of a matrix up to which its products are written out.
SMALL = 4
#: (layer, sublayer, field): a preactivation; with the number of a channel: what goes into its weights.
Place = tuple[int, int, str]
#: Fields and what feeds them, as a sublayer has it.
Feeding = tuple[tuple[str, tuple[Channel, ...]], ...]


class Direction(NamedTuple):
    """The gradient of a directional derivative of an output, as the factors of outer products, an entry a set.

    Attributes:
        back: what comes back to each preactivation.
        into: what goes into each weight, by place and number of the channel.
        head: the gradient by the output's own weights, by parameter.
    """

    back: Mapping[Place, Any]
    into: Mapping[tuple[Place, int], Any]
    head: Mapping[str, Any]


class Site(NamedTuple):
    """One fresh array of parameters."""

    layer: int
    sublayer: int
    parameter: Parameter
    rows: int
    columns: int


class Sampled:
    """A setting as functions of JAX, for one network; `jax.vmap` makes many of it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.functions: dict[str, Callable[[Any], Any]] = {name: in_jax(own) for name, own in setting.functions}
        self.functions[IDENTITY] = lambda x: x

    # -- the rule -------------------------------------------------------------------------------------------------

    def sublayers(self, layer: int) -> Iterator[tuple[int, int, Feeding]]:
        """All sublayers below the last one of a layer, as layer, sublayer and what feeds each field."""
        for own in range(1, layer + 1):
            found = (self.setting.rule.first_layer if own == 1 else self.setting.rule).sublayers
            for number, sublayer in enumerate(found[:-1] if own == layer else found):
                yield own, number, sublayer.fields

    def sites(self, layer: int) -> Iterator[Site]:
        """All arrays of parameters below the last sublayer of a layer."""
        for own, number, fields in self.sublayers(layer):
            last = own == 1 or number == len(self.setting.rule.sublayers) - 1
            rows = self.setting.width(own) if last else self.setting.below(own)
            names = dict.fromkeys(c.parameter for _, channels in fields for c in channels if c.parameter)
            for parameter in map(self.setting.rule.parameter, names):
                columns = 1 if parameter.kind == "bias" else self.setting.below(own)
                yield Site(own, number, parameter, rows, columns)

    def rate(self, layer: int, name: str, columns: int) -> float:
        """The learning rate of an entry of a parameter."""
        return self.setting.rate(self.setting.rule.parameter(name), layer) / columns

    # -- parameters -----------------------------------------------------------------------------------------------

    def draw(self, key: Any, layer: int) -> dict[tuple[int, int, str], Any]:
        """Fresh parameters of one network, by layer, sublayer and name."""
        found = {}
        for number, site in enumerate(self.sites(layer)):
            own, shape = jax.random.fold_in(key, number), (site.rows, site.columns)
            if site.parameter.distribution == "uniform":
                entries = jax.random.uniform(own, shape, jnp.float64, -sqrt(3.0), sqrt(3.0))
            else:
                entries = jax.random.normal(own, shape, jnp.float64)
            spread = sqrt(self.setting.variance(site.parameter, site.layer) / site.columns)
            found[site.layer, site.sublayer, site.parameter.name] = spread * entries
        return found

    # -- propagation ----------------------------------------------------------------------------------------------

    def carried(self, channels: Sequence[Channel], fields: Fields) -> list[Any]:
        """What each channel carries; a bias acts on the number one."""
        return [
            jnp.ones(1) if channel.kind == "bias" else self.functions[channel.function](fields[channel.of])
            for channel in channels
        ]

    def all_carried(self, feeding: Feeding, fields: Fields) -> list[list[Any]]:
        """The same for each field of a sublayer."""
        return [self.carried(channels, fields) for _, channels in feeding]

    def body(
        self, parameters: Mapping[Any, Any], x: Any, layer: int, along: Sequence[Direction], probes: Mapping[Place, Any]
    ) -> tuple[list[Fields], dict[tuple[Place, int], Any]]:
        """The jets of the fields below the last sublayer of a layer, and of all that goes into weights.

        Args:
            parameters: as drawn.
            x: one input.
            layer: whose last sublayer is left out.
            along: the directions.
            probes: what is added to the entries of each preactivation.
        """
        sets = range(1 << len(along))
        fields: list[Fields] = [{INPUT: x}]
        into: dict[tuple[Place, int], Any] = {}
        for own, number, feeding in self.sublayers(layer):
            carried = push(partial(self.all_carried, feeding), fields)
            above: list[dict[str, Any]] = [{} for _ in sets]
            for index, (field, channels) in enumerate(feeding):
                place = (own, number, field)
                entries = list(probes[place])
                for c, channel in enumerate(channels):
                    # a bias and the inputs do not depend on parameters: theirs is the empty set alone
                    jet = [entry[index][c] for entry in (carried[:1] if channel.kind == "bias" else carried)]
                    for each, value in enumerate(jet):
                        if channel.kind == "identity":
                            entries[each] += channel.factor.value(dict(self.setting.layers[own - 1])) * value
                            continue
                        entries[each] += parameters[own, number, channel.parameter] @ value
                        for bit, direction in enumerate(along):
                            if not each >> bit & 1:
                                entries[each | 1 << bit] += self.moved(direction, place, channel, value, feeding)
                    if channel.parameter:
                        into[place, c] = jnp.stack(jet)
                for each in sets:
                    above[each][field] = entries[each]
            fields = above  # type: ignore[assignment]
        return fields, into

    def moved(self, direction: Direction, place: Place, channel: Channel, value: Any, feeding: Feeding) -> Any:
        """What a step along a direction changes of what a weight makes of a value."""
        layer, number, _ = place
        total = 0.0
        for field, channels in feeding:
            for c, other in enumerate(channels):
                if other.parameter == channel.parameter:
                    into = direction.into[(layer, number, field), c]
                    back = direction.back[layer, number, field][: len(into)]
                    total += (into @ value) @ back
        return self.rate(layer, channel.parameter, value.shape[0]) * total

    # -- outputs --------------------------------------------------------------------------------------------------

    def last(self, layer: int, field: str) -> tuple[Channel, ...]:
        """The channels that feed a field at the end of a layer."""
        return self.setting.rule.sublayers[-1].channels(field)

    def outputs(self, layer: int, field: str, fields: Fields) -> dict[str, Any]:
        """What an output is linear in, by parameter; under "" what the layer passes on."""
        channels = self.last(layer, field)
        found: dict[str, Any] = {}
        for channel, value in zip(channels, self.carried(channels, fields), strict=True):
            if channel.kind == "identity":
                value = channel.factor.value(dict(self.setting.layers[layer - 1])) * value
            found[channel.parameter] = found[channel.parameter] + value if channel.parameter in found else value
        return found

    def places(self, layer: int) -> dict[Place, int]:
        """All preactivations below the last sublayer of a layer, with their widths."""
        widths = {(site.layer, site.sublayer): site.rows for site in self.sites(layer)}
        return {
            (own, number, field): widths[own, number]
            for own, number, feeding in self.sublayers(layer)
            for field, _ in feeding
        }


def times(a: Any, b: Any) -> Any:
    """A product of matrices; of small ones, of which there are many, without the call that a large one is worth."""
    if len(a) > SMALL or (b.shape[1] > SMALL and a.shape[1] > SMALL):
        return a @ b
    if a.shape[1] <= SMALL:
        return sum(a[:, k, None] * b[k] for k in range(a.shape[1]))
    return jnp.sum(a[:, None, :] * b.T, axis=-1)


def push(function: Callable[[Any], Any], jet: Sequence[Any]) -> list[Any]:
    """The jet of a function of a jet: nested directional derivatives, a level for each direction."""
    if len(jet) == 1:
        return [function(jet[0])]
    half = len(jet) // 2
    value, slope = jax.jvp(lambda own: push(function, own), (list(jet[:half]),), (list(jet[half:]),))
    return [*value, *slope]
