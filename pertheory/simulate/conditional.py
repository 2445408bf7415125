"""Preactivations without weights: given the layer below, those of different neurons are independent Gaussians.

Exact, and n numbers a layer in place of n^2. Fields that share a parameter are drawn together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pertheory.simulate.jaxed import jax, jnp
from pertheory.simulate.network import Sampled, times


def fields_below(sampled: Sampled, key: Any, layers: Sequence[int]) -> dict[int, Any]:
    """The fields below the last sublayer of some layers of one network, for all inputs: shape (D, width) each."""
    setting, found = sampled.setting, {}
    fields: dict[str, Any] = {"x": jnp.asarray(setting.inputs)}
    last = len(setting.rule.sublayers) - 1
    steps = list(sampled.sublayers(max(layers)))
    for step, (layer, number, feeding) in enumerate(steps):
        if layer in layers and layer > 1 and number == last:
            found[layer] = fields
        fields = draw(sampled, jax.random.fold_in(key, step), layer, number, feeding, fields)
    found[max(layers)] = fields
    return found


def draw(sampled: Sampled, key: Any, layer: int, number: int, feeding: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """All fields of one sublayer, given those below."""
    setting = sampled.setting
    count = len(setting.inputs)
    passed: dict[str, Any] = {}
    shared: dict[str, dict[int, Any]] = {}  # by parameter and field what its weights act on
    for index, (field, channels) in enumerate(feeding):
        for channel, value in zip(channels, sampled.carried(channels, fields), strict=True):
            if channel.kind == "identity":
                value = channel.factor.value(dict(setting.layers[layer - 1])) * value
                passed[field] = passed[field] + value if field in passed else value
                continue
            if channel.kind == "bias":
                value = jnp.ones((count, 1))
            own = shared.setdefault(channel.parameter, {})
            own[index] = own[index] + value if index in own else value
    size = len(feeding) * count
    covariance = jnp.zeros((size, size))
    for name, parts in shared.items():
        columns = next(iter(parts.values())).shape[-1]
        none = jnp.zeros((count, columns))
        stacked = jnp.concatenate([parts.get(index, none) for index in range(len(feeding))])
        variance = setting.variance(setting.rule.parameter(name), layer) / columns
        covariance += variance * times(stacked, stacked.T)
    final = layer == 1 or number == len(setting.rule.sublayers) - 1
    width = setting.width(layer) if final else setting.below(layer)
    fresh = times(root(covariance), jax.random.normal(key, (size, width), jnp.float64))
    return {
        field: fresh[index * count : (index + 1) * count] + passed.get(field, 0.0)
        for index, (field, _) in enumerate(feeding)
    }


def root(covariance: Any) -> Any:
    """A triangular L with L L^T equal to a covariance, which may be singular."""
    size = len(covariance)
    columns: list[Any] = []
    for j in range(size):
        rest = covariance[:, j] - sum((column * column[j] for column in columns), jnp.zeros(size))
        pivot = rest[j]
        usable = pivot > 1e-14 * covariance[j, j]
        column = jnp.where(usable, rest / jnp.sqrt(jnp.where(usable, pivot, 1.0)), 0.0)
        columns.append(jnp.where(jnp.arange(size) >= j, column, 0.0))
    return jnp.stack(columns, axis=1)
