"""The C text of a self-test: what it holds are numbers of `pertheory.witness`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from textwrap import wrap

from pertheory.emit.quoting import c_string
from pertheory.kernels.language import Program
from pertheory.rulebook.names import checked
from pertheory.witness.records import Expected, ReferenceRun, SelfTest


def template(name: str) -> str:
    """One of the texts beside this module."""
    return (files("pertheory.emit.c.folder") / name).read_text(encoding="utf-8")


def print_selftest(program: Program, name: str, values: SelfTest) -> str:
    """The self-test as C99."""
    runs = "\n".join(_run(number, run) for number, run in enumerate(values.runs))
    calls = "\n".join(
        f"    failed += test_run({c_string(run.title)}, {run.inputs}, {run.depth}, gram_{number}, hyper_{number}, "
        f"entries_{number}, {len(run.entries)});"
        for number, run in enumerate(values.runs)
    )
    step = values.step
    rank = max((len(axes) for axes in step.requests), default=1)
    degree = max((len(p) for p in step.polynomials), default=1) - 1
    highest = max((sum(len(step.polynomials[p]) - 1 for p in axes) for axes in step.requests), default=0)
    replaced = {
        "NAME": name,
        "UPPER": name.upper(),
        "NETWORK": checked(program.network),
        "INPUTS": str(step.inputs),
        "VARIABLES": str(1 if program.inputs == "one" else step.inputs),
        "RANK": str(rank),
        "DEGREE": str(degree),
        "HIGHEST": str(highest),
        "MOMENTS": str((highest + 1) ** (1 if program.inputs == "one" else step.inputs)),
        "POLYNOMIALS": ",\n".join(
            "    {" + ", ".join(_number(c) for c in (*p, *[0.0] * (degree + 1 - len(p)))) + "}"
            for p in step.polynomials
        ),
        "SIZES": _wrapped(str(len(p)) for p in step.polynomials),
        "AXES": ",\n".join(
            "    {" + ", ".join(str(p) for p in (*axes, *[0] * (rank - len(axes)))) + "}" for axes in step.requests
        ),
        "BELOW": "\n".join(
            f"static const double below_{number}[] = {{\n{_wrapped(map(_number, array))}}};"
            for number, array in enumerate(step.below)
        ),
        "BELOW_LIST": ", ".join(f"below_{number}" for number in range(len(step.below))),
        "HYPER": _wrapped(map(_number, step.hyper)),
        "RATIO": _wrapped(map(_number, step.ratio)),
        "ENTRIES": _entries(step.entries),
        "COUNT": str(len(step.entries)),
        "RUNS": runs,
        "CALLS": calls,
    }
    return fill(template("selftest.c.in"), replaced)


def fill(text: str, replaced: dict[str, str]) -> str:
    """A template with @NAMES@ put in; what is put in is not looked at again."""
    return re.sub("@([A-Z_]+)@", lambda found: replaced[found.group(1)], text)


def _run(number: int, run: ReferenceRun) -> str:
    return (
        f"static const double gram_{number}[] = {{{', '.join(_number(x) for x in run.gram)}}};\n"
        f"static const double hyper_{number}[] = {{{', '.join(_number(x) for x in run.hyper)}}};\n"
        f"static const entry entries_{number}[] = {{\n{_entries(run.entries)}\n}};"
    )


def _entries(entries: Sequence[Expected]) -> str:
    return ",\n".join(
        f"    {{{e.layer}, {e.tensor}, {e.place}, {_number(e.value)}, {_number(e.size)}}}" for e in entries
    )


def _number(value: float) -> str:
    """A double as C reads it back; what is not a number stands as a value that no result has."""
    return "NOT_A_NUMBER" if value != value else repr(float(value))


def _wrapped(values: Iterable[str]) -> str:
    """A list, as much of it on a line as fits."""
    pad = " " * 4
    lines = wrap(", ".join(values) + ",", 118, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False)
    return "\n".join(lines).rstrip(",")
