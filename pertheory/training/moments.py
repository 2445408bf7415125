"""Means and covariances of trained networks to order 1/n, by part.

What an output at the end of training is made of (`growth.py`) is averaged over initialisations, cumulant by cumulant
(`averages.py`), with the sums over times (`times.py`) as weights. All arrays are over the modes of the training set, in
which weights are diagonal, and then over the test inputs: nothing has more axes than the largest tensor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import numpy as np

from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.tensors import tensor_of
from pertheory.training.arithmetic import FLOATS
from pertheory.training.averages import Cumulant, cumulants
from pertheory.training.contraction import Labelled, layout
from pertheory.training.formula import Object
from pertheory.training.growth import HIGHEST, Grown, grown
from pertheory.training.times import Array, Course

LEADING = "leading"
#: the parts of what is of order 1/n, by the trees of the joint cumulant that makes it so
PARTS: Mapping[tuple[str, ...], str] = {
    ("z", "z"): "G1",
    ("H",): "H1",
    ("H", "z", "z"): "DF",
    ("H", "H"): "AB",
    ("dH", "z"): "PQ",
    ("ddH_I",): "RSTU",
    ("ddH_II",): "RSTU",
}

#: T{k} of a type over modes and test inputs, axes in the order of its vertices
Tensors: TypeAlias = Callable[[TensorType, int], Array]
Parts: TypeAlias = dict[str, Array]


class Averaged(NamedTuple):
    """A term of an average.

    Attributes:
        first: the tensor that makes it of order 1/n; none at infinite width.
        sign: of the targets in it.
        grown: what is averaged, one or two factors.
        fixed: mean kernels and targets.
        cumulants: tensors.
    """

    first: Cumulant | None
    sign: int
    grown: tuple[Grown, ...]
    fixed: tuple[Object, ...]
    cumulants: tuple[Cumulant, ...]

    @property
    def part(self) -> str:
        """ "leading", or a value of `PARTS`."""
        return LEADING if self.first is None else PARTS[tuple(sorted(self.first.trees))]

    @property
    def tensor(self) -> str:
        """The name of the tensor that makes it of order 1/n."""
        return LEADING if self.first is None else name_of(self.first.kind, self.first.order)


def name_of(kind: TensorType, order: int) -> str:
    """The name of T{k} as a state has it, such as A or H{1}."""
    return tensor_of(kind).name + (f"{{{order}}}" if order else "")


@lru_cache(maxsize=16)
def averaged(shape: str, outside: str, most: int, field: str = "z") -> tuple[Averaged, ...]:
    """The average of what a tree has become, to order 1/n.

    Args:
        shape, outside, most: as for `grown`.
        field: of the labels outside.
    """
    return tuple(
        term for item in grown(shape, outside, most) for term in _averaged((item,), dict.fromkeys(outside, field))
    )


def moved(most: int, field: str = "z") -> tuple[Averaged, ...]:
    """What training adds on average to the tangent kernel of a field; arguments as for `averaged`."""
    return tuple(term for term in averaged("H", "01", most, field) if term.grown[0].factors[0].name != "H")


@lru_cache(maxsize=16)
def correlated(most: int) -> tuple[Averaged, ...]:
    """The covariance of two outputs: cumulants that tie one to the other.

    Of two terms that go over into each other when the outputs change places the first stands for both.
    """
    found = []
    own = grown("z", "0", most)
    for first, second in product(own, own):
        if first.order >= second.order and first.order + second.order <= HIGHEST:
            other = second._replace(factors=tuple(_other(item) for item in second.factors))
            found += [term for term in _averaged((first, other), {}) if any(map(_ties_both, term.cumulants))]
    return tuple(found)


def _other(item: Object) -> Object:
    """The same in the second output: its test input is 1, its modes are capitals."""
    return item._replace(labels=tuple("1" if label == "0" else label.upper() for label in item.labels))


def _ties_both(item: Cumulant) -> bool:
    return len({label == "1" or label.isupper() for label in item.labels}) == 2


def _averaged(factors: tuple[Grown, ...], field_of: dict[str, str]) -> Iterator[Averaged]:
    everything = [item for own in factors for item in own.factors]
    trees = [item for item in everything if item.name not in ("r", "Theta")]
    means = [item for item in everything if item.name == "Theta"]
    errors = [item for item in everything if item.name == "r"]
    for choice in product("zy", repeat=len(errors)):
        chosen = [item._replace(name=name) for name, item in zip(choice, errors, strict=True)]
        random = trees + [item for item in chosen if item.name == "z"]
        fixed = tuple(means + [item for item in chosen if item.name == "y"])
        for order in range(HIGHEST // 2 + 1):
            for group in cumulants(random, order, corrections=True, field_of=field_of):
                first = next((item for item in group if len(item.labels) // 2 - 1 + item.order), None)
                yield Averaged(first, (-1) ** choice.count("y"), factors, fixed, group)


By: TypeAlias = Callable[[Averaged], str]
PART: By = attrgetter("part")
TENSOR: By = attrgetter("tensor")


class Moments:
    """Averages over networks that are trained alike.

    Args:
        course: how they are trained.
        tensors: their statistics at the start.
        theta: the mean tangent kernel between test inputs and modes, shape (M, N).
        targets: over modes and outputs, shape (N, n_L).
    """

    def __init__(self, course: Course, tensors: Tensors, theta: Array, targets: Array) -> None:
        self.course, self.tensors, self.theta, self.targets = course, tensors, theta, targets
        self.neurons = targets.shape[1]
        self.weights: dict[Grown, Array] = {}

    def mean(self, by: By = PART) -> Parts:
        """The mean of outputs at test inputs, by part, shape (M, n_L)."""
        return self.total(averaged("z", "0", self.course.most), "0", by)

    def change(self, field: str = "z", by: By = TENSOR) -> Parts:
        """What training adds on average to the tangent kernel, shape (M, n_L, M, n_L)."""
        return self.total(moved(self.course.most, field), "01", by)

    def covariance(self, by: By = PART) -> Parts:
        """The covariance of outputs at test inputs, by part, shape (M, n_L, M, n_L)."""
        terms = correlated(self.course.most)
        alike = self.total((term for term in terms if term.grown[0].order == term.grown[1].order), "01", by)
        once = self.total((term for term in terms if term.grown[0].order > term.grown[1].order), "01", by)
        both = {part: array + array.transpose(2, 3, 0, 1) for part, array in once.items()}
        nothing = np.zeros(())
        return {part: alike.get(part, nothing) + both.get(part, nothing) for part in {**alike, **both}}

    def total(self, terms: Iterable[Averaged], outside: str, by: By = PART) -> Parts:
        """The sum of averages of each part, or of each tensor."""
        found: dict[str, Array] = defaultdict(lambda: np.zeros(()))
        for term in terms:
            found[by(term)] = found[by(term)] + self.average(term, outside)
        return dict(found)

    def average(self, term: Averaged, outside: str) -> Array:
        """One term."""
        factors = [*map(self.fixed, term.fixed), *map(self.cumulant, term.cumulants)]
        factors += map(self.weight, term.grown)
        return self.contracted(term.sign, factors, outside)

    def contracted(self, sign: int, factors: list[Labelled], outside: str) -> Array:
        """A product of factors, its axes input and neuron in turn."""
        texts, wanted, loops, outer = layout(factors, outside)
        arrays = [factor.array.value for factor in factors]
        expression = f"{','.join(texts)}->{wanted}"
        found: Array = np.einsum(expression, *arrays, optimize="greedy" if len(arrays) > 2 else False)
        found = sign * self.neurons**loops * found
        if len(outside) == 1:
            return found
        equal = np.eye(self.neurons)
        if not any(outer):
            found = np.multiply.outer(found, equal)
        elif outer[0] == outer[1]:
            found = np.einsum("abi,ij->abij", found, equal)
        return found.transpose(0, 2, 1, 3)

    def fixed(self, item: Object) -> Labelled:
        """A mean kernel or a target."""
        if item.name == "Theta":
            a, b = item.labels
            return labelled(self.theta, item.labels, ((a, b),))
        return Labelled(FLOATS.constant(self.targets), item.labels, item.labels)

    def cumulant(self, item: Cumulant) -> Labelled:
        """The components of a tensor at labels."""
        entries = self.tensors(item.kind, item.order).transpose(item.vertex_of)[tuple(map(self.cut, item.labels))]
        return labelled(entries, item.labels, item.ties)

    def cut(self, label: str) -> slice:
        """The entries over which a label runs: a digit over test inputs, a letter over modes."""
        modes = len(self.course.eigenvalues)
        return slice(modes, None) if label.isdigit() else slice(modes)

    def weight(self, own: Grown) -> Labelled:
        """The coefficient of a product at the start of training, which both outputs share."""
        key = own._replace(factors=tuple(_first(item) for item in own.factors))
        if key not in self.weights:
            self.weights[key] = self.course.coefficient(key)
        return labelled(self.weights[key], tuple(own.modes))


def _first(item: Object) -> Object:
    """What `_other` has made another of."""
    return item._replace(labels=tuple("0" if label == "1" else label.lower() for label in item.labels))


def labelled(array: Array, labels: tuple[str, ...], ties: tuple[tuple[str, str], ...] = ()) -> Labelled:
    """An array over samples."""
    return Labelled(FLOATS.constant(array), labels, (), ties)
