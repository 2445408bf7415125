"""Means and covariances of trained networks to order 1/n, by part.

What an output at the end of training is made of (`growth.py`) is averaged over initialisations, cumulant by cumulant
(`averages.py`), with the sums over times (`times.py`) as weights. All arrays are over the modes of the training set, in
which weights are diagonal, and then over the test inputs. Of a tensor that makes terms of order 1/n, over four modes at
most, what these terms have in common is contracted first (`Core`): its weights, a block of modes at a time, and the
kernels that lead to test inputs. What is left has an axis less: of size N^4 are only the tensors of one part at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product, zip_longest
from math import prod
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import numpy as np

from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.tensors import tensor_of
from pertheory.training.arithmetic import FLOATS
from pertheory.training.averages import Cumulant, cumulants
from pertheory.training.contraction import Labelled, layout
from pertheory.training.descent import LARGEST
from pertheory.training.formula import Object
from pertheory.training.growth import HIGHEST, Grown, grown
from pertheory.training.times import WHOLE, Array, Course, Cut, Known

#: numbers of a weight that are made at once, if they are not those of one mode
BLOCK = 2**18
#: arrays of that size that are held: weights, sums over times and what they are made of
WEIGHTS = 20
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


class Core(NamedTuple):
    """What terms have in common: a tensor that makes them of order 1/n, and what hangs on its labels.

    Attributes:
        first: the tensor.
        grown: its weights.
        means: mean kernels between its modes and test inputs.
        kept: labels that are not summed over.
    """

    first: Cumulant
    grown: tuple[Grown, ...]
    means: tuple[Object, ...]
    kept: tuple[str, ...]

    @property
    def axes(self) -> int:
        """How many modes there are at its tensor."""
        return len({label for label in self.first.labels if not label.isdigit()})

    @property
    def split(self) -> str | None:
        """The mode that runs in blocks, one that is kept if there is one; none where weights are numbers."""
        modes = "".join(own.modes for own in self.grown)
        return next((label for label in modes if label in self.kept), modes[:1] or None)


class Use(NamedTuple):
    """What a term makes of its core.

    Attributes:
        wanted: the number of the average that it is a term of.
        part: of the average.
        outside: the labels of the average.
        sign: of targets.
        grown, fixed, cumulants: what does not hang on the core.
    """

    wanted: int
    part: str
    outside: str
    sign: int
    grown: tuple[Grown, ...]
    fixed: tuple[Object, ...]
    cumulants: tuple[Cumulant, ...]


#: cores, none for terms at infinite width, with what is made of them
Uses: TypeAlias = dict[Core | None, list[Use]]
#: the same by part, whose tensors have weights in common, and then by the blocks in which they are contracted
Plan: TypeAlias = list[list[Uses]]


class Quantity(NamedTuple):
    """An average.

    Attributes:
        terms: of it.
        outside: its labels.
        by: what a part is.
    """

    terms: Iterable[Averaged]
    outside: str
    by: By = PART


def planned(*wanted: Quantity) -> Plan:
    """How averages are computed together."""
    found: dict[str, dict[object, Uses]] = {}
    for number, own in enumerate(wanted):
        for term in own.terms:
            core, grown, fixed, cumulants = _parted(term, own.outside)
            use = Use(number, own.by(term), own.outside, term.sign, grown, fixed, cumulants)
            blocks = core and (core.split, core.axes)
            found.setdefault(term.part, {}).setdefault(blocks, {}).setdefault(core, []).append(use)
    return [list(groups.values()) for groups in found.values()]


def _parted(
    term: Averaged, outside: str
) -> tuple[Core | None, tuple[Grown, ...], tuple[Object, ...], tuple[Cumulant, ...]]:
    """The core of a term, and what does not hang on it."""
    first = term.first
    if first is None:
        return None, term.grown, term.fixed, term.cumulants
    held = {*first.labels}
    inner = tuple(own for own in term.grown if held & {*own.modes})
    means = tuple(item for item in term.fixed if item.name == "Theta" and held & {*item.labels})
    grown = tuple(own for own in term.grown if not held & {*own.modes})
    fixed = tuple(item for item in term.fixed if item not in means)
    cumulants = tuple(item for item in term.cumulants if item is not first)
    used = {*outside}.union(*(item.labels for item in fixed), *(item.labels for item in cumulants))
    labels = dict.fromkeys((*first.labels, *(label for item in means for label in item.labels)))
    return Core(first, inner, means, tuple(label for label in labels if label in used)), grown, fixed, cumulants


def predicted(most: int) -> Plan:
    """How means, covariances, in two portions, and changes of the tangent kernel are computed together.

    Covariances: terms that are symmetric by themselves, and those to which the same is added with outputs exchanged.
    """
    terms = correlated(most)
    alike = [term for term in terms if term.grown[0].order == term.grown[1].order]
    once = [term for term in terms if term.grown[0].order > term.grown[1].order]
    return planned(
        Quantity(averaged("z", "0", most), "0"),
        Quantity(alike, "01"),
        Quantity(once, "01"),
        Quantity(moved(most), "01", TENSOR),
    )


def memory_needed(modes: int, tests: int) -> int:
    """Bytes that `Moments.predicted` holds at most, its tensors made one at a time but not those they are made of.

    These are the tensors of a part, and another while the last of them is turned to modes; their cores, one of them
    twice; and the weights of a block with what they are made of.
    """
    largest = 0
    for groups in predicted(LARGEST):
        cores = [core for group in groups for core in group if core]
        tensors = {(core.first.kind, core.first.order): (modes + tests) ** len(core.first.labels) for core in cores}
        sizes = [prod(tests if label.isdigit() else modes for label in core.kept) for core in cores]
        held = sum(tensors.values()) + max(tensors.values(), default=0) + sum(sizes) + max(sizes, default=0)
        largest = max(largest, held)
    return 8 * (largest + WEIGHTS * max(BLOCK, modes**3))


class Predicted(NamedTuple):
    """What is predicted, by part.

    Attributes:
        mean: of outputs at test inputs, shape (M, n_L).
        covariance: of outputs at test inputs, shape (M, n_L, M, n_L).
        change: what training adds on average to the tangent kernel, by tensor, shape (M, n_L, M, n_L).
    """

    mean: Parts
    covariance: Parts
    change: Parts


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

    def predicted(self) -> Predicted:
        """Mean, covariance and how the tangent kernel moves, with each tensor made once."""
        mean, alike, once, change = self.totals(predicted(self.course.most))
        both = {part: array + array.transpose(2, 3, 0, 1) for part, array in once.items()}
        nothing = np.zeros(())
        total = {part: alike.get(part, nothing) + both.get(part, nothing) for part in {**alike, **both}}
        return Predicted(mean, total, change)

    def covariance(self) -> Parts:
        """The covariance of outputs at test inputs, by part, shape (M, n_L, M, n_L)."""
        return self.predicted().covariance

    def change(self, field: str = "z", by: By = TENSOR) -> Parts:
        """What training adds on average to the tangent kernel of a field, shape (M, n_L, M, n_L)."""
        return self.total(moved(self.course.most, field), "01", by)

    def total(self, terms: Iterable[Averaged], outside: str, by: By = PART) -> Parts:
        """The sum of averages of each part, or of each tensor."""
        return self.totals(planned(Quantity(terms, outside, by)))[0]

    def totals(self, plan: Plan) -> list[Parts]:
        """Several averages, each by part."""
        count = 1 + max(use.wanted for groups in plan for group in groups for uses in group.values() for use in uses)
        found: list[dict[str, Array]] = [defaultdict(lambda: np.zeros(())) for _ in range(count)]
        for groups in plan:
            items = {(core.first.kind, core.first.order) for group in groups for core in group if core}
            tensors = {item: self.tensors(*item) for item in items}
            for group in groups:
                cores = self.cores([core for core in group if core], tensors)
                for uses, core in zip_longest(group.values(), cores):
                    for use in uses:
                        parts = found[use.wanted]
                        parts[use.part] = parts[use.part] + self.average(use, [core] if core else [])
            del tensors  # before others are made
        return [dict(parts) for parts in found]

    def average(self, use: Use, core: list[Labelled]) -> Array:
        """One term."""
        factors = [*core, *map(self.fixed, use.fixed), *map(self.cumulant, use.cumulants), *map(self.weight, use.grown)]
        return self.contracted(use.sign, factors, use.outside)

    def cores(self, alike: list[Core], tensors: Mapping[tuple[TensorType, int], Array]) -> Iterator[Labelled]:
        """Cores that are contracted in the same blocks, each of which needs a weight only once."""
        pieces: list[list[Array]] = [[] for _ in alike]
        for cut in self.blocks(alike[0]) if alike else ():
            weights: dict[Grown, Array] = {}
            known: Known = {}
            for own in dict.fromkeys(own for core in alike for own in core.grown):
                of_own = {label.lower(): part for label, part in cut.items() if label in own.modes}
                weights[own] = self.course.coefficient(_first(own), of_own, known)
            for core, found in zip(alike, pieces, strict=True):
                factors = [self.entries(core.first, tensors[core.first.kind, core.first.order], cut)]
                factors += [labelled(weights[own], tuple(own.modes)) for own in core.grown]
                factors += [self.fixed(item, cut) for item in core.means]
                found.append(_einsum(*layout(factors, core.kept, neurons=False)[:2], factors))
        for core, found in zip(alike, pieces, strict=True):
            joined = core.split in core.kept
            array = np.concatenate(found, core.kept.index(str(core.split))) if joined else np.asarray(sum(found))
            found.clear()
            yield labelled(array, core.kept, core.first.ties + tuple((a, b) for a, b in (x.labels for x in core.means)))

    def blocks(self, core: Core) -> Iterator[Cut]:
        """The blocks in which a core is contracted: so many modes at a time that about `BLOCK` numbers are held."""
        if core.split is None:
            yield WHOLE
            return
        size = len(self.course.eigenvalues)
        rows = max(1, BLOCK // size ** (core.axes - 1))
        for start in range(0, size, rows):
            yield {core.split: slice(start, min(start + rows, size))}

    def contracted(self, sign: int, factors: list[Labelled], outside: str) -> Array:
        """A product of factors, its axes input and neuron in turn."""
        texts, wanted, loops, outer = layout(factors, outside)
        found: Array = sign * self.neurons**loops * _einsum(texts, wanted, factors)
        if len(outside) == 1:
            return found
        equal = np.eye(self.neurons)
        if not any(outer):
            found = np.multiply.outer(found, equal)
        elif outer[0] == outer[1]:
            found = np.einsum("abi,ij->abij", found, equal)
        return found.transpose(0, 2, 1, 3)

    def fixed(self, item: Object, cut: Cut = WHOLE) -> Labelled:
        """A mean kernel or a target."""
        if item.name == "Theta":
            a, b = item.labels
            return labelled(self.theta[:, cut.get(b, slice(None))], item.labels, ((a, b),))
        return Labelled(FLOATS.constant(self.targets), item.labels, item.labels)

    def cumulant(self, item: Cumulant) -> Labelled:
        """The components of a tensor at labels."""
        return self.entries(item, self.tensors(item.kind, item.order))

    def entries(self, item: Cumulant, tensor: Array, cut: Cut = WHOLE) -> Labelled:
        """The same of a tensor that is at hand, of some modes only a block."""
        places = tuple(cut.get(label, self.cut(label)) for label in item.labels)
        return labelled(tensor.transpose(item.vertex_of)[places], item.labels, item.ties)

    def cut(self, label: str) -> slice:
        """The entries over which a label runs: a digit over test inputs, a letter over modes."""
        modes = len(self.course.eigenvalues)
        return slice(modes, None) if label.isdigit() else slice(modes)

    def weight(self, own: Grown) -> Labelled:
        """The coefficient of a product at the start of training, which both outputs share."""
        key = _first(own)
        if key not in self.weights:
            self.weights[key] = self.course.coefficient(key)
        return labelled(self.weights[key], tuple(own.modes))


def _einsum(texts: list[str], wanted: str, factors: list[Labelled]) -> Array:
    expression = f"{','.join(texts)}->{wanted}"
    arrays = [factor.array.value for factor in factors]
    return np.asarray(np.einsum(expression, *arrays, optimize="greedy" if len(arrays) > 2 else False))


def _first(own: Grown) -> Grown:
    """What `_other` has made another of."""

    def renamed(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("0" if label == "1" else label.lower() for label in labels)

    return own._replace(factors=tuple(item._replace(labels=renamed(item.labels)) for item in own.factors))


def labelled(array: Array, labels: tuple[str, ...], ties: tuple[tuple[str, str], ...] = ()) -> Labelled:
    """An array over samples."""
    return Labelled(FLOATS.constant(array), labels, (), ties)
