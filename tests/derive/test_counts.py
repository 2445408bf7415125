"""The number of terms of the expanded form, for generic distinct samples.

The numbers come from hand calculations and a separate prototype on plain moments, older than the engine.
"""

import pytest

import pertheory as pt

LEADING = {
    "G": 2,
    "V": 11,
    "H": 3,
    "D": 25,
    "F": 5,
    "A": 57,
    "B": 2,
    "P": 4,
    "Q": 12,
    "R": 9,
    "S": 5,
    "T": 29,
    "U": 2,
    "V6": 392,
}


@pytest.mark.parametrize("name", LEADING)
def test_the_leading_recursion_has_the_known_number_of_terms(name):
    recursion = pt.derive("mlp", name)
    assert len(recursion.terms) == LEADING[name]
    assert len(recursion.to_json()["terms"]) == LEADING[name]


@pytest.mark.parametrize(("name", "order", "number"), [("G", 1, 11), ("H", 1, 29), ("V", 1, 355), ("G", 2, 75)])
def test_the_recursion_with_corrections_has_the_known_number_of_terms(name, order, number):
    recursion = pt.derive("mlp", name, order=order)
    assert len(recursion.terms) == number
    assert {term.order for term in recursion.terms} == set(range(order + 1))


def test_v_has_the_three_diagrams_of_its_textbook_form():
    # C_W^2 [<s1 s2 s3 s4> - <s1 s2><s3 s4>] is one joint cumulant, C_W^2/4 V <dd(s1 s2)><dd(s3 s4)> the other diagram.
    diagrams = pt.derive("mlp", "V").diagrams
    assert sorted((len(d.neurons), len(d.vertices), d.coefficient) for d in diagrams) == [
        (1, 0, 1),
        (2, 1, pytest.approx(1 / 4)),
    ]
    joint = next(d for d in diagrams if not d.vertices)
    assert len(joint.neurons[0]) == 2


def test_every_term_has_the_power_of_the_widths_that_its_tensors_carry():
    for name in LEADING:
        for term in pt.derive("mlp", name).terms:
            assert term.width_power == sum(len(c.kind.pairs) - 1 + c.order for c in term.tensors)


def test_no_diagram_above_the_wanted_order_is_built():
    # A diagram of T{k} costs k + p - 1 powers of 1/n: tensors and coincidences together.
    for name, order in (("V", 1), ("H", 1), ("A", 0), ("V6", 0)):
        recursion = pt.derive("mlp", name, order=order)
        pairs = recursion.tensor.pairs
        for diagram in recursion.diagrams:
            sites = sum(len(neuron) for neuron in diagram.neurons)
            with_site = sum(bool(join.site) for join in diagram.sites.joins)
            merged = with_site - sites
            coincidences = sites - len(diagram.neurons)
            cost = sum(v.power for v in diagram.vertices) + merged + coincidences
            assert cost == diagram.order + pairs - 1
