"""What `draw` writes: for each form and each kind of file a document of its own."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

import pertheory as pt
from pertheory.rulebook.tensors import find_tensor
from tests.cli.conftest import Command

FORMS = {
    "recursion": (["V", "--order", "1"], lambda: pt.derive("mlp", "V", order=1).draw()),
    "tensor": (["F", "--form", "tensor"], lambda: find_tensor("F")[0]),
    "theory": (["all", "--form", "theory", "--order", "1"], lambda: pt.theory("mlp", order=1)),
    "term": (["A", "--explain", "3"], lambda: pt.derive("mlp", "A").explain(3)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_in_every_kind_of_file(pertheory: Command, folder: Path, name: str) -> None:
    arguments, made = FORMS[name]
    for end in ("svg", "tex", "html", "pdf"):
        assert pertheory("draw", *arguments, "--no-cache", "--out", f"p.{end}") == (0, "", "")
    drawn = made()
    assert Path("p.svg").read_text() == drawn.to_svg() + "\n"
    assert Path("p.html").read_text() == drawn.to_html() + "\n"
    assert Path("p.pdf").read_bytes() == drawn.to_pdf()
    assert ElementTree.fromstring(Path("p.svg").read_text()).tag.endswith("svg")
    tex = Path("p.tex").read_text()
    assert drawn.to_tikz() in tex
    assert tex.startswith("\\documentclass")
    assert tex.endswith("\\end{document}\n")


def test_standard_output_is_svg(pertheory: Command, folder: Path) -> None:
    status, out, err = pertheory("draw", "V", "--no-cache")
    assert (status, err) == (0, "")
    assert out == pt.derive("mlp", "V").draw().to_svg() + "\n"


def test_the_end_of_the_name_may_be_in_capitals(pertheory: Command, folder: Path) -> None:
    assert pertheory("draw", "V", "--no-cache", "--out", "V.SVG").status == 0
    assert Path("V.SVG").read_text().startswith("<svg")


def test_other_networks(pertheory: Command, folder: Path) -> None:
    _, text, _ = pertheory("draw", "V", "--no-cache", "--network", "residual")
    assert "network residual" in text
    status, marked, err = pertheory("draw", "V", "--no-cache", "--network", "skip", "--closure", "pairs")
    assert status == 0
    assert "approximation" in err
    assert "approximation: pairs only" in marked
