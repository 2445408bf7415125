"""Processes that are stopped: what belongs to them ends with them, and nothing half-done stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pertheory.files import PREFIX

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")

NUMBERS = {"SIGKILL": -9, "SIGTERM": 143, "SIGHUP": 129, "SIGINT": 130}
TROUBLE = {"SIGKILL": "", "SIGTERM": "", "SIGHUP": "", "SIGINT": "pertheory: interrupted\n"}

#: A derivation on two processes that never end by themselves; they share the pipe of standard output.
DERIVE = """
import os, sys, time
from pertheory.derive import codec
from pertheory import worker
def forever(*_):
    os.write(1, b"ready\\n")
    time.sleep(100000)
worker.derive_encoded = forever
if __name__ == "__main__":
    from pertheory.cli.main import main
    sys.exit(main(["derive", "V", "--order", "1", "--jobs", "2", "--no-cache", "--out", "result"]))
"""
#: A run that never ends after its first layer.
RUN = """
import os, sys, time
from pertheory.cli import results
def forever(*_):
    os.write(1, b"ready\\n")
    time.sleep(100000)
results.JsonResults.end = forever
from pertheory.cli.main import main
sys.exit(main(["run", "--activation", "x2", "--inputs", "two.csv", "--depth", "2", "--order", "0",
               "--format", "json", "--out", "result"]))
"""
#: A command amid libraries that do not survive their end after an interruption, as XLA while it compiles.
FRAGILE = """
import atexit, os, sys, time
from pertheory.cli import verbs
atexit.register(os.abort)
def forever(_):
    os.write(1, b"ready\\n")
    time.sleep(100000)
verbs.execute = forever
from pertheory.cli.main import main
sys.argv = ["pertheory"]
sys.exit(main())
"""


def stop(program: str, name: str, group: bool = False) -> tuple[int, str, str]:
    """Start a program, send a signal when it is ready, and wait until the last of its processes has ended."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            (os.killpg if group else os.kill)(process.pid, getattr(signal, name))
            out, err = process.communicate()
            return process.returncode, out.replace("ready\n", ""), err
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


@pytest.mark.skipif(sys.platform == "darwin", reason="needs processes that are forked")
@pytest.mark.parametrize("group", [False, True], ids=["parent", "all"])
@pytest.mark.parametrize("name", NUMBERS)
def test_the_processes_of_a_derivation_end_with_it(folder, name, group):  # type: ignore[no-untyped-def]
    assert stop(DERIVE, name, group) == (NUMBERS[name], "", TROUBLE[name])
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "two.csv"]


@pytest.mark.parametrize("name", NUMBERS)
def test_who_is_stopped_does_not_wait_for_libraries_to_be_taken_apart(name):  # type: ignore[no-untyped-def]
    assert stop(FRAGILE, name) == (NUMBERS[name], "", TROUBLE[name])


@pytest.mark.parametrize("name", NUMBERS)
def test_a_run_that_is_stopped_leaves_nothing(pertheory, folder, name):  # type: ignore[no-untyped-def]
    assert stop(RUN, name) == (NUMBERS[name], "", TROUBLE[name])
    left = [path.name for path in folder.iterdir() if path.name.startswith(PREFIX)]
    assert len(left) == (name == "SIGKILL")
    assert not (folder / "result").exists()
    assert pertheory("describe", "V", "--out", "result").status == 0  # the next one that writes there
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "result", "two.csv"]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_a_signal_that_the_caller_ignores_stays_ignored(folder, name):  # type: ignore[no-untyped-def]
    """As nohup does."""
    program = RUN.replace("    time.sleep(100000)\n", "    sys.stdin.read()\n")
    with subprocess.Popen(
        [sys.executable, "-c", f"import signal; signal.signal(signal.{name}, signal.SIG_IGN)\n{program}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, name))
        process.communicate()
        assert process.returncode == 0
    assert (folder / "result").exists()


def test_a_pool_whose_process_is_killed_is_one_line(folder):  # type: ignore[no-untyped-def]
    program = DERIVE.replace("    time.sleep(100000)\n", "    os.kill(os.getpid(), 9)\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "a process that derives was killed" in line


def test_an_interrupt_while_the_command_is_being_loaded_is_one_line():  # type: ignore[no-untyped-def]
    program = """
import builtins, signal, sys
real = builtins.__import__
def loading(name, *rest):
    if name == "argparse":
        signal.raise_signal(signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = loading
from pertheory.cli.main import main
sys.exit(main(["describe", "V"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "pertheory: interrupted\n")
