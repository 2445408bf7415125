"""Estimates of tensors from one block of networks: an unbiased number for each component that differs by symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product as choices
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.canonical import group_elements
from pertheory.rulebook.architecture import IDENTITY
from pertheory.rulebook.tensors import Tensor
from pertheory.simulate.conditional import fields_below
from pertheory.simulate.cumulants import Table, cumulant, distinct_mean, ordered, product
from pertheory.simulate.derivatives import Outputs
from pertheory.simulate.forest import Plan, plan
from pertheory.simulate.jaxed import jax, jnp
from pertheory.simulate.network import Sampled
from pertheory.simulate.setting import Setting

#: Networks of a block: the unit of all estimates, whatever is computed at a time.
BLOCK = 64
#: Components of a tensor, all orders of slots counted; they are arrays of every network.
MOST = 20_000


class Component(NamedTuple):
    """One number that is estimated."""

    layer: int
    tensor: Tensor
    slots: tuple[int, ...]


class Estimators(NamedTuple):
    """What is estimated of which networks.

    Attributes:
        setting: the networks.
        tensors: those that are wanted.
        layers: at which layers.
        seed: of all draws.
    """

    setting: Setting
    tensors: tuple[Tensor, ...]
    layers: tuple[int, ...]
    seed: int

    @property
    def conditional(self) -> bool:
        """Whether layers are drawn given the ones below, without weights: only preactivations are wanted."""
        return self.setting.is_gaussian and all(tensor.kind.is_pure for tensor in self.tensors)

    def check(self) -> None:
        """See that all can be estimated.

        Raises:
            UnsupportedError: a tensor with derivatives that differentiation drops; preactivations that have a mean.
            InputError: widths that are too small, or too many components.
        """
        every = [c for sublayer in self.setting.rule.sublayers for _, channels in sublayer.fields for c in channels]
        if any(channel.kind == "identity" and channel.function != IDENTITY for channel in every):
            name = self.setting.rule.source or self.setting.rule.name
            raise UnsupportedError(
                f"{name}: a function is passed on neuron by neuron, so fields have a mean, and the estimators of "
                "cumulants take them to have none"
            )
        for tensor in self.tensors:
            why = dropped(self.setting, tensor)
            if why:
                raise UnsupportedError(f"{tensor.name} cannot be sampled: {why}")
            if len(self.setting.inputs) ** tensor.kind.size > MOST:
                raise InputError(
                    f"inputs: {len(self.setting.inputs)} of them make {tensor.name} more than {MOST} components; "
                    "give fewer inputs or tensors"
                )
            passed = any(c.kind == "identity" for f in tensor.kind.fields for c in self.last(f))
            for layer in self.layers:
                if passed and self.setting.below(layer) < tensor.pairs:
                    raise InputError(
                        f"widths: {tensor.name} needs {tensor.pairs} neurons that are passed on to layer {layer}, and "
                        f"there are {self.setting.below(layer)}"
                    )

    def last(self, field: str) -> Any:
        """The channels that feed a field at the end of a layer."""
        return self.setting.rule.sublayers[-1].channels(field)

    @property
    def components(self) -> list[Component]:
        """All that is estimated, one of those that are equal by symmetry."""
        count = len(self.setting.inputs)
        return [
            Component(layer, tensor, slots)
            for layer in self.layers
            for tensor in self.tensors
            for slots in representatives(tensor, count)
        ]


def dropped(setting: Setting, tensor: Tensor) -> str:
    """Why a tensor cannot be sampled: the derivatives that it needs have deltas at kinks. Empty if it can."""
    highest = max((sum(v in edge for edge in tensor.kind.edges) for v in range(tensor.kind.size)), default=0)
    if setting.drops is None or highest < setting.drops:
        return ""
    kinked = ", ".join(own.name for _, own in setting.functions if own.jump_order is not None)
    return (
        f"it needs derivatives of order {highest} of {kinked}, which have delta functions at its kinks, and automatic "
        "differentiation drops those"
    )


def representatives(tensor: Tensor, inputs: int) -> list[tuple[int, ...]]:
    """Inputs in the slots, one choice of those that are equal by symmetry."""
    elements = group_elements(tensor.symmetries(), tensor.kind.size)
    found: dict[tuple[int, ...], None] = {}
    for slots in choices(range(inputs), repeat=tensor.kind.size):
        found.setdefault(min(tuple(slots[g] for g in element) for element in elements), None)
    return sorted(found)


class BlockProgram:
    """The estimates of blocks of networks as a function of JAX."""

    def __init__(self, estimators: Estimators) -> None:
        self.own = estimators
        self.sampled = Sampled(estimators.setting)

    @cached_property
    def _mapped(self) -> Any:
        """From the numbers of blocks, one a device, to their estimates; every block is computed by the same program."""
        one = lambda numbers: self.block(numbers[0])[None]  # noqa: E731
        spec = self._sharding.spec
        return jax.jit(jax.shard_map(one, mesh=self._sharding.mesh, in_specs=spec, out_specs=spec, check_vma=False))

    @cached_property
    def _sharding(self) -> Any:
        mesh = jax.make_mesh((len(jax.devices()),), ("blocks",))
        return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("blocks"))

    def run(self, first: int, count: int) -> npt.NDArray[np.float64]:
        """The estimates of some blocks, a row each, on all devices."""
        found, step = [], len(jax.devices())
        for number in range(first, first + count, step):  # one may be left over, which is not kept
            found.append(self._mapped(jax.device_put(np.arange(number, number + step), self._sharding)))
        return np.concatenate([np.asarray(own) for own in found])[:count]

    def block(self, number: Any) -> Any:
        """The estimates of one block, one for each component."""
        key = jax.random.fold_in(jax.random.key(self.own.seed), self.own.setting.mark)
        indices = number * BLOCK + jnp.arange(BLOCK)
        tables = jax.vmap(lambda index: self.network(jax.random.fold_in(key, index)))(indices)
        found = []
        for layer in self.own.layers:
            for tensor in self.own.tensors:
                found.append(self.estimate(layer, tensor, tables[layer]))
        return jnp.concatenate(found)

    def network(self, key: Any) -> dict[int, Any]:
        """What the estimates need of one network, by layer: the metrics of fields, and trees."""
        draws, heads = jax.random.split(key)
        highest = max(self.own.layers)
        found = {}
        if self.own.conditional:
            below = fields_below(self.sampled, draws, self.own.layers)
        else:
            parameters = self.sampled.draw(draws, highest)
        for layer in self.own.layers:
            outputs = (
                Outputs(self.sampled, {}, layer, heads, below[layer])
                if self.own.conditional
                else Outputs(self.sampled, parameters, layer, jax.random.fold_in(heads, layer))
            )
            plans = [self.plan(tensor) for tensor in self.own.tensors]
            groups = [group for own in plans for group in own.groups]
            metrics = {group.metric.field: outputs.metric(group.metric) for group in groups if group.metric}
            trees = {tree: outputs.tree(tree) for group in groups for tree in group.trees}
            found[layer] = metrics, list(trees.values())
        return found

    def plan(self, tensor: Tensor) -> Plan:
        """How a tensor is estimated."""
        last = self.own.setting.rule.sublayers[-1].fields
        return plan(tensor, any(channel.kind == "identity" for _, channels in last for channel in channels))

    def estimate(self, layer: int, tensor: Tensor, found: Any) -> Any:
        """The components of one tensor at one layer from one block of networks."""
        metrics, values = found
        own = self.plan(tensor)
        trees = dict.fromkeys(t for other in self.own.tensors for g in self.plan(other).groups for t in g.trees)
        table = dict(zip(trees, values, strict=True))

        def moment(chosen: tuple[int, ...]) -> Table:
            groups = [own.groups[i] for i in chosen]
            factors = [Table(table[tree], tree.slots) for group in groups for tree in group.trees]
            pure = [(metrics[g.metric.field], g.metric.slots) for g in groups if g.metric]
            labels = tuple(label for group in groups for label in group.slots)
            return ordered(product([*self.metrics(pure, own), *factors]), labels)

        result = ordered(cumulant(len(own.groups), moment), range(tensor.kind.size)).array[0]
        elements = group_elements(tensor.symmetries(), tensor.kind.size)
        mean = sum(jnp.transpose(result, element) for element in elements) / len(elements)
        picked = np.array(representatives(tensor, len(self.own.setting.inputs)))
        scale = float(self.own.setting.below(layer)) ** (tensor.pairs - 1)
        return scale * mean[tuple(picked.T)]

    @staticmethod
    def metrics(pure: Sequence[Any], own: Plan) -> list[Table]:
        """The product of metrics on distinct neurons, network by network."""
        if not pure or all(passed is None for (_, passed), _ in pure):
            return [Table(common, slots) for (common, _), slots in pure]

        def one(parts: Any) -> Any:
            tables = []
            for (common, passed), (_, slots) in zip(parts, pure, strict=True):
                free = passed[:, own.heads : passed.shape[1] - own.duals].T
                tables.append(Table(common + free[:, :, None] * free[:, None, :], slots))
            return distinct_mean(tables).array[0]

        array = jax.vmap(one)([part for part, _ in pure])
        return [Table(array, tuple(slot for _, slots in pure for slot in slots))]
