"""The site is built with warnings as errors, every link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import pertheory as pt
from pertheory.cli.verbs import build_parser
from pertheory.rulebook.tensors import named_tensors
from tests.docs.blocks import PAGES, ROOT


class Page(HTMLParser):
    """What a page of HTML names and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        self.names |= {own[key] for key in ("id", "name") if key in own}
        if tag == "a" and "href" in own:
            self.links.append(own["href"])
        if tag in ("script", "link", "img", "iframe"):
            self.loaded += [own[key] for key in ("src", "href") if key in own]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-E", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "".join(command[2:-1]) in re.sub(r"\s", "", (ROOT / "Makefile").read_text())  # what `make docs` does
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {path.name: Page(path.read_text(encoding="utf-8")) for path in site.glob("*.html")}


def test_every_page_is_there(pages: dict[str, Page]) -> None:
    ours = {path.stem for path in PAGES if path.parent == ROOT / "docs"}
    assert {f"{name}.html" for name in ours} <= set(pages)
    from_the_first = {urldefrag(link).url for link in pages["index.html"].links}
    assert {f"{name}.html" for name in ours - {"index"}} <= from_the_first


def test_every_link_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    followed = 0
    for name, page in pages.items():
        for link in page.links:
            if link.startswith(("https://www.sphinx-doc.org", "https://pradyunsg.me", "https://github.com/pradyunsg")):
                continue  # the builder and the theme name themselves
            url, place = urldefrag(link)
            assert "://" not in url, f"{name} leads to {url}, which nobody follows here"
            target = unquote(url) or name
            assert (site / target).is_file(), f"{name}: {link}"
            assert not place or unquote(place) in pages[target].names, f"{name}: {link}"
            followed += bool(place)
    assert followed > 200


def test_nothing_is_loaded_from_elsewhere(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert not [place for place in page.loaded if "//" in place], name


def test_links_between_the_files_lead_somewhere() -> None:
    """Where pages are read without the site; Sphinx sees to the anchors of those in docs."""
    found = []
    for page in [*PAGES, *ROOT.glob("*.md")]:
        prose = re.sub(r"(?s:```.*?```)|`[^`]*`|^    .*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found += [(page, link) for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose)]
    assert len(found) > 30
    for page, link in found:
        assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_verb_and_flag_is_on_the_page_of_commands(site: Path) -> None:
    text = re.sub(r"<[^>]*>", "", (site / "commands.html").read_text(encoding="utf-8"))
    (verbs,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in verbs.choices.items():
        assert f"usage: pertheory {name}" in text
        for action in parser._actions:
            assert all(flag in text for flag in action.option_strings), (name, action.option_strings)


def test_every_public_name_is_on_the_page_of_python(pages: dict[str, Page]) -> None:
    for name in pt.__all__:
        assert f"pertheory.{name}" in pages["api.html"].names or not callable(getattr(pt, name)), name


def test_pictures_stand_in_the_page_and_take_its_colour(site: Path) -> None:
    for page in PAGES:
        shown = len(re.findall(r"^!\[[^]]*\]\(pictures/", page.read_text(encoding="utf-8"), re.MULTILINE))
        if page.parent == ROOT / "docs" and shown:
            text = (site / f"{page.stem}.html").read_text(encoding="utf-8")
            assert len(re.findall(r'<div class="picture"><svg ', text)) == shown
            assert "svg:root" not in text


def test_the_gallery_has_every_named_tensor_with_its_formulas(site: Path, pages: dict[str, Page]) -> None:
    assert {tensor.name.lower() for tensor in named_tensors()} <= pages["gallery.html"].names
    text = (site / "gallery.html").read_text(encoding="utf-8")
    count = sum(len(pt.derive("mlp", tensor.name)) for tensor in named_tensors())
    assert len(re.findall(r"<figcaption[^>]*><math ", text)) == count
