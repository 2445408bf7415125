"""``pertheory list``: the names that the other verbs take."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from pertheory.cli.options import add_output, check_out, write_text

SUMMARY = "List what there is: tensors, networks, activations, methods of averages, equations of the book."
EXAMPLE = "pertheory list activations"

Rows = list[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "what", nargs="?", choices=tuple(KINDS), help="one kind; without it the names of all but the equations"
    )
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Print the names."""
    check_out(options.out)
    chosen = {what: KINDS[what]() for what in ([options.what] if options.what else KINDS)}
    if options.format == "json":
        text = json.dumps({"schema": "pertheory.names/1", **chosen}, indent=1)
    elif options.what:
        text = _table(chosen[options.what])
    else:
        text = "\n".join(f"{what:<12} {_names(what, rows)}" for what, rows in chosen.items())
        text += "\nmore about one kind: pertheory list tensors; about one name: pertheory describe F"
    write_text(text, options.out)
    return 0


def _names(what: str, rows: Rows) -> str:
    if what == "equations":
        return f"{len(rows)} of chapters {', '.join(dict.fromkeys(row['chapter'] for row in rows))}"
    return ", ".join(dict.fromkeys(row["name"] for row in rows))


def _table(rows: Rows) -> str:
    """One line a row, the last column as long as it is."""
    cells = [[", ".join(value) if isinstance(value, list) else str(value) for value in row.values()] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _tensors() -> Rows:
    from pertheory.rulebook.tensors import named_tensors

    return [
        {"name": t.name, "also": list(t.names[1:]), "observable": t.observable, "title": t.title}
        for t in named_tensors()
    ]


def _networks() -> Rows:
    from pertheory.rulebook.files import rules_folder
    from pertheory.rulebook.network import read_network

    rules = [read_network(path) for path in sorted((rules_folder() / "networks").glob("*.toml"))]
    return [{"name": r.name, "fields": list(r.fields), "title": r.title} for r in rules]


def _activations() -> Rows:
    from pertheory.functions.catalogue import catalogue
    from pertheory.rulebook.files import read_toml

    tables = [read_toml(path) for path in dict.fromkeys(catalogue().values())]
    return [
        {
            "name": table["name"],
            "also": table.get("aliases", []),
            "parameters": [f"{name}={value}" for name, value in table.get("parameters", {}).items()],
            "description": table.get("description", ""),
        }
        for table in tables
    ]


def _methods() -> Rows:
    from pertheory.averages.choose import TABLE

    return [{"name": row.method, "averages": row.kind, "when": row.when, "why": row.why} for row in TABLE]


def _equations() -> Rows:
    from pertheory.book.chapters import chapters

    return [
        {"number": e.number, "chapter": chapter.name, "expected": e.status, "title": e.title}
        for chapter in chapters()
        for e in chapter.equations
    ]


KINDS: dict[str, Callable[[], Rows]] = {
    "tensors": _tensors,
    "networks": _networks,
    "activations": _activations,
    "methods": _methods,
    "equations": _equations,
}
