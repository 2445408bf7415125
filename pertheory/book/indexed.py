"""Sums of products of indexed arrays, exactly, modulo a prime.

A label of a statement on training stands for a sample and an output neuron. Arrays may have axes for both, or only
for samples: then they carry Kronecker deltas of neurons (`Factor.ties`), and a closed loop of deltas gives n_L. All
numbers are residues modulo a large prime, at a random point, so that sides are equal or not; every number is a pair
of a value and of a slope in one small parameter whose square is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pertheory.book.syntax import Node, Number, Power, Product, Sum, Symbol
from pertheory.errors import InputError

PRIME = 2**61 - 1
Array: TypeAlias = npt.NDArray[np.object_]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Pair(NamedTuple):
    """An array and its slope in the small parameter."""

    value: Array
    slope: Array


class Factor(NamedTuple):
    """An array at labels.

    Attributes:
        array: axes for the samples of `samples`, then for the neurons of `neurons`.
        samples: labels.
        neurons: labels.
        ties: labels whose neurons are the same, in pairs.
    """

    array: Pair
    samples: tuple[str, ...]
    neurons: tuple[str, ...] = ()
    ties: tuple[tuple[str, str], ...] = ()


def residue(value: Fraction | int) -> int:
    """A rational number modulo the prime."""
    exact = Fraction(value)
    return exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME


def constant(value: Array) -> Pair:
    """An array that does not depend on the small parameter."""
    return Pair(_reduced(value), np.zeros(value.shape, dtype=object))


def scalar(value: Fraction | int) -> Pair:
    """A number."""
    return constant(np.array(residue(value), dtype=object))


def plus(a: Pair, b: Pair, factor: int = 1) -> Pair:
    """a + factor b.

    Raises:
        InputError: they have different axes.
    """
    if a.value.shape != b.value.shape:
        raise InputError("two terms of a sum do not carry the same neurons")
    return Pair(_reduced(a.value + factor * b.value), _reduced(a.slope + factor * b.slope))


def _reduced(numbers: object) -> Array:
    """Residues; always an array of Python's whole numbers, also where NumPy would give a bare number."""
    return np.asarray(np.asarray(numbers, dtype=object) % PRIME, dtype=object)


def einsum(letters: str, a: Pair, b: Pair) -> Pair:
    """A contraction of two arrays, by the product rule."""
    value = np.einsum(letters, a.value, b.value)
    slope = np.einsum(letters, a.value, b.slope) + np.einsum(letters, a.slope, b.value)
    return Pair(_reduced(value), _reduced(slope))


def solve(matrix: Array, right: Array) -> Array:
    """The solution of a linear system, by elimination.

    Raises:
        InputError: there is none.
    """
    size = len(matrix)
    rows = np.concatenate([matrix, right], axis=1) % PRIME
    for column in range(size):
        pivot = next((r for r in range(column, size) if rows[r, column]), None)
        if pivot is None:
            raise InputError("a matrix of the training set has no inverse at this point")
        rows[[column, pivot]] = rows[[pivot, column]]
        rows[column] = rows[column] * pow(int(rows[column, column]), -1, PRIME) % PRIME
        for r in range(size):
            if r != column and rows[r, column]:
                rows[r] = (rows[r] - rows[r, column] * rows[column]) % PRIME
    return rows[:, size:]


def identity(size: int) -> Array:
    """The identity matrix."""
    return np.array([[int(i == j) for j in range(size)] for i in range(size)], dtype=object)


class Monomial(NamedTuple):
    """A coefficient with factors that are no sums."""

    coefficient: Fraction
    factors: tuple[Node, ...]


def monomials(node: Node) -> Iterator[Monomial]:
    """A side of a statement multiplied out."""
    match node:
        case Number(value):
            yield Monomial(value, ())
        case Sum(terms):
            for term in terms:
                yield from monomials(term)
        case Product(factors):
            for choice in product(*(list(monomials(factor)) for factor in factors)):
                coefficient = Fraction(1)
                for part in choice:
                    coefficient *= part.coefficient
                yield Monomial(coefficient, tuple(f for part in choice for f in part.factors))
        case Power(Number(value), exponent):
            yield Monomial(value**exponent, ())
        case Power(Symbol() as base, exponent) if exponent > 0:
            yield Monomial(Fraction(1), (base,) * exponent)
        case Power():
            raise InputError("only numbers may stand behind a division sign here, and only symbols in a power")
        case _:
            yield Monomial(Fraction(1), (node,))


def contract(coefficient: Fraction, factors: Sequence[Factor], outside: Sequence[str], n_L: int, neurons: bool) -> Pair:
    """A product of arrays, summed over all labels but those outside.

    Args:
        coefficient: a number in front.
        factors: the arrays.
        outside: the labels of the result; its axes are their samples, then, with ``neurons``, their neurons. Outer
            labels that are tied have one axis for their neuron, or none if nothing depends on it: a Kronecker delta
            is understood.
        n_L: the number of neurons, for closed loops.
        neurons: whether labels have neurons.
    """
    if not neurons and any(factor.neurons for factor in factors):
        raise InputError("errors, outputs and stochastic kernels carry a neuron and have no place in this formula")
    tie = _ties(factors) if neurons else {}
    carried = {tie.get(label, label) for factor in factors for label in factor.neurons}
    outer = dict.fromkeys(tie.get(label, label) for label in outside) if neurons else {}
    of_outside = [name for name in outer if name in carried]
    everywhere = {label for factor in factors for label in factor.samples}
    if missing := set(outside) - everywhere:
        raise InputError(f"label {sorted(missing)[0]} does not occur in every term")
    loops = {tie.get(label, label) for label in everywhere} - carried - set(outer) if neurons else set()
    letter = {("sample", label): _LETTERS[i] for i, label in enumerate(sorted(everywhere))}
    letter |= {("neuron", name): _LETTERS[len(everywhere) + i] for i, name in enumerate(sorted(carried))}

    def written(factor: Factor) -> str:
        of_samples = [letter["sample", label] for label in factor.samples]
        return "".join(of_samples + [letter["neuron", tie.get(label, label)] for label in factor.neurons if neurons])

    wanted = "".join([letter["sample", x] for x in outside] + [letter["neuron", x] for x in of_outside])
    texts = [written(factor) for factor in factors]
    total, standing = scalar(coefficient * n_L ** len(loops)), ""
    for number, factor in enumerate(factors):
        later = set("".join(texts[number + 1 :]) + wanted)
        keep = "".join(sorted((set(standing) | set(texts[number])) & later))
        total = einsum(f"{standing},{texts[number]}->{keep}", total, factor.array)
        standing = keep
    order = [standing.index(x) for x in wanted]
    return Pair(total.value.transpose(order), total.slope.transpose(order))


def _ties(factors: Sequence[Factor]) -> dict[str, str]:
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
    return {label: find(label) for factor in factors for label in (*factor.samples, *factor.neurons)}


def evaluate(
    node: Node,
    look: Callable[[Node], Factor],
    outside: Sequence[str],
    n_L: int,
    neurons: bool,
) -> Pair:
    """A side of a statement as an array over its outer labels."""
    total: Pair | None = None
    for coefficient, factors in monomials(node):
        part = contract(coefficient, [look(factor) for factor in factors], outside, n_L, neurons)
        total = part if total is None else plus(total, part)
    if total is None:
        raise InputError("an empty sum")
    return total
