"""Where rule files live and how they are read: every mistake in one is reported with its file and place."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pertheory.errors import RuleError


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


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read one TOML file.

    Raises:
        RuleError: the file cannot be read, is not UTF-8 text, or has a syntax error (with its line).
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise RuleError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise RuleError(f"{path}: not UTF-8 text (byte {error.start}); rule files are UTF-8 TOML") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{path}: not valid TOML: {error}") from None


def nearest(given: str, known: Iterable[str], count: int = 3) -> str:
    """Return a phrase such as ``nearest: relu, selu``, or the list of what is known when nothing is near."""
    known = sorted(set(known))
    folded = {name.lower(): name for name in reversed(known)}
    matches = difflib.get_close_matches(given.lower(), folded, n=count, cutoff=0.55)
    close = [folded[match] for match in matches]
    if close:
        return f"nearest: {', '.join(close)}"
    return f"known: {', '.join(known[:12]) or 'none'}{', ...' if len(known) > 12 else ''}"


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
