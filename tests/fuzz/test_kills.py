"""Commands stopped at a few random moments (fuzz/kills.py); ``python -m fuzz kills`` does it for hours."""

import os
import random
import signal

import pytest

from fuzz import kills

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")


@pytest.fixture(autouse=True)
def one_run_in_peace(monkeypatch):
    """What several would tell is how long one takes, which matters where moments have to be spread well."""
    monkeypatch.setattr(kills, "PEACEFUL", 1)


#: Left to the campaign: predict writes as infer does, and simulate is killed in tests/simulate.
LONG = {"predict", "simulate"}


@pytest.mark.parametrize("name", sorted(set(kills.COMMANDS) - LONG))
def test_a_command_that_was_stopped_leaves_nothing_broken(name):
    """Two stops of each kind of command: it runs in peace, is stopped, and runs again, with its own caches."""
    source = random.Random(name)
    for number in ("SIGKILL", source.choice(kills.SIGNALS[1:])):
        assert hasattr(signal, number)
        kills.judge({"command": name, "signal": number, "moment": source.random()})
