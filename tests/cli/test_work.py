"""Work that would take long is refused in a line before it is done, unless ``--yes`` is there."""

from __future__ import annotations

from argparse import Namespace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

import pertheory as pt
from pertheory.cli import work
from pertheory.errors import InputError
from pertheory.forms.expand import count_ways, ways

RUN = ["run", "--activation", "relu", "--inputs", "two.csv", "--order", 0]


@pytest.mark.parametrize(("name", "order"), [("V", 1), ("A", 0), ("U", 0), ("G", 2)])
def test_ways_are_counted_without_being_taken(name, order):  # type: ignore[no-untyped-def]
    for diagram in pt.derive("mlp", name, order=order).diagrams:
        samples = range(max(diagram.images[0]) + 1)
        taken = sum(1 for image in diagram.images for _ in ways(diagram, image, samples))
        assert count_ways(diagram) == taken


@pytest.mark.parametrize(
    "arguments",
    [
        ["derive", "A", "--order", 2, "--format", "json"],
        ["derive", "A", "--order", 2, "--explain", 3],
        ["draw", "A", "--order", 2, "--explain", 3],
        ["emit", "--target", "c", "--order", 2, "--out", "o"],
        ["run", "--activation", "relu", "--inputs", "three.csv", "--order", 2, "--depth", 2],
    ],
    ids=lambda arguments: arguments[0],
)
def test_long_work_is_refused_with_its_length(pertheory, folder, arguments):  # type: ignore[no-untyped-def]
    Path("three.csv").write_text("1,2\n0.5,-1\n3,1\n")
    before = sorted(folder.iterdir())
    status, out, err = pertheory(*arguments)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert " takes about " in line
    assert line.endswith(" of processor time; to go on all the same, add --yes")
    assert sorted(folder.iterdir()) == before


def test_with_yes_it_is_done(pertheory, folder, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(work, "QUICK", 1e-6)
    for arguments in (
        ["derive", "V", "--format", "json"],
        ["emit", "--target", "numpy", "--order", 0, "--out", "o"],
        [*RUN, "--depth", 2],
    ):
        assert "--yes" in pertheory(*arguments).err
        assert pertheory(*arguments, "--yes").status == 0


def test_a_run_asks_once_it_is_known_to_be_long(pertheory, folder, monkeypatch):  # type: ignore[no-untyped-def]
    """On a clock that goes on by a fifth of a second a look, 100 layers take long and three do not."""
    ticks = count()
    monkeypatch.setattr(work, "time", SimpleNamespace(process_time=lambda: 0.2 * next(ticks)))
    status, out, err = pertheory(*RUN, "--depth", 100, "--format", "json", "--out", "result")
    assert (status, out) == (2, "")
    assert err.startswith("pertheory: error: the run takes about ")
    assert len(err.splitlines()) == 1
    assert not Path("result").exists()
    assert pertheory(*RUN, "--depth", 3).status == 0
    assert pertheory(*RUN, "--depth", 100, "--format", "json", "--out", "result", "--yes").status == 0
    assert Path("result").exists()


def test_drawing_asks_once_it_is_known_to_be_long(monkeypatch):  # type: ignore[no-untyped-def]
    """The first batch, which has compiled as well, tells nothing; then 100 s a block are 700 s for seven more."""
    ticks = count()
    monkeypatch.setattr(work, "time", SimpleNamespace(process_time=lambda: 100.0 * next(ticks)))
    drawing = work.CheckedDrawing(Namespace(jobs=1, yes=False))
    drawing(1, 9)
    with pytest.raises(InputError, match=r"^drawing the networks that are left takes about 12 min .*, add --yes$"):
        drawing(2, 9)
    for options, total in ((Namespace(jobs=1, yes=True), 9), (Namespace(jobs=1, yes=False), 7)):
        drawing = work.CheckedDrawing(options)
        for done in range(1, total + 1):
            drawing(done, total)


@pytest.mark.parametrize("what", [("V", 99), ("V{99}", 0)])
def test_python_refuses_orders_that_never_end(what):  # type: ignore[no-untyped-def]
    for call in (pt.derive, pt.theory):
        with pytest.raises(InputError, match="from 0 to 20, not 99"):
            call("mlp", what[0], order=what[1])
