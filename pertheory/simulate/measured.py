"""What is measured of models that somebody else builds: block by block, estimators without bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError, MissingPackageError
from pertheory.functions.activation import Activation
from pertheory.rulebook.names import shown

Array = npt.NDArray[np.float64]

FRAMEWORKS = ("jax", "torch")
#: Models of a block; their estimates are one number each.
BLOCK = 64
#: Neurons of a layer whose tangent kernel is measured.
NEURONS = 4


@dataclass(frozen=True)
class Measured:
    """Estimates at each layer, a row a block.

    Attributes:
        inputs: one row an input.
        widths: of the layers, the outputs last.
        preactivations: of each layer, shape (networks, D, n).
        tangent: the tangent kernel of a neuron with itself, shape (blocks, D, D); None where it cannot be measured.
    """

    inputs: Array
    widths: tuple[int, ...]
    preactivations: tuple[Array, ...]
    tangent: tuple[Array, ...] | None

    @property
    def networks(self) -> int:
        """How many were built."""
        return len(self.preactivations[0])

    def below(self, layer: int) -> int:
        """The width that a layer acts on."""
        return self.inputs.shape[1] if layer == 1 else self.widths[layer - 2]

    @property
    def kernel(self) -> list[Array]:
        """The mean of z z over neurons, shape (blocks, D, D)."""
        return [_blocks(_product(z, z)).mean(axis=1) for z in self.preactivations]

    @property
    def vertex(self) -> list[Array | None]:
        """V: n times the cumulant of pairs on different neurons, shape (blocks, D, D, D, D); None for one neuron."""
        found: list[Array | None] = []
        for layer, z in enumerate(self.preactivations, 1):
            n = z.shape[-1]
            if n < 2:
                found.append(None)
                continue
            pair = _product(z, z)
            joint = np.einsum("tab,tcd->tabcd", pair, pair) * n**2
            joint = (joint - np.einsum("tai,tbi,tci,tdi->tabcd", z, z, z, z, optimize=True)) / (n * (n - 1))
            means, total = _blocks(pair), _blocks(joint).mean(axis=1)
            both = np.einsum("ktab,ktcd->kabcd", means, means)
            apart = np.einsum("kab,kcd->kabcd", means.sum(1), means.sum(1)) - both
            found.append(self.below(layer) * (total - apart / (BLOCK * (BLOCK - 1))))
        return found

    def couplings(self, layer: int, function: Activation | None) -> dict[str, tuple[float, float]]:
        """The couplings of a layer, each with its standard error, by least squares given the layer below.

        Given the layer below, the mean of z' z over z z is the scale of the skip connection, and the second moments of
        what is left over are linear in those of the function below: the slope is C_W, the rest C_b.
        """
        z = self.preactivations[layer - 1]
        y = np.broadcast_to(self.inputs, (len(z), *self.inputs.shape)) if layer == 1 else self.preactivations[layer - 2]
        carried = y if function is None else function.derivative(0)(y)
        found = {}
        rest = z
        if layer > 1 and z.shape == y.shape:
            skips = _blocks(np.sum(z * y, axis=(1, 2))).sum(1) / _blocks(np.sum(y * y, axis=(1, 2))).sum(1)
            found["passed"] = _with_error(skips)
            if abs(skips.mean()) > 4 * found["passed"][1]:
                rest = z - skips.mean() * y
        moments, features = _blocks(_product(rest, rest)), _blocks(_product(carried, carried))
        upper = np.triu_indices(len(self.inputs))
        fits = []
        for own, feature in zip(moments, features, strict=True):
            x = feature[:, upper[0], upper[1]].ravel()
            design = np.stack([np.ones_like(x), x], axis=1)
            fits.append(np.linalg.lstsq(design, own[:, upper[0], upper[1]].ravel(), rcond=None)[0])
        bias, weight = np.array(fits).T
        return {**found, "weight": _with_error(weight), "bias": _with_error(bias)}


def _product(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("tai,tbi->tab", a, b) / a.shape[-1])


def _blocks(values: Array) -> Array:
    return values.reshape(-1, BLOCK, *values.shape[1:])


def _with_error(values: Array) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def measure(
    build: Callable[[Any], Any], inputs: Array, count: int, seed: int, framework: str, rates: tuple[float, ...]
) -> Measured:
    """Build models and measure them, in whole blocks.

    Raises:
        InputError: the models do not return lists of preactivations.
        MissingPackageError: the framework is not installed.
    """
    draw = (_jax if framework == "jax" else _torch)(build, inputs, rates)
    found = [draw(seed, number) for number in range(-(-count // BLOCK))]
    layers = tuple(np.concatenate(own) for own in zip(*(layers for layers, _ in found), strict=True))
    tangent = None
    if found[0][1] is not None:
        tangent = tuple(np.stack(own) for own in zip(*(own for _, own in found if own), strict=True))
    for z in layers:
        if not np.isfinite(z).all():
            raise InputError("the model makes numbers that are not finite")
    return Measured(inputs, tuple(z.shape[-1] for z in layers), layers, tangent)


#: Preactivations and tangent kernels by layer, from a seed and the number of a block.
Draw = Callable[[int, int], tuple[list[Array], list[Array] | None]]


def _checked(found: Any, inputs: Array) -> list[Any]:
    """A list of preactivations.

    Raises:
        InputError: it is something else.
    """
    shapes = [getattr(z, "shape", None) for z in found] if isinstance(found, list | tuple) else []
    if not shapes or any(shape is None or len(shape) != 2 or shape[0] != len(inputs) for shape in shapes):
        what = f"arrays of shapes {shapes}" if shapes else shown(found)
        raise InputError(
            f"a model makes the list of its preactivations, each of shape ({len(inputs)}, width), the outputs last; "
            f"this one makes {what}"
        )
    return list(found)


def _jax(build: Callable[[Any], Any], inputs: Array, rates: tuple[float, ...]) -> Draw:
    from pertheory.simulate.jaxed import jax, jnp

    def one(key: Any) -> tuple[list[Any], list[Any] | None]:
        model, x = build(key), jnp.asarray(inputs)
        if callable(model):
            return _checked(model(x), inputs), None
        if not (isinstance(model, tuple) and len(model) == 2 and callable(model[1])):
            raise InputError(f"build returns a function, or parameters and a function, not {shown(model)}")
        parameters, apply = model
        layers = _checked(apply(parameters, x), inputs)
        slopes = jax.jacrev(lambda p: [z[:, :NEURONS] for z in apply(p, x)])(parameters)
        return layers, [_contracted(jax.tree.leaves(own), rates, jnp) for own in slopes]

    many = jax.jit(jax.vmap(one))

    def draw(seed: int, number: int) -> tuple[list[Array], list[Array] | None]:
        with jax.enable_x64(True):
            layers, tangent = many(jax.random.split(jax.random.fold_in(jax.random.key(seed), number), BLOCK))
        kernels = None if tangent is None else [np.asarray(own).mean(axis=0) for own in tangent]
        return [np.asarray(z) for z in layers], kernels

    return draw


def _contracted(leaves: list[Any], rates: tuple[float, ...], numbers: Any, fan: int = 0) -> Any:
    """Theta of the neurons that were differentiated, averaged: contracted with the learning rates."""
    total = 0.0
    for leaf in leaves:
        shape = leaf.shape[2:]
        rate = rates[0] if len(shape) < 2 else rates[1] / shape[fan]
        flat = leaf.reshape(*leaf.shape[:2], -1)
        total += rate * numbers.einsum("aip,bip->ab", flat, flat) / leaf.shape[1]
    return total


def _torch(build: Callable[[Any], Any], inputs: Array, rates: tuple[float, ...]) -> Draw:
    try:
        import torch
    except ImportError:
        raise MissingPackageError('framework "torch" needs torch, which is not installed: pip install torch') from None

    def one(number: int) -> tuple[list[Any], list[Array]]:
        torch.manual_seed(number)
        model = build(number).double()
        outputs: list[Any] = []
        linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
        hooks = [module.register_forward_hook(lambda _, __, out: outputs.append(out)) for module in linear]
        model(torch.as_tensor(inputs))
        for hook in hooks:
            hook.remove()
        used = list(model.parameters())

        def slopes(z: Any) -> list[Array]:
            neurons = min(NEURONS, z.shape[1])
            rows = [
                torch.autograd.grad(z[a, i], used, retain_graph=True, allow_unused=True)
                for a in range(len(inputs))
                for i in range(neurons)
            ]
            tables = [
                [np.zeros(p.shape) if g is None else g.numpy() for g, p in zip(row, used, strict=True)] for row in rows
            ]
            return [np.stack(own).reshape(len(inputs), neurons, *own[0].shape) for own in zip(*tables, strict=True)]

        kernels = [np.asarray(_contracted(slopes(z), rates, np, fan=1)) for z in _checked(outputs, inputs)]
        return [z.detach().numpy() for z in outputs], kernels

    def draw(seed: int, number: int) -> tuple[list[Array], list[Array] | None]:
        first = (seed * 1_000_003 + number) * BLOCK
        layers, kernels = zip(*(one(own) for own in range(first, first + BLOCK)), strict=True)
        return [np.stack(z) for z in zip(*layers, strict=True)], [
            np.mean(t, axis=0) for t in zip(*kernels, strict=True)
        ]

    return draw
