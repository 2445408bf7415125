"""The statistics of networks at initialisation that a trained one needs, over the modes of the training set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pertheory.errors import DivergentAverageError, InputError
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.tensors import tensor_of
from pertheory.run.states import LayerState
from pertheory.text import listed
from pertheory.training.moments import LEADING, Averaged, name_of
from pertheory.training.times import Array


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
        if (kind, order) not in self._known:
            tensor = tensor_of(kind)
            array = self.named(name_of(kind, order))
            for axis in range(array.ndim):
                turned = np.moveaxis(array, axis, -1)
                trained = turned[..., : self.training] @ self.modes
                array = np.moveaxis(np.concatenate([trained, turned[..., self.training :]], axis=-1), -1, axis)
            self._known[kind, order] = array.transpose(np.argsort(tensor.slots))
        return self._known[kind, order]


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
