"""What the program writes on the pages: a page says ``<!-- made: commands -->``, and the site has the text there."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.transforms.post_transforms import SphinxPostTransform

import pertheory as pt
from pertheory.cli.verbs import build_parser
from pertheory.rulebook.tensors import named_tensors

PAGES = Path(__file__).parent
_MARK = re.compile(r"^<!-- made: (\w+)(?: (.*?))? -->$", re.MULTILINE)

#: A formula below a picture, as notebooks set it.
_FORMULA = re.compile(r"(?<=>)\$(.*?)\$(?=</figcaption>)")


def fill(app: Any, name: str, source: list[str]) -> None:
    """Put what is made in the place of each mark of a page."""
    source[0] = _MARK.sub(lambda mark: MAKERS[mark[1]](*(mark[2] or "").split()), source[0])


def commands() -> str:
    """Every verb with its help, as the parsers have it."""
    os.environ.update(COLUMNS="90", NO_COLOR="1")
    parser = build_parser()
    (verbs,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return "\n\n".join(
        f"## {name}\n\n```text\n{own.format_help().rstrip()}\n```" for name, own in sorted(verbs.choices.items())
    )


def api(*names: str) -> str:
    """Docstrings: of all public names, or of those that are given with their modules."""
    if not names:
        return "\n\n".join(
            _documented(f"pertheory.{name}", getattr(pt, name)) for name in sorted(pt.__all__, key=str.lower)
        )
    return "\n\n".join(
        _documented(name, getattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2])) for name in names
    )


def _documented(name: str, what: Any) -> str:
    if not callable(what):
        return ""
    how = f".. autoclass:: {name}\n   :members:" if inspect.isclass(what) else f".. autofunction:: {name}"
    return f"```{{eval-rst}}\n{how}\n```"


def gallery(*names: str) -> str:
    """The diagrams of recursions with the formulas below them."""
    return "\n\n".join(_recursion(name) for name in names or [tensor.name for tensor in named_tensors()])


def _recursion(name: str) -> str:
    own = pt.derive("mlp", name)
    figures = _FORMULA.sub(lambda found: tex2mathml(unescape(found[1])), own.draw().figures()).replace("\n\n", "\n")
    return f'## {name}\n\n{own.tensor.title}: `{own.tensor.observable}`\n\n<div class="gallery">\n{figures}\n</div>'


def tensors() -> str:
    """The tensors of the book: observable, and what stands in each slot."""
    rows = ["| tensor | what it is | observable | slots by role |", "|---|---|---|---|"]
    for tensor in named_tensors():
        name = f"{tensor.name}, {tensor.leading} = {tensor.name}{{0}}" if tensor.leading else tensor.name
        trees = re.findall(r"(\w+)\(([^)]*)\)", tensor.observable)
        role = {label: tree for tree, inside in trees for label in inside if label.isalnum()}
        slots = ", ".join(f"{role[label]} {label}" for label in tensor.labels)
        rows.append(f"| {name} | {tensor.title} | `{tensor.observable}` | {slots} |")
    return "\n".join(rows)


def rest() -> str:
    """The pages that index.md does not name."""
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^([a-z_]+)$", index, re.MULTILINE))
    return "\n".join(sorted({page.stem for page in PAGES.glob("*.md")} - named - {"index"}))


MAKERS = {"commands": commands, "api": api, "gallery": gallery, "tensors": tensors, "rest": rest}


def inline_formula(writer: Any, node: nodes.math) -> None:
    """Write a formula in a line as MathML."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def formula(writer: Any, node: nodes.math_block) -> None:
    """Write a formula by itself as MathML."""
    writer.body.append(f'<div class="picture">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


_aside: dict[str, list[str]] = {}


def put_aside(_app: Any, what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Hide docstrings of properties from napoleon, which takes what stands before a colon for a type."""
    if what == "property":
        _aside[name] = list(lines)
        lines.clear()


def take_back(_app: Any, what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Put them back."""
    if what == "property":
        lines[:] = _aside.pop(name)


class PicturesInThePage(SphinxPostTransform):
    """SVG stands in the page itself, so that it takes the page's light or dark."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        """Replace every picture."""
        if self.app.builder.format != "html":
            return
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].endswith(".svg"):
                text = re.sub(r"<style>svg:root.*?</style>\n?", "", (PAGES / image["uri"]).read_text(encoding="utf-8"))
                element = f'<div class="picture">{text}</div>'
                image.replace_self(nodes.raw("", element, format="html"))
