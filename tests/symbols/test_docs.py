"""The examples of the docstrings are what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = [
    "symbols.objects",
    "symbols.formula",
    "symbols.averages",
    "solve.asymptotics",
    "solve.exponents",
    "solve.scaling",
    "recursion",
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(f"pertheory.{name}"))
    assert found.attempted
    assert not found.failed
