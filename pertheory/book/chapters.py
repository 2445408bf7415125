"""Reads rules/book: the equations of the book as data, one file a chapter.

chapter = "8"
title = "RG flow of the neural tangent kernel"
symbols = []                          # scalars besides couplings, widths and K
objects = ["r(a)"]                    # things with labels that the kinds of this file know

[definitions]                         # abbreviations, with the labels that they take
"Omega(a,b)" = "lambda_W s_a s_b + C_W Theta(a,b) s'_a s'_b"

[[equation]]
number = "8.89"
...                                   # the keys are those of `Equation`
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pertheory.book.abbreviations import Definition
from pertheory.book.deciders import DECIDERS
from pertheory.book.equation import SOURCES, Chapter, Equation
from pertheory.book.parse import WIDTHS, Words
from pertheory.book.verdict import ERRATUM, STATUSES, UNCHECKED, VERIFIED
from pertheory.errors import PertheoryError, RuleError
from pertheory.rulebook.files import check_keys, nearest, read_text, read_toml, rules_folder
from pertheory.rulebook.names import NAME, is_name, shown
from pertheory.rulebook.network import Network, network

_TOP = ("chapter", "title", "symbols", "objects", "definitions", "equation")
#: what an entry may say: texts as the attributes of an `Equation`, and the names by which it says two of them
_TEXTS = (
    *("number", "title", "kind", "statement", "printed", "restated", "source", "follows", "inputs", "network"),
    *("status", "note", "unchecked", "setting"),
)
_KEYS = (*_TEXTS, "certain")


def book_folder() -> Path:
    """The folder of the book's equations."""
    return rules_folder() / "book"


@lru_cache(maxsize=8)
def chapters(folder: Path | None = None) -> tuple[Chapter, ...]:
    """All chapters, in the order of their file names.

    Raises:
        RuleError: a file is wrong; names file, line and reason.
    """
    place = folder if folder is not None else book_folder()
    files = sorted(place.glob("*.toml"))
    if not files:
        raise RuleError(f"{place}: no chapter files *.toml")
    found: dict[str, Chapter] = {}
    for chapter in map(read_chapter, files):
        found[chapter.name] = _joined(place, found[chapter.name], chapter) if chapter.name in found else chapter
    everything = [equation for chapter in found.values() for equation in chapter.equations]
    numbers = {equation.number for equation in everything}
    for equation in everything:
        if equation.follows and equation.follows not in numbers - {equation.number}:
            raise equation.wrong(f"follows: no equation {equation.follows!r}; {nearest(equation.follows, numbers)}")
    return tuple(found.values())


def _joined(place: Path, first: Chapter, second: Chapter) -> Chapter:
    """A chapter in two files, each with definitions of its own."""
    if first.title != second.title:
        raise RuleError(f"{place}: two files are chapter {first.name!r}, with different titles")
    known = {equation.number for equation in first.equations}
    for equation in second.equations:
        if equation.number in known:
            raise RuleError(f"{equation.place}: a second equation {equation.number}")
    return Chapter(first.name, first.title, first.equations + second.equations)


def read_chapter(path: Path) -> Chapter:
    """One chapter file.

    Raises:
        RuleError: names the file, the line of the equation and what is wrong.
    """
    table = read_toml(path)
    check_keys(table, _TOP, path.name)
    for key in ("chapter", "title"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise RuleError(f"{path.name}: {key}: must be a text that is not empty")
    symbols = table.get("symbols", [])
    if not isinstance(symbols, list) or not all(is_name(symbol) for symbol in symbols):
        raise RuleError(f"{path.name}: symbols: must be a list of names")
    definitions = tuple(_definition(path, head, text) for head, text in _table(path, table, "definitions").items())
    objects = table.get("objects", [])
    if not isinstance(objects, list) or not all(isinstance(head, str) for head in objects):
        raise RuleError(f'{path.name}: objects: must be a list of names with labels, such as "r(a)"')
    named = (*definitions, *(_definition(path, head, "", "objects") for head in objects))
    own = Words(frozenset(symbols), tuple((item.name, len(item.labels)) for item in named))
    entries = table.get("equation", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RuleError(f"{path.name}: equation: must be entries [[equation]]")
    lines = [n for n, row in enumerate(read_text(path).splitlines(), 1) if row.strip() == "[[equation]]"]
    equations: list[Equation] = []
    rules: dict[str, Network] = {}
    for position, entry in enumerate(entries):
        place = f"{path.name}: line {lines[position] if len(lines) == len(entries) else '?'}"
        equation = _equation(place, entry, own, definitions, rules)
        if any(other.number == equation.number for other in equations):
            raise RuleError(f"{place}: a second equation {equation.number}")
        equations.append(equation)
    return Chapter(table["chapter"], table["title"], tuple(equations))


def _rule(name: str) -> Network:
    """A network; one that is not sound is read with pairs only, which the verdicts of its equations say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return network(name, "pairs")


def _table(path: Path, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise RuleError(f"{path.name}: {key}: must be a table")
    return found


def _definition(path: Path, head: str, text: Any, key: str = "definitions") -> Definition:
    match = re.fullmatch(rf"({NAME})(?:\(([a-z](?:,[a-z])*)\))?", head.replace(" ", ""))
    if match is None or not is_name(match.group(1)) or not isinstance(text, str):
        raise RuleError(f'{path.name}: {key}: {shown(head)}: must be of the form "Omega(a,b)" = "formula"')
    return Definition(match.group(1), tuple((match.group(2) or "").split(",")) if match.group(2) else (), text)


def _equation(
    place: str,
    entry: Mapping[str, Any],
    own: Words,
    definitions: tuple[Definition, ...],
    rules: dict[str, Network],
) -> Equation:
    """An equation from its entry; networks that were read before are in `rules`."""
    check_keys(entry, _KEYS, place)
    for key in _TEXTS:
        if not isinstance(entry.get(key, ""), str):
            raise RuleError(f"{place}: {key}: must be a text, not {shown(entry[key])}")
    for key in ("number", "title", "source"):
        if not entry.get(key):
            raise RuleError(f"{place}: {key} is missing")
    choices = (
        ("source", SOURCES),
        ("inputs", ("", "one", "many")),
        ("status", ("", *STATUSES)),
        ("kind", ("", *DECIDERS)),
    )
    for key, known in choices:
        if entry.get(key, "") not in known:
            raise RuleError(f"{place}: {key}: {shown(entry[key])} is not known; {nearest(entry[key][:99], known)}")
    reason = entry.get("unchecked", "")
    if bool(reason) == bool(entry.get("statement") and entry.get("kind")):
        raise RuleError(
            f"{place}: equation {entry['number']} needs a kind and a statement, or unchecked with the reason"
        )
    kind = entry.get("kind", "")
    if entry.get("setting") and not (kind and DECIDERS[kind].setting):
        what = f"the kind {kind!r} has" if kind else "an equation that is not posed has"
        raise RuleError(f"{place}: setting: {entry['setting']!r} is not used; {what} no settings")
    name = entry.get("network") or "mlp"
    try:
        rule = rules[name] if name in rules else rules.setdefault(name, _rule(name))
    except PertheoryError as error:
        raise RuleError(f"{place}: network: {error}") from None
    symbols = own.symbols | frozenset(name for name, _ in rule.hyperparameters) | frozenset(WIDTHS)
    words = Words(symbols, own.abbreviations)
    certain = entry.get("certain", True)
    if not isinstance(certain, bool):
        raise RuleError(f"{place}: certain: must be true or false")
    texts = {key: entry.get(key, "").strip() for key in ("statement", "printed", "restated")}
    others = {key: entry.get(key, "") for key in ("number", "title", "source", "follows", "note", "setting")}
    status = entry.get("status") or (UNCHECKED if reason else ERRATUM if texts["printed"] else VERIFIED)
    one = entry.get("inputs") == "one"
    return Equation(
        **texts,
        **others,
        kind=kind,
        one=one,
        rule=rule,
        status=status,
        unchecked=reason,
        certain=certain,
        words=words,
        definitions=definitions,
        place=place,
    )
