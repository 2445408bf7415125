"""A network in training: its outputs, targets, tangent kernel and differentials, and what objects of a formula mean.

What is of order 1/n - the differentials, and what the tangent kernel H differs from its mean Theta - is of first order
in the small parameter of `arithmetic`. The objects are

* ``z``, ``y``, ``r`` = z - y: outputs, targets, errors; ``delta``: Kronecker's, of samples and neurons;
* ``H``: the tangent kernel of one network, with its inverse on the training set; ``Theta``: its mean, between equal
  neurons, likewise;
* ``dH``, ``ddH_I``, ``ddH_II``: its differentials, vertices in the order of `pertheory.rulebook.observable`;
* ``X`` of 2p labels: eta times the sum over all steps t of p factors U^t, U = 1 - eta Theta on the training set;
* ``eta``, ``n_L``: the learning rate and the number of output neurons;
* abbreviations, functions of Theta and eta on the training set. Of these, and of X, the labels of the first half carry
  the neurons of the second half, in this order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pertheory.errors import InputError
from pertheory.rulebook.observable import SHAPES, tree_symmetries
from pertheory.training.arithmetic import RESIDUES, Arithmetic, Array, DualArray
from pertheory.training.contraction import Labelled
from pertheory.training.descent import LARGEST, size_of
from pertheory.training.formula import Abbreviations, Formula, Object, evaluate

#: the trees that change the tangent kernel, with their number of vertices
DIFFERENTIALS: Mapping[str, int] = {name: size_of(name) for name in SHAPES if 2 < size_of(name) <= LARGEST}


@dataclass(frozen=True)
class TrainingState:
    """A network at one moment of its training; arrays have axes for the samples of all labels, then for their neurons.

    A `DualArray` is what is of order one, and the coefficient of 1/n. Learning rates of the layers are in the tangent
    kernel, as `H` contracts with them; eta is the global one.

    Attributes:
        arithmetic: of all numbers.
        training: how many of the samples, the first ones, are trained on.
        eta: the learning rate.
        theta: the mean tangent kernel between samples.
        outputs: of all samples and neurons.
        targets: likewise.
        kernel: the tangent kernel of this network.
        trees: its differentials, by name.
    """

    arithmetic: Arithmetic
    training: int
    eta: Any
    theta: Array
    outputs: DualArray
    targets: DualArray
    kernel: DualArray
    trees: Mapping[str, DualArray]

    @property
    def neurons(self) -> int:
        """The number n_L of outputs."""
        return int(self.outputs.value.shape[1])

    @property
    def trained(self) -> Array:
        """The mean tangent kernel on the training set."""
        return self.theta[: self.training, : self.training]

    @cached_property
    def inverse(self) -> Array:
        """The inverse of the mean tangent kernel on the training set."""
        return self.arithmetic.solve(self.trained, self.arithmetic.identity(self.training))

    @cached_property
    def kernel_inverse(self) -> DualArray:
        """The inverse of the tangent kernel on the training set."""
        count, neurons = self.training, self.neurons
        flat = [part[:count, :count].transpose(0, 2, 1, 3).reshape(count * neurons, -1) for part in self.kernel]
        found = self.arithmetic.inverse(DualArray(*flat))
        return DualArray(*(part.reshape(count, neurons, count, neurons).transpose(0, 2, 1, 3) for part in found))

    def power(self, count: int) -> Array:
        """U = 1 - eta Theta on the training set, times itself so often as a Kronecker product."""
        arithmetic = self.arithmetic
        matrix = arithmetic.identity(1)
        damping = arithmetic.array(arithmetic.identity(self.training) - self.eta * self.trained)
        for _ in range(count):
            matrix = arithmetic.array(np.kron(matrix, damping))
        return matrix

    def time_sum(self, count: int, steps: int | None = None) -> Array:
        """eta times the sum of (U^t)^(x count) over t = 0, 1, ..; the indices out before those in.

        Args:
            count: how many factors U^t there are.
            steps: t < steps; all t if left out, where the sum X solves X = eta + U^(x count) X.

        Raises:
            InputError: the sum over all t does not exist: some product of eigenvalues of U is 1.

        Equation:
            X_II and X_III of the end of training, (inf.106) and (inf.109).
        """
        arithmetic, matrix = self.arithmetic, self.power(count)
        one = arithmetic.identity(len(matrix))
        found = arithmetic.solve(arithmetic.array(one - matrix), arithmetic.array(self.eta * one))
        last = found
        for _ in range(steps or 0):
            last = arithmetic.array(matrix @ last)
        left = found if steps is None else arithmetic.array(found - last)
        return left.reshape((self.training,) * (2 * count))


def random_state(
    seed: str, neurons: int = 2, training: int = 2, samples: int = 3, arithmetic: Arithmetic = RESIDUES
) -> TrainingState:
    """A state whose numbers are random, with the symmetries that they have."""
    source = random.Random(seed)

    def tree(name: str) -> Array:
        size = size_of(name)
        return symmetric(arithmetic.draw(source, *[samples] * size, *[neurons] * size), name)

    eta = arithmetic.draw(source).item()
    theta = arithmetic.array(symmetric(arithmetic.draw(source, samples, samples), "H"))
    outputs, targets = (arithmetic.constant(arithmetic.draw(source, samples, neurons)) for _ in range(2))
    kernel = DualArray(mean_kernel(theta, neurons, arithmetic).value, arithmetic.array(tree("H")))
    trees = {}
    for name in DIFFERENTIALS:
        slope = arithmetic.array(tree(name))
        trees[name] = DualArray(np.zeros_like(slope), slope)
    return TrainingState(arithmetic, training, eta, theta, outputs, targets, kernel, trees)


def mean_kernel(theta: Array, neurons: int, arithmetic: Arithmetic) -> DualArray:
    """The mean tangent kernel as that of one network: the same for each neuron."""
    return arithmetic.constant(np.multiply.outer(theta, arithmetic.identity(neurons)))


def symmetric(array: Array, shape: str) -> Array:
    """The sum of an array over the symmetries of a tree; axes are its vertices, once or for samples and neurons."""
    size = size_of(shape)
    total = np.zeros_like(array)
    for order in tree_symmetries(shape):
        total = total + array.transpose([start + i for start in range(0, array.ndim, size) for i in order])
    return total


class Objects:
    """What objects of formulas mean in a state.

    Args:
        state: the network.
        abbreviations: names with their formulas.
        everywhere: whether digits name any sample, or those of the training set only.
    """

    def __init__(self, state: TrainingState, abbreviations: Abbreviations, everywhere: bool = True) -> None:
        self.state, self.abbreviations, self.everywhere = state, abbreviations, everywhere
        self.known: dict[str, DualArray] = {}
        self.busy: list[str] = []

    def at(self, state: TrainingState) -> Objects:
        """The same for another moment of training, at which Theta and eta are what they were."""
        other = copy(self)
        other.state = state
        return other

    def __call__(self, item: Object) -> Labelled:
        """The array of an object.

        Raises:
            InputError: it has no meaning here.
        """
        state, labels = self.state, item.labels
        arithmetic = state.arithmetic
        match item:
            case Object("eta", ()):
                return Labelled(arithmetic.scalar(state.eta))
            case Object("n_L", ()):
                return Labelled(arithmetic.scalar(state.neurons))
            case Object("z", (_,), False):
                return self.joint(state.outputs, labels)
            case Object("y", (_,), False):
                return self.joint(state.targets, labels)
            case Object("r", (_,), False):
                return self.joint(arithmetic.plus(state.outputs, state.targets, -1), labels)
            case Object("delta", (_, _), False):
                return self.between_samples(arithmetic.identity(len(state.theta)), item)
            case Object("H", (_, _), False):
                return self.joint(state.kernel, labels)
            case Object("H", (_, _), True):
                self.check_known(item, state.training)
                return self.joint(state.kernel_inverse, labels)
            case Object("Theta", (_, _), inverse):
                return self.between_samples(state.inverse if inverse else state.theta, item)
            case Object(name, _, False) if name in state.trees:
                return self.joint(state.trees[name], labels)
            case Object("X", _, False) if len(labels) % 2 == 0:
                if item.name + str(len(labels)) not in self.known:
                    self.known[item.name + str(len(labels))] = arithmetic.constant(state.time_sum(len(labels) // 2))
                return self.between_samples(self.known[item.name + str(len(labels))].value, item)
            case Object(_, _, False) if item.name in self.abbreviations:
                array = self.defined(item.name)
                self.check_known(item, state.training)
                return Labelled(array, labels, (), halves(labels))
        raise InputError(f"{item} has no meaning in a statement on training")

    def joint(self, array: DualArray, labels: tuple[str, ...]) -> Labelled:
        """An array over samples and neurons at labels."""
        return Labelled(DualArray(*(part[self.cut(labels)] for part in array)), labels, labels)

    def between_samples(self, array: Array, item: Object) -> Labelled:
        """An array over samples, between equal neurons."""
        self.check_known(item, len(array))
        labels = item.labels
        return Labelled(self.state.arithmetic.constant(array[self.cut(labels)]), labels, (), halves(labels))

    def check_known(self, item: Object, entries: int) -> None:
        """See that an array of so many samples is there for all that its labels may name."""
        if self.everywhere and entries < len(self.state.theta) and any(label.isdigit() for label in item.labels):
            name = f"{item.name}{'^' * item.inverse}"
            raise InputError(f"{name}: a digit is any sample, but {name} is known on the training set only")

    def cut(self, labels: Sequence[str]) -> tuple[slice, ...]:
        """The samples over which labels run."""
        return tuple(slice(None if label.isdigit() and self.everywhere else self.state.training) for label in labels)

    def defined(self, name: str) -> DualArray:
        """An abbreviation on the training set, between samples."""
        if name in self.busy:
            raise InputError(f"the abbreviation {name} is defined by itself")
        if name not in self.known:
            labels, formula = self.abbreviations[name]
            self.busy.append(name)
            self.known[name] = self.evaluate(formula, labels, neurons=False)
            self.busy.pop()
        return self.known[name]

    def evaluate(self, formula: Formula, outside: Sequence[str], neurons: bool = True) -> DualArray:
        """A formula as an array over its outer labels; see `contract`."""
        return evaluate(self.state.arithmetic, formula, self, outside, self.state.neurons, neurons)


def halves(labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The labels of the first half with those of the second half; none if their number is odd."""
    middle = len(labels) // 2
    return () if len(labels) % 2 else tuple(zip(labels[:middle], labels[middle:], strict=True))
