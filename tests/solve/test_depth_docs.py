"""The examples of docs/depth.md and of the docstrings are what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "depth.md"


def test_the_page() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted > 20
    assert not found.failed


@pytest.mark.parametrize("name", ["solve.exponents", "solve.scaling"])
def test_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(f"pertheory.{name}"))
    assert found.attempted
    assert not found.failed
