"""docs/rules.md: its examples are files that load, and no key that a file may have is left out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

import pertheory as pt
from pertheory.functions import activation as reader
from pertheory.functions.catalogue import catalogue

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def example(first: str) -> str:
    """The indented block of the page that begins with a line."""
    rows = PAGE[PAGE.index(f"    {first}") :].splitlines()
    end = next(number for number, row in enumerate(rows) if row and not row.startswith("    "))
    return dedent("\n".join(rows[:end]))


def test_the_activation_is_one(tmp_path: Path) -> None:
    path = tmp_path / "ramp.toml"
    path.write_text(example('name = "my_ramp"'))
    found = pt.activation(path, slope=0.5)
    assert [float(found.derivative(0)(x)) for x in (-3.0, -1.0, 2.0)] == [-1.0, -0.5, 2.0]
    assert found.kinks == (-2.0, 0.0)


def test_the_network_is_one(tmp_path: Path) -> None:
    path = tmp_path / "branches.toml"
    path.write_text(example('name = "branches"'))
    assert pt.network(path).functions == ("s", "t")


@pytest.mark.parametrize("key", [*reader.KEYS, "from", "to", "formula"])
def test_every_key_of_an_activation_is_documented(key: str) -> None:
    block = PAGE[PAGE.index("# Writing an activation") : PAGE.index("# Names of activations")]
    assert f"{key} = " in block or f"[{key}]" in block


@pytest.mark.parametrize("name", ["torch.nn.PReLU", "nn.ReLU", "keras.layers.LeakyReLU", "gelu_tanh", "prelu"])
def test_names_on_the_page_are_names(name: str) -> None:
    assert name in PAGE or name.rpartition(".")[0] in PAGE
    assert pt.activation(name).name in catalogue()
