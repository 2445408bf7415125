"""Rule files that strangers might send: each refused in one line, or printed as code that holds no text of theirs."""

import random

import pytest

from fuzz import rule_files
from fuzz.campaign import confined, crashers


def test_five_hundred_files_are_refused_or_printed():
    outcomes = set()
    for number in range(500):
        example = rule_files.draw(random.Random(f"rule files {number}"))
        with confined():
            outcomes.add(rule_files.judge(example))
    assert outcomes == {"accepted", "printed", "refused"}


@pytest.mark.parametrize("example", crashers("rule_files"))
def test_what_went_wrong_once_is_right(example):
    with confined():
        rule_files.judge(example)
