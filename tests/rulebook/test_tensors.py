"""Names of tensors: mistakes in tensors.toml are named, and nothing but names stands in it."""

import pytest

import pertheory as pt
from pertheory.derive.layer import diagrams
from pertheory.errors import InputError, RuleError
from pertheory.rulebook import tensors as module
from pertheory.rulebook.tensors import find_tensor, named_tensors, tensor_of

from ..derive.relabelling import renamed_terms

G = '[[tensors]]\nname = "G"\nobservable = "z(1) z(2)"\npairs = "12"\nslots = "1,2"\n'


def read(folder, text):
    path = folder / "tensors.toml"
    path.write_text(text, encoding="utf-8")
    named_tensors.cache_clear()
    return named_tensors(path)


def test_a_correct_file_gives_its_tensors(tmp_path):
    second = '[[tensors]]\nname = "F"\nobservable = "z(1) z(2) H(3,4)"\npairs = "13,24"\nslots = "1,3,2,4"\n'
    g, f = read(tmp_path, G + second)
    assert (g.name, g.pairs, f.name, f.pairs) == ("G", 1, "F", 2)
    assert f.labels == ("1", "3", "2", "4")
    # In slots, F_1324 pairs first with second and third with fourth, and its NTK joins second and fourth.
    assert f.slot_pairs() == [(0, 1), (2, 3)]
    assert f.slot_edges() == [(1, 3)]


@pytest.mark.parametrize(
    ("old", "new", "key", "right"),
    [
        ('name = "G"\n', "", "tensors[0].name", "text"),
        ('name = "G"', "name = 7", "tensors[0].name", "text"),
        ('name = "G"', 'name = ""', "tensors[0].name", "not empty"),
        ("observable =", "observables =", "tensors[0].observables", "nearest: observable"),
        ('pairs = "12"\n', "", "tensors[0].pairs", "text"),
        ('pairs = "12"', 'pairs = "13"', "tensors[0]", "'3' is not in the observable"),
        ('pairs = "12"', 'pairs = "1"', "tensors[0]", "a label (one digit or letter)"),
        ('"z(1) z(2)"', '"z(1) y(2)"', "tensors[0]", "z, H, dH, ddH_I, ddH_II or tree"),
        ('"z(1) z(2)"', '"z(1) z(2) z(3)"', "tensors[0]", "odd number"),
        ('slots = "1,2"', 'slots = "1,3"', "tensors[0].slots", "each label of the observable once"),
        ('slots = "1,2"', 'slots = "1"', "tensors[0].slots", "each label of the observable once"),
        ('slots = "1,2"', 'slots = "1,1"', "tensors[0].slots", "each label of the observable once"),
    ],
)
def test_a_wrong_entry_is_refused_with_file_key_and_what_would_be_right(tmp_path, old, new, key, right):
    assert old in G
    with pytest.raises(RuleError) as caught:
        read(tmp_path, G.replace(old, new))
    message = str(caught.value)
    assert message.startswith(f"tensors.toml: {key}")
    assert right in message


def test_two_names_for_one_type_and_two_types_of_one_name_are_refused(tmp_path):
    for second in (
        G.replace('"G"', '"G2"').replace("z(1) z(2)", "z(a) z(b)").replace("12", "ab").replace("1,2", "b,a"),
        G.replace("z(1) z(2)", "H(1,2)"),
    ):
        with pytest.raises(RuleError, match=r"tensors\.toml: tensors\[1\].*same name or type as G"):
            read(tmp_path, G + second)


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path):
    with pytest.raises(RuleError, match=r"tensors\.toml.*line 2"):
        read(tmp_path, "[[tensors]]\nname = G\n")


def test_an_entry_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(RuleError, match=r"tensors\.toml"):
        read(tmp_path, "tensors = [1]\n")


def test_names_orders_and_limits_are_found():
    assert find_tensor("V") == (find_tensor("V{1}")[0], None)
    assert find_tensor("V{1}")[1] == 1
    assert find_tensor("K") == (find_tensor("G")[0], 0)
    assert find_tensor(" Theta ") == (find_tensor("H")[0], 0)


def test_an_observable_may_say_its_order_as_the_keys_of_states_do():
    text = "z(1) z(2) H(3,4) H(5,6) @ 12,35,46"
    assert find_tensor(f"{text}{{2}}") == (find_tensor(text)[0], 2)
    assert pt.derive("mlp", f"{text}{{1}}").orders == (1,)
    with pytest.raises(InputError, match="observable"):
        find_tensor(f"{text}{{x}}")


@pytest.mark.parametrize(("text", "near"), [("Teta", "nearest: Theta"), ("V7", "nearest: V"), ("W", "known: A, B, D")])
def test_an_unknown_name_is_refused_with_the_nearest(text, near):
    with pytest.raises(InputError, match=f"unknown tensor '{text}'.*{near}"):
        find_tensor(text)


def test_an_observable_of_the_book_in_the_book_s_order_is_the_named_tensor():
    assert find_tensor("z(1) z(2) z(3) z(4) @ 12,34")[0] == find_tensor("V")[0]
    d = find_tensor("z(a) z(b) H(c,d) @ ab,cd")[0]
    assert (d.name, d.kind, d.slots) == ("D", find_tensor("D")[0].kind, find_tensor("D")[0].slots)
    assert d.labels == tuple("abcd")


@pytest.fixture
def without_names(tmp_path, monkeypatch):
    """The package as if tensors.toml were empty."""
    caches = (named_tensors, tensor_of, diagrams)
    (tmp_path / "tensors.toml").write_text("", encoding="utf-8")
    with_names = {
        t.name: (t, pt.derive("mlp", t, order=2 - t.pairs if t.pairs < 3 else 0).terms) for t in named_tensors()
    }
    networks = pt.network("mlp")
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(module, "rules_folder", lambda: tmp_path)
    yield networks, with_names
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


def test_without_the_names_the_same_terms_are_derived(without_names):
    rule, with_names = without_names
    assert named_tensors() == ()
    assert set(with_names) >= set("GHVDFABPQRSTU")
    for tensor, expected in with_names.values():
        recursion = pt.derive(rule, tensor.observable, order=2 - tensor.pairs if tensor.pairs < 3 else 0)
        assert recursion.tensor.name == tensor.observable
        own = {label: slot for slot, label in enumerate(tensor.labels)}
        image = [own[label] for label in recursion.tensor.labels]
        assert renamed_terms(recursion.terms, image) == expected


def test_without_the_names_the_closure_of_an_observable_is_the_same_types(without_names):
    rule, with_names = without_names
    nodes = {(node.kind, node.order) for node in pt.theory(rule, "H(1,2) H(3,4) @ 12,34", order=1).nodes}
    # The book's (8.97): A above needs A, D, V and the two-point functions below.
    named = {with_names[name][0].kind for name in "GHVDA"}
    assert {kind for kind, _ in nodes} == named
