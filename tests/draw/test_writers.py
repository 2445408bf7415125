"""The writers: what they write is well formed, complete and harmless."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from fontTools.ttLib import TTFont

import pertheory as pt
from pertheory.draw import pdf, svg, tikz
from pertheory.draw.drawn import Drawn
from pertheory.draw.scene import BLOBS, DOTS, LINES, Run, Text, run_width, text_box
from pertheory.draw.tikz import write_document
from pertheory.draw.words import GREEK, SIGMA
from pertheory.rulebook.tensors import find_tensor
from pertheory.text import xml_text
from tests.draw.recursions import recursion
from tests.planted import PAYLOADS

SPACE = "{http://www.w3.org/2000/svg}"
TAGS = {SPACE + name for name in ("svg", "title", "style", "path", "rect", "circle", "polygon", "text", "tspan")}


def everything() -> Iterator[Drawn]:
    own = recursion("D")
    yield own.tensor
    yield own.draw()
    yield own.explain(3)
    yield pt.theory("mlp", order=1)
    yield recursion("V", 0, "residual").draw()


def check_svg(text: str) -> ElementTree.Element:
    assert text.isascii()
    root = ElementTree.fromstring(text)
    assert {element.tag for element in root.iter()} <= TAGS
    for element in root.iter():
        assert not {name for name in element.attrib if name.startswith("on") or "href" in name or name == "id"}
    titles = root.findall(f"{SPACE}title")
    assert len(titles) == 1
    assert titles[0].text
    return root


def test_svg_is_well_formed_and_has_a_title() -> None:
    for drawn in everything():
        root = check_svg(drawn.to_svg())
        assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
        assert drawn._repr_svg_() == drawn.to_svg()
        shown = ["".join(element.itertext()) for element in root.findall(f"{SPACE}text")]
        assert shown == ["".join(run.text for run in i.runs) for i in drawn.scene().items if isinstance(i, Text)]


def test_svg_is_light_or_dark_as_the_reader_has_it() -> None:
    text = recursion("V").diagrams[1].to_svg()
    assert "prefers-color-scheme:dark" in text
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', text))
    assert colours <= {"none", "currentColor", "#3d85c6", "#d1711f"}
    for colour in ("#3d85c6", "#d1711f"):  # contrast of 3 with white and with black, as WCAG asks of graphics
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        assert 1.05 / (luminance + 0.05) > 3
        assert (luminance + 0.05) / 0.05 > 3


def test_texts_are_no_wider_than_was_assumed() -> None:
    """Against the widest face that "serif" stands for on common machines, and its italics."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    characters = {chr(code) for code in range(32, 127)} | set("′−·") | set(GREEK.values()) | {SIGMA}
    for name, style in (("DejaVuSerif.ttf", "r"), ("DejaVuSerif-Italic.ttf", "i"), ("DejaVuSansMono.ttf", "code")):
        font = TTFont(folder / name)
        table, widths = font.getBestCmap(), font["hmtx"]
        for character in sorted(characters):
            real = widths[table[ord(character)]][0] / font["head"].unitsPerEm
            assert run_width(Run(character, style), 1.0) >= real - 0.01, (character, style, real)


@pytest.mark.parametrize("name", PAYLOADS)
def test_text_from_strangers_is_harmless(name: str) -> None:
    text = PAYLOADS[name][:300]
    tensor = replace(find_tensor("F")[0], title=text, name=f"{text} @", observable=text)
    root = check_svg(tensor.to_svg())
    assert all(element.text is None for element in root.iter() if element.tag == f"{SPACE}path")

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: set[str] = set()

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.tags.add(tag)

    reader = Reader()
    reader.feed(tensor.to_html())
    plain = {"html", "meta", "title", "style", "h1", "svg", "path", "circle", "text", "tspan", "rect"}
    assert reader.tags <= plain
    harmless_tikz(tensor.to_tikz())


def harmless_tikz(text: str) -> None:
    """Only control sequences of the writer's own, and braces that match."""
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    body = "\n".join(line for line in text.split("\n") if not line.startswith("%"))
    known = {
        *("begin", "end", "definecolor", "draw", "path", "node", "fontsize", "selectfont", "text", "texttt"),
        *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "partial"),
        *("Theta", "Lambda", "lambda", "sigma", "gamma", "alpha", "beta", "eta", "delta"),
    }
    assert set(re.findall(r"\\([A-Za-z]+)", body)) <= known
    assert not re.search(r"(?<!\\)%", body.replace("\\\\", ""))
    bare = re.sub(r"\\[{}]", "", body)
    assert bare.count("{") == bare.count("}")


def test_tikz_uses_what_is_known() -> None:
    for drawn in everything():
        for part in re.findall(r"\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}", drawn.to_tikz(), re.DOTALL):
            harmless_tikz(part)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with tikz")
def test_tikz_compiles(tmp_path: Path) -> None:
    hostile = replace(find_tensor("F")[0], title=" ".join(PAYLOADS["latex"].split()) + " a_b^c~#&{}<>|\"'")
    parts = [drawn.to_tikz() for drawn in (*everything(), hostile)]
    (tmp_path / "all.tex").write_text(write_document("\n\n".join(parts)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "File `tikz.sty' not found" in done.stdout:
        pytest.skip("needs tikz")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_markup_is_escaped_once() -> None:
    assert xml_text("a<b & 'c' \"Θ\"\x00") == "a&lt;b &amp; &#39;c&#39; &quot;&#920;&quot;\\x00"


def test_gallery_in_a_notebook_has_a_formula_under_each_picture() -> None:
    own = recursion("D")
    text = own.draw()._repr_html_()
    assert text.count("<svg ") == text.count("<figcaption") == len(own.diagrams)
    formulas = [line.removeprefix("&\\quad + ") for line in own.to_latex().split("\n")]
    assert all(xml_text(formula.removesuffix(" \\\\")) in text for formula in formulas[2:-1])


def test_the_diagrams_of_a_recursion_show_themselves() -> None:
    own = recursion("D")
    for diagrams in (own.diagrams, (own - recursion("D", 0, "residual")).diagrams):
        text = diagrams._repr_html_()
        assert len(diagrams) > 3
        assert text.count("<svg ") == len(diagrams)
        assert all(diagram.to_svg().partition("</style>")[2] in text for diagram in diagrams)
    assert pickle.loads(pickle.dumps(own)).diagrams == own.diagrams == tuple(own.diagrams)


def test_a_rule_that_is_not_sound_is_marked() -> None:
    with pytest.warns(UserWarning, match="approximation"):
        rule = pt.network("skip", closure="pairs")
    own = pt.derive(rule, "V").draw()
    for text in (own.to_svg(), own.to_html(), own.to_tikz(), own._repr_html_()):
        assert "approximation: pairs only" in text


def test_what_vanishes_is_drawn_as_zero() -> None:
    own = pt.theory("mlp", "V", order=1).first_layer("V")
    assert own.diagrams == ()
    check_svg(own.draw().to_svg())
    for text in (own.draw().to_svg(), own.draw().to_html(), own.draw().to_tikz(), own.draw()._repr_html_()):
        assert "= 0" in text


def test_every_writer_knows_every_kind() -> None:
    for lines, blobs, dots in (
        (svg._STROKES, svg._FILLS, svg._RINGS),
        (tikz._DRAWN, tikz._FILLED, tikz._RINGS),
        (pdf._STROKES, pdf._FILLS, pdf._RINGS),
    ):
        assert (set(lines), set(blobs), set(dots)) == (set(LINES), set(BLOBS), set(DOTS))


def test_pdf_is_a_page_of_the_size_of_the_picture() -> None:
    picture = recursion("V", 0, "residual").draw()
    made = picture.to_pdf()
    assert made.startswith(b"%PDF-1.")
    assert made == picture.to_pdf()
    (box,) = re.findall(rb"/MediaBox \[ 0 0 (\S+) (\S+) \]", made)
    own = picture.scene()
    assert [float(side) for side in box] == pytest.approx([0.75 * own.width, 0.75 * own.height], abs=0.01)


def test_every_letter_of_a_pdf_is_in_its_font() -> None:
    pdf._outline.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of letters that a font does not have
        for drawn in everything():
            for item in drawn.scene().items:
                assert not isinstance(item, Text) or pdf._letters(item)


def test_pieces_of_a_text_stand_one_behind_the_other() -> None:
    """As wide as assumed at most, so that what the check of overlaps allows is allowed in PDF as well."""
    for drawn in everything():
        for item in drawn.scene().items:
            if isinstance(item, Text):
                left, _, right, _ = text_box(item)
                ends = [extent for patch in pdf._letters(item) for extent in patch.get_path().get_extents().intervalx]
                assert left - 0.6 <= min(ends, default=left)
                assert max(ends, default=right) <= right + 0.6


def test_pdf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(pt.MissingPackageError, match=r"pip install 'pertheory\[plot\]'"):
        recursion("V").draw().to_pdf()
