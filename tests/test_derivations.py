"""The texts of derivations/ run, every check in them is reached, and a wrong engine makes each of them stop."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pertheory.derive import layer

matplotlib = pytest.importorskip("matplotlib", reason="the texts draw with matplotlib (extra plot)")

TEXTS = sorted((Path(__file__).resolve().parent.parent / "derivations").glob("*.py"))
#: what a text may import: the public package, NumPy, matplotlib, and these of the standard library
ALLOWED = {"pertheory", "numpy", "matplotlib", "os", "pathlib", "math", "itertools", "tempfile", "warnings"}


class Marked(ast.NodeTransformer):
    """Notes which calls of ``check`` are reached: ``check(..)`` becomes ``_reached(line, check(..))``."""

    def __init__(self) -> None:
        self.lines: set[int] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "check":
            self.lines.add(node.lineno)
            return ast.Call(ast.Name("_reached", ast.Load()), [ast.Constant(node.lineno), node], [])
        return node


def run(text: Path) -> tuple[set[int], set[int]]:
    """Execute a text as a script; the lines with checks, and those that were reached and passed."""
    from matplotlib import pyplot

    matplotlib.use("Agg")
    marked = Marked()
    tree = ast.fix_missing_locations(marked.visit(ast.parse(text.read_text(encoding="utf-8"))))
    passed: set[int] = set()
    try:
        with matplotlib.rc_context():
            exec(
                compile(tree, str(text), "exec"),
                {"__name__": "__main__", "_reached": lambda line, _: passed.add(line)},
            )
    finally:
        pyplot.close("all")
    return marked.lines, passed


@pytest.fixture
def wrong_weights(monkeypatch):
    """Move 1 with weights of twice their variance."""
    original = layer.pair

    def pair(rule, sublayer, kind):
        for joins in original(rule, sublayer, kind):
            yield tuple(
                join._replace(factor=join.factor._replace(coefficient=2 * join.factor.coefficient))
                if join.site == "sum" and not join.step
                else join
                for join in joins
            )

    layer.diagrams.cache_clear()
    monkeypatch.setattr(layer, "pair", pair)
    yield
    layer.diagrams.cache_clear()


def test_there_is_a_text_for_each_chapter_with_recursions():
    chapters = {text.stem.partition("_")[0] for text in TEXTS}
    assert {"ch03", "ch04", "ch05", "ch06", "ch08", "ch09", "ch11", "inf", "appA", "appB", "beyond"} <= chapters


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_a_text_runs_reaches_all_its_checks_and_draws(text, monkeypatch, tmp_path, capsys):
    """Each chapter runs from its first line to its last, as a reader runs it; the longest takes five seconds."""
    monkeypatch.setenv("FIGURES", str(tmp_path))
    lines, passed = run(text)
    assert len(lines) >= 3
    assert passed == lines
    assert capsys.readouterr().out.count("checked: ") >= len(lines)
    pictures = list(tmp_path.glob("*.png"))
    assert pictures
    assert all(picture.stat().st_size > 10_000 for picture in pictures)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_a_text_stops_if_the_engine_is_wrong(text, wrong_weights, capsys):
    with pytest.raises(AssertionError, match="not so: "):
        run(text)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_a_text_uses_the_public_interface_only(text):
    tree = ast.parse(text.read_text(encoding="utf-8"))
    names = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
    ]
    assert {name.partition(".")[0] for name in names} <= ALLOWED
    assert not [name for name in names if name.startswith("pertheory.")]
