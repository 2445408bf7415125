"""Values of a theory by brute force, for the self-test that is emitted with C code.

It shares with the rest only the recursions as they were derived: each of their terms is evaluated by itself, in plain
loops, with Gaussian averages as sums over dense grids (two inputs, smooth functions) or as Gauss-Legendre sums between
kinks, a derivative in front of a product being traded for a Hermite polynomial by Stein's lemma (one input).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory.algebra.terms import Average, Lines, Term
from pertheory.closure import Theory, covariance_type
from pertheory.graphs.tensor import tensor_type
from pertheory.kernels.packing import Packing, kept, largest, packing_of
from pertheory.rulebook.activation import Activation
from pertheory.rulebook.network import IDENTITY, Network
from pertheory.rulebook.tensors import Tensor, tensor_of
from pertheory.typeset.components import written
from pertheory.work import Node

Array = npt.NDArray[np.float64]
Index = tuple[int, ...]
#: A tensor of a layer: its kept entries; None where an average holds a delta function, which is not computed here.
Entries = dict[Index, float | None]
State = dict[str, Entries]
#: An average: the field, and per factor the input, the derivatives in front and the lines.
Standing = tuple[str, tuple[tuple[int, int, Lines], ...]]

DEPTH = 3
GRAM = ((1.1, 0.35), (0.35, 0.6))
#: Standard deviations that are summed over, and steps of the dense grid in them.
REACH, STEP = 10.0, 0.125


class Reference(NamedTuple):
    """What the self-test compares with.

    Attributes:
        gram: of the inputs.
        hyper: values of the hyperparameters, one row a layer.
        widths: n_0 .. n_(depth-1).
        states: the layers from 1.
    """

    gram: tuple[tuple[float, ...], ...]
    hyper: tuple[tuple[float, ...], ...]
    widths: tuple[float, ...]
    states: tuple[State, ...]


def recompute(theory: Theory, inputs: str, functions: Mapping[str, Activation]) -> Reference:
    """All tensors of layers 1 to 3: on two inputs if every function is smooth and ``inputs`` is "many", else on one."""
    rule = theory.network
    smooth = all(function.is_smooth for function in functions.values())
    count = 2 if smooth and inputs == "many" else 1
    gram = tuple(row[:count] for row in GRAM[:count])
    names = [name for name, _ in rule.hyperparameters]
    hyper = tuple(
        tuple(round(0.3 + 0.1 * ((3 * number + layer) % 7), 1) for number in range(len(names)))
        for layer in range(DEPTH)
    )
    widths = (3.0, 10.0, 10.0) if rule.passes_neurons else (3.0, 10.0, 15.0)
    states = [_first_layer(theory, gram, dict(zip(names, hyper[0], strict=True)))]
    for layer in range(1, DEPTH):
        ratios = [1.0] * len(rule.sublayers)
        ratios[0] = widths[layer] / widths[layer - 1]
        state = states[-1]
        for sublayer, ratio in enumerate(ratios):
            values = dict(zip(names, hyper[layer], strict=True))
            state = _sublayer(theory, sublayer, state, values, ratio, functions, count)
        states.append(state)
    return Reference(gram, hyper, widths, tuple(states))


def _packing(tensor: Tensor) -> Packing:
    from pertheory.kernels.lower import symmetry_of

    return packing_of(symmetry_of(tensor))


def _first_layer(theory: Theory, gram: Sequence[Sequence[float]], values: Mapping[str, float]) -> State:
    """G and H of the first layer from the parameters that feed it, all else zero."""
    rule: Network = theory.network
    state: State = {}
    for node in theory.nodes:
        if node.sublayer != len(rule.sublayers) - 1:
            continue
        field = node.kind.fields[0]
        ntk = tensor_type((field, field), ((0, 1),), ((0, 1),))[0]
        entries: Entries = {}
        for index in kept(_packing(node.tensor), len(gram)):
            total = 0.0
            if node.order == 0 and node.kind in (covariance_type(field), ntk):
                for name in dict(rule.inputs).get(field, ()):
                    parameter = rule.parameter(name)
                    factor = parameter.learning_rate if node.kind == ntk else parameter.variance
                    if factor is not None:
                        total += factor.value(values) * (gram[index[0]][index[1]] if parameter.kind == "weight" else 1)
            entries[index] = total
        state[node.key] = entries
    return state


def _sublayer(
    theory: Theory,
    sublayer: int,
    below: State,
    values: Mapping[str, float],
    ratio: float,
    functions: Mapping[str, Activation],
    count: int,
) -> State:
    averages: dict[Standing, float | None] = {}
    above: State = {}
    for node in theory.nodes:
        if node.sublayer != sublayer:
            continue
        terms = _terms(theory, node, count)
        above[node.key] = {
            index: _entry(terms, index, below, values, ratio, functions, averages)
            for index in kept(_packing(node.tensor), count)
        }
    return above


def _terms(theory: Theory, node: Node, count: int) -> Mapping[Term, object]:
    slots = node.tensor.kind.size
    return theory.recursion(node).terms_where([0] * slots if count == 1 else list(range(slots)))


def _entry(
    terms: Mapping[Term, object],
    index: Index,
    below: State,
    values: Mapping[str, float],
    ratio: float,
    functions: Mapping[str, Activation],
    averages: dict[Standing, float | None],
) -> float | None:
    parts = []
    for term, coefficient in terms.items():
        value: float | None = float(coefficient) * ratio**term.width_power  # type: ignore[arg-type]
        for symbol, power in term.couplings:
            value = value * values[symbol] ** power if value is not None else None
        for component in term.tensors:
            tensor, order, slots = written(*component)
            found = below[tensor.name + (f"{{{order}}}" if order else "")]
            factor = found[largest(_packing(tensor), tuple(index[slot] for slot in slots))]
            value = None if value is None or factor is None else value * factor
        for average in term.averages:
            standing = tuple(sorted((index[f.sample], f.legs, f.lines) for f in average.factors))
            key = (average.field, standing)
            if key not in averages:
                averages[key] = _average(average, index, below, functions)
            factor = averages[key]
            value = None if value is None or factor is None else value * factor
        if value is None:
            return None
        parts.append(value)
    return math.fsum(parts)


def _average(average: Average, index: Index, below: State, functions: Mapping[str, Activation]) -> float | None:
    """One Gaussian average; None if it holds a delta function."""
    kernel = below[tensor_of(covariance_type(average.field)).name]
    lines: dict[int, list[tuple[str, int]]] = {}
    legs: dict[int, int] = {}
    for factor in average.factors:
        at = index[factor.sample]
        lines.setdefault(at, []).extend(factor.lines)
        legs[at] = legs.get(at, 0) + factor.legs
        for name, order in factor.lines:
            jump = functions[name].jump_order if name != IDENTITY else None
            if jump is not None and order > jump:
                return None
    inputs = sorted(lines)
    covariance = [[kernel[(max(i, j), min(i, j))] for j in inputs] for i in inputs]
    if any(value is None for row in covariance for value in row):
        return None
    matrix = np.array(covariance, dtype=float)
    if len(inputs) == 1:
        sigma = math.sqrt(matrix[0, 0])
        kinks = [x for name, _ in lines[inputs[0]] if name != IDENTITY for x in functions[name].kinks]
        nodes, weights = _panels([kink / sigma for kink in kinks])
        hermite = np.polynomial.hermite_e.hermeval(nodes, [0.0] * legs[inputs[0]] + [1.0])
        values = _values(lines[inputs[0]], sigma * nodes, functions) * hermite
        return float(np.sum(weights * values)) / sigma ** legs[inputs[0]]
    if any(legs.values()):
        raise AssertionError("a derivative in front of a product on two inputs")
    root = np.linalg.cholesky(matrix)
    points = np.arange(-REACH, REACH + STEP / 2, STEP)
    first, second = np.meshgrid(points, points, indexing="ij")
    weight = STEP**2 / (2 * math.pi) * np.exp(-(first**2 + second**2) / 2)
    inner = _values(lines[inputs[0]], root[0, 0] * points, functions)
    outer = _values(lines[inputs[1]], (root[1, 0] * first + root[1, 1] * second).ravel(), functions)
    return float(np.sum(weight * inner[:, None] * outer.reshape(first.shape)))


def _panels(breaks: Sequence[float]) -> tuple[Array, Array]:
    """Nodes and weights, with those of the normal distribution in them, between breaks and in steps of a half."""
    ends = sorted({-REACH, REACH, *np.arange(-REACH, REACH, 0.5).tolist(), *(b for b in breaks if abs(b) < REACH)})
    x, w = np.polynomial.legendre.leggauss(24)
    nodes, weights = [], []
    for left, right in pairwise(ends):
        nodes.append((left + right) / 2 + (right - left) / 2 * x)
        weights.append((right - left) / 2 * w)
    points = np.concatenate(nodes)
    return points, np.concatenate(weights) * np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi)


def _values(lines: Sequence[tuple[str, int]], x: Array, functions: Mapping[str, Activation]) -> Array:
    result = np.ones_like(x)
    for name, order in lines:
        result = result * (_identity(order)(x) if name == IDENTITY else functions[name].derivative(order)(x))
    return result


def _identity(order: int) -> Callable[[Array], Array]:
    return lambda x: x if order == 0 else np.full_like(x, float(order == 1))


def packed(reference: Reference) -> list[dict[str, list[float | None]]]:
    """For each layer and tensor the kept entries in the order of the packed storage."""
    return [
        {key: [entries[i] for i in sorted(entries)] for key, entries in state.items()} for state in reference.states
    ]


__all__ = ["Reference", "packed", "recompute"]
