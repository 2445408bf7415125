"""A compiled theory: inputs and an activation in, all tensors at all layers out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.closure import Theory
from pertheory.emit.numpy.printer import print_numpy
from pertheory.errors import InputError
from pertheory.kernels.lower import lower
from pertheory.numeric.averages import GaussianAverages
from pertheory.numeric.source import load_text
from pertheory.rulebook.activation import Activation, activation
from pertheory.rulebook.files import nearest
from pertheory.rulebook.network import Network
from pertheory.rulebook.observable import parse_observable
from pertheory.rulebook.tensors import Tensor, find_tensor, tensor_of

Array = npt.NDArray[np.float64]

#: Magnitudes of inputs beyond which their squares leave the range of doubles.
LARGEST_INPUT = 1e70
#: More layers than anyone computes; a thousand of them take seconds.
MOST_LAYERS = 100_000


class LayerState(Mapping[str, Array]):
    """The tensors of one layer by name: ``state["V"]`` is an array with one axis per slot over the inputs."""

    def __init__(self, layer: int, arrays: Mapping[str, Array]) -> None:
        self.layer = layer
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> Array:
        if name in self._arrays:
            return self._arrays[name]
        tensor, order = find_tensor(name)
        known = tensor_of(tensor.kind)
        key = known.name + (f"{{{order}}}" if order else "")
        if key not in self._arrays:
            raise InputError(f"no tensor {name!r} in this state; {nearest(name, self._arrays)}")
        array = self._arrays[key]
        if array.ndim != tensor.kind.size:  # one input: all slots are alike
            return array
        return array.transpose([known.slots.index(vertex) for vertex in tensor.slots])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def at(self, name: str, **roles: Any) -> float:
        """A component by role, so that nobody has to remember the order of the slots.

        Args:
            name: of the tensor.
            roles: for each kind of tree in its observable the inputs (from 0) of its labels, in the order in which
                the observable names them; several trees of one kind one after the other.

        Example:
            ``state.at("F", z=(0, 1), H=(0, 1))`` is F with preactivations at inputs 0 and 1, NTK legs at 0 and 1, the
            first preactivation paired with the first leg.
        """
        tensor, _ = find_tensor(name)
        array = self[name]
        slots = _slots_by_role(tensor, roles)
        for slot in slots:
            if not 0 <= slot < array.shape[0]:
                raise InputError(f"{name}: there is no input {slot}; inputs are 0 to {array.shape[0] - 1}")
        return float(array[slots if array.ndim == len(slots) else slots[:1]])

    def __repr__(self) -> str:
        return f"LayerState(layer={self.layer}, tensors={', '.join(self._arrays)})"


def _slots_by_role(tensor: Tensor, roles: Mapping[str, Any]) -> tuple[int, ...]:
    observable, _ = parse_observable(tensor.observable)
    wanted: dict[str, list[str]] = {}
    for part in str(observable).split(" "):
        shape, _, inside = part.partition("(")
        wanted.setdefault(shape, []).extend(c for c in inside if c.isalnum())
    if set(wanted) != set(roles):
        raise InputError(f"{tensor.name} = {tensor.observable} needs the roles {', '.join(wanted)}")
    value: dict[str, int] = {}
    for shape, labels in wanted.items():
        given = np.ravel(np.asarray(roles[shape])).tolist()
        if len(given) != len(labels):
            raise InputError(
                f"{tensor.name}: {shape} needs {len(labels)} inputs ({', '.join(labels)}), not {len(given)}"
            )
        for label, item in zip(labels, given, strict=True):
            if isinstance(item, bool) or item != int(item):
                raise InputError(f"{tensor.name}: {shape}: {item!r} is not the number of an input")
            value[label] = int(item)
    return tuple(value[label] for label in tensor.labels)


@dataclass(frozen=True)
class Run:
    """The result of a model: ``run[layer]`` is the state of layer 1 .. depth.

    Attributes:
        states: one a layer.
        divergences: reasons for entries that are NaN, each once.
        error: the largest estimated error of a Gaussian average, relative to its scale.
    """

    states: tuple[LayerState, ...]
    divergences: tuple[str, ...] = ()
    error: float = 0.0

    def __getitem__(self, layer: int) -> LayerState:
        if not 1 <= layer <= len(self.states):
            raise InputError(f"layer must be from 1 to {len(self.states)}, not {layer}")
        return self.states[layer - 1]

    def __len__(self) -> int:
        return len(self.states)

    def __iter__(self) -> Iterator[LayerState]:
        return iter(self.states)


@dataclass(frozen=True)
class Model:
    """A theory as a callable; make one with ``theory.compile``.

    Attributes:
        theory: what it computes.
        inputs: "many", or "one" (only components in which all slots carry the same input).
    """

    theory: Theory
    inputs: str = "many"

    @cached_property
    def text(self) -> str:
        """The NumPy source that runs where all functions are smooth."""
        return print_numpy(lower(self.theory, self.inputs))

    @cached_property
    def kinked_text(self) -> str:
        """The NumPy source that runs where a function has kinks."""
        return print_numpy(lower(self.theory, self.inputs, kinked=True))

    def __call__(
        self,
        inputs: npt.ArrayLike,
        activation: str | Path | Activation | Mapping[str, Any] = "tanh",
        depth: int = 2,
        *,
        widths: Sequence[int] | None = None,
        rtol: float = 1e-9,
        parameters: Mapping[str, float] | None = None,
        progress: Callable[[int, int], None] | None = None,
        **hyperparameters: float | Sequence[float],
    ) -> Run:
        """Compute all tensors at layers 1 .. depth.

        Args:
            inputs: one row per input, shape (D, n_0).
            activation: a name, a formula, or an `Activation`; for a rule with several functions a mapping from
                function to activation.
            depth: number of weight layers, from 1.
            widths: n_1 .. n_(depth-1); equal widths by default.
            rtol: accuracy of the Gaussian averages, relative to the scale of each.
            parameters: parameters of the activation, such as ``{"slope": 0.1}``.
            progress: called with the layer that is being computed and the depth.
            hyperparameters: such as ``C_b``, ``C_W``, ``lambda_b``, ``lambda_W``: a number, or one for each layer.

        Returns:
            A `Run`; in mode "one" arrays have one axis, over the inputs.

        Raises:
            InputError: ragged, empty or non-finite inputs, unknown or negative hyperparameters, wrong widths or depth,
                numbers that leave the range of doubles on the way.
        """
        table = check_inputs(inputs)
        layers = check_hyperparameters(self.theory.network, depth, hyperparameters)
        all_widths = check_widths(widths, depth, table.shape[1], self.theory.network)
        functions = choose_functions(self.theory, activation, parameters or {})
        smooth = all(function.is_smooth for function in functions.values())
        averages = GaussianAverages(functions, rtol)
        gram = table @ table.T / table.shape[1]
        module = load_text(f"pertheory_{self.theory.network.name}", self.text if smooth else self.kinked_text)

        calls = 0

        def average(covariance: Array, requests: Sequence[Any]) -> list[Array]:
            nonlocal calls
            calls += 1
            if progress is not None:
                progress(1 + calls // len(self.theory.network.sublayers), depth)
            check_kernel(covariance)
            return averages(np.diag(covariance) if covariance.ndim == 1 else covariance, requests)

        with np.errstate(over="ignore", invalid="ignore"):  # check_range tells what overflowed and where
            states = module.run(gram, depth, average, layers, all_widths)
        check_range(states)
        # with kinks, what stands at one input has been combined: entries with an input twice are not used
        used = [d for d in averages.divergences if smooth or len(set(d.inputs)) == len(d.inputs)]
        reasons = tuple(dict.fromkeys(d.reason for d in used))
        return Run(
            tuple(LayerState(number + 1, state) for number, state in enumerate(states)),
            reasons,
            float(getattr(averages, "worst_error", 0.0)),
        )


def compile_theory(theory: Theory, target: str = "numpy", inputs: str = "many") -> Model:
    """A theory as a callable.

    Raises:
        InputError: a target other than "numpy" and "c"; no C compiler.
    """
    if target == "c":
        from pertheory.numeric.ccompile import find_compiler
        from pertheory.numeric.cmodel import CModel

        find_compiler()  # that there is none is an error here, not at the first call
        return CModel(theory, inputs)
    if target != "numpy":
        raise InputError(f"unknown target {target!r}; known: numpy, c")
    return Model(theory, inputs)


def check_inputs(inputs: npt.ArrayLike) -> Array:
    """Inputs as an array of shape (D, n_0).

    Raises:
        InputError: not a table of finite numbers.
    """
    try:
        table = np.array(inputs, dtype=float)
    except (ValueError, TypeError):
        raise InputError("inputs must be rows of numbers, all of the same length") from None
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"inputs must be one row of numbers per input, not an array of shape {table.shape}")
    if not np.all(np.isfinite(table)):
        row = int(np.argwhere(~np.isfinite(table))[0][0])
        raise InputError(f"inputs: row {row + 1} holds NaN or infinity; all entries must be finite")
    largest = np.max(np.abs(table), axis=1)
    for row, size in enumerate(largest.tolist()):
        if size > LARGEST_INPUT or 0 < size < 1 / LARGEST_INPUT:
            raise InputError(
                f"inputs: row {row + 1} has numbers up to {size:.3g}, whose squares leave the range of doubles; "
                f"keep the largest of a row between {1 / LARGEST_INPUT:g} and {LARGEST_INPUT:g}, or all at 0"
            )
    return table


def check_hyperparameters(rule: Any, depth: int, given: Mapping[str, Any]) -> list[dict[str, float]]:
    """One dictionary of hyperparameters per layer.

    Raises:
        InputError: names that the rule does not have, lists of the wrong length, negative variances or rates.
    """
    if isinstance(depth, bool) or not isinstance(depth, int | np.integer) or not 1 <= depth <= MOST_LAYERS:
        raise InputError(f"depth must be a whole number from 1 to {MOST_LAYERS}, not {depth!r}")
    known = dict(rule.hyperparameters)
    squares = {  # an even power, such as gamma^2, allows either sign
        symbol
        for p in rule.parameters
        for m in (p.variance, p.learning_rate)
        if m
        for symbol, power in m.powers
        if power % 2
    }
    layers = [dict(known) for _ in range(depth)]
    for name, value in given.items():
        if name not in known:
            raise InputError(f"network {rule.name} has no hyperparameter {name!r}; {nearest(name, known)}")
        try:
            values = np.atleast_1d(np.asarray(value, dtype=float))
        except (ValueError, TypeError):
            raise InputError(f"{name} must be a number or one for each layer, not {value!r}") from None
        if values.ndim != 1 or len(values) not in (1, depth):
            raise InputError(f"{name} needs one value or one for each of {depth} layers, not {values.size}")
        if not np.all(np.isfinite(values)) or (name in squares and np.any(values < 0)):
            bad = values[~np.isfinite(values) | (values < 0)][0]
            need = "finite" if not np.isfinite(bad) else "at least 0"
            raise InputError(f"{name} must be {need}, not {bad:g}")
        for layer, number in zip(layers, np.broadcast_to(values, depth), strict=True):
            layer[name] = float(number)
    return layers


def check_widths(
    widths: Sequence[int] | None, depth: int, below: int, rule: Network | None = None
) -> list[float] | None:
    """Widths n_0 .. n_(depth-1), or None for equal ones.

    Raises:
        InputError: the wrong number of widths, one that is not a whole number from 1, or unequal ones in a network
            that passes neurons on.
    """
    if widths is None:
        return None
    if len(widths) != depth - 1:
        named = {1: "no hidden widths", 2: "1 hidden width n_1"}
        need = named.get(depth, f"{depth - 1} hidden widths n_1 .. n_{depth - 1}")
        raise InputError(f"widths: depth {depth} needs {need}, not {len(widths)}")
    for width in widths:
        if isinstance(width, str | bool) or width != width or width < 1 or width != int(width):
            raise InputError(f"widths must be whole numbers from 1, not {width!r}")
    if len(set(widths)) > 1 and rule is not None and rule.passes_neurons:
        raise InputError(
            f"widths: network {rule.name} passes neurons on, so all hidden widths "
            f"must be equal, not {', '.join(str(width) for width in widths)}"
        )
    return [float(below), *(float(width) for width in widths)]


def check_kernel(covariance: Array) -> None:
    """See that a layer can go on from the kernel of the one below.

    Raises:
        InputError: the kernel has left the range of doubles.
    """
    if not np.all(np.isfinite(covariance)):
        raise InputError("G overflows in the layers above; use smaller inputs, C_b or C_W, or fewer layers")


def check_range(states: Sequence[Mapping[str, Array]]) -> None:
    """See that nothing has left the range of doubles (an average that diverges is NaN, never infinite).

    Raises:
        InputError: names the first tensor and layer that did.
    """
    for layer, state in enumerate(states, start=1):
        for key, array in state.items():
            if np.isinf(array).any():
                raise InputError(
                    f"{key} overflows at layer {layer}; use smaller inputs, C_b, C_W or learning rates, or fewer layers"
                )


def choose_functions(theory: Theory, given: Any, parameters: Mapping[str, float]) -> dict[str, Activation]:
    """The activation of each function of the rule."""
    fixed = dict(theory.network.activations)
    chosen: dict[str, Activation] = {}
    if isinstance(given, Mapping):
        for name in given:
            if name not in theory.network.functions:
                raise InputError(
                    f"network {theory.network.name} has no function {name!r}; {nearest(name, theory.network.functions)}"
                )
        fixed |= given
    for name in theory.network.functions:
        value = fixed.get(name, None if isinstance(given, Mapping) else given)
        if value is None:
            raise InputError(f"no activation is given for the function {name!r} of network {theory.network.name}")
        if isinstance(value, Activation):
            chosen[name] = value
        else:
            own = {} if name in dict(theory.network.activations) else parameters
            chosen[name] = activation(value, **own)
    return chosen
