"""What is written between fences on the pages, and what it does when it is run.

A page is a session: its blocks run in order, in one folder that has the repository's ``data`` and ``rules``, and share
their names.

* ``python``: as a doctest if it has prompts, else as it stands.
* ``console``: each ``$ pertheory ...`` prints what stands below it, up to the next; ``...`` stands for anything. The
  exit status is 0, or the output is an error.
* ``toml``: a file, if the first line is ``# name.toml``.
* the rest (`SHOWN`) is only shown.

Of long printed numbers nine digits are compared: the others are rounding, and the machine's.

Pictures of a page, ``![..](pictures/V.svg)``, are what its blocks write as ``V.svg``. They are kept, so that the pages
have them wherever they are read; ``python -m tests.docs.blocks`` draws them anew.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pertheory.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
SHOWN = {"text", "sh", "c", "json", "latex"}
FLAGS = doctest.ELLIPSIS
_LONG = re.compile(r"\d+\.\d{11,}(?:e[-+]?\d+)?")
_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", re.MULTILINE)


class Checker(doctest.OutputChecker):
    """Compares what is printed with what the page says."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Whether they are alike."""
        return super().check_output(*(_LONG.sub(_rounded, text) for text in (want, got)), optionflags)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.9g}"


class Block(NamedTuple):
    """A fenced block: its page, its first line (from 1), its language and its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, match.start(2)) + 1, match[1].strip(), match[2])


def pictures(page: Path) -> list[str]:
    """The files of the pictures that a page shows."""
    return re.findall(r"\]\(pictures/([^)]*)\)", page.read_text(encoding="utf-8"))


def run_page(page: Path, folder: Path) -> None:
    """Run all blocks of a page in an empty folder, which is the current one."""
    for name in ("data", "rules"):
        (folder / name).symlink_to(ROOT / name)
    names: dict[str, Any] = {}
    for block in blocks(page):
        run(block, names)


def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block in the current folder.

    Raises:
        AssertionError: it does not do what it says.
    """
    if block.language == "python" and ">>>" in block.text:
        _session(block, names)
    elif block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), names)
    elif block.language == "console":
        _commands(block)
    elif block.language == "toml":
        named = re.match(r"# ([\w-]+\.toml)\n", block.text)
        if named:
            Path(named[1]).write_text(block.text, encoding="utf-8")
    else:
        assert block.language in SHOWN | {""} or block.language.startswith("{"), f"{block.place}: {block.language}"


def _session(block: Block, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, block.place, str(block.page), block.line - 1)
    said: list[str] = []
    runner = doctest.DocTestRunner(Checker(), optionflags=FLAGS, verbose=False)
    runner.run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert not runner.failures, "".join(said)


def _commands(block: Block) -> None:
    matches = list(_COMMAND.finditer(block.text))
    assert "".join(match[0] for match in matches) == block.text, f"{block.place}: a console block begins with $"
    for match in matches:
        program, *arguments = shlex.split(match[1].replace("\\\n", " "))
        assert program == "pertheory", f"{block.place}: {match[1]}"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(arguments)
            except SystemExit as stop:
                status = int(str(stop.code))
        found = out.getvalue() + err.getvalue()
        assert status == 0 or "error" in match[2], f"{block.place}: {match[1]} ends with {status}: {found}"
        example = doctest.Example(match[1], match[2])
        checker = Checker()
        if not checker.check_output(match[2], found, FLAGS):
            raise AssertionError(f"{block.place}: {match[1]}\n{checker.output_difference(example, found, FLAGS)}")


def _draw() -> None:
    """Draw the pictures of all pages anew."""
    for page in PAGES:
        if shown := pictures(page):
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                run_page(page, Path(folder))
                for name in shown:
                    if Path(name).exists():
                        (ROOT / "docs" / "pictures" / name).write_bytes(Path(name).read_bytes())


if __name__ == "__main__":
    os.environ["COLUMNS"] = "90"
    _draw()
