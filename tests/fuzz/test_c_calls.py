"""A few hundred calls of emitted C with bad arguments, and every call that ever went wrong; see fuzz/c_calls.py."""

import random
import shutil

import pytest

from fuzz import c_calls
from fuzz.campaign import crashers

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def test_bad_calls_give_a_status_and_finite_values_or_none():
    """Six hundred calls, until every status has been seen; the library is compiled here, which takes seconds."""
    seen = {c_calls.judge(c_calls.draw(random.Random(f"test {seed}"))) for seed in range(600)}
    assert {f"status {status}" for status in (0, 1, 2, 3, 4, 5, 6)} <= seen


def test_calls_that_went_wrong_once():
    for example in crashers("c_calls"):
        c_calls.judge(example)


def test_the_judge_notices_results_that_are_not_finite(monkeypatch):
    """With a library that says PT_OK to everything, the campaign must complain."""
    honest = c_calls.library

    class Liar(c_calls.Library):
        def call(self, function, *arguments):
            super().call(function, *arguments)
            return c_calls.OK

    monkeypatch.setattr(c_calls, "library", lambda name: Liar(*honest(name)))
    complaints = set()
    for seed in range(300):
        try:
            c_calls.judge(c_calls.draw(random.Random(f"test {seed}")))
        except AssertionError as error:
            complaints.add(str(error).split(" results ")[0][:28])
    assert "status 0 and" in complaints
    assert any("something" in complaint for complaint in complaints)
