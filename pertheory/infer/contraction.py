"""Diagrams as numbers: cumulants contracted with sources and propagators, a slab of the largest at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from string import ascii_letters
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pertheory.infer.expansion import SOURCE, Block, Cumulant, Diagram

#: floats, or Python's own numbers where sums are to be exact
Array: TypeAlias = npt.NDArray[Any]

#: numbers of a tensor up to which it is contracted as a whole
WHOLE = 2**20


class Slabs(Protocol):
    """A tensor that hands out ``tensor[a]``, all slots but the first; an array is one."""

    def __getitem__(self, sample: int, /) -> Array:
        """The components whose first slot carries a sample."""


class Legs(NamedTuple):
    """What legs of diagrams end on, over D samples; see `pertheory.infer.expansion`.

    Attributes:
        source: phi, shape (n_L, D).
        external: R, shape (D, T), for T test points.
        propagator: P, shape (D, D).
    """

    source: Array
    external: Array
    propagator: Array


class _Operand(NamedTuple):
    """An array or slabs, with a letter for each axis."""

    array: Any
    letters: str

    def at(self, letter: str, place: int) -> _Operand:
        """The operand with one letter held at a place."""
        axis = self.letters.find(letter)
        if axis < 0:
            return self
        cut = (slice(None),) * axis + (place,) if axis else place
        return _Operand(self.array[cut], self.letters.replace(letter, ""))


def contract(diagrams: Iterable[Diagram], tensors: Mapping[Cumulant, Slabs], legs: Legs) -> Array:
    """The sum of diagrams with equal external legs.

    Args:
        diagrams: of `pertheory.infer.expansion.diagrams`.
        tensors: the arrays, or slabs, of the cumulants that occur.
        legs: what legs end on.

    Returns:
        An array with two axes for each external leg, the test point and the output; with a probe two axes over samples
        before these.
    """
    return np.asarray(sum(_together(alike, tensors, legs) for _, alike in groupby(diagrams, _cumulants)))


def _cumulants(diagram: Diagram) -> tuple[Cumulant, ...]:
    return diagram.vertices


def _together(diagrams: Iterable[Diagram], tensors: Mapping[Cumulant, Slabs], legs: Legs) -> Array:
    """Diagrams of the same vertices; each slab of the largest is asked for once."""
    alike, samples = list(diagrams), len(legs.propagator)
    vertices = alike[0].vertices
    largest = max(range(len(vertices)), key=lambda number: vertices[number].pairs)
    probed = any(block.kind == "probe" for block in alike[0].blocks)
    sliced = not probed and samples ** (2 * vertices[largest].pairs) > WHOLE
    arrays = [
        tensors[own] if sliced and number == largest else _whole(tensors[own], samples)
        for number, own in enumerate(vertices)
    ]
    made = [_Product(own, arrays, legs) for own in alike]
    if not sliced:
        return np.asarray(sum(own.value() for own in made))
    total: Any = 0
    for sample in range(samples):
        slab = arrays[largest][sample]
        total = total + sum(own.value(largest, sample, slab) for own in made)
    return np.asarray(total)


def _whole(tensor: Slabs, samples: int) -> Array:
    return tensor if isinstance(tensor, np.ndarray) else np.stack([tensor[sample] for sample in range(samples)])


class _Product:
    """One diagram as a product of arrays, to be summed over equal letters."""

    def __init__(self, diagram: Diagram, arrays: Iterable[Slabs], legs: Legs) -> None:
        self.diagram = diagram
        self._letters = iter(ascii_letters)
        slots = [next(self._letters) for own in diagram.vertices for _ in range(2 * own.pairs)]
        self._operands: list[_Operand] = []
        start = 0
        for own, array in zip(diagram.vertices, arrays, strict=True):
            self._operands.append(_Operand(array, "".join(slots[start : start + 2 * own.pairs])))
            start += 2 * own.pairs
        self.open: dict[int, str] = {}
        for block in diagram.blocks:
            self._add(block, slots, legs)
        self.result = "".join(self.open[number] for number in sorted(self.open))
        whole = diagram.coefficient * len(legs.source) ** diagram.loops
        self._factor = whole if legs.propagator.dtype == object else float(whole)
        self._path: Any = None

    def _add(self, block: Block, slots: list[str], legs: Legs) -> None:
        """The arrays of a block."""
        first, last = slots[2 * block.links[0]], slots[2 * block.links[-1] + 1]
        joined = [(slots[2 * a + 1], slots[2 * b]) for a, b in zip(block.links, block.links[1:], strict=False)]
        if block.kind == "loop":
            joined.append((last, first))
        self._operands += [_Operand(legs.propagator, a + b) for a, b in joined]
        if block.kind == "probe":
            self.open[SOURCE] = first + last
        if block.kind == "chain":
            self._end(block.ends, (first, last), legs)

    def _end(self, ends: tuple[int, ...], letters: tuple[str, str], legs: Legs) -> None:
        """The arrays at the ends of a chain, which carry one neuron."""
        if set(ends) == {SOURCE}:
            self._operands.append(_Operand(legs.source.T @ legs.source, "".join(letters)))
            return
        neurons = [next(self._letters)] * 2
        if SOURCE not in ends:
            neurons[1] = next(self._letters)
            self._operands.append(_Operand(np.eye(len(legs.source), dtype=legs.source.dtype), "".join(neurons)))
        for end, letter, neuron in zip(ends, letters, neurons, strict=True):
            if end == SOURCE:
                self._operands.append(_Operand(legs.source, neuron + letter))
            else:
                test = next(self._letters)
                self._operands.append(_Operand(legs.external, letter + test))
                self.open[end] = test + neuron

    def value(self, vertex: int = -1, sample: int = 0, slab: Any = None) -> Any:
        """The sum; of one slab of one of the vertices, or as a whole."""
        operands = self._operands
        if vertex >= 0:
            held = operands[vertex].letters[0]
            operands = [
                _Operand(slab, own.letters[1:]) if number == vertex else own.at(held, sample)
                for number, own in enumerate(operands)
            ]
        text = ",".join(own.letters for own in operands) + "->" + self.result
        arrays = [own.array for own in operands]
        if self._path is None:
            self._path = np.einsum_path(text, *arrays, optimize="greedy")[0]
        return self._factor * np.einsum(text, *arrays, optimize=self._path)
