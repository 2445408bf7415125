"""The site: pages in Markdown, the reference made by the program (docs/made.py), pictures that stand in the page."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import made

import pertheory

project = "pertheory"
author = "the authors of pertheory"
release = version = pertheory.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
default_role = "code"  # single backticks in docstrings

autodoc_typehints = "none"  # docstrings say what arguments are
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
napoleon_use_ivar = True
nitpick_ignore = [("py:exc", "MissingError"), ("py:exc", "ClosureTooLargeError")]  # kinds of InputError, nowhere public

html_math_renderer = "mathml"  # what browsers show by themselves: no script from anywhere
html_theme = "furo"
html_title = f"pertheory {release}"
html_static_path = ["_static"]
html_css_files = ["pertheory.css"]
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False


def setup(app):  # noqa: D103
    logging.getLogger("pertheory").setLevel(logging.WARNING)
    app.connect("source-read", made.fill)
    app.connect("autodoc-process-docstring", made.put_aside, priority=400)  # napoleon comes at 500
    app.connect("autodoc-process-docstring", made.take_back, priority=600)
    app.add_html_math_renderer("mathml", (made.inline_formula, None), (made.formula, None))
    app.add_post_transform(made.PicturesInThePage)
