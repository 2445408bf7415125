"""The examples of docs/sampled.md are what they say."""

import doctest
from pathlib import Path


def test_the_page():
    found = doctest.testfile(str(Path(__file__).parents[2] / "docs" / "sampled.md"), module_relative=False)
    assert found.attempted > 10
    assert not found.failed
