"""Pictures on a page of HTML that needs nothing else: no scripts, no fonts, no styles from anywhere."""

from __future__ import annotations

from pertheory.text import line, xml_text

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{font-family:serif;margin:1.5em}}h1{{font-size:1.3em}}</style>
<h1>{title}</h1>
{body}
</html>"""


def write_page(title: str, body: str) -> str:
    """A page with a heading.

    Args:
        title: plain text.
        body: HTML, written by a writer.
    """
    return _PAGE.format(title=xml_text(line(title)), body=body)
