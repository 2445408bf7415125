"""Networks in training at a random point: what the objects of statements on training mean there.

A label of a statement is a sample and an output neuron at once. What is given:

* ``z_a``, ``y(a)``, ``r(a)`` = z_a - y(a): outputs, targets, errors;
* ``H(a,b)``: the tangent kernel of one network; ``H^(a,b)`` its inverse on the training set;
* ``Theta(a,b)``, ``Theta^(a,b)``: its mean, between equal neurons;
* ``dH(a;b,c)``, ``ddH_I(a;b,c,d)``, ``ddH_II(a,b;c,d)``: its differentials;
* ``X_II``, ``X_III``: eta sum_t U^t x U^t (x U^t), U = 1 - eta Theta on the training set, between equal neurons;
* ``eta``, ``n_L``, ``delta(a,b)``, and the abbreviations of the file.

Letters run over the training set, digits over all samples. Of an abbreviation, and of the X, the labels of the first
half carry the neurons of the second half, in this order. What is of order 1/n - the differentials, and H - Theta - is
of first order in the small parameter of `indexed`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import permutations
from typing import TypeAlias

import numpy as np

from pertheory.book.descent import step
from pertheory.book.indexed import (
    PRIME,
    Array,
    Factor,
    Pair,
    constant,
    contract,
    evaluate,
    identity,
    plus,
    scalar,
    solve,
)
from pertheory.book.syntax import Call, Component, Mark, Node, Symbol, Zed
from pertheory.errors import InputError
from pertheory.rulebook.observable import build

#: objects that are given, with their number of labels
OBJECTS: Mapping[str, int] = {"r": 1, "y": 1, "X_II": 4, "X_III": 6}
SYMBOLS = frozenset({"eta", "n_L"})
TREES: Mapping[str, int] = {"dH": 3, "ddH_I": 4, "ddH_II": 4}
Definitions: TypeAlias = Mapping[str, tuple[tuple[str, ...], Node]]
TRAINING, SAMPLES, NEURONS = 2, 3, 2


def symmetric(array: Array, shape: str) -> Array:
    """The sum of an array over the symmetries of a tree; axes are its vertices."""
    tree = build(shape, "abcd"[: array.ndim])
    edges = {frozenset(edge) for edge in tree.edges}
    total = np.zeros(array.shape, dtype=object)
    for order in permutations(range(array.ndim)):
        if {frozenset((order[u], order[v])) for u, v in tree.edges} == edges:
            total = total + array.transpose(order)
    return total % PRIME


class Training:
    """A point.

    Args:
        seed: fixes everything.
        definitions: the abbreviations: name to labels and formula.
        everywhere: whether digits name any sample, or those of the training set only.
        neurons: the number n_L of outputs.
    """

    def __init__(self, seed: str, definitions: Definitions, everywhere: bool = True, neurons: int = NEURONS) -> None:
        self.neurons = neurons
        self.draw = random.Random(seed)
        self.definitions, self.everywhere = definitions, everywhere
        self.eta = self.draw.randrange(PRIME)
        self.theta = self.matrix()
        size = SAMPLES * self.neurons
        self.outputs, self.targets = constant(self.random(size)), constant(self.random(size))
        mean = np.kron(self.theta, identity(self.neurons))
        self.kernel = Pair(mean % PRIME, symmetric(self.random(size, size), "H"))
        self.trees = {
            name: Pair(np.zeros((size,) * legs, dtype=object), symmetric(self.random(*(size,) * legs), name))
            for name, legs in TREES.items()
        }
        self.known: dict[str, Pair] = {}
        self.busy: list[str] = []

    def random(self, *shape: int) -> Array:
        """Independent random residues."""
        flat = [self.draw.randrange(PRIME) for _ in range(int(np.prod(shape)))]
        return np.array(flat, dtype=object).reshape(shape)

    def matrix(self) -> Array:
        """A symmetric matrix between samples."""
        return symmetric(self.random(SAMPLES, SAMPLES), "H")

    @property
    def damping(self) -> Array:
        """U = 1 - eta Theta on the training set."""
        found: Array = (identity(TRAINING) - self.eta * self.theta[:TRAINING, :TRAINING]) % PRIME
        return found

    def geometric(self, power: int) -> Array:
        """eta sum_t (U^t)^(x power), which solves X = eta + U^(x power) X; the indices out before those in."""
        matrix = np.ones((1, 1), dtype=object)
        for _ in range(power):
            matrix = np.kron(matrix, self.damping) % PRIME
        size = TRAINING**power
        found = solve((identity(size) - matrix) % PRIME, self.eta * identity(size) % PRIME)
        shaped: Array = found.reshape((TRAINING,) * (2 * power))
        return shaped

    def joint(self, array: Pair, labels: Sequence[str]) -> Factor:
        """An array over samples and neurons at labels."""
        shape = tuple(x for _ in labels for x in (SAMPLES, self.neurons))
        order = [2 * i for i in range(len(labels))] + [2 * i + 1 for i in range(len(labels))]
        value, slope = (part.reshape(shape).transpose(order)[self.cut(labels)] for part in array)
        return Factor(Pair(value, slope), tuple(labels), tuple(labels))

    def between_samples(self, array: Array, labels: Sequence[str], name: str) -> Factor:
        """An array over samples, between equal neurons; the training set only if it has no more entries."""
        for label, entries in zip(labels, array.shape, strict=True):
            if label.isdigit() and self.everywhere and entries < SAMPLES:
                raise InputError(f"{name}: label {label} is any sample, but {name} is known on the training set only")
        return Factor(constant(array[self.cut(labels)]), tuple(labels), (), halves(labels))

    def cut(self, labels: Sequence[str]) -> tuple[slice, ...]:
        """The samples over which labels run."""
        return tuple(slice(None) if label.isdigit() and self.everywhere else slice(TRAINING) for label in labels)

    def look(self, node: Node) -> Factor:
        """An object of a statement.

        Raises:
            InputError: it has no meaning here.
        """
        match node:
            case Symbol("eta"):
                return Factor(scalar(self.eta), ())
            case Symbol("n_L"):
                return Factor(scalar(self.neurons), ())
            case Zed(label):
                return self.joint(self.outputs, (label,))
            case Call("y", labels):
                return self.joint(self.targets, labels)
            case Call("r", labels):
                return self.joint(plus(self.outputs, self.targets, -1), labels)
            case Call("X_II" | "X_III" as name, labels):
                return self.between_samples(self.geometric(len(labels) // 2), labels, name)
            case Call(name, labels):
                array = self.defined(name)
                if self.everywhere and any(label.isdigit() for label in labels):
                    raise InputError(f"{name}: a digit is any sample, but {name} is known on the training set only")
                return Factor(array, labels, (), halves(labels))
            case Component("H", 0, False, 0, labels, False):
                return self.joint(self.kernel, labels)
            case Component("H", 0, False, 0, labels, True):
                return self.joint_inverse(labels)
            case Component("Theta", 0, False, 0, labels, False):
                return self.between_samples(self.theta, labels, "Theta")
            case Component("Theta", 0, False, 0, labels, True):
                inverse = solve(self.theta[:TRAINING, :TRAINING], identity(TRAINING))
                return self.between_samples(inverse, labels, "Theta^")
            case Mark("delta", labels, False):
                return self.between_samples(identity(SAMPLES), labels, "delta")
            case Mark(name, labels, False) if name in TREES:
                return self.joint(self.trees[name], labels)
        raise InputError(f"{_written(node)} has no meaning in a statement on training")

    def joint_inverse(self, labels: Sequence[str]) -> Factor:
        """The inverse of the tangent kernel on the training set."""
        size = TRAINING * self.neurons
        value, slope = (part[:size, :size] for part in self.kernel)
        inverse = solve(value, identity(size))
        change = -(inverse @ (slope @ inverse % PRIME)) % PRIME
        shape = (TRAINING, self.neurons) * 2
        if self.everywhere and any(label.isdigit() for label in labels):
            raise InputError("H^: a digit is any sample, but the inverse is known on the training set only")
        parts = (part.reshape(shape).transpose(0, 2, 1, 3) for part in (inverse, change))
        return Factor(Pair(*parts), tuple(labels), tuple(labels))

    def defined(self, name: str) -> Pair:
        """An abbreviation on the training set, between samples."""
        if name not in self.definitions:
            raise InputError(f"{name} has no meaning in a statement on training")
        if name in self.busy:
            raise InputError(f"the abbreviation {name} is defined by itself")
        if name not in self.known:
            labels, node = self.definitions[name]
            self.busy.append(name)
            self.known[name] = evaluate(node, self.look, labels, self.neurons, neurons=False)
            self.busy.pop()
        return self.known[name]


def halves(labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The labels of the first half with those of the second half; none if their number is odd."""
    if len(labels) % 2:
        return ()
    middle = len(labels) // 2
    return tuple(zip(labels[:middle], labels[middle:], strict=True))


def _written(node: Node) -> str:
    name = getattr(node, "name", type(node).__name__)
    return f"{name}({','.join(getattr(node, 'labels', ()))})"


def node_of(shape: str, labels: Sequence[str]) -> Node:
    """A tree as a factor of a statement."""
    if shape == "z":
        return Zed(labels[0])
    if shape == "H":
        return Component("H", 0, False, 0, tuple(labels), False)
    return Mark(shape, tuple(labels))


def stepped(point: Training, shape: str) -> Pair:
    """A tree after one step of gradient descent; axes are its vertices, each a sample and a neuron."""
    labels = "123456789"[: {"z": 1, "H": 2, **TREES}[shape]]
    total: Pair | None = None
    for coefficient, leaves, name, at in step(build(shape, labels)):
        factors = [node_of(name, at), *(Call("r", (leaf,)) for leaf in leaves)]
        factors += [Symbol("eta")] * len(leaves)
        part = contract(coefficient, [point.look(f) for f in factors], labels, point.neurons, neurons=True)
        total = part if total is None else plus(total, part)
    assert total is not None
    return Pair(*(joined(part) for part in total))


def joined(array: Array) -> Array:
    """Axes for samples, then for neurons, as one axis for both."""
    count = array.ndim // 2
    order = [x for i in range(count) for x in (i, count + i)]
    shape = [array.shape[i] * array.shape[count + i] for i in range(count)]
    return array.transpose(order).reshape(shape)


def after_a_step(point: Training) -> Training:
    """The same network after one step of gradient descent."""
    later = copy(point)
    later.outputs, later.kernel = stepped(point, "z"), stepped(point, "H")
    later.trees = {name: stepped(point, name) for name in TREES}
    return later
