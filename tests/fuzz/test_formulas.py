"""The campaign of formulas: some hundred examples, and every crasher that was kept."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fuzz import formulas
from fuzz.campaign import crashers


def test_drawn_formulas_are_accepted_or_refused() -> None:
    outcomes = []
    for number in range(200):
        example = formulas.draw(random.Random(f"formulas {number}"))
        outcomes.append(formulas.judge(example))
    assert outcomes.count("accepted") > 30
    assert outcomes.count("refused") > 30


@pytest.mark.parametrize("example", crashers("formulas"), ids=lambda example: example[0][:30])
def test_no_crasher_crashes_again(example: Any) -> None:
    assert formulas.judge(example) in ("accepted", "refused")


def test_the_same_seed_draws_the_same_formula() -> None:
    one, two = (formulas.draw(random.Random("formulas 7")) for _ in range(2))
    assert one == two
