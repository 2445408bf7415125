"""Diagram form, expanded form and single-input form are one and the same quantity.

Diagrams are evaluated here by a route of their own, for a cubic activation and with the covariance K as symbols: a
pair of legs that acts on the whole of a neuron is a derivative by K (two legs d_a d_b inside a Gaussian average are
2 d/dK_aa for a = b and d/dK_ab otherwise), so nothing is expanded by Leibniz' rule, and joint cumulants are taken
of finished averages. All arithmetic is of rational polynomials in the entries of K; equality is exact.
"""

import itertools
import math
import random
from collections import Counter
from fractions import Fraction
from functools import cache

import pytest

import pertheory as pt
from pertheory.graphs.tensor import canonical_slots
from pertheory.rulebook.network import IDENTITY
from pertheory.rulebook.tensors import find_tensor

# A polynomial in K: {sorted tuple of (a, b): coefficient}; a polynomial in z: {sorted tuple of samples: coefficient}.
CUBIC = (Fraction(1, 3), Fraction(2), Fraction(-1, 2), Fraction(3, 5))


@cache
def line(function, order, sample):
    coefficients = (Fraction(0), Fraction(1)) if function == IDENTITY else CUBIC
    for _ in range(order):
        coefficients = tuple(k * c for k, c in enumerate(coefficients))[1:]
    return {(sample,) * k: c for k, c in enumerate(coefficients) if c}


def times(*factors):
    result = {(): Fraction(1)}
    for factor in factors:
        grown = Counter()
        for (m, c), (k, d) in itertools.product(result.items(), factor.items()):
            grown[tuple(sorted(m + k))] += c * d
        result = {m: c for m, c in grown.items() if c}
    return result


def plus(*parts):
    total = Counter()
    for part in parts:
        for monomial, c in part.items():
            total[monomial] += c
    return {m: c for m, c in total.items() if c}


def scaled(polynomial, factor):
    return {m: c * factor for m, c in polynomial.items() if c * factor}


def derived(polynomial, variable):
    """The derivative by one variable, a sample of z or an entry of K."""
    result = {}
    for monomial, c in polynomial.items():
        power = monomial.count(variable)
        if power:
            rest = list(monomial)
            rest.remove(variable)
            result[tuple(rest)] = c * power
    return result


@cache
def moment(samples):
    """E[z z ... z] as a polynomial in K (Isserlis)."""
    if not samples:
        return {(): Fraction(1)}
    head, rest = samples[0], samples[1:]
    parts = []
    for place, partner in enumerate(rest):
        entry = {((min(head, partner), max(head, partner)),): Fraction(1)}
        parts.append(times(entry, moment(rest[:place] + rest[place + 1 :])))
    return plus(*parts)


def expectation(polynomial):
    return plus(*(scaled(moment(m), c) for m, c in polynomial.items()))


def set_partitions(items):
    if not items:
        yield []
        return
    for smaller in set_partitions(items[1:]):
        yield [[items[0]], *smaller]
        for k in range(len(smaller)):
            yield [*smaller[:k], [items[0], *smaller[k]], *smaller[k + 1 :]]


def cumulant(functions, legs):
    """The joint cumulant of polynomials in z; ``legs[i]`` derive the average in which function i stands.

    A leg sits on the neuron of its site. Where the sums over neurons tie another site to the same neuron, in the same
    average, the leg derives that one as well; a site in another factor of the cumulant is on another neuron.
    """
    parts = []
    for partition in set_partitions(list(range(len(functions)))):
        sign = (-1) ** (len(partition) - 1) * math.factorial(len(partition) - 1)
        averages = []
        for block in partition:
            together = times(*(functions[i] for i in block))
            for variable in (leg for i in block for leg in legs[i]):
                together = derived(together, variable)
            averages.append(expectation(together))
        parts.append(scaled(times(*averages), sign))
    return plus(*parts)


def of_diagrams(recursion, samples):
    """The sum of all diagrams: {(order, couplings, width power, tensor components): polynomial in K}."""
    result = {}
    for diagram in recursion.diagrams:
        for image in diagram.images:
            label = [samples[image[v]] for v in range(recursion.tensor.kind.size)]
            present = sorted(set(label))
            legs = range(len(diagram.legs))
            for choice in itertools.product(present, repeat=len(legs)):
                value = {(): diagram.coefficient}
                for number, neuron in enumerate(diagram.neurons):
                    functions = [times(*(line(*diagram.lines[v], label[v]) for v in site)) for site in neuron]
                    own = [
                        [choice[leg] for leg in legs if diagram.legs[leg] == (number, index)]
                        for index in range(len(neuron))
                    ]
                    average = cumulant(functions, own)
                    loose = [choice[leg] for leg in legs if diagram.legs[leg] == (number, -1)]
                    for a, b in zip(loose[::2], loose[1::2], strict=True):
                        entry = (min(a, b), max(a, b))
                        average = scaled(derived(average, entry), 2 if a == b else 1)
                    value = times(value, average)
                components = tuple(
                    sorted(
                        (kind, order, canonical_slots(kind, tuple(label[s] if s >= 0 else choice[~s] for s in slots)))
                        for kind, order, slots in diagram.vertices
                    )
                )
                key = (diagram.order, diagram.couplings, diagram.width_power, components)
                result[key] = plus(result.get(key, {}), value)
    return {key: value for key, value in result.items() if value}


def of_terms(terms, samples=None):
    """The same of terms; ``samples`` renames the slots."""
    result = {}
    for term, coefficient in terms.items():
        value = {(): coefficient}
        for average in term.averages:
            product = {(): Fraction(1)}
            for slot, legs, lines in average.factors:
                sample = slot if samples is None else samples[slot]
                function = times(*(line(*item, sample) for item in lines))
                for _ in range(legs):
                    function = derived(function, sample)
                product = times(product, function)
            value = times(value, expectation(product))
        components = tuple(
            sorted(
                (c.kind, c.order, canonical_slots(c.kind, tuple(s if samples is None else samples[s] for s in c.slots)))
                for c in term.tensors
            )
        )
        key = (term.order, term.couplings, term.width_power, components)
        result[key] = plus(result.get(key, {}), value)
    return {key: value for key, value in result.items() if value}


NAMES = ["G", "H", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"]
CASES = [(name, 0) for name in NAMES] + [("G", 1), ("H", 1)]
cases = pytest.mark.parametrize(("name", "order"), CASES)


@cases
def test_expanded_form_equals_diagram_form_for_distinct_samples(name, order):
    recursion = pt.derive("mlp", name, order=order)
    assert of_terms(recursion.terms) == of_diagrams(recursion, recursion.slot_of_vertex)


HIGHER = [("G", 2), ("H", 2), ("V", 1), ("F", 1), ("D", 1), ("P", 1), ("V6", 0)]


@pytest.mark.parametrize(("name", "order"), [*CASES, *HIGHER])
def test_single_input_form_equals_the_expanded_form_with_all_samples_equal(name, order):
    recursion = pt.derive("mlp", name, order=order)
    together = [0] * recursion.tensor.kind.size
    assert of_terms(recursion.single_input_terms) == of_terms(recursion.terms, together)


@pytest.mark.parametrize(("name", "order"), [*CASES, ("V", 1), ("F", 1), ("D", 1), ("V6", 0)])
def test_single_input_form_equals_diagram_form(name, order):
    recursion = pt.derive("mlp", name, order=order)
    together = [0] * recursion.tensor.kind.size
    assert of_terms(recursion.single_input_terms) == of_diagrams(recursion, together)


@pytest.mark.parametrize("name", ["V", "D", "F", "A", "P", "Q", "T"])
def test_partly_coinciding_samples_may_be_put_together_before_or_after_the_expansion(name):
    from pertheory.algebra.terms import add_terms
    from pertheory.forms.expand import expand

    recursion = pt.derive("mlp", name)
    for pattern in ((0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 2), (0, 1, 1, 1)):
        samples = [pattern[slot] for slot in recursion.slot_of_vertex]
        before = add_terms(item for d in recursion.diagrams for item in expand(d, samples).items())
        assert of_terms(before) == of_terms(recursion.terms, pattern)
        for term in before:
            for average in term.averages:
                own = [factor.sample for factor in average.factors]
                assert own == sorted(set(own)), "each sample stands once in an average"


def test_expanded_form_of_distinct_samples_has_no_legs_left():
    for name in NAMES:
        for term in pt.derive("mlp", name, order=0).terms:
            for average in term.averages:
                assert all(legs == 0 and len(lines) == 1 for _, legs, lines in average.factors)


def test_single_input_form_of_v_agrees_with_averages_of_sin_in_closed_form():
    # <d^2(s s)> at one input for s = sin, K = 0.7, by the closed form: s s = (1 - cos 2z)/2, so its second
    # derivative is 2 cos 2z with mean 2 exp(-2K). V then is C_W^2/4 V (2 exp(-2K))^2 + C_W^2 (<s^4> - <s^2>^2).
    from pertheory.averages.gaussian import GaussianAverages
    from pertheory.functions.activation import activation

    k, v = 0.7, 0.37
    average = GaussianAverages({"s": activation("sin")})
    total = 0.0
    for term, coefficient in pt.derive("mlp", "V").single_input_terms.items():
        value = float(coefficient) * v ** len(term.tensors)
        for item in term.averages:
            request = tuple((legs, lines) for _, legs, lines in item.factors)
            value *= float(average([[k]], [request])[0][0])
        total += value
    square, fourth = (1 - math.exp(-2 * k)) / 2, 3 / 8 - math.exp(-2 * k) / 2 + math.exp(-8 * k) / 8
    assert total == pytest.approx(v * math.exp(-4 * k) + fourth - square**2, rel=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_random_forests_of_four_have_equal_forms(seed):
    draw = random.Random(seed)
    labels = list("1234")
    draw.shuffle(labels)
    text = draw.choice(["H({},{}) H({},{})", "dH({};{},{}) z({})", "z({}) z({}) H({},{})", "ddH_II({},{};{},{})"])
    text = f"{text.format(*labels)} @ {draw.choice(['12,34', '13,24', '14,23'])}"
    recursion = pt.derive("mlp", find_tensor(text)[0])
    assert of_terms(recursion.terms) == of_diagrams(recursion, recursion.slot_of_vertex)
