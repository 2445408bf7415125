"""Where rule files live and how they are read: every mistake in one is reported with its file and place."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from pertheory.errors import RuleError
from pertheory.rulebook.names import is_name, shown, visible
from pertheory.text import listed

#: Bytes of a rule file; the largest that comes along has a tenth of it.
LARGEST = 1_000_000
#: Tables and lists inside each other; rules need four.
DEEPEST = 16
#: Characters of names that a message lists: all tensors, functions, keys; of activations and equations the first.
LONGEST_LIST = 120


def rules_folder() -> Path:
    """Return the folder of the rule files that come with pertheory.

    An installed package carries them as ``pertheory/_rules``; in a source checkout they are the folder
    ``rules`` next to the package, where people read and edit them.

    Raises:
        RuleError: neither folder exists, so the installation is incomplete.
    """
    package = Path(__file__).resolve().parent.parent
    candidates = (package / "_rules", package.parent / "rules")
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise RuleError(f"no rule files found; expected the folder {candidates[0]} or {candidates[1]}")


def read_text(path: Path) -> str:
    """The text of a rule file.

    Raises:
        RuleError: it cannot be read, is no ordinary file (a pipe would be waited for, a device may have no end), is
            larger than `LARGEST`, or is not UTF-8 text.
    """
    if "\0" in str(path):
        raise RuleError(f"{shown(str(path))}: is not the path of a file")
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RuleError(f"{path}: is not an ordinary file; rule files are UTF-8 TOML")
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise RuleError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(data) > LARGEST:
        raise RuleError(f"{path}: is larger than {LARGEST} bytes; rule files are a page or two")
    try:
        return data.decode("utf-8-sig")  # some editors put a mark in front
    except UnicodeDecodeError as error:
        raise RuleError(f"{path}: not UTF-8 text (byte {error.start}); rule files are UTF-8 TOML") from None


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read one TOML file.

    What comes back holds nothing but tables, lists, texts that can be seen, numbers of 64 bits and truth values.

    Raises:
        RuleError: the file cannot be read, is not UTF-8 text, has a syntax error (with its line), or holds what no
            rule file has.
    """
    path = Path(path)
    return parse_toml(read_text(path), path)


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The same from the text itself; ``path`` is what messages call it.

    Raises:
        RuleError: as `read_toml`.
    """
    if len(text) > LARGEST:
        raise RuleError(f"{path}: is longer than {LARGEST} characters; rules are a page or two")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise RuleError(f"{path}: not valid TOML: nested too deeply") from None
    except ValueError:  # Python does not read whole numbers of thousands of digits, nor a 30th of February
        raise RuleError(f"{path}: not valid TOML: a number or a date that is out of range") from None
    _check_value(table, path, (), 0)
    return table


def plain_table(given: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    """A rule that was written as dictionaries, as `read_toml` gives one back: copied, and checked likewise.

    Args:
        given: mappings, lists and tuples, texts, numbers of any kind, truth values.
        path: what messages call it.

    Raises:
        RuleError: something else is in it; names where.
    """
    table = _plain(given, path, (), 0)
    _check_value(table, path, (), 0)
    return dict(table)


def _plain(value: Any, path: Path, where: tuple[str, ...], depth: int) -> Any:
    place = f"{path}: {'.'.join(where)}: "
    if depth > DEEPEST:
        raise RuleError(f"{place}is nested too deeply")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise RuleError(f"{place}the key {shown(key)} is no text")
        return {str(key): _plain(inner, path, (*where, str(key)), depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        last = where[-1] if where else ""
        return [_plain(own, path, (*where[:-1], f"{last}[{n}]"), depth + 1) for n, own in enumerate(value)]
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    raise RuleError(f"{place}must be a table, a list, a text or a number, not {shown(value)}")


def _check_value(value: Any, path: Path, where: tuple[str, ...], depth: int) -> None:
    """Refuse values that no rule has, wherever they stand."""

    def wrong(message: str) -> RuleError:
        return RuleError(f"{path.name}: {'.'.join(where)}: {message}")

    if depth > DEEPEST:
        raise wrong("is nested too deeply")
    if isinstance(value, dict):
        for key, inner in value.items():
            if len(key) > 200 or visible(key) != key or "\n" in key:
                raise wrong(f"the key {shown(key)} is too long, or has characters that cannot be seen")
            _check_value(inner, path, (*where, key), depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            last = f"{where[-1]}[{number}]" if where else f"[{number}]"
            _check_value(inner, path, (*where[:-1], last), depth + 1)
    elif isinstance(value, str):
        plain = value.replace("\t", " ")
        if visible(plain) != plain:
            raise wrong(f"the text {shown(value)} has characters that cannot be seen")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise wrong("is a whole number of more than 64 bits")
    elif not isinstance(value, float):
        raise wrong("is a date or a time, which no rule has")


def other_kind(name: str, wanted: str) -> str:
    """What a name that is not of the kind that was wanted is, such as ``it is a network``; empty if it is nothing."""
    if not is_name(name):
        return ""
    if wanted != "tensor" and any(
        name in (entry.get("name"), entry.get("leading"), *entry.get("aliases", ()))
        for entry in read_toml(rules_folder() / "tensors.toml").get("tensors", ())
    ):
        return "it is a tensor"
    for kind, text in (("network", "a network"), ("activation", "an activation")):
        if wanted != kind and (rules_folder() / f"{kind}s" / f"{name}.toml").is_file():
            return f"it is {text}"
    return ""


def nearest(given: str, known: Iterable[str], count: int = 3) -> str:
    """Return a phrase such as ``nearest: relu, selu``, or the list of what is known when nothing is near."""
    known = sorted(set(known))
    folded = {name.lower(): name for name in reversed(known)}
    matches = difflib.get_close_matches(given.lower(), folded, n=count, cutoff=0.55)
    close = [folded[match] for match in matches]
    if close:
        return f"nearest: {', '.join(close)}"
    return f"known: {listed(known, LONGEST_LIST)}"


def check_keys(table: Mapping[str, Any], allowed: Iterable[str], path: Path | str, where: str = "") -> None:
    """Refuse keys that a rule file may not have.

    Args:
        table: the table as read.
        allowed: names of the keys that may appear.
        path: the file, for the message.
        where: the table's name inside the file, for the message; empty for the top level.

    Raises:
        RuleError: a key is not allowed; the message has the nearest allowed names.
    """
    allowed = list(allowed)
    for key in table:
        if key not in allowed:
            place = f" in [{where}]" if where else ""
            close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.55)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise RuleError(f"{path}: unknown key {key!r}{place}{hint}; allowed: {', '.join(allowed)}")
