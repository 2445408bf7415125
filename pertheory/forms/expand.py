"""Diagrams to terms: joint cumulants into averages, legs onto samples (Leibniz's rule).

Samples may be told to coincide. With all samples distinct the result is the *expanded form*: every average is a product
of ``s^(k)`` at distinct samples, and no inverse of K occurs. With all samples equal it is the *single-input form*, in
which the legs stay in front of the product that they derive, so that kinked functions can be combined before they
are evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from pertheory.algebra.terms import Average, Component, Factor, Term, Terms
from pertheory.derive.diagram import Diagram
from pertheory.graphs.canonical import Permutation
from pertheory.graphs.partitions import cumulant_partitions
from pertheory.graphs.tensor import canonical_slots
from pertheory.rulebook.network import IDENTITY


def expand(diagram: Diagram, samples: Sequence[int]) -> Terms:
    """The terms of a diagram and of all others of its orbit.

    Args:
        diagram: as it comes from the six moves.
        samples: for each vertex (slot) of its tensor the slot whose sample it carries; ``range(size)`` keeps all
            distinct, all zeros makes them equal.
    """
    total: dict[Term, int] = {}  # whole weights first: the coefficient of the diagram is a fraction, which is slow
    for image in diagram.images:
        for term, weight, _ in _weighed(diagram, image, samples):
            total[term] = total.get(term, 0) + weight
    return {term: diagram.coefficient * weight for term, weight in total.items() if weight}


def count_ways(diagram: Diagram) -> int:
    """How many choices Leibniz' rule has in a diagram and all others of its orbit: what `expand` costs.

    Samples are distinct. What vanishes, and what lines of the identity leave over, is not looked at.
    """
    total = len(diagram.images)
    for number, neuron in enumerate(diagram.neurons):
        sites = [site for where, site in diagram.legs if where == number]
        loose = sum(site < 0 for site in sites) // 2  # pairs that may stand in any average
        own = 0
        for _, partition in cumulant_partitions(len(neuron)):
            free = 1
            for part in partition:  # what is bound to a site acts on one of the samples of its average
                free *= sum(len(neuron[i]) for i in part) ** sum(sites.count(i) for i in part)
            own += free * sum(sum(len(neuron[i]) for i in part) ** 2 for part in partition) ** loose
        total *= own
    return total


class Way(NamedTuple):
    """One choice of Leibniz's rule: the term that results, its coefficient, and the sample that each leg acts on."""

    term: Term
    coefficient: Fraction
    legs: dict[int, int]


def ways(diagram: Diagram, image: Permutation, samples: Sequence[int]) -> Iterator[Way]:
    """The terms of one diagram whose vertex v is renamed ``image[v]`` and then carries that slot's sample."""
    for term, weight, legs in _weighed(diagram, image, samples):
        yield Way(term, diagram.coefficient * weight, legs)


def _weighed(
    diagram: Diagram, image: Permutation, samples: Sequence[int]
) -> Iterator[tuple[Term, int, dict[int, int]]]:
    """As `ways`, with what the coefficient of the diagram is multiplied by."""
    label = [samples[v] for v in image]
    width_power = diagram.width_power
    known: dict[tuple[int, tuple[int, ...]], Component] = {}
    options = [_neuron_terms(diagram, number, tuple(label)) for number in range(len(diagram.neurons))]
    for choice in product(*options):
        whole = 1
        averages: list[Average] = []
        leg_sample: dict[int, int] = {}
        for weight, factors, assigned in choice:
            whole *= weight
            averages.extend(factors)
            leg_sample.update(assigned)
        components = []
        for number, (kind, order, slots) in enumerate(diagram.vertices):
            labels = tuple([label[slot] if slot >= 0 else leg_sample[~slot] for slot in slots])
            component = known.get((number, labels))
            if component is None:
                component = known[number, labels] = Component(kind, order, canonical_slots(kind, labels))
            components.append(component)
        components.sort()
        averages.sort()
        term = Term(diagram.order, diagram.couplings, width_power, tuple(components), tuple(averages))
        yield term, whole, leg_sample


NeuronTerm = tuple[int, tuple[Average, ...], tuple[tuple[int, int], ...]]


def _neuron_terms(diagram: Diagram, number: int, label: tuple[int, ...]) -> list[NeuronTerm]:
    """The joint cumulant on one neuron: signed products of averages, with the sample of each leg."""
    neuron = diagram.neurons[number]
    single: list[list[int]] = [[] for _ in neuron]
    loose: list[int] = []
    for index, (where, site) in enumerate(diagram.legs):
        if where == number:
            (loose if site < 0 else single[site]).append(index)
    pairs = [(loose[i], loose[i + 1]) for i in range(0, len(loose), 2)]  # partners are numbered in sequence
    result: list[NeuronTerm] = []
    for sign, partition in cumulant_partitions(len(neuron)):
        for choice in product(range(len(partition)), repeat=len(pairs)):
            options = []
            for part_number, part in enumerate(partition):
                legs = [leg for i in part for leg in single[i]]
                legs += [
                    leg for chosen, ends in zip(choice, pairs, strict=True) if chosen == part_number for leg in ends
                ]
                vertices = [v for i in part for v in neuron[i]]
                lines = tuple(sorted((label[v], diagram.lines[v]) for v in vertices))
                options.append(_average_terms(diagram.fields[number], lines, tuple(legs)))
            for parts in product(*options):
                weight = sign * math.prod(count for count, _, _ in parts)
                averages = tuple(average for _, average, _ in parts if average.factors)
                assigned = tuple(pair for _, _, pairs_of in parts for pair in pairs_of)
                result.append((weight, averages, assigned))
    return result


@lru_cache(maxsize=100_000)
def _average_terms(
    field: str, lines: tuple[tuple[int, tuple[str, int]], ...], legs: tuple[int, ...]
) -> tuple[tuple[int, Average, tuple[tuple[int, int], ...]], ...]:
    """One average with legs: each leg goes to one of the samples that stand in it.

    Args:
        field: the field that is averaged over.
        lines: (sample, (function, derivative order)), sorted.
        legs: numbers of the legs.
    """
    at_sample: dict[int, list[tuple[str, int]]] = {}
    for sample, line in lines:
        at_sample.setdefault(sample, []).append(line)
    result = []
    for choice in product(sorted(at_sample), repeat=len(legs)):
        standing = tuple((s, tuple(at_sample[s]), choice.count(s)) for s in sorted(at_sample))
        for weight, factors in _derived(standing):
            result.append((weight, Average(field, factors), tuple(zip(legs, choice, strict=True))))
    return tuple(result)


@lru_cache(maxsize=100_000)
def _derived(
    at_samples: tuple[tuple[int, tuple[tuple[str, int], ...], int], ...],
) -> tuple[tuple[int, tuple[Factor, ...]], ...]:
    """Let the legs at each sample act: on the only line there, or kept in front of the product of several.

    Identity lines are constants once derived: they are dropped, or make the whole vanish.
    """
    factors = []
    for sample, lines, legs in at_samples:
        if len(lines) == 1:
            lines, legs = ((lines[0][0], lines[0][1] + legs),), 0
        if any(name == IDENTITY and order > 1 for name, order in lines):
            return ()
        kept = tuple(sorted(line for line in lines if line != (IDENTITY, 1)))
        if all(name == IDENTITY for name, _ in kept) and legs:
            # a power of z: carry out the derivative
            power = len(kept)
            if legs > power:
                return ()
            weight = math.perm(power, legs)
            rest = _derived(tuple(item for item in at_samples if item[0] != sample))
            own = (Factor(sample, 0, kept[legs:]),) if power > legs else ()
            return tuple((weight * count, tuple(sorted((*own, *others)))) for count, others in rest)
        if len(kept) == 1 and legs:
            kept, legs = ((kept[0][0], kept[0][1] + legs),), 0
        if kept:
            factors.append(Factor(sample, legs, kept))
    return ((1, tuple(factors)),)
