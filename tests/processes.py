"""Python in processes of its own, whose dictionaries and sets come in other orders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_python(*arguments: object, seed: str = "0", folder: Path | None = None) -> str:
    """Standard output of a Python of its own, in a folder and with a seed of the hash, that says nothing else."""
    done = subprocess.run(
        [sys.executable, *(str(argument) for argument in arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def same_everywhere(program: str) -> str:
    """What a program prints, which must not depend on the seed of the hash."""
    first, second = (run_python("-c", program, seed=seed) for seed in ("1", "22"))
    assert first == second
    return first
