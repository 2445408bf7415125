"""Rule files: those that come along with tables dropped, keys renamed, values of other types, hostile texts, bytes.

An example is a kind of file and its bytes. It is refused in one line that names it, or accepted; then a network is
derived, lowered and printed, and what is printed must be code of the shape that our printers give it, whatever the file
says.
"""

from __future__ import annotations

import ast
import base64
import copy
import json
import random
import re
import tempfile
import tomllib
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import pertheory as pt
from pertheory.book.chapters import read_chapter
from pertheory.emit.c.printer import print_c
from pertheory.emit.numpy.printer import print_numpy
from pertheory.errors import PertheoryError
from pertheory.functions.activation import _from_file
from pertheory.kernels.lower import lower
from pertheory.rulebook.files import rules_folder
from pertheory.rulebook.tensors import named_tensors

KINDS = {
    "network": "networks/*.toml",
    "activation": "activations/*.toml",
    "tensors": "tensors.toml",
    "book": "book/*.toml",
}
#: How often each is drawn; most strangers' files are networks.
WEIGHTS = (12, 6, 2, 1)
TEXTS = [
    "",
    "z",
    "u",
    "s",
    "id",
    "b",
    "W",
    "C_W",
    "gaussian",
    "uniform",
    "bias",
    "weight",
    "C_W^2*gamma",
    "C_W^9*C_W^9*C_W^9",
    "1/3*C_b",
    "1/0",
    "9" * 400,
    "x*tanh(x)",
    "max(0, x)",
    "relu",
    "1/x",
    "-inf",
    "../../PWNED",
    'x"; import os; os.system("touch PWNED"); y="',
    '"""\nraise SystemExit\n"""',
    "*/ int planted; /*",
    "??/\n",
    "a\\\nb",
    "$(touch PWNED)",
    "\\input{x}",
    "<script>",
    "\x1b[2J",
    "\u202e",
    "\x00",
    "ｎａｍｅ",
    "λ",
    "é" * 100,
    "x" * 300,
    "lambda",
    "n",
    "depth",
    "NULL",
    "G",
    "first_layer",
    "a",
    "A_",
    "k_C_W",
    "avg_s0_s0",
    "z(1) z(2)",
    "z(1:u) z(2:u)",
    "12,34",
    "1,2",
    "K'(1,2) = C_b",
]
NUMBERS = [0, 1, -1, 2, 0.5, -0.0, 1e-13, 1e-300, 1e13, 1e308, 5e-324, 2**62, 2**63, 2**80, 10**30, -(2**63)]
NUMBERS += [float("inf"), float("-inf"), float("nan")]
#: What a printed module is made of.
NODES = """
Module Expr Constant Import alias FunctionDef arguments arg Assign AugAssign Name Load Store Subscript Call
Attribute BinOp Add Sub Mult Div Pow UAdd USub UnaryOp Return Dict Tuple List For If Compare Eq Lt Or And Not NotEq
BoolOp IfExp IsNot Is Starred keyword JoinedStr FormattedValue ListComp DictComp GeneratorExp comprehension Raise In
NotIn Gt Slice
""".split()  # noqa: SIM905


def toml(table: Any) -> str:
    """A table as a TOML file."""
    return "".join(f"{_text(str(key))} = {_value(value)}\n" for key, value in table.items())


def _text(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case dict():
            return "{ " + ", ".join(f"{_text(str(key))} = {_value(own)}" for key, own in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)


@lru_cache(maxsize=1)
def shipped() -> dict[str, list[dict[str, Any]]]:
    """The files that come along, by kind; of the book three equations of each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, pattern in KINDS.items():
        found[kind] = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(rules_folder().glob(pattern))]
    for table in found["book"]:
        table["equation"] = table["equation"][:3]
    return found


def draw(source: random.Random) -> dict[str, str]:
    """A file: its kind, and its bytes in base 64."""
    kind = source.choices(list(KINDS), WEIGHTS)[0]
    table = copy.deepcopy(source.choice(shipped()[kind]))
    for _ in range(source.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
        _change(table, source)
    data = toml(table).encode("utf-8", "surrogatepass")
    if source.random() < 0.1:
        for _ in range(source.randrange(1, 6)):
            at = source.randrange(len(data) + 1)
            data = data[:at] + source.randbytes(source.randrange(4)) + data[at + source.randrange(4) :]
    if source.random() < 0.02:
        data = data[: source.randrange(len(data) + 1)]
    return {"kind": kind, "data": base64.b64encode(data).decode()}


def _change(table: dict[str, Any], source: random.Random) -> None:
    """One change somewhere in a table."""
    places = list(_places(table))
    if not places:
        table[source.choice(TEXTS)] = _any(source)
        return
    inner, key = source.choice(places)
    match source.randrange(9):
        case 0:
            del inner[key]
        case 1 if isinstance(inner, dict):
            inner[source.choice(TEXTS)] = inner.pop(key)
        case 2:
            inner[key] = source.choice(TEXTS)
        case 3:
            inner[key] = source.choice(NUMBERS)
        case 4:
            inner[key] = _any(source)
        case 5 if isinstance(inner, dict):
            inner[source.choice(TEXTS)] = _any(source)
        case 6:  # a name is another one wherever it stands
            names = [value for value in (key, inner[key]) if isinstance(value, str)]
            if names:
                changed = _renamed(table, source.choice(names), source.choice(TEXTS))
                table.clear()
                table.update(changed)
        case 7 if isinstance(inner, list):
            source.shuffle(inner)
        case _:
            other, place = source.choice(places)
            inner[key] = copy.deepcopy(other[place]) if other is not inner else inner[key]


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value, number
            yield from _places(inner)


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {_renamed(key, old, new): _renamed(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, old, new) for inner in value]
    return new if value == old else value


def _any(source: random.Random) -> Any:
    kind = source.randrange(7)
    if kind == 0:
        return [_any(source) for _ in range(source.randrange(3))]
    if kind == 1:
        return {source.choice(TEXTS): _any(source) for _ in range(source.randrange(3))}
    if kind == 2:
        return "".join(chr(source.choice((*range(32, 127), 9, 10, 955, 0x202E))) for _ in range(source.randrange(20)))
    return source.choice([True, False, *NUMBERS, *TEXTS])


def judge(example: dict[str, str]) -> str:
    """Read the file and, if it is a sound network, print it.

    Raises:
        AssertionError: it was refused in other than one short line, or what was printed is not as ours is.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "stranger.toml"
        path.write_bytes(base64.b64decode(example["data"]))
        try:
            if example["kind"] == "activation":
                _from_file(path, {})
                return "accepted"
            if example["kind"] == "tensors":
                named_tensors.__wrapped__(path)
                return "accepted"
            if example["kind"] == "book":
                for equation in read_chapter(path).equations:
                    if equation.statement:
                        equation.parsed(equation.statement)
                return "accepted"
            rule = pt.network(path)
            program = lower(pt.theory(rule, "G", 0), "one")
        except PertheoryError as error:
            message = str(error)
            assert "stranger.toml" in message, message
            assert message.isprintable(), repr(message)
            assert len(message) < 1500, len(message)
            return "refused"
        check_python(print_numpy(program))
        source = print_c(program)
        check_c(source.source)
        check_c(source.header)
        return "printed"


def check_python(text: str) -> None:
    """A module of the shape that the printer gives it."""
    tree = ast.parse(text)
    kinds = {type(node).__name__ for node in ast.walk(tree)}
    assert kinds <= set(NODES), kinds - set(NODES)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"os", "__import__", "eval", "exec", "open", "SystemExit"}, names
    assert text.replace("\n", "").isprintable()


def check_c(text: str) -> None:
    """C of which nothing but comments and literals can hold what a file says."""
    for mark in "=/'()!<>-":
        assert "??" + mark not in text
    assert "\\\n" not in re.sub(r"^#define.*(\\\n.*)+", "", text, flags=re.MULTILINE).replace("\\\\\n", "")
    code = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)
    assert set(code) <= set(map(chr, range(32, 127))) | {"\n"}, set(code)
    assert not re.search(r"planted|PWNED|system|script", code)
    assert text.replace("\n", "").isprintable()
