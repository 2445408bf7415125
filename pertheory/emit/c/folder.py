"""The folder that stands alone: sources, build files, a self-test against stored values, and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from pertheory.emit.c.printer import Source
from pertheory.kernels.language import Program


class Stored(NamedTuple):
    """Values with which the self-test compares, made without this C code.

    Attributes:
        gram: of the inputs.
        hyper: values of the hyperparameters, a row a layer.
        widths: n_0 .. n_(depth-1).
        layers: for each layer and tensor the kept entries in their order; None where a value is not known.
    """

    gram: Sequence[Sequence[float]]
    hyper: Sequence[Sequence[float]]
    widths: Sequence[float]
    layers: Sequence[Mapping[str, Sequence[float | None]]]


def print_folder(program: Program, source: Source, header: str, stored: Stored) -> dict[str, str]:
    """All files by their name."""
    words = {
        "NAME": source.name,
        "UPPER": source.name.upper(),
        "NETWORK": program.network,
        "ORDER": str(program.order),
        "HYPERPARAMETERS": ", ".join(name for name, _ in program.hyperparameters),
        "DEFAULTS": ", ".join(repr(float(value)) for _, value in program.hyperparameters),
        "COUNT": str(len(program.hyperparameters)),
        "GRAM_C": "{1.0}" if program.inputs == "one" else "{1.0, 0.3, 0.3, 0.7}",
        "GRAM_LIST": "1.0" if program.inputs == "one" else "1.0, 0.3, 0.3, 0.7",
        "INPUTS": "1" if program.inputs == "one" else "2",
        "FIRST": program.levels[-1].kernels[0].function,
    }
    found = {
        f"{source.name}.c": source.source,
        f"{source.name}.h": source.header,
        "pertheory.h": header,
        "selftest.c": _selftest(program, source.name, stored),
    }
    for template in sorted((files("pertheory.emit.c") / "folder_files").iterdir(), key=lambda item: item.name):
        name = template.name.removesuffix(".txt")
        text = template.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        found[name.replace("NAME", source.name)] = text
    return found


def _selftest(program: Program, name: str, stored: Stored) -> str:
    """A program that runs the theory and compares every entry that is known."""
    one = program.inputs == "one"
    gram = [row[i] for i, row in enumerate(stored.gram)] if one else [value for row in stored.gram for value in row]
    rows, compared = [], 0
    for layer, tensors in enumerate(stored.layers):
        for number, kernel in enumerate(program.levels[-1].kernels):
            for place, value in enumerate(tensors[kernel.key]):
                if value is not None:
                    rows.append(f"    {{{layer}, {number}, {place}, {value!r}}},")
                    compared += 1
    text = (files("pertheory.emit.c") / "selftest.c.txt").read_text(encoding="utf-8")
    words = {
        "NAME": name,
        "INPUTS": str(len(stored.gram)),
        "DEPTH": str(len(stored.layers)),
        "GRAM": ", ".join(repr(value) for value in gram),
        "HYPER": ",\n    ".join(", ".join(repr(value) for value in row) for row in stored.hyper),
        "WIDTHS": ", ".join(repr(value) for value in stored.widths),
        "STORED": "\n".join(rows),
        "COUNT": str(len(program.hyperparameters)),
    }
    for word, replacement in words.items():
        text = text.replace(f"@{word}@", replacement)
    return text
