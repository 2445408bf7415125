"""Formulas in LaTeX for papers, in the Wolfram language and in FORM."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import sympy

import pertheory as pt

BOOK = ["K", "Theta", "V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"]


@pytest.mark.parametrize("name", BOOK)
def test_latex_for_a_paper_is_written_out_with_layers(name: str) -> None:
    text = pt.derive("mlp", name, order=0).to_latex("paper")
    assert "symmetry" not in text
    assert "prev" not in text
    assert r"^{(\ell + 1)}" in text.splitlines()[1]
    depth = 0
    for mark in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if mark == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert text.count(r"\left") == text.count(r"\right")
    if name in ("K", "V"):
        assert r"C_{W}^{(\ell+1)}" in text
        assert r"\right\rangle_{K^{(\ell)}}" in text


def test_every_term_stands_on_a_line_of_its_own() -> None:
    recursion = pt.derive("mlp", "V")
    assert len(recursion.to_latex("paper").splitlines()) == len(recursion.terms) + 2


def test_definitions_stand_below() -> None:
    text = pt.derive("mlp", "D").single_input().to_latex()
    assert text.splitlines()[-2].startswith("g &= ")
    assert r"\chi_{\perp} &= C_{W}^{(\ell+1)}" in text


def test_mathematica_names_clash_with_nothing() -> None:
    text = pt.derive("mlp", "D").single_input().to_mathematica()
    assert 'tensor["D", 0][ell + 1] ==' in text
    assert "_" not in text
    assert text.count("[") == text.count("]")
    assert text.count("{") == text.count("}")


def test_text_of_a_rule_ends_no_string(tmp_path: Path) -> None:
    """A name is a name by the grammar of rules; an observable as a name has neither quotes nor brackets."""
    recursion = pt.derive("mlp", "z(1) z(2) z(3) z(4) z(5) z(6) z(7) z(8) @ 12,34,56,78")
    assert recursion.formula("diagram").to_mathematica().count('"') % 2 == 0


def test_form_has_polynomials_only() -> None:
    with pytest.raises(pt.UnsupportedError, match="FORM has no "):
        pt.derive("mlp", "Theta").for_activation("relu").to_form()


def test_form_declares_what_it_uses() -> None:
    text = pt.derive("projection", "V", order=1).formula().to_form()
    declared, functions = text.splitlines()[:2]
    body = text.split("\n", 2)[2]
    for name in set(re.findall(r"\[[^]]*\]", body)) - set(re.findall(r"Local (\[[^]]*\])", body)):
        assert name in declared or name in functions
    assert body.count("Local ") == 2


@pytest.mark.skipif(shutil.which("form") is None, reason="needs FORM")
@pytest.mark.parametrize("name", ["V", "D", "A"])
def test_form_reads_it_and_finds_as_many_terms(name: str, tmp_path: Path) -> None:
    recursion = pt.derive("residual", name)
    (tmp_path / "own.frm").write_text(recursion.formula().to_form())
    done = subprocess.run(["form", "own.frm"], cwd=tmp_path, capture_output=True, text=True, check=True)
    (found,) = re.findall(r"Terms in output = *([0-9]+)", done.stdout)
    assert int(found) == len(recursion.terms)


def test_symbols_of_users_clash_with_nothing() -> None:
    """Pi, I, E are numbers there; a symbol of sympy may hold anything."""
    formula = pt.derive("mlp", "V").single_input()
    for name in ("Pi", "P_i", "_Pi", "pi"):
        assert " pi^2*average" in formula.subs(C_W=sympy.Symbol(name)).to_mathematica()
    assert "tensorx^2*average" in formula.subs(C_W=sympy.Symbol("tensor")).to_mathematica()
    assert "ab^2*average" in formula.subs(C_W=sympy.Symbol('a"] b')).to_mathematica()
    assert "\n#" not in formula.subs(C_W=sympy.Symbol("a];\n#system ls")).to_form()
    with pytest.raises(pt.UnsupportedError, match="as a symbol and as a tensor"):
        formula.subs(C_W=sympy.Symbol("V")).to_form()
