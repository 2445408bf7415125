"""The command line called in this process, and folders to call it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pertheory.cli.main import main


class Outcome(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def pertheory(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command and returns its exit status and what it printed."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(str(stop.code))
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with two.csv (two inputs) and one.csv (one input) in it, as the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text("1,2\n0.5,-1\n")
    Path("one.csv").write_text("1,2\n")
    return tmp_path
