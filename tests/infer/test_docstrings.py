"""The examples of the docstrings are what they say; those of docs/inference.md run with the other pages."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ["expansion", "conditioning", "writing", "information", "aspect"]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(f"pertheory.infer.{name}"))
    assert found.attempted
    assert not found.failed
