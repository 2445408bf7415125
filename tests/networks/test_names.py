"""Networks are data: no file of the package knows one of them by name, but the perceptron, which is the default."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pertheory as pt
from pertheory.rulebook.files import rules_folder

PACKAGE = Path(pt.__file__).parent


@lru_cache(maxsize=1)
def strings(text: str) -> list[str]:
    """All strings of a module but the docstrings."""
    tree = ast.parse(text)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    docs = {id(first.value) for first in bodies if isinstance(first, ast.Expr)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
    return [node.value for node in nodes if isinstance(node.value, str)]


def knows(text: str, name: str) -> bool:
    """Whether a string is the name, its file, or names it in quotes; words in a message are no names."""
    return any(value == name or re.search(rf"{name}\.toml|[\"'`]{name}[\"'`]", value) for value in strings(text))


def test_the_package_does_not_know_the_networks_with_skip_connections():
    names = {path.stem for path in (rules_folder() / "networks").glob("*.toml")} - {"mlp"}
    assert names >= {"projection", "residual"}
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 30
    found = {(path.name, name) for path in files for name in names if knows(path.read_text(encoding="utf-8"), name)}
    # what is left of an equation is called so in the JSON form of `pertheory check`
    assert found <= {("check.py", "residual")}


def test_the_scan_sees_a_name():
    assert knows("if rule.name == 'projection': pass", "projection")
    assert knows("path = folder / 'projection.toml'", "projection")
    assert not knows("message = 'a weight channel (a projection)'", "projection")
