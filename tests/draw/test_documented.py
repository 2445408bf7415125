"""The pictures in docs/ are what the commands beside them draw."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.conftest import Command, pertheory  # noqa: F401

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "pictures.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line) for line in re.findall(r"^    pertheory (draw .*)$", PAGE, re.MULTILINE)]


def test_pictures_are_current(pertheory: Command, tmp_path: Path) -> None:  # noqa: F811
    shown = set(re.findall(r"\]\((pictures/[^)]*)\)", PAGE))
    assert shown == {command[-1].removeprefix("docs/") for command in COMMANDS}
    assert shown == {f"pictures/{path.name}" for path in (DOCS / "pictures").iterdir()}
    for command in COMMANDS:
        made = tmp_path / "made.svg"
        assert pertheory(*command[:-1], made, "--no-cache").status == 0
        assert made.read_bytes() == (DOCS.parent / command[-1]).read_bytes(), command


def test_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/pictures.md", "exec"), names)
    (said,) = re.findall(r"# (\[\(\(.*\)\])$", PAGE, re.MULTILINE)
    found = eval(blocks[-1].strip().split("\n")[-1], names)
    assert repr(found).replace("'", '"') == said
