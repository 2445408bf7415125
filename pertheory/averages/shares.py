"""What a list of requests needs of every set of distinct inputs, worked out once for all sets.

An entry of a request is an average over the distinct inputs that its axes carry. Two entries over the same set of
inputs that lead to the same atoms are one average: axes with equal factors may be exchanged, axes at one input merge
into one product, and different requests meet in the same atoms. None of this depends on which inputs they are, so a
`Plan` lists, for sets of one, two, three and four inputs, the averages that each set needs and the entries that each
of them fills. Evaluating it costs as much bookkeeping as there are sets, not as there are entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations
from math import comb
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pertheory.averages.atoms import Factor, Product, Request, atoms, expand, tidy

Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]

#: One product for each input of a set, in the order of the inputs.
Atom: TypeAlias = tuple[Product, ...]
#: Atoms with their coefficients that must be averaged together, because only the sum is finite.
Sum: TypeAlias = tuple[tuple[Atom, int], ...]


class Place(NamedTuple):
    """An entry that shows what an average is for: the request and, per axis, the position in the set of inputs."""

    request: int
    positions: tuple[int, ...]

    def inputs(self, members: Sequence[int]) -> tuple[int, ...]:
        """The inputs of the entry for one set of inputs."""
        return tuple(members[position] for position in self.positions)


@dataclass(frozen=True)
class Share:
    """What is needed of each set of so many distinct inputs.

    Attributes:
        atoms: averages of products of smooth functions.
        sums: averages in which a function has pieces; they come behind the atoms.
        shown: for each atom, then for each sum, one entry that needs it.
        rows, columns, weights: a sparse matrix from these averages to the values that entries have; `count` rows.
        entries: for each entry of the result its value.
        offsets, strides: its position in the buffer is the offset plus the strides times the numbers of the inputs.
    """

    atoms: tuple[Atom, ...]
    sums: tuple[Sum, ...]
    shown: tuple[Place, ...]
    count: int
    rows: Places
    columns: Places
    weights: Array
    entries: Places
    offsets: Places
    strides: Places

    def values(self, averages: Array) -> Array:
        """The values of all entries from the averages over one set."""
        found: Array = np.bincount(self.rows, self.weights * averages[self.columns], self.count).astype(float)
        values: Array = found[self.entries]
        return values

    def positions(self, sets: Places) -> Places:
        """Where the entries stand in the buffer, for one set of inputs a column."""
        places: Places = self.offsets[:, None] + self.strides @ sets.T
        return places


@dataclass(frozen=True)
class Plan:
    """What requests need of all sets of distinct inputs.

    Attributes:
        inputs: their number.
        shares: by the number of inputs of a set, those for which anything is needed.
        shapes: of the part of the buffer that belongs to each request; axes on which it does not depend have length 1.
        starts: where these parts begin, and the length of the buffer.
    """

    inputs: int
    shares: dict[int, Share]
    shapes: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]

    def sets(self) -> dict[int, int]:
        """How many sets of each size are visited."""
        return {size: comb(self.inputs, size) for size in self.shares}

    def results(self, buffer: Array) -> list[Array]:
        """The buffer as one array a request, with an axis of full length for every factor."""
        found = []
        for shape, start, end in zip(self.shapes, self.starts, self.starts[1:], strict=False):
            part = buffer[start:end].reshape(shape)
            whole = (self.inputs,) * len(shape)
            found.append(part if shape == whole else np.broadcast_to(part, whole))
        return found


def is_constant(factor: Factor) -> int | None:
    """The value of a factor that does not depend on its input, such as the slope of the identity; else None."""
    start = tidy(factor[1])
    terms = () if start is None else expand(factor[0], start)
    if not terms:
        return 0
    return terms[0][1] if len(terms) == 1 and terms[0][0] == () else None


def patterns(axes: int, distinct: bool) -> Iterator[tuple[int, ...]]:
    """All ways in which axes may carry the same input, as the number of the input of each axis in order of use."""
    if distinct:
        yield tuple(range(axes))
        return

    def grow(start: tuple[int, ...], used: int) -> Iterator[tuple[int, ...]]:
        if len(start) == axes:
            yield start
            return
        for number in range(used + 1):
            yield from grow((*start, number), max(used, number + 1))

    yield from grow((), 0)


@dataclass
class _Draft:
    """A share that is being collected."""

    size: int
    atoms: dict[Atom, int] = field(default_factory=dict)
    sums: dict[Sum, int] = field(default_factory=dict)
    shown: dict[tuple[str, int], Place] = field(default_factory=dict)
    values: dict[tuple[tuple[str, int, int], ...], int] = field(default_factory=dict)
    entries: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)

    def add(self, plain: Sum, bent: Sum, place: Place, offset: int, strides: tuple[int, ...]) -> None:
        """Enter one entry: plain atoms one by one, the others as one sum."""
        value = [("atom", self.atoms.setdefault(atom, len(self.atoms)), count) for atom, count in plain]
        if bent:
            value.append(("sum", self.sums.setdefault(bent, len(self.sums)), 1))
        for kind, number, _ in value:
            self.shown.setdefault((kind, number), place)
        key = tuple(sorted(value))
        self.entries.append((self.values.setdefault(key, len(self.values)), offset, strides))

    def share(self) -> Share:
        """The finished share."""
        behind = {"atom": 0, "sum": len(self.atoms)}
        rows, columns, weights = [], [], []
        for key, row in self.values.items():
            for kind, number, weight in key:
                rows.append(row)
                columns.append(behind[kind] + number)
                weights.append(float(weight))
        order = [("atom", n) for n in range(len(self.atoms))] + [("sum", n) for n in range(len(self.sums))]
        return Share(
            atoms=tuple(self.atoms),
            sums=tuple(self.sums),
            shown=tuple(self.shown[key] for key in order),
            count=len(self.values),
            rows=np.array(rows, dtype=np.int64),
            columns=np.array(columns, dtype=np.int64),
            weights=np.array(weights, dtype=float),
            entries=np.array([value for value, _, _ in self.entries], dtype=np.int64),
            offsets=np.array([offset for _, offset, _ in self.entries], dtype=np.int64),
            strides=np.array([strides for _, _, strides in self.entries], dtype=np.int64).reshape(
                len(self.entries), self.size
            ),
        )


@lru_cache(maxsize=64)
def make_plan(requests: tuple[Request, ...], inputs: int, pieced: frozenset[str], distinct: bool = False) -> Plan:
    """Work out what requests need.

    Args:
        requests: what to average.
        inputs: number of distinct inputs.
        pieced: names of the functions with pieces.
        distinct: only entries whose axes all carry different inputs are wanted.
    """
    drafts: dict[int, _Draft] = {}
    shapes, starts, end = [], [], 0
    for number, request in enumerate(requests):
        constants = [is_constant(factor) for factor in request]
        axes = [axis for axis, constant in enumerate(constants) if constant is None]
        scale = int(np.prod([constant for constant in constants if constant is not None], dtype=object))
        shapes.append(tuple(1 if constant is not None else inputs for constant in constants))
        starts.append(end)
        strides = [inputs ** (len(axes) - 1 - n) for n in range(len(axes))]
        kept = tuple(request[axis] for axis in axes)
        for pattern in patterns(len(axes), distinct):
            size = max(pattern, default=-1) + 1
            if size > inputs:
                continue
            draft = drafts.setdefault(size, _Draft(size))
            terms = atoms(kept, pattern) if scale else ()
            for order in permutations(range(size)):
                moved = [(tuple(_moved(products, order)), scale * count) for count, products in terms]
                bent = tuple(sorted(term for term in moved if _has(term[0], pieced)))
                plain = tuple(sorted(term for term in moved if not _has(term[0], pieced)))
                where = dict(zip(axes, (order[block] for block in pattern), strict=True))
                jumps = [0] * size
                for axis, stride in zip(axes, strides, strict=True):
                    jumps[where[axis]] += stride
                place = Place(number, tuple(where.get(axis, 0) for axis in range(len(request))))
                draft.add(plain, bent, place, end, tuple(jumps))
        end += inputs ** len(axes)
    shares = {size: drafts[size].share() for size in sorted(drafts)}
    return Plan(inputs, shares, tuple(shapes), (*starts, end))


def _moved(products: Sequence[Product], order: Sequence[int]) -> list[Product]:
    """Products of blocks, put at the positions of their inputs."""
    found: list[Product] = [()] * len(products)
    for product, position in zip(products, order, strict=True):
        found[position] = product
    return found


def _has(atom: Atom, names: frozenset[str]) -> bool:
    return any(name in names for product in atom for name, _ in product)
