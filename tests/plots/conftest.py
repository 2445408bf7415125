"""Two small runs."""

from __future__ import annotations

import pytest

import pertheory as pt
from pertheory.run.states import Run

INPUTS = [[1.0, 0.5], [0.2, -1.0], [0.7, 0.9]]


@pytest.fixture(scope="session")
def many() -> Run:
    """tanh at criticality, three inputs, three layers."""
    return pt.theory("mlp", order=1).compile()(INPUTS, "tanh", 3, C_W=1.0)


@pytest.fixture(scope="session")
def deep() -> Run:
    """The same on the first input, sixty layers."""
    return pt.theory("mlp", order=1).compile(inputs="one")(INPUTS[:1], "tanh", 60, C_W=1.0)
