"""Terms and diagrams of a recursion as sympy expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy
from sympy.core.symbol import Str

from pertheory.algebra.monomial import Powers
from pertheory.algebra.terms import Average as AverageKey
from pertheory.algebra.terms import Term, Terms
from pertheory.derive.diagram import Diagram
from pertheory.graphs.tensor import TensorType, pure_type
from pertheory.rulebook.names import checked
from pertheory.rulebook.network import IDENTITY
from pertheory.rulebook.tensors import Tensor, tensor_of
from pertheory.symbols.closed import closed_form
from pertheory.symbols.objects import (
    ALONE,
    ELL,
    WIDTH,
    WIDTH_BELOW,
    Cumulant,
    Factor,
    LayerComponent,
    LayerTensor,
    average,
    sample_symbol,
)
from pertheory.typeset.components import written

if TYPE_CHECKING:
    from pertheory.recursion import Recursion

#: the sample of a slot, by the slot's number
Samples = Callable[[int], sympy.Expr]


def samples_of(tensor: Tensor) -> Samples:
    """The samples of slots, by the labels of the tensor."""
    found = [sample_symbol(label) for label in tensor.labels]
    return found.__getitem__


def alone(_: int) -> sympy.Expr:
    """Every slot carries the one input."""
    return ALONE


def tensor_name(tensor: Tensor, order: int) -> str:
    """A tensor with its order: the name of its limit where the order is 0, "G{1}" else."""
    return (tensor.leading or tensor.name) if not order else f"{tensor.name}{{{order}}}"


@lru_cache(maxsize=4096)
def layer_tensor(name: str) -> LayerTensor:
    """The symbol of a tensor."""
    return LayerTensor(name)


def component(tensor: Tensor, order: int, samples: Sequence[sympy.Expr], layer: sympy.Expr = ELL) -> LayerComponent:
    """A component of a tensor; on one input it has no samples."""
    shown = () if all(sample == ALONE for sample in samples) else samples
    return layer_tensor(tensor_name(tensor, order))[(layer, *shown)]


def expressions(terms: Terms, samples: Samples) -> dict[int, sympy.Expr]:
    """The terms of a recursion by their order, as expressions."""
    memory: dict[AverageKey, sympy.Expr] = {}
    found: dict[int, list[sympy.Expr]] = {}
    for term, coefficient in terms.items():
        found.setdefault(term.order, []).append(_term(term, coefficient, samples, memory))
    return {order: sympy.Add(*own) for order, own in sorted(found.items())}


def _term(term: Term, coefficient: Fraction, samples: Samples, memory: dict[AverageKey, sympy.Expr]) -> sympy.Expr:
    parts = [front(coefficient, term.couplings, term.width_power)]
    for own in term.tensors:
        tensor, order, slots = written(*own)
        parts.append(component(tensor, order, [samples(slot) for slot in slots]))
    for own_average in term.averages:
        if own_average not in memory:
            factors = [Factor(samples(f.sample), f.legs, f.lines) for f in own_average.factors]
            memory[own_average] = _average(own_average.field, factors)
        parts.append(memory[own_average])
    return sympy.Mul(*parts)


def _average(field: str, factors: Sequence[Factor]) -> sympy.Expr:
    """An average; one of fields alone is a sum over pairings of the covariance."""
    own = average(ELL, field, factors)
    if all(line == (IDENTITY, 0) for factor in factors for line in factor.lines):
        return closed_form(own, {}, kernel)
    return own


def kernel(layer: sympy.Expr, field: str, *samples: sympy.Expr) -> LayerComponent:
    """The covariance of a field of a layer, as it stands in formulas: at two samples, or on one input."""
    tensor = tensor_of(pure_type(1, (field,))[0])
    return component(tensor, 0, sorted(samples, key=str), layer)


@lru_cache(maxsize=10_000)
def front(coefficient: Fraction, couplings: Powers, width_power: int) -> sympy.Expr:
    """Number, hyperparameters and widths of a term."""
    powers = [sympy.Symbol(checked(name)) ** power for name, power in couplings]
    number = sympy.Rational(coefficient.numerator, coefficient.denominator)
    return sympy.Mul(number, *powers, (WIDTH / WIDTH_BELOW) ** width_power)


def diagram_expressions(recursion: Recursion) -> dict[int, sympy.Expr]:
    """The diagrams of a recursion by their order: legs are indices that occur twice and are summed over."""
    samples = [samples_of(recursion.tensor)(slot) for slot in recursion.slot_of_vertex]
    found: dict[int, list[sympy.Expr]] = {order: [] for order in recursion.orders}
    for diagram in recursion.all_diagrams:
        (image,) = diagram.images
        found[diagram.order].append(_diagram(diagram, [samples[vertex] for vertex in image]))
    return {order: sympy.Add(*own) for order, own in found.items()}


def _diagram(diagram: Diagram, samples: Sequence[sympy.Expr]) -> sympy.Expr:
    legs = [sympy.Symbol(f"b{number + 1}", integer=True) for number in range(len(diagram.legs))]
    parts = [front(diagram.coefficient, diagram.couplings, diagram.width_power)]
    for kind, order, slots in diagram.vertices:
        parts.append(_in_slots(kind, order, [samples[slot] if slot >= 0 else legs[~slot] for slot in slots]))
    for number, neuron in enumerate(diagram.neurons):
        whole = [leg for leg, place in zip(legs, diagram.legs, strict=True) if place == (number, -1)]
        pieces = []
        for site_number, site in enumerate(neuron):
            own = [leg for leg, place in zip(legs, diagram.legs, strict=True) if place == (number, site_number)]
            lines = [(samples[v], *(diagram.lines[v] or (IDENTITY, 0))) for v in site]
            rows = sorted(lines, key=lambda line: (str(line[0]), line[1:]))
            pieces.append(
                sympy.Tuple(sympy.Tuple(*own), *(sympy.Tuple(x, Str(name), sympy.Integer(k)) for x, name, k in rows))
            )
        parts.append(Cumulant(ELL, Str(diagram.fields[number]), sympy.Tuple(*whole), *pieces))
    return sympy.Mul(*parts)


def _in_slots(kind: TensorType, order: int, samples: Sequence[sympy.Expr]) -> LayerComponent:
    tensor = tensor_of(kind)
    return component(tensor, order, [samples[vertex] for vertex in tensor.slots])
