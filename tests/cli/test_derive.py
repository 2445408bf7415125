"""What `derive` prints: text, LaTeX and JSON as they are promised, and the list of an order."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

import pertheory as pt
from pertheory.rulebook.tensors import find_tensor
from tests.cli.conftest import Command

#: the term that the promise of the format spells out
PROMISED = {
    "coefficient": "1/4",
    "order": 0,
    "couplings": {"C_W": 2},
    "widths": {"n": 1, "n_prev": -1},
    "tensors": [{"name": "V", "order": 0, "slots": ["1", "1", "3", "3"]}],
    "averages": [[["1", 2], ["2", 0]], [["3", 2], ["4", 0]]],
}


def record(pertheory: Command, *arguments: object):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("derive", *arguments, "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_json_of_v(pertheory):  # type: ignore[no-untyped-def]
    found = record(pertheory, "V")
    assert {key: found[key] for key in ("schema", "network", "tensor", "slots", "order")} == {
        "schema": "pertheory.recursion/1",
        "network": "mlp",
        "tensor": "V",
        "slots": ["1", "2", "3", "4"],
        "order": 0,
    }
    assert found["terms"].count(PROMISED) == 1


@pytest.mark.parametrize(
    ("tensor", "order"),
    [("G", 0), ("G", 1), ("V", 0), ("V", 1), ("F", 1), ("U", 0), ("V6", 0), ("z(1) H(2,3) dH(4;5,6) @ 15,23,46", 0)],
)
def test_json_keeps_its_form(pertheory, tensor, order):  # type: ignore[no-untyped-def]
    found = record(pertheory, tensor, "--order", order)
    labels = set(found["slots"])
    seen = set()
    assert found["order"] == order
    assert {term["order"] for term in found["terms"]} == set(range(order + 1))
    for term in found["terms"]:
        assert set(term) == {"coefficient", "order", "couplings", "widths", "tensors", "averages"}
        assert Fraction(term["coefficient"]) != 0
        assert all(isinstance(power, int) for power in term["couplings"].values())
        power = 0
        for factor in term["tensors"]:
            assert set(factor) == {"name", "order", "slots"}
            kind = find_tensor(factor["name"])[0]
            assert len(factor["slots"]) == kind.kind.size
            assert set(factor["slots"]) <= labels
            power += kind.pairs - 1 + factor["order"]
        assert term["widths"] == ({"n": power, "n_prev": -power} if power else {})
        for average in term["averages"]:
            for sample, legs in average:
                assert sample in labels
                assert isinstance(legs, int)
        rest = json.dumps({key: term[key] for key in term if key != "coefficient"}, sort_keys=True)
        assert rest not in seen, "a term appears once"
        seen.add(rest)


def test_several_names_give_a_list(pertheory):  # type: ignore[no-untyped-def]
    found = record(pertheory, "V", "F", "K")
    assert [entry["tensor"] for entry in found] == ["V", "F", "G"]
    assert found[0] == record(pertheory, "V")
    _, text, _ = pertheory("derive", "V", "F")
    assert text.count("{0} =") == 2


def test_k_and_theta_are_g_and_h_at_order_zero(pertheory):  # type: ignore[no-untyped-def]
    assert record(pertheory, "K", "--order", 2) == record(pertheory, "G{0}") == record(pertheory, "G")
    assert record(pertheory, "Theta") == record(pertheory, "H")


def test_a_name_with_an_order_gives_that_order_alone(pertheory):  # type: ignore[no-untyped-def]
    both = record(pertheory, "G", "--order", 1)
    first = record(pertheory, "G{1}")
    assert first["terms"] == [term for term in both["terms"] if term["order"] == 1]


def test_an_observable_is_derived_in_the_order_of_its_labels(pertheory):  # type: ignore[no-untyped-def]
    named = record(pertheory, "F")
    spelled = record(pertheory, "z(1) z(2) H(3,4) @ 13,24")
    assert named["slots"] == ["1", "3", "2", "4"]
    assert spelled["slots"] == ["1", "2", "3", "4"]
    assert spelled["tensor"] == "z(1) z(2) H(3,4) @ 13,24"
    assert len(spelled["terms"]) == len(named["terms"])
    assert record(pertheory, "z(a) z(b) H(c,d) @ ac,bd")["slots"] == ["a", "b", "c", "d"]


def test_json_is_what_python_gives(pertheory):  # type: ignore[no-untyped-def]
    assert record(pertheory, "A", "--order", 1) == json.loads(json.dumps(pt.derive("mlp", "A", order=1).to_json()))


def test_text(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("derive", "V")
    assert (status, err) == (0, "")
    assert out == (
        "V'(1,2,3,4){0} =\n"
        "    + C_W^2 <s_1 s_2 ; s_3 s_4>\n"
        "    + 1/4 C_W^2 (n/n_prev) V(b1,b2,b3,b4) <d_b1 d_b2 (s_1 s_2)> <d_b3 d_b4 (s_3 s_4)>\n"
    )
    _, expanded, _ = pertheory("derive", "V", "--form", "expanded")
    assert "1/4 C_W^2 (n/n_prev) V(1,1,3,3) <s''_1 s_2> <s''_3 s_4>" in expanded


def test_latex(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("derive", "F", "--format", "latex")
    assert (status, err) == (0, "")
    assert out.startswith("\\begin{aligned}\n")
    assert out.endswith("\\end{aligned}\n")
    assert out.count("{") == out.count("}")
    assert out.count("\\left") == out.count("\\right")
    assert "F^{(\\ell+1)\\{0\\}}_{1 3 2 4} &=" in out


def test_explain_names_the_term(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("derive", "V", "--explain", 3)
    assert (status, err) == (0, "")
    assert out.splitlines()[0]
    assert out != pertheory("derive", "V", "--explain", 4).out


def test_list_of_the_first_order(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("derive", "--list", "--order", "1")
    assert (status, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()[1:-1]} == set("GHVABSTURQPDF")
    assert out.splitlines()[-1] == "13 tensor types to order 1/n^1"
    _, text, _ = pertheory("derive", "--list", "--order", "1", "--format", "json")
    found = json.loads(text)
    assert (found["schema"], found["network"], found["order"]) == ("pertheory.list/1", "mlp", 1)
    rows = {row["name"]: row for row in found["tensors"]}
    assert rows["V"] == {
        "name": "V",
        "forest": "z(1) z(2) z(3) z(4)",
        "pairing": "12,34",
        "symmetry": 8,
        "orders": [0],
        "diagrams": 2,
    }
    assert rows["G"]["orders"] == [0, 1]


@pytest.mark.parametrize("form", ["text", "latex", "json"])
def test_out_holds_what_would_have_been_printed(pertheory, folder, form):  # type: ignore[no-untyped-def]
    _, printed, _ = pertheory("derive", "F", "--format", form)
    assert pertheory("derive", "F", "--format", form, "--out", "f.txt") == (0, "", "")
    assert Path("f.txt").read_text() == printed
    assert sorted(path.name for path in folder.iterdir()) == ["f.txt", "one.csv", "two.csv"]


def test_out_replaces_what_a_link_points_to(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("old.txt").write_text("old")
    Path("link.txt").symlink_to("old.txt")
    assert pertheory("derive", "V", "--out", "link.txt").status == 0
    assert Path("link.txt").is_symlink()
    assert Path("old.txt").read_text().startswith("V'")


def test_the_cache_and_more_processes_change_nothing(pertheory):  # type: ignore[no-untyped-def]
    plain = pertheory("derive", "A", "--order", 1)
    assert pertheory("derive", "A", "--order", 1) == plain
    assert pertheory("derive", "A", "--order", 1, "--no-cache") == plain
    assert pertheory("derive", "A", "--order", 1, "--no-cache", "--jobs", 2) == plain
