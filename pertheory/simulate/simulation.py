"""Theory beside sampled networks: `simulate` and what it returns."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.canonical import group_elements
from pertheory.progress import Report, check_progress
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import AnyRule, network
from pertheory.rulebook.observable import Observable
from pertheory.rulebook.tensors import Tensor, any_tensor, is_paired, tensor_of
from pertheory.rulebook.values import whole
from pertheory.simulate.setting import Setting, make_setting
from pertheory.text import plural
from pertheory.theory import Theory, theory

Array = npt.NDArray[np.float64]
SCHEMA = "pertheory.simulate/1"
SEEDS = 2**63 - 1
#: Networks of one run: the number of each makes its key, of which 32 bits are used.
MOST_SAMPLES = 2**32


@dataclass(frozen=True)
class Comparison:
    """One component: what was sampled, and the theory.

    Attributes:
        layer: of the component.
        tensor: its name.
        slots: the input in each slot, from 0.
        orders: T{0}, T{0} + T{1}/n, .. as far as the order goes, n the width below; NaN where an average diverges.
        mean: the average over the sampled networks of an unbiased estimator, n^(p-1) times the cumulant's coefficient.
        stderr: its standard error, from independent blocks of networks.
    """

    layer: int
    tensor: str
    slots: tuple[int, ...]
    orders: tuple[float, ...]
    mean: float
    stderr: float

    @property
    def theory(self) -> float:
        """The theory with all orders that were asked for."""
        return self.orders[-1]

    @property
    def pull(self) -> float:
        """The sampled mean less the theory, in standard errors; NaN where there is no theory.

        What does not fluctuate has rounding errors in the place of a standard error.
        """
        return (self.mean - self.theory) / max(self.stderr, 1e-9 * abs(self.theory), 1e-300)


@dataclass(frozen=True)
class Simulation:
    """Sampled networks beside the theory.

    Attributes:
        setting: the networks.
        order: the power of 1/n that the theory keeps.
        seed: of the draws.
        networks: how many were drawn.
        components: one of those that are equal by symmetry.
    """

    setting: Setting
    order: int
    seed: int
    networks: int
    components: tuple[Comparison, ...]

    @property
    def closure(self) -> str:
        """Whether the theory is exact, or keeps pairs only."""
        return self.setting.rule.closure

    def pulls(self) -> Array:
        """All pulls that there are."""
        return np.array([c.pull for c in self.components if np.isfinite(c.pull)])

    def at(self, tensor: str, layer: int, slots: Sequence[int]) -> Comparison:
        """One component, slots in any order that is equal by symmetry.

        Raises:
            InputError: it was not sampled.
        """
        found, _ = any_tensor(tensor)
        elements = group_elements(found.symmetries(), found.kind.size)
        equal = {tuple(slots[g] for g in element) for element in elements}
        for component in self.components:
            if (component.layer, component.tensor) == (layer, found.name) and component.slots in equal:
                return component
        raise InputError(f"{shown(tensor)} with slots {list(slots)} at layer {layer} was not sampled")

    def summary(self) -> str:
        """Number, mean and spread of the pulls, on one line."""
        pulls = self.pulls()
        if not len(pulls):
            return f"{plural(len(self.components), 'component')}, none with a theory"
        spread = np.sqrt(np.mean(pulls**2))
        worst = self.components[int(np.nanargmax([abs(c.pull) for c in self.components]))]
        return (
            f"{plural(len(pulls), 'pull')}: mean {pulls.mean():.2f}, root mean square {spread:.2f}, "
            f"largest {worst.pull:.1f} ({worst.tensor} {' '.join(map(str, worst.slots))} at layer {worst.layer})"
        )

    def record(self) -> dict[str, Any]:
        """As the interface promises it, as plain values; what is no number is None."""
        return {
            "schema": SCHEMA,
            "network": self.setting.rule.name,
            "activations": {name: own.name for name, own in self.setting.functions},
            "inputs": self.setting.inputs,
            "widths": self.setting.widths[1:],
            "order": self.order,
            "closure": self.closure,
            "seed": self.seed,
            "networks": self.networks,
            "components": [
                {
                    "layer": own.layer,
                    "tensor": own.tensor,
                    "slots": list(own.slots),
                    "theory": _number(own.theory),
                    "orders": [_number(value) for value in own.orders],
                    "mean": own.mean,
                    "stderr": own.stderr,
                    "pull": _number(own.pull),
                }
                for own in self.components
            ],
        }

    def to_json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.record(), allow_nan=False)

    def to_text(self) -> str:
        """A table for people."""
        most = max(len(own.orders) for own in self.components)
        heads = ["order 0", *(f"to 1/n^{k}" for k in range(1, most))]
        wide = max(6, *(len(own.tensor) for own in self.components)) + 2
        lines = [
            f"{self.setting.rule.name}, widths {', '.join(map(str, self.setting.widths[1:]))}: "
            f"{plural(self.networks, 'network')}, seed {self.seed}",
            f"layer  {'tensor':<{wide}}{'slots':<13}"
            + "".join(f"{head:>13}" for head in heads)
            + f"{'sampled':>14}{'stderr':>10}{'pull':>7}",
        ]
        for own in self.components:
            orders = [f"{value:>13.6g}" for value in own.orders] + [" " * 13] * (most - len(own.orders))
            lines.append(
                f"{own.layer:<7}{own.tensor:<{wide}}{' '.join(map(str, own.slots)):<13}{''.join(orders)}"
                f"{own.mean:>14.6g}{own.stderr:>10.1e}{own.pull:>7.1f}"
            )
        return "\n".join([*lines, self.summary()])

    def __repr__(self) -> str:
        return f"Simulation({self.setting.rule.name}, {plural(self.networks, 'network')}; {self.summary()})"


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def simulate(
    rule: AnyRule,
    inputs: npt.ArrayLike,
    activation: Any,
    depth: int,
    widths: int | Sequence[int],
    *,
    tensors: Any = "all",
    order: int = 1,
    samples: int = 20_000,
    seed: int = 1,
    layers: Iterable[int] | None = None,
    closure: str = "exact",
    parameters: Mapping[str, float] | None = None,
    batch: int | None = None,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    derived_by: Mapping[str, Any] | None = None,
    rtol: float = 1e-9,
    progress: bool | Report | None = None,
    **hyperparameters: Any,
) -> Simulation:
    """Draw networks of a rule and set the theory beside what is measured.

    Args:
        rule: a network rule, its name or its path.
        inputs: one row an input, shape (D, n_0).
        activation: a name or a formula, or a mapping from the functions of the rule to them.
        depth: the number of weight layers.
        widths: n_1 .. n_(depth-1), or one number for all.
        tensors: names or observables as `pertheory.theory` takes them; "all" for those of the book.
        order: the power of 1/n that the theory keeps.
        samples: networks, in blocks of 64; 0 takes those that ``folder`` has.
        seed: of the draws; the same numbers come out whatever else is chosen.
        layers: at which layers; by default from 2, where fluctuations begin, to the last.
        closure: "exact", or "pairs" for rules that are not sound: sampling is exact all the same.
        parameters: of the activation.
        batch: networks of a unit of work.
        folder: where batches are kept as they finish; a run that was stopped goes on from there.
        executor: draws batches, on any `concurrent.futures.Executor`; all devices of JAX are used without one.
        derived_by: ``executor`` and ``store`` of `pertheory.theory`, for the derivation.
        rtol: accuracy of the averages of the theory.
        progress: True shows how far it is, False never; None after two seconds where a person looks on; a function is
            called besides, after every batch, with the blocks that are there and with all.
        hyperparameters: such as ``C_W``: a number, or one for each layer.

    Raises:
        InputError: something of this is wrong; widths that are too small for a tensor.
        UnsupportedError: the rule cannot be drawn, or a tensor that was named needs derivatives that are not there.
        MissingPackageError: JAX is not installed.
    """
    from pertheory.simulate.batches import BATCH, run
    from pertheory.simulate.estimate import BLOCK, Estimators, dropped

    chosen = network(rule, closure)
    setting = make_setting(chosen, inputs, activation, depth, widths, parameters, hyperparameters)
    samples = whole(samples, "samples", 0, MOST_SAMPLES)
    seed = whole(seed, "seed", 0, SEEDS)
    if 0 < samples < 2 * BLOCK or (not samples and folder is None):
        raise InputError(f"samples: {samples} networks are too few; standard errors need {2 * BLOCK}")
    levels = tuple(range(2, setting.depth + 1)) if layers is None else tuple(sorted(set(layers)))
    for layer in levels:
        whole(layer, "layers", 2, setting.depth)
    asked = _listed(tensors)
    show = None if callable(progress) else check_progress(progress)
    closed = theory(chosen, asked, order, progress=show, **(derived_by or {}))
    named = {t.kind for item in asked if item not in ("all", "every") for t in [any_tensor(item)[0]]}
    wanted: dict[Tensor, int] = {}
    for tensor, highest in closed.wanted:
        why = dropped(setting, tensor)
        if why and tensor.kind in named:
            raise UnsupportedError(f"{tensor.name} cannot be sampled: {why}")
        if why:
            warnings.warn(f"{tensor.name} is left out: {why}", stacklevel=2)
        else:
            wanted[tensor_of(tensor.kind)] = max(highest, wanted.get(tensor_of(tensor.kind), 0))
    if not wanted:
        raise UnsupportedError("none of these tensors can be sampled")
    own = Estimators(setting, tuple(wanted), levels, seed)
    own.check()
    values = _values(closed, setting, wanted, rtol)
    found = run(
        own,
        samples,
        batch=BATCH if batch is None else whole(batch, "batch", 1),
        folder=folder,
        executor=executor,
        show=show,
        drawn=progress if callable(progress) else None,
    )
    if len(found) < 2:
        raise InputError("one block of networks is too few for standard errors")
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    components = tuple(
        Comparison(c.layer, c.tensor.name, c.slots, values(c.layer, c.tensor, c.slots), float(m), float(e))
        for c, m, e in zip(own.components, found.mean(axis=0), error, strict=True)
    )
    return Simulation(setting, order, seed, len(found) * BLOCK, components)


def _listed(tensors: Any) -> list[Any]:
    """What was asked for, one by one; what is no list is refused by the theory."""
    single = isinstance(tensors, str | Tensor | Observable) or is_paired(tensors) or not isinstance(tensors, Iterable)
    return [tensors] if single else list(tensors)


def _values(closed: Theory, setting: Setting, wanted: Mapping[Tensor, int], rtol: float) -> Any:
    """The theory order by order, as a function of layer, tensor and slots."""
    one = len(setting.inputs) == 1
    hyper = {name: [dict(layer)[name] for layer in setting.layers] for name, _ in setting.layers[0]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="some components are NaN")
        states = closed.compile("numpy", "one" if one else "many")(
            setting.inputs,
            dict(setting.functions),
            setting.depth,
            widths=setting.widths[1:],
            rtol=rtol,
            **hyper,
        )

    def values(layer: int, tensor: Tensor, slots: tuple[int, ...]) -> tuple[float, ...]:
        total, found = 0.0, []
        for k in range(wanted[tensor] + 1):
            array = states[layer][tensor.name + (f"{{{k}}}" if k else "")]
            total += float(array[0] if one else array[slots]) / setting.below(layer) ** k
            found.append(total)
        return tuple(found)

    return values
