"""In a rule with several fields every average says which one it is over; derivatives of identities are carried out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pertheory as pt

TWO = """
name = "two"
fields = ["z"]
[hyperparameters]
A = 1.0
B = 1.0
C = 1.0
[parameters.WA]
kind = "weight"
variance = "A"
[parameters.WB]
kind = "weight"
variance = "B"
[parameters.WC]
kind = "weight"
variance = "C"
[input]
z = ["WB"]
[[sublayers]]
z = [ { identity = true, of = "z" } ]
u = [ { parameter = "WA", function = "id", of = "z" } ]
[[sublayers]]
z = [ { parameter = "WB", function = "s", of = "z" }, { parameter = "WC", function = "s", of = "u" } ]
"""


@pytest.fixture
def two(tmp_path: Path) -> pt.Network:
    """u = A id(z), then z = B s(z) + C s(u): one function of two fields."""
    path = tmp_path / "two.toml"
    path.write_text(TWO)
    return pt.network(path)


def test_text_and_latex_name_the_field(two: pt.Network) -> None:
    found = pt.derive(two, "V")
    assert "+ B^2 <s_1 s_2 ; s_3 s_4>_z" in found.to_text()
    assert "+ C^2 <s_1 s_2 ; s_3 s_4>_u" in found.to_text()
    for form in ("diagram", "expanded"):
        for text in (found.to_text(form), found.to_latex(form)):
            terms = [row.strip() for row in text.splitlines() if "s_" in row or "sigma" in row]
            assert len(set(terms)) == len(terms), "two terms read alike"
    assert r"\right\rangle_{u}" in found.to_latex()
    assert r"\right\rangle_{z}" in found.to_latex()


def test_json_holds_as_many_terms_as_it_lists(two: pt.Network) -> None:
    terms = pt.derive(two, "V").to_json()["terms"]
    assert len(terms) == 40
    assert len({json.dumps({**term, "coefficient": ""}, sort_keys=True) for term in terms}) == 40
    factors = [factor for term in terms for average in term["averages"] for factor in average]
    assert {len(factor) for factor in factors} == {4}
    assert {factor[3] for factor in factors} == {"z", "u"}


def test_the_story_of_a_term_names_fields() -> None:
    story = str(pt.derive("residual", "V").explain(3))
    assert "s_3 of u" in story
    assert "j1<z_1 z_2>_z" in story


def test_a_residual_block_averages_over_its_inner_field() -> None:
    assert "<s_1 s_2 ; s_3 s_4>_u" in pt.derive("residual", "V").to_text()
    assert "<u_1 u_2>" not in pt.derive("residual", "G", sublayer=0).to_text()


@pytest.mark.parametrize("network", ["mlp", "projection", "deep_linear"])
def test_with_one_field_nothing_is_marked(network: str) -> None:
    found = pt.derive(network, "F", order=1)
    for text in (found.to_text(), found.to_text("expanded")):
        assert ">_" not in text
    assert r"\right\rangle_" not in found.to_latex()
    factors = [factor for term in found.to_json()["terms"] for average in term["averages"] for factor in average]
    assert {len(factor) for factor in factors} <= ({3} if network == "projection" else {2})


def test_derivatives_of_the_identity_are_carried_out() -> None:
    """V is passed on as it is by a linear layer: sum_b V(b1,b2,b3,b4) d_b1 d_b2 (z_1 z_2) d_b3 d_b4 (z_3 z_4)/4."""
    assert pt.derive("deep_linear", "V").to_text().splitlines()[1:] == [
        "    + C_W^2 <z_1 z_2 ; z_3 z_4>",
        "    + C_W^2 (n/n_prev) V(1,2,3,4)",
    ]
    assert "+ C_W Theta(1,2)\n" in pt.derive("deep_linear", "H").to_text()
    assert "C_W^2 (n/n_prev) D(1,2,3,4)" in pt.derive("deep_linear", "F", order=1).to_text()
    mixed = pt.derive("projection", "V").to_text()
    assert "+ 1/2 C_W gamma^2 (n/n_prev) V(3,4,b1,b2) <d_b1 d_b2 (s_1 s_2)>" in mixed.replace(
        "V(b1,b2,3,4)", "V(3,4,b1,b2)"
    )


@pytest.mark.parametrize("name", ["G", "V", "H", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"])
def test_what_is_carried_out_is_what_the_expanded_form_says(name: str) -> None:
    found = pt.derive("deep_linear", name, order=1)
    expanded = {tuple(sorted(row.split())) for row in found.to_text("expanded").splitlines()}
    alone = {tuple(sorted(row.split())) for row in found.to_text().splitlines() if "<" not in row and "[and" not in row}
    assert len(alone) > 2
    assert alone <= expanded
