"""Rule files that strangers might send: each refused in one line, or printed as code that holds no text of theirs."""

import random

from fuzz import rule_files
from fuzz.campaign import crashers


def test_five_hundred_files_are_refused_or_printed():
    outcomes = set()
    for number in range(500):
        example = rule_files.draw(random.Random(f"rule files {number}"))
        outcomes.add(rule_files.judge(example))
    assert outcomes == {"accepted", "printed", "refused"}


def test_what_went_wrong_once_is_right():
    for example in crashers("rule_files"):
        rule_files.judge(example)
