"""Every block of every page runs, and prints what the page says."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from pertheory.rulebook import tensors
from tests.docs.blocks import PAGES, ROOT, Block, blocks, pictures, run, run_page

KEPT = ROOT / "docs" / "pictures"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setattr(tensors, "_given", {})  # names that a page gives end with it
    tensors.tensor_of.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a page that needs a warning shows it
        run_page(page, tmp_path)
    tensors.tensor_of.cache_clear()
    for name in pictures(page):
        if (tmp_path / name).exists():
            made, kept = (place.read_text() for place in (tmp_path / name, KEPT / name))
            assert alike(made, kept), f"{name} is not what {page.name} draws; python -m tests.docs.blocks draws it anew"


def alike(made: str, kept: str) -> bool:
    """Whether two pictures are the same: diagrams letter for letter, plots up to the last digits of their numbers."""
    if "xmlns:xlink" not in made:
        return made == kept
    number = r"-?\d+\.\d+"
    bare = [re.sub(rf"base64,[^\"]*|#?\b[a-z]+[0-9a-f]{{10}}\b|{number}", "*", text) for text in (made, kept)]
    values = [[float(value) for value in re.findall(number, text)] for text in (made, kept)]
    return bare[0] == bare[1] and values[0] == pytest.approx(values[1], abs=0.05)


def test_every_picture_is_drawn_by_a_page() -> None:
    shown = {name for page in PAGES for name in pictures(page)}
    drawn = re.compile(r"(?:--out |open\(\")([\w-]+\.svg)")
    assert shown == {path.name for path in KEPT.iterdir()}
    assert shown <= {name for page in PAGES for name in drawn.findall(page.read_text())}


def test_a_picture_that_differs_is_seen() -> None:
    for name in ("V.svg", "flow.svg"):
        text = (KEPT / name).read_text()
        assert alike(text, text)
        assert not alike(text.replace("</text>", "x</text>", 1), text)
        assert not alike(re.sub(r"(\d+\.\d+)", lambda m: str(float(m[1]) + 1.0), text, count=1), text)


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("python", "assert 1 + 1 == 3, 'page'\n", "page"),
        ("python", ">>> 1 + 1\n3\n", "Expected"),
        ("console", "$ pertheory derive K\nK' = 1\n", "Expected"),
        ("console", "$ pertheory derive nothing\n", "ends with 2"),
        ("console", "$ rm -r x\n", "rm -r x"),
        ("console", "pertheory derive K\n", "begins with \\$"),
        ("basic", "PRINT 1\n", "basic"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_found(language: str, text: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        run(Block(Path("page.md"), 1, language, text), {})


def test_blocks_are_found_where_they_stand(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\nx = 1\n```\n\ntext\n\n```toml\n# a.toml\nb = 2\n```\n")
    assert [(b.line, b.language, b.text) for b in blocks(page)] == [
        (4, "python", "x = 1\n"),
        (10, "toml", "# a.toml\nb = 2\n"),
    ]


@pytest.mark.parametrize(("said", "alike"), [("0.333333333333", True), ("0.333333343333333", False), ("0.3333", False)])
def test_the_last_digits_of_numbers_are_the_machines(said: str, alike: bool) -> None:
    block = Block(Path("page.md"), 1, "python", f">>> 1 / 3\n{said}\n")
    if alike:
        run(block, {})
    else:
        with pytest.raises(AssertionError):
            run(block, {})
