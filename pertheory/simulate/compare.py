"""A user's own model beside the theory: what its layers measure, and in what it differs from the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.functions.chosen import choose_functions
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import AnyRule, Network, network
from pertheory.rulebook.values import one_of, whole
from pertheory.run.arguments import check_hyperparameters, check_inputs
from pertheory.simulate.measured import BLOCK, FRAMEWORKS, Measured, measure
from pertheory.theory import theory

Array = npt.NDArray[np.float64]

#: Standard errors from which a coupling is said to differ.
SURE = 4.5
TENSORS = ("G{1}", "V{1}", "H{1}")


@dataclass(frozen=True)
class Row:
    """One component at one layer.

    Attributes:
        layer, tensor, slots: which: K (the mean of z z), V or Theta, over inputs from 0.
        theory: the first two orders at the widths of the model.
        mean, stderr: over the networks that were built.
    """

    layer: int
    tensor: str
    slots: tuple[int, ...]
    theory: float
    mean: float
    stderr: float

    @property
    def pull(self) -> float:
        """The mean less the theory, in standard errors."""
        return (self.mean - self.theory) / max(self.stderr, 1e-9 * abs(self.theory), 1e-300)


@dataclass(frozen=True)
class ModelComparison:
    """A model beside the theory; see `compare`.

    Attributes:
        rows: the components.
        differences: what differs, a line each; none where the model is what the rule says.
        networks: how many were built.
    """

    rows: tuple[Row, ...]
    differences: tuple[str, ...]
    networks: int

    def to_text(self) -> str:
        """A table for people, and what differs."""
        lines = [f"layer  tensor  slots      {'theory':>14}{'model':>14}{'stderr':>10}{'pull':>7}"]
        lines += [
            f"{row.layer:<7}{row.tensor:<8}{' '.join(map(str, row.slots)):<11}{row.theory:>14.6g}{row.mean:>14.6g}"
            f"{row.stderr:>10.1e}{row.pull:>7.1f}"
            for row in self.rows
        ]
        return "\n".join([*lines, *(self.differences or ["the model is what the rule says, within errors"])])

    def __repr__(self) -> str:
        return self.to_text()


def compare(
    build: Callable[[Any], Any],
    inputs: npt.ArrayLike,
    activation: Any = "tanh",
    *,
    rule: AnyRule = "mlp",
    networks: int = 1024,
    seed: int = 1,
    framework: str = "jax",
    parameters: Mapping[str, float] | None = None,
    **hyperparameters: Any,
) -> ModelComparison:
    """Measure K, V and Theta of a model at every layer, beside the theory of a rule.

    Args:
        build: makes a freshly initialised model. With "jax" it takes a key and returns a function of the inputs
            (D, n_0) to the list of all preactivations, layer by layer, the outputs last, each (D, n_l); or a pair of
            parameters and a function of parameters and inputs, and then Theta is measured as well. With "torch" it
            takes a number, which has been given to ``torch.manual_seed``, and returns a ``torch.nn.Module`` whose
            ``torch.nn.Linear`` layers make the preactivations.
        inputs: one row an input.
        activation: of the model; a mapping where the rule has several functions.
        rule: what the model is meant to be: a rule of one field.
        networks: how many are built.
        seed: of the keys.
        framework: "jax" or "torch".
        parameters: of the activation.
        hyperparameters: what the rule is to have, as in a run. ``lambda_W`` / fan-in is the learning rate of an entry
            of a matrix (fan-in is its first axis in JAX, its last in torch), ``lambda_b`` that of an entry of a vector.

    Returns:
        The measured tensors with pulls, and what differs: the variance of the weights, with the fan that explains it,
        the variance of the biases, the scale of the skip connection.

    Raises:
        InputError: the model does not make lists of preactivations of these inputs, or something else is wrong.
        MissingPackageError: JAX, or torch, is not installed.
    """
    one_of(FRAMEWORKS, framework, "framework")
    chosen = network(rule, "exact")
    if len(chosen.fields) != 1 or len(chosen.sublayers) != 1:
        raise InputError(f"compare takes rules of one field and one sublayer; {chosen.name} has more")
    table = check_inputs(inputs)
    functions = choose_functions(chosen, activation, {} if parameters is None else parameters)
    count = whole(networks, "networks", 2 * BLOCK)
    if not callable(build):
        raise InputError(f"build is a function that makes a model, not {shown(build)}")
    rates = tuple(
        float(hyperparameters.get(name, 1.0 if name == "lambda_W" else 0.0)) for name in ("lambda_b", "lambda_W")
    )
    found = measure(build, table, count, whole(seed, "seed", 0), framework, rates)
    layers = check_hyperparameters(chosen, len(found.widths), hyperparameters)
    rows = _rows(chosen, table, functions, found, hyperparameters)
    return ModelComparison(rows, tuple(_differences(chosen, functions, found, layers)), found.networks)


def _rows(rule: Network, table: Array, functions: Any, found: Measured, hyper: Any) -> tuple[Row, ...]:
    states = theory(rule, TENSORS).compile()(
        table, functions, len(found.widths), widths=found.widths[:-1], progress=False, **hyper
    )
    rows = []
    below = [table.shape[1], *found.widths]
    for layer, state in enumerate(states, 1):
        for name, own in (("G", found.kernel), ("V", found.vertex), ("H", found.tangent)):
            blocks = None if own is None else own[layer - 1]
            if blocks is None:
                continue
            values = state[name] + state[f"{name}{{1}}"] / below[layer - 1]
            for slots in _slots(len(table), values.ndim):
                sample = np.moveaxis(blocks, 0, -1)[slots]
                error = sample.std(ddof=1) / np.sqrt(len(sample))
                shown_as = {"G": "K", "H": "Theta"}.get(name, name)
                rows.append(Row(layer, shown_as, slots, float(values[slots]), float(sample.mean()), float(error)))
    return tuple(rows)


def _slots(inputs: int, rank: int) -> list[tuple[int, ...]]:
    pairs: list[tuple[int, ...]] = [(a, b) for a in range(inputs) for b in range(a, inputs)]
    return pairs if rank == 2 else [(*p, *q) for i, p in enumerate(pairs) for q in pairs[i:]]


def _differences(rule: Network, functions: Any, found: Measured, layers: Sequence[Mapping[str, float]]) -> list[str]:
    """What differs, from the second moments of each layer given the one below."""
    lines = []
    channels = rule.sublayers[0].channels("z")
    for layer, own in enumerate(layers, 1):
        weights = [c for c in channels if c.kind == "weight"]
        skip = sum(c.factor.value(own) for c in channels if c.kind == "identity") if layer > 1 else 0.0
        feeding = rule.first_layer.sublayers[0].channels("z") if layer == 1 else channels
        bias = sum(rule.parameter(c.parameter).variance.value(own) for c in feeding if c.kind == "bias")
        if len(weights) > 1 and layer > 1:
            continue  # several weights of one layer are not told apart
        function = None if layer == 1 or weights[0].function not in functions else functions[weights[0].function]
        name = next(c.parameter for c in feeding if c.kind == "weight")
        wanted = {"weight": rule.parameter(name).variance.value(own), "bias": bias, "passed": skip}
        for what, (value, error) in found.couplings(layer, function).items():
            if abs(value - wanted[what]) > SURE * error + 1e-6 * abs(wanted[what]):
                lines.append(_difference(layer, what, value, error, wanted[what], found))
    return lines


def _difference(layer: int, what: str, value: float, error: float, wanted: float, found: Measured) -> str:
    """One line on a coupling that differs."""
    below, above = found.below(layer), found.widths[layer - 1]
    names = {
        "weight": "the variance of the weights times the width below (C_W)",
        "bias": "the variance of the biases (C_b)",
    }
    name = names.get(what, "the scale of the skip connection")
    text = f"layer {layer}: {name} is {value:.4g} +- {error:.1g}, not {wanted:.4g}"
    fans = {"fan-out": below / above, "the average of fan-in and fan-out": 2 * below / (below + above), "1": below}
    for fan, ratio in fans.items():
        if what == "weight" and wanted and abs(value / wanted - ratio) < SURE * error / wanted + 0.01 * ratio:
            return f"{text}: as for a variance of C_W over {fan}"
    return text
