"""Tensor types: the same whatever the names of the vertices, with the symmetries known by hand."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pertheory.graphs.tensor import (
    canonical_slots,
    pure_type,
    symmetry_elements,
    tensor_type,
)
from pertheory.rulebook.tensors import find_tensor, named_tensors

STAR = ((0, 1), (0, 2), (0, 3))
PATH = ((2, 0), (0, 1), (1, 3))  # inner vertices 0 and 1
EIGHT = ((0, 1), (2, 3), (4, 5), (6, 7))

# name: edges, pairs, order of the symmetry group. Counted by hand:
#   V and its kin: 2^p turns of pairs times p! exchanges of pairs. D: the two z. F: exchange both z and both
#   legs at once. A: turn each NTK, exchange them. B_1324: turn both NTKs at once, exchange the NTKs. P: the
#   legs 1, 2. Q: nothing. R: the leaves 2, 3 of the star. S, T, U: turn the path round.
BY_HAND = {
    "G": (2, (), ((0, 1),), 2),
    "H": (2, ((0, 1),), ((0, 1),), 2),
    "V": (4, (), ((0, 1), (2, 3)), 8),
    "V6": (6, (), ((0, 1), (2, 3), (4, 5)), 48),
    "V8": (8, (), EIGHT, 384),
    "D": (4, ((2, 3),), ((0, 1), (2, 3)), 4),
    "F": (4, ((2, 3),), ((0, 2), (1, 3)), 2),
    "A": (4, ((0, 1), (2, 3)), ((0, 1), (2, 3)), 8),
    "B": (4, ((0, 1), (2, 3)), ((0, 2), (1, 3)), 4),
    "P": (4, ((0, 1), (0, 2)), ((0, 3), (1, 2)), 2),
    "Q": (4, ((0, 1), (0, 2)), ((0, 1), (2, 3)), 1),
    "R": (4, STAR, ((0, 1), (2, 3)), 2),
    "S": (4, PATH, ((0, 1), (2, 3)), 2),
    "T": (4, PATH, ((0, 2), (1, 3)), 2),
    "U": (4, PATH, ((0, 3), (1, 2)), 2),
}


def type_of(name):
    size, edges, pairs, _ = BY_HAND[name]
    return tensor_type(("z",) * size, edges, pairs)[0]


@st.composite
def paired_forests(draw, fields=("z",)):
    """A random forest on an even number of vertices, a random pairing, fields constant on pairs."""
    size = 2 * draw(st.integers(1, 4))
    edges = []
    for vertex in range(1, size):
        parent = draw(st.integers(-1, vertex - 1))
        if parent >= 0:
            edges.append((parent, vertex))
    order = draw(st.permutations(range(size)))
    pairs = tuple((order[i], order[i + 1]) for i in range(0, size, 2))
    names = [""] * size
    for u, v in pairs:
        names[u] = names[v] = draw(st.sampled_from(fields))
    return tuple(names), tuple(edges), pairs


@pytest.mark.parametrize("name", BY_HAND)
def test_the_symmetry_has_the_order_counted_by_hand(name):
    kind = type_of(name)
    assert kind.symmetry_order == BY_HAND[name][3]
    assert len(symmetry_elements(kind)) == BY_HAND[name][3]


def test_the_named_types_are_all_different():
    assert len({type_of(name) for name in BY_HAND}) == len(BY_HAND)


@pytest.mark.parametrize("tensor", named_tensors(), ids=lambda tensor: tensor.name)
def test_the_book_s_tensors_are_the_graphs_written_by_hand(tensor):
    assert tensor.kind == type_of(tensor.name)


def test_f_1324_is_f_2413():
    f = find_tensor("F")[0]
    # Slots hold (1, 3, 2, 4); exchanging both z and both legs puts 2, 4, 1, 3 there: positions (2, 3, 0, 1).
    assert set(f.symmetries()) == {(2, 3, 0, 1)}


def test_theory_knows_which_exchanges_of_b_are_symmetries():
    b = find_tensor("B")[0]
    # B_1324 = B_2413 = B_3142 = B_4231 (slots are 1, 3, 2, 4).
    place = {vertex: slot for slot, vertex in enumerate(b.slots)}
    found = {tuple(place[g[v]] for v in b.slots) for g in symmetry_elements(b.kind)}
    written = {"1324", "2413", "3142", "4231"}
    assert {"".join("1324"[i] for i in element) for element in found} == written


@settings(max_examples=150)
@given(paired_forests(fields=("z", "u")), st.randoms(use_true_random=False))
def test_the_type_does_not_depend_on_the_names_of_the_vertices(forest, draw):
    fields, edges, pairs = forest
    kind, labelling = tensor_type(fields, edges, pairs)
    names = list(range(len(fields)))
    draw.shuffle(names)
    new_fields = [""] * len(fields)
    for vertex, name in enumerate(names):
        new_fields[name] = fields[vertex]

    def moved(links):
        renamed = [(names[u], names[v]) if draw.random() < 0.5 else (names[v], names[u]) for u, v in links]
        draw.shuffle(renamed)
        return tuple(renamed)

    again, _ = tensor_type(tuple(new_fields), moved(edges), moved(pairs))
    assert again == kind
    # The labelling is an isomorphism onto the canonical type.
    assert {frozenset((labelling[u], labelling[v])) for u, v in edges} == set(map(frozenset, kind.edges))
    assert {frozenset((labelling[u], labelling[v])) for u, v in pairs} == set(map(frozenset, kind.pairs))
    assert all(kind.fields[labelling[v]] == fields[v] for v in range(len(fields)))


@settings(max_examples=100)
@given(paired_forests())
def test_a_canonical_type_is_its_own_canonical_form(forest):
    kind, _ = tensor_type(*forest)
    assert tensor_type(kind.fields, kind.edges, kind.pairs)[0] == kind


@settings(max_examples=100)
@given(paired_forests(), st.data())
def test_canonical_slots_are_constant_on_orbits_and_tell_orbits_apart(forest, data):
    kind, _ = tensor_type(*forest)
    labels = tuple(data.draw(st.lists(st.integers(0, 3), min_size=kind.size, max_size=kind.size)))
    other = tuple(data.draw(st.permutations(labels)))
    elements = symmetry_elements(kind)
    orbit = {tuple(labels[i] for i in g) for g in elements}
    standard = canonical_slots(kind, labels)
    assert standard in orbit
    assert {canonical_slots(kind, member) for member in orbit} == {standard}
    assert (canonical_slots(kind, other) == standard) == (other in orbit)


@pytest.mark.parametrize("name", ["G", "V", "V6"])
def test_pure_types_are_the_correlators_of_preactivations(name):
    assert pure_type(len(BY_HAND[name][2]))[0] == type_of(name)
    assert type_of(name).is_pure
    assert all(len(tree) == 1 for tree in type_of(name).trees)


def test_canonical_slots_of_pure_types_agree_with_the_smallest_of_the_orbit_up_to_symmetry():
    # V6 takes a shortcut (sorting pairs); the orbit is the judge.
    kind = type_of("V6")
    draw = random.Random(0)
    for _ in range(60):
        labels = tuple(draw.randrange(4) for _ in range(6))
        orbit = {tuple(labels[i] for i in g) for g in symmetry_elements(kind)}
        assert canonical_slots(kind, labels) in orbit
        assert len({canonical_slots(kind, member) for member in orbit}) == 1


def test_fields_keep_pure_tensors_of_different_fields_apart():
    kind, _ = pure_type(2, ("u", "z"))
    assert kind == pure_type(2, ("z", "u"))[0]
    assert kind.symmetry_order == 4  # the pairs cannot be exchanged any more
    assert kind != pure_type(2)[0]
