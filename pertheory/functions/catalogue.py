"""Names of activations: those of the rule files, and what names of other programs mean (rules/frameworks.toml)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pertheory.errors import InputError, RuleError
from pertheory.rulebook.files import check_keys, nearest, read_toml, rules_folder
from pertheory.rulebook.names import GRAMMAR, is_name, shown

_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.([A-Za-z_]\w*)", re.ASCII)


class Found(NamedTuple):
    """What a name means: a rule file, and values of its parameters where they are not those of the file."""

    path: Path
    values: tuple[tuple[str, Any], ...] = ()


def aliases(path: Path, table: Mapping[str, Any]) -> list[str]:
    """The other names in a rule file.

    Raises:
        RuleError: they are not names.
    """
    found = table.get("aliases", [])
    if not isinstance(found, list) or not all(is_name(alias) for alias in found):
        raise RuleError(f"{path}: 'aliases' must be a list of names ({GRAMMAR})")
    return found


def catalogue() -> Mapping[str, Path]:
    """Every name and alias of an activation, in lower case, with its rule file."""
    return _catalogue(rules_folder() / "activations")


@lru_cache(maxsize=8)
def _catalogue(folder: Path) -> dict[str, Path]:
    known: dict[str, Path] = {}
    for path in sorted(folder.glob("*.toml")):
        table = read_toml(path)
        for name in (table.get("name", path.stem), *aliases(path, table)):
            key = str(name).lower()
            if known.setdefault(key, path) != path:
                raise RuleError(f"{path}: the name {name!r} is taken by {known[key]}")
    return known


def find_activation(text: str) -> Found | None:
    """What the name of an activation means, or None where it is not one (a formula, or a slip).

    Raises:
        InputError: a prefix that no program has, a name that the program does not have, or of which several programs
            disagree; says what to write.
    """
    known = catalogue()
    match = _DOTTED.fullmatch(text)
    prefix, name = match.groups() if match else ("", text.lower().replace("-", "_"))
    table = _frameworks(rules_folder() / "frameworks.toml")
    meanings = {own[name]: full for full, own in table.get(prefix, {}).items() if name in own}
    if len(meanings) == 1:
        (meaning,) = meanings
        if isinstance(meaning, str):
            raise InputError(f"activation {shown(text)}: {meaning}")
        return meaning
    if meanings:
        raise InputError(
            f"activation {shown(text)} is not the same everywhere: write one of "
            + ", ".join(f"{full}.{name}" for full in meanings.values())
        )
    if match is None:
        return Found(known[name]) if name in known else None
    if prefix not in table:
        prefixes = {full for own in table.values() for full in own} - {""}
        hint = f"write {name}; " if name.lower() in known else ""
        raise InputError(f"activation {shown(text)}: no program {shown(prefix)}; {hint}{nearest(prefix, prefixes)}")
    names = {own for names in table[prefix].values() for own in names}
    raise InputError(f"activation {shown(text)}: {prefix} has no {shown(name)} that is known; {nearest(name, names)}")


@lru_cache(maxsize=8)
def _frameworks(path: Path) -> dict[str, dict[str, dict[str, Found | str]]]:
    """By prefix, then by the full prefix of each program that has it, what its names mean or why they do not."""
    table: dict[str, dict[str, dict[str, Found | str]]] = {}
    for entry in read_toml(path)["frameworks"]:
        check_keys(entry, ("name", "prefixes", "same", "differs", "refused", "calls", "gains"), path, "frameworks")
        for prefix in entry["prefixes"]:
            table.setdefault(prefix, {})[entry["prefixes"][0]] = dict(_meanings(entry))
    return table


def _meanings(entry: Mapping[str, Any]) -> Iterator[tuple[str, Found | str]]:
    known = catalogue()
    for name in entry.get("same", ()):
        yield name, Found(known[name.lower()])
    for name, own in entry.get("differs", {}).items():
        yield name, Found(known[own["rule"]], tuple((key, value) for key, value in own.items() if key != "rule"))
    yield from entry.get("refused", {}).items()
