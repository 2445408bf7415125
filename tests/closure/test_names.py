"""Theories asked by name, observables with pairs wherever tensors are given, and arguments in the wrong order."""

from __future__ import annotations

import numpy as np
import pytest

import pertheory as pt
from pertheory.errors import InputError

PAIR = pt.z(1) * pt.z(2)


def theory() -> pt.Theory:
    return pt.theory("mlp", ["V", "H"], 1)


def test_recursions_by_name() -> None:
    closed = theory()
    assert closed.recursion("V").to_text() == pt.derive("mlp", "V").to_text()
    assert closed.recursion("G").to_text() == pt.derive("mlp", "G", order=1).to_text()
    assert [closed.recursion(name).orders for name in ("K", "G{1}", "Theta", "NTK")] == [(0,), (1,), (0,), (0, 1)]
    node = closed.named("V")[0]
    assert closed.recursion(node).to_text() == closed.recursion("V").to_text()
    assert closed.first_layer("K").to_text().splitlines()[1:] == ["    + C_b", "    + C_W <z_1 z_2>"]


def test_dependencies_by_name() -> None:
    closed = theory()
    assert [node.key for node in closed.dependencies["V"]] == ["G", "V"]
    assert [node.key for node in closed.dependencies["K"]] == ["G"]
    both = {node for own in closed.named("G") for node in closed.dependencies[own]}
    assert set(closed.dependencies["G"]) == both
    assert len(closed.dependencies) == len(closed.nodes)
    assert set(closed.dependencies) == set(closed.nodes)
    assert "V" in closed.dependencies
    assert "A" not in closed.dependencies
    assert closed.dependencies.get("ZZ", ()) == ()
    with pytest.raises(KeyError, match="A is not part of the theory"):
        closed.dependencies["A"]


@pytest.mark.parametrize(("name", "words"), [("A", "A is not part"), ("ZZ", "unknown tensor 'ZZ'"), (5, "not 5")])
def test_what_a_theory_does_not_have(name: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        theory().recursion(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked", [[(PAIR, [(1, 2)])], (PAIR, [(1, 2)]), (PAIR, ["12"]), ["z(1) z(2) @ 12"], [pt.derive("mlp", "G").tensor]]
)
def test_a_theory_takes_observables_with_pairs(asked: object) -> None:
    assert [tensor.name for tensor, _ in pt.theory("mlp", asked, 0).wanted] == ["G"]  # type: ignore[arg-type]


def test_a_theory_takes_pairs_as_derive_does() -> None:
    mixed = pt.z(1) * pt.z(2) * pt.H(3, 4)
    assert [t.name for t, _ in pt.theory("mlp", [PAIR], 0, pairs=[(1, 2)]).wanted] == ["G"]
    closed = pt.theory("mlp", mixed, pairs=((a, b) for a, b in [(1, 3), (2, 4)]))
    assert closed.wanted[0][0].observable == "z(1) z(2) H(3,4) @ 13,24"
    state = closed.compile()([[1.0, 2.0], [0.5, -1.0]], "tanh", 3)[3]
    name = closed.wanted[0][0].name
    np.testing.assert_array_equal(state[name], np.einsum("acbd->abcd", state["F"]))
    assert pt.derive("mlp", (mixed, [(1, 3), (2, 4)])).to_json() == pt.derive("mlp", mixed, [(1, 3), (2, 4)]).to_json()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (1, "tensors are names, observables"),
        (None, "tensors are names, observables"),
        ([1], "a tensor is a name"),
        ([PAIR], "needs its pairs"),
        ([], "no tensor is asked for"),
    ],
)
def test_what_is_no_tensor(asked: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pt.theory("mlp", asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: pt.derive("V", "mlp"),
        lambda: pt.derive("V", pt.network("mlp")),
        lambda: pt.derive(PAIR, "mlp"),  # type: ignore[arg-type]
        lambda: pt.theory("V", "mlp"),
    ],
)
def test_swapped_arguments_are_recognised(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"swapped: the network comes first.*derive\('mlp', 'V'\)"):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pt.derive("foo", "bar"), "unknown network 'foo'"),
        (lambda: pt.derive("mlp", "mlp"), "unknown tensor 'mlp'; it is a network"),
        (lambda: pt.derive("mlp", "tanh"), "unknown tensor 'tanh'; it is an activation"),
        (lambda: pt.network("V"), "unknown network 'V'; it is a tensor"),
        (lambda: pt.network(5), "a network is a name"),
        (lambda: pt.derive("mlp", "V", pairs=[(1, 2)]), "pairs belong to an Observable"),
        (lambda: pt.derive("mlp", PAIR, pairs=5), "pairs must be pairs of labels"),
        (lambda: pt.tree(1, 2), "a tree is made of pairs"),
        (lambda: pt.tree((1, 2, 3)), "a tree is made of pairs"),
        (lambda: pt.theory("mlp", "G", limit="x"), "limit must be a whole number"),
    ],
)
def test_names_of_another_kind_are_told_what_they_are(call, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", [np.int64(1), np.uint8(1)])
def test_whole_numbers_of_numpy_count(order: int) -> None:
    assert pt.theory("mlp", "G", order).order == 1
    assert pt.derive("mlp", "G", order=order).orders == (0, 1)
    assert pt.derive("residual", "G", sublayer=order).sublayer == 1
    assert str(pt.derive("mlp", "V").explain(order)) == str(pt.derive("mlp", "V").explain(1))


@pytest.mark.parametrize("order", [1.0, True, "1", None, -1, np.array([0, 1]), np.bool_(True), 1j])
def test_what_is_no_order(order: object) -> None:
    for call in (pt.theory, pt.derive):
        with pytest.raises(InputError, match="order must be a whole number from 0"):
            call("mlp", "G", order=order)  # type: ignore[operator]


@pytest.mark.parametrize(
    "pattern", [[0, 0], [0, 0, 9, 9], [0, 0, -1, -1], "0000", None, [1, 1, 2, 2], [0, 0, 2.0, 2], [0, 0, 0, 0, 0]]
)
def test_patterns_of_slots_are_looked_at(pattern: object) -> None:
    with pytest.raises(InputError, match="for each of the 4 slots the first one with the same input"):
        pt.derive("mlp", "V").terms_where(pattern)  # type: ignore[arg-type]


def test_a_pattern_may_be_an_array() -> None:
    found = pt.derive("mlp", "V")
    assert found.terms_where(np.zeros(4, int)) == found.single_input_terms
    assert found.terms_where(range(4)) == found.terms
