"""The statistics of networks at initialisation that a trained one needs, over the modes of the training set."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from pertheory.errors import DivergentAverageError, InputError
from pertheory.functions.chosen import choose_functions
from pertheory.graphs.tensor import TensorType
from pertheory.progress import show_time
from pertheory.rulebook.tensors import tensor_of
from pertheory.run.memory import check_memory
from pertheory.run.states import LayerState
from pertheory.text import listed, plural
from pertheory.theory import Theory
from pertheory.training.data import Data
from pertheory.training.descent import LARGEST
from pertheory.training.moments import LEADING, Averaged, averaged, correlated, memory_needed, name_of
from pertheory.training.times import Array

#: sets of inputs from which a trial tells how long their averages take, and seconds that are worth a warning
MANY_SETS, LONG = 5000, 600.0


def check_training(data: Data, held: int = 0) -> None:
    """See that there is memory for a prediction, besides what is held.

    Raises:
        InputError: there is not.
    """
    modes, tests = len(data.train), len(data.test)
    check_memory(memory_needed(modes, tests) + held, f"{plural(modes + tests, 'input')}: training needs")


class Setup(NamedTuple):
    """What is trained: a theory, what computes it, data, and the arguments of a run."""

    theory: Theory
    backend: str
    data: Data
    activation: Any
    depth: int
    options: dict[str, Any]

    def last_layer(self, form: str = "many") -> tuple[LayerState, tuple[str, ...]]:
        """The tensors of the last layer over all inputs, or ("one") over the first; and why entries are NaN."""
        inputs = self.data.inputs if form == "many" else self.data.train[:1]
        layers = self.theory.compile(self.backend, form).layers(inputs, self.activation, self.depth, **self.options)
        if form == "many":
            check_training(self.data, layers.held)
        sets, size = layers.largest_sets()
        seconds = layers.seconds_per_layer() * (self.depth - 1) if sets > MANY_SETS else 0.0
        if seconds > LONG:
            warnings.warn(
                f"averages over {plural(sets, 'set')} of {size} inputs take about {show_time(seconds)}; fewer "
                "inputs take less",
                stacklevel=4,
            )
        last = deque(layers, maxlen=1).pop()
        return last, layers.divergences


class Start:
    """A layer's tensors over modes of the training set, in which Theta is diagonal, and then over test inputs.

    Args:
        state: the tensors of the last layer over training and then test inputs.
        training: how many inputs are trained on.

    Attributes:
        eigenvalues: of Theta on the training set, ascending.
        modes: its eigenvectors, one a column.
    """

    def __init__(self, state: LayerState, training: int) -> None:
        self.state, self.training = state, training
        kernel = self.named("Theta")
        self.eigenvalues, self.modes = np.linalg.eigh(kernel[:training, :training])
        self.eigenvalues = np.maximum(self.eigenvalues, 0.0)
        self.theta = kernel[training:, :training] @ self.modes
        self._known: dict[tuple[TensorType, int], Array] = {}

    def named(self, name: str) -> Array:
        """A tensor over inputs, by name."""
        return np.asarray(self.state[name])

    def tensor(self, kind: TensorType, order: int) -> Array:
        """T{k} of a type over modes and test inputs, axes in the order of its vertices."""
        if (kind, order) in self._known:
            return self._known[kind, order]
        array = self.named(name_of(kind, order))
        turn = np.eye(len(array))
        turn[: self.training, : self.training] = self.modes
        for _ in range(kind.size):  # each time the first axis becomes the last; two arrays are held, not three
            array = array.reshape(len(turn), -1).T @ turn
        array = array.reshape((len(turn),) * kind.size).transpose(np.argsort(tensor_of(kind).slots))
        if kind.size == 2:
            self._known[kind, order] = array
        return array


def check_state(state: LayerState, reasons: Iterable[str], terms: Iterable[Averaged]) -> None:
    """See that all tensors of some averages are there and are numbers.

    Args:
        state: the last layer.
        reasons: why entries are NaN, if some are.
        terms: what is averaged.

    Raises:
        InputError: the theory has not derived one.
        DivergentAverageError: one has no value, as the second differentials of a kinked activation at one input.
    """
    part_of: dict[str, str] = {}
    for term in terms:
        part_of |= {name_of(item.kind, item.order): LEADING for item in term.cumulants if item is not term.first}
        if term.first is not None:
            part_of[name_of(term.first.kind, term.first.order)] = term.part
    missing = [name for name in part_of if name not in state]
    if missing:
        raise InputError(f"the theory lacks {listed(sorted(missing))}; make it with order=1 and all tensors")
    bad = {name: part for name, part in part_of.items() if not np.isfinite(np.asarray(state[name])).all()}
    if bad:
        left = sorted({*part_of.values()} - {*bad.values(), LEADING})
        reason = "; ".join(reasons) or "an average is infinite"
        raise DivergentAverageError(
            f"{listed(sorted(bad))} diverge, so that trained networks have no expansion in 1/n (the parts "
            f"{', '.join(left)} exist, but mean nothing without the rest): {reason}"
        )


def start_of(setup: Setup) -> Start:
    """The last layer with all that predictions need; of a kinked activation on one input first, which takes no time.

    Raises:
        InputError: the theory lacks a tensor.
        DivergentAverageError: one is infinite.
    """
    functions = choose_functions(setup.theory.network, setup.activation, setup.options.get("parameters") or {})
    smooth = all(function.is_smooth for function in functions.values())
    needed = (*averaged("z", "0", LARGEST), *correlated(LARGEST))
    for form in ("one", "many")[smooth:]:
        state, reasons = setup.last_layer(form)
        check_state(state, reasons, needed)
    return Start(state, len(setup.data.train))
