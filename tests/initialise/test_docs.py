"""The examples of docstrings run, and the table of gains on the page of initialisation is fresh."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from pertheory.initialise.table import markdown, rows, to_json

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["solve.classify", "initialise.numbers"])
def test_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(f"pertheory.{name}"))
    assert found.attempted
    assert not found.failed


def test_the_table_of_gains_is_fresh() -> None:
    table = rows()
    text = (DOCS / "initialisation.md").read_text(encoding="utf-8")
    assert text.endswith(markdown(table) + "\n")
    own = {row.name: row for row in table}
    assert own["ReLU"].why == own["LeakyReLU"].why == own["Identity"].why == "the same"
    assert own["Tanh"].gain == 1
    assert "gradients grow" in own["Tanh"].why
    assert own["Sigmoid"].gain is None
    assert to_json(table)["activations"][0]["name"] == "CELU"
