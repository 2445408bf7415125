"""docs/rules.md: no key that a file may have is left out. Its examples are run in tests/docs."""

from __future__ import annotations

from pathlib import Path

import pytest

import pertheory as pt
from pertheory.functions import activation as reader
from pertheory.functions.catalogue import catalogue

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", [*reader.KEYS, "from", "to", "formula"])
def test_every_key_of_an_activation_is_documented(key: str) -> None:
    block = PAGE[PAGE.index("## Activations") : PAGE.index("## Names of activations")]
    assert f"{key} = " in block or f"[{key}]" in block


@pytest.mark.parametrize("name", ["torch.nn.PReLU", "nn.ReLU", "keras.layers.LeakyReLU", "gelu_tanh", "prelu"])
def test_names_on_the_page_are_names(name: str) -> None:
    assert name in PAGE or name.rpartition(".")[0] in PAGE
    assert pt.activation(name).name in catalogue()
