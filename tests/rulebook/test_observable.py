"""Observables: text, Python products and tensor types say the same; mistakes are pointed at."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pertheory as pt
from pertheory.errors import InputError
from pertheory.graphs.tensor import symmetry_elements
from pertheory.rulebook.observable import LABELS, Observable, canonical_observable, parse_observable
from pertheory.rulebook.tensors import find_tensor, from_observable, tensor_of
from tests.processes import same_everywhere


@st.composite
def observables(draw, most=10, fields=("z",)):
    """A random forest with random labels and a pairing of them, fields constant on pairs."""
    size = 2 * draw(st.integers(1, most // 2))
    edges = []
    for vertex in range(1, size):
        parent = draw(st.integers(-1, vertex - 1))
        if parent >= 0:
            edges.append((parent, vertex))
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=size, max_size=size, unique=True))
    order = draw(st.permutations(range(size)))
    names = [""] * size
    pairs = []
    for i in range(0, size, 2):
        u, v = order[i], order[i + 1]
        names[u] = names[v] = draw(st.sampled_from(fields))
        pairs.append((labels[u], labels[v]))
    return Observable(tuple(labels), tuple(edges), tuple(names)), pairs


def structure(observable):
    """The forest by labels: fields and edges, without the order of either."""
    fields = dict(zip(observable.labels, observable.fields, strict=True))
    edges = {frozenset((observable.labels[u], observable.labels[v])) for u, v in observable.edges}
    return fields, edges


@settings(max_examples=150)
@given(observables(fields=("z", "u")))
def test_what_is_written_reads_back_as_the_same_forest_and_pairs(given_observable):
    observable, pairs = given_observable
    text = f"{observable} @ {','.join(a + b for a, b in pairs)}"
    again, pairs_again = parse_observable(text)
    assert structure(again) == structure(observable)
    assert pairs_again == pairs
    assert again.tensor(pairs)[0] == observable.tensor(pairs)[0]


@settings(max_examples=150)
@given(observables(fields=("z", "u")))
def test_canonical_names_read_back_as_the_same_type_with_slots_in_the_order_of_the_text(given_observable):
    kind, _ = given_observable[0].tensor(given_observable[1])
    observable, slots, text = canonical_observable(kind)
    again, pairs = parse_observable(text)
    assert again.tensor(pairs)[0] == kind
    assert observable.labels == tuple(LABELS[: kind.size])
    # Slot k holds canonical vertex slots[k]: the forest on the labels is the forest of the type.
    vertex = dict(zip(observable.labels, slots, strict=True))
    _, edges = structure(again)
    assert {frozenset(vertex[label] for label in edge) for edge in edges} == set(map(frozenset, kind.edges))
    assert {frozenset(vertex[label] for label in pair) for pair in pairs} == set(map(frozenset, kind.pairs))
    assert canonical_observable(again.tensor(pairs)[0])[2] == text


def test_a_canonical_name_names_one_order_of_slots():
    text = "tree(1-2, 1-3, 1-4, 1-5, 2-6) @ 12,34,56"
    named = tensor_of(find_tensor(text)[0].kind)
    found, _ = find_tensor(named.name)
    assert found.name == named.name
    assert found.labels == named.labels


@settings(max_examples=60)
@given(observables(most=4))
def test_a_canonical_name_finds_its_own_tensor(given_observable):
    kind, _ = given_observable[0].tensor(given_observable[1])
    tensor = tensor_of(kind)
    found, order = find_tensor(tensor.name)
    assert order is None
    assert found.kind == kind
    # The same slots up to a symmetry of the tensor.
    place = {vertex: slot for slot, vertex in enumerate(tensor.slots)}
    images = {tuple(place[g[v]] for v in tensor.slots) for g in symmetry_elements(kind)}
    assert tuple(place[vertex] for vertex in found.slots) in images


UNNAMED = {
    "H(1,2) z(3) z(4) z(5) z(6) @ 12,34,56": "z(1) z(2) z(3) z(4) H(5,6) @ 12,34,56",
    "H(a,b) z(c) z(d) z(e) z(f) @ ac,bd,ef": "z(1) z(2) z(3) z(4) H(5,6) @ 12,35,46",
    "dH(1;2,3) dH(4;5,6) @ 14,25,36": "dH(1;2,3) dH(4;5,6) @ 14,25,36",
}


@pytest.mark.parametrize("text", UNNAMED)
def test_canonical_names_stay_as_they_were_written_down(text):
    # No number from elsewhere: these names stand in people's files, so a change of them must be a decision.
    assert tensor_of(find_tensor(text)[0].kind).name == UNNAMED[text]


def test_names_and_identifiers_do_not_depend_on_the_process():
    printed = same_everywhere(
        "from pertheory.rulebook.tensors import find_tensor, tensor_of\n"
        f"for text in {list(UNNAMED)!r} + ['tree(a-b, b-c, c-d, d-e, e-f) @ af,be,cd']:\n"
        "    tensor = tensor_of(find_tensor(text)[0].kind)\n"
        "    print(tensor.name, tensor.identifier)\n"
    )
    assert len(printed.splitlines()) == 4


@pytest.mark.parametrize(
    ("in_python", "text", "pairs"),
    [
        (pt.z(1) * pt.z(2) * pt.H(3, 4), "z(1) z(2) H(3,4)", [(1, 3), (2, 4)]),
        (pt.dH(0, 1, 2) * pt.z(3), "dH(0;1,2) z(3)", [(0, 3), (1, 2)]),
        (pt.ddH_I(0, 1, 2, 3), "ddH_I(0;1,2,3)", [(0, 1), (2, 3)]),
        (pt.ddH_II(1, 2, 3, 4), "ddH_II(1,2;3,4)", [(1, 4), (2, 3)]),
        (pt.tree((1, 2), (1, 3), (2, 4)), "ddH_II(1,2;3,4)", [(1, 2), (3, 4)]),
        (pt.tree(("a", "b"), ("b", "c"), ("c", "d"), ("c", "e"), ("e", "f")), None, ["ab", "cd", "ef"]),
    ],
)
def test_python_products_are_the_observables_of_the_text(in_python, text, pairs):
    parsed, _ = parse_observable(text or "tree(a-b, b-c, c-d, c-e, e-f)")
    assert structure(parsed) == structure(in_python)
    assert from_observable(in_python, pairs).kind == parsed.tensor(pairs)[0]


def test_trees_are_written_by_their_shortest_name():
    for text, expected in [
        ("tree(1-2)", "H(1,2)"),
        ("tree(1-2, 1-3)", "dH(1;2,3)"),
        ("tree(1-2, 1-3, 1-4)", "ddH_I(1;2,3,4)"),
        ("tree(3-1, 1-2, 2-4)", "ddH_II(1,2;3,4)"),
    ]:
        assert structure(parse_observable(str(parse_observable(text)[0]))[0]) == structure(
            parse_observable(expected)[0]
        )
        assert str(parse_observable(text)[0]).split("(")[0] == expected.split("(")[0]


def test_the_second_differential_of_type_ii_has_the_edges_of_its_definition():
    # ddH_II(a,b;c,d) is the path c - a - b - d.
    _, edges = structure(parse_observable("ddH_II(a,b;c,d)")[0])
    assert edges == {frozenset("ab"), frozenset("ac"), frozenset("bd")}


@pytest.mark.parametrize(
    ("text", "character", "expected"),
    [
        ("", 1, "z, H, dH"),
        ("z", 2, "'('"),
        ("z(1", 4, "')'"),
        ("z()", 3, "label"),
        ("z(12)", 4, "')'"),
        ("z(1) q(2)", 6, "tree"),
        ("H(1;2)", 4, "','"),
        ("z(1) z(2) @", 12, "label"),
        ("z(1) z(2) @ 1", 14, "label"),
        ("z(1) z(2) @ 12,", 16, "label"),
        ("z(1) z(2) @ 12 34", 16, "','"),
        ("dH(0,1,2)", 5, "';'"),
        ("tree(1-2 2-3)", 10, "','"),
        ("z(é)", 3, "label"),
        ("z(1:)", 5, "field"),
    ],
)
def test_a_malformed_observable_is_pointed_at_by_character(text, character, expected):
    with pytest.raises(InputError) as caught:
        parse_observable(text)
    message = str(caught.value)
    assert f"at character {character}," in message
    assert f"{text[: character - 1]}>>>{text[character - 1 :]}" in message
    assert expected in message.split(" at character")[0]
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("z(1) z(1)", r"label '1' is used twice"),
        ("H(1,1)", r"label '1' is used twice"),
        ("tree(1-2, 2-3, 3-1)", r"not a tree"),
        ("tree(1-2, 3-4)", r"not a tree"),
        ("tree(1-1)", r"not a tree"),
        ("tree(1-2, 2-1)", r"not a tree"),
    ],
)
def test_graphs_that_are_no_forest_are_refused(text, reason):
    with pytest.raises(InputError, match=reason):
        parse_observable(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("z(1) z(2) z(3) @ 12", "odd number"),
        ("z(1) z(2) z(3) z(4) @ 12", "label '3'.*not paired"),
        ("z(1) z(2) @ 13", "'3' is not in the observable"),
        ("z(1) z(2) z(3) z(4) @ 12,23", "'2' stands in two pairs"),
        ("z(1:u) z(2) @ 12", "different fields"),
        ("z(1) z(2)", "needs its pairs"),
    ],
)
def test_wrong_pairs_are_refused_with_the_label(text, reason):
    with pytest.raises(InputError, match=reason):
        find_tensor(text)


@pytest.mark.parametrize("label", [12, "", "ab", "é", "-", None])
def test_labels_are_one_digit_or_letter(label):
    with pytest.raises(InputError, match="one digit or letter"):
        pt.z(label)
    with pytest.raises(InputError, match="one digit or letter"):
        pt.tree((1, label))


def test_a_product_with_a_repeated_label_is_refused():
    with pytest.raises(InputError, match="'2' is used twice"):
        pt.z(1) * pt.z(2) * pt.H(2, 3)


def test_an_observable_can_only_be_multiplied_by_an_observable():
    with pytest.raises(TypeError):
        pt.z(1) * 2


def test_spaces_and_stars_between_factors_do_not_matter():
    kinds = {
        find_tensor(text)[0].kind
        for text in ("z(1) z(2) H(3,4) @ 13,24", "z(1)*z(2)*H( 3 , 4 )@13,24", "z(1)z(2)H(3,4)@ 1 3 , 2 4")
    }
    assert len(kinds) == 1


def test_the_identifier_of_a_type_without_a_name_is_valid_in_code_and_short():
    tensor = tensor_of(find_tensor("H(1,2) z(3) z(4) z(5) z(6) @ 13,24,56")[0].kind)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{3,15}", tensor.identifier)
