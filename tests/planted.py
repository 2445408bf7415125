"""Texts that run, escape or mislead wherever they reach a target unescaped, and rule files with such a text planted."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

#: A sound rule of weights alone, such as a user may write.
RULE = """
name = "own"
fields = ["z"]
[hyperparameters]
C_W = 1.0
[parameters.W]
kind = "weight"
variance = "C_W"
[input]
z = ["W"]
[[sublayers]]
z = [ { parameter = "W", function = "s", of = "z" } ]
"""

#: What each would do; a file of the name PWNED is what is left where one of them ran.
PAYLOADS = {
    "python string": 'x"; import os; os.system("touch PWNED"); y="',
    "python docstring": '"""\nimport os; os.system("touch PWNED")\n"""',
    "python single quotes": "x'+__import__('os').system('touch PWNED')+'",
    "python comment": "x\n__import__('os').system('touch PWNED')",
    "end of a raw docstring": '\\"""; __import__("os").system("touch PWNED")#',
    "c comment": "*/ __attribute__((constructor)) static void f_(void)"
    '{extern int system(const char *); (void)!system("touch PWNED");} /*',
    "c string": '", (const char *)system("touch PWNED"), "',
    "c trigraphs": "???/\n*??/\n/ int planted; /*",
    "c include": 'x\\\n#include "/etc/passwd"\n',
    "template": "@TENSORLIST@ @NAME@",
    "make": "$(shell touch PWNED)",
    "make recipe": "x\nall:\n\ttouch PWNED\n",
    "shell": "$(touch PWNED) `touch PWNED`; touch PWNED | touch PWNED && touch PWNED",
    "pkg-config": "x\nLibs: -Wl,-e,PWNED ${pc_sysrootdir}",
    "latex": "\\input{/etc/passwd} \\immediate\\write18{touch PWNED} $x$ %",
    "html": "<script>alert('PWNED')</script><img src=x onerror=alert(1)>",
    "markdown": "x | y | [a](javascript:alert(1)) `code`",
    "terminal": "\x1b[2J\x1b]0;PWNED\x07\x9b1m",
    "direction": "x \u202e } \u2066 if",
    "null": "x\x00y",
    "return": "x\rall is well",
    "path": "../../PWNED",
    "absolute path": "/tmp/PWNED",
    "format": "%s%n{0.__class__}{x!r}",
    "wide": "ｎａｍｅ",
    "long": "x" * 5000,
}


def strings(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """The place of every string of a table: of a value, or (True) of a key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*where, key), True
            yield from strings(inner, (*where, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from strings(inner, (*where, number))
    elif isinstance(value, str):
        yield where, False


def planted(table: dict[str, Any], where: tuple[Any, ...], key: bool, text: str) -> dict[str, Any]:
    """The table with a text in one place."""
    changed = copy.deepcopy(table)
    inner: Any = changed
    for step in where[:-1]:
        inner = inner[step]
    if key:
        items = [(text if name == where[-1] else name, value) for name, value in inner.items()]
        inner.clear()
        inner.update(items)
    else:
        inner[where[-1]] = text
    return changed


def renamed(value: Any, old: str, new: str) -> Any:
    """A table in which a name is another one wherever it stands, so that all that refers to it still does."""
    if isinstance(value, dict):
        return {renamed(key, old, new): renamed(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, old, new) for inner in value]
    return new if value == old else value
