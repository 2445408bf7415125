"""The table of docs/trained.md holds the predictions that are made today."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.sampling import TASKS

PAGE = Path(__file__).parents[2] / "docs" / "trained.md"
ROWS = [line.strip("| \n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "| z_" in line]


def test_the_table_of_trained_networks_agrees_with_theory():
    pulls = np.array([float(row[-1]) for row in ROWS])
    assert len(pulls) >= 60
    assert np.sqrt(np.mean(pulls**2)) < 1.3
    assert f"{len(pulls)} numbers, rms pull {np.sqrt(np.mean(pulls**2)):.2f}" in PAGE.read_text(encoding="utf-8")
    for _, _, theory, value, error, pull in ROWS:
        assert (float(value) - float(theory)) / float(error) == pytest.approx(float(pull), abs=0.05)


@pytest.mark.parametrize("title", ["tanh, depth 2, 8 steps of eta 0.3", "sin, depth 3, 10 steps"])
def test_the_theory_in_the_table_is_what_is_predicted(title):
    own = [row for row in ROWS if row[0] == title]
    assert [row[1] for row in own] == TASKS[title].names()
    assert [row[2] for row in own] == [f"{value:.4f}" for value in TASKS[title].predicted()]
