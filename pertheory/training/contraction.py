"""Products of arrays at labels, summed over samples and output neurons.

Arrays may have axes for both, or only for samples: then they carry Kronecker deltas of neurons (`Labelled.ties`), and a
closed loop of deltas gives the number of neurons n_L.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pertheory.errors import InputError
from pertheory.training.arithmetic import Arithmetic, DualArray

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Labelled(NamedTuple):
    """An array at labels.

    Attributes:
        array: axes for the samples of `samples`, then for the neurons of `neurons`.
        samples: labels.
        neurons: labels.
        ties: labels whose neurons are the same, in pairs; samples of some may have been summed over.
    """

    array: DualArray
    samples: tuple[str, ...] = ()
    neurons: tuple[str, ...] = ()
    ties: tuple[tuple[str, str], ...] = ()


class Layout(NamedTuple):
    """A contraction as `numpy.einsum` writes it.

    Attributes:
        texts: the letters of each factor.
        wanted: those of the result.
        loops: closed loops of neurons, each a factor n_L.
        outer: for each outer label the letter of its neuron in the result; none where it has no axis there.
    """

    texts: list[str]
    wanted: str
    loops: int
    outer: tuple[str, ...]


def layout(factors: Sequence[Labelled], outside: Sequence[str], neurons: bool = True) -> Layout:
    """The letters of a contraction; see `contract`."""
    if not neurons and any(factor.neurons for factor in factors):
        raise InputError("errors, outputs and stochastic kernels carry a neuron and have no place in this formula")
    tie = _ties(factors) if neurons else {}
    carried = {tie.get(label, label) for factor in factors for label in factor.neurons}
    outer = dict.fromkeys(tie.get(label, label) for label in outside) if neurons else {}
    of_outside = [name for name in outer if name in carried]
    everywhere = {label for factor in factors for label in factor.samples}
    if missing := set(outside) - everywhere:
        raise InputError(f"label {sorted(missing)[0]} does not occur in every term")
    loops = {tie.get(label, label) for label in everywhere | set(tie)} - carried - set(outer) if neurons else set()
    letter = {("sample", label): _LETTERS[i] for i, label in enumerate(sorted(everywhere))}
    letter |= {("neuron", name): _LETTERS[len(everywhere) + i] for i, name in enumerate(sorted(carried))}

    def written(factor: Labelled) -> str:
        of_samples = [letter["sample", label] for label in factor.samples]
        return "".join(of_samples + [letter["neuron", tie.get(label, label)] for label in factor.neurons])

    wanted = "".join([letter["sample", x] for x in outside] + [letter["neuron", x] for x in of_outside])
    own = tuple(letter.get(("neuron", tie.get(label, label)), "") for label in outside)
    return Layout([written(factor) for factor in factors], wanted, len(loops), own)


def contract(
    arithmetic: Arithmetic, number: Any, factors: Sequence[Labelled], outside: Sequence[str], n_L: int, neurons: bool
) -> DualArray:
    """A product of arrays, summed over all labels but those outside.

    Args:
        arithmetic: of the arrays.
        number: stands in front.
        factors: the arrays.
        outside: the labels of the result; its axes are their samples, then, with ``neurons``, their neurons. Outer
            labels that are tied have one axis for their neuron, or none if nothing depends on it: a Kronecker delta
            is understood.
        n_L: the number of neurons, for closed loops.
        neurons: whether labels have neurons.

    Raises:
        InputError: an outer label stands nowhere, or arrays have neurons where labels have none.
    """
    texts, wanted, loops, _ = layout(factors, outside, neurons)
    total, standing = arithmetic.scalar(number * n_L**loops), ""
    for place, factor in enumerate(factors):
        later = set("".join(texts[place + 1 :]) + wanted)
        keep = "".join(sorted((set(standing) | set(texts[place])) & later))
        total = arithmetic.einsum(f"{standing},{texts[place]}->{keep}", total, factor.array)
        standing = keep
    order = [standing.index(x) for x in wanted]
    return DualArray(total.value.transpose(order), total.slope.transpose(order))


def _ties(factors: Sequence[Labelled]) -> dict[str, str]:
    """For every label the first one whose neuron is the same."""
    root: dict[str, str] = {}

    def find(label: str) -> str:
        while root.get(label, label) != label:
            label = root[label]
        return label

    for factor in factors:
        for a, b in factor.ties:
            first, second = sorted((find(a), find(b)))
            root[second] = first
    return {label: find(label) for factor in factors for pair in factor.ties for label in pair}
