"""A hundred hostile command lines (fuzz/command_lines.py), and those that once went wrong."""

import os
import random

import pytest

from fuzz import command_lines
from fuzz.campaign import crashers

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each runs in a forked process")


@pytest.mark.parametrize("share", range(5))
def test_hostile_command_lines_are_answered_in_one_line(share):
    for number in range(20):
        command_lines.judge(command_lines.draw(random.Random(f"line {share} {number}")))


@pytest.mark.parametrize("arguments", crashers("command_lines"), ids=repr)
def test_command_lines_that_once_went_wrong(arguments):
    command_lines.judge(arguments)  # raises where it is a fault
