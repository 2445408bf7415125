"""What `describe` says about tensors."""

from __future__ import annotations

import json

import pytest

from pertheory.rulebook.tensors import named_tensors


def facts(pertheory, tensor):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("describe", tensor, "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_json_of_f(pertheory):  # type: ignore[no-untyped-def]
    found = facts(pertheory, "F")
    assert found["name"] == "F"
    assert found["observable"] == "z(1) z(2) H(3,4) @ 13,24"
    assert found["slots"] == ["1", "3", "2", "4"]
    assert found["pairs"] == ["13", "24"]
    assert found["edges"] == ["3-4"]
    assert found["symmetries"] == ["2 4 1 3"]
    assert found["symmetry_order"] == 2
    assert found["first_order"] == 1
    assert "n^-1" in found["normalisation"]
    assert "(8.79)" in found["book"]


def test_text_says_the_same(pertheory):  # type: ignore[no-untyped-def]
    found = facts(pertheory, "F")
    status, out, err = pertheory("describe", "F")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == f"F: {found['title']}"
    for key in ("observable", "normalisation", "width", "book", "identifier"):
        assert found[key] in out


@pytest.mark.parametrize("name", [tensor.name for tensor in named_tensors()])
def test_every_named_tensor(pertheory, name):  # type: ignore[no-untyped-def]
    found = facts(pertheory, name)
    assert found["name"] == name
    assert len(found["slots"]) == 2 * len(found["pairs"]) == 2 * (found["first_order"] + 1)
    assert sorted("".join(found["pairs"])) == sorted(found["slots"])
    assert facts(pertheory, found["observable"])["symmetry_order"] == found["symmetry_order"]


def test_leading_names_and_orders(pertheory):  # type: ignore[no-untyped-def]
    for name, tensor, order in (("K", "G", 0), ("Theta", "H", 0), ("V{2}", "V", 2), ("V", "V", None)):
        found = facts(pertheory, name)
        assert (found["name"], found["order"]) == (tensor, order)


def test_an_observable_is_told_its_name_in_the_book(pertheory):  # type: ignore[no-untyped-def]
    found = facts(pertheory, "z(a) H(b,c) z(d) @ ab,cd")
    assert found["same_type_as"] == "F"
    assert found["slots"] == ["a", "b", "c", "d"]
    assert "same type as F" in pertheory("describe", "z(a) H(b,c) z(d) @ ab,cd").out
    unnamed = facts(pertheory, "z(1) H(2,3) dH(4;5,6) @ 15,23,46")
    assert unnamed["book"] == "not in the book"
    assert unnamed["identifier"].isidentifier()
