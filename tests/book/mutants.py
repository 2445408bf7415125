"""Every small change of a formula: another coefficient, exponent, index, prime, order, sign or name.

A mutant is made on the tokens of the text, so that what a slip of the pen would change is what is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TOKEN = re.compile(
    r"""(?P<line>s(?P<primes>'*)(?:\^\((?P<order>\d+)\))?(?P<at>_[0-9a-z]+)?(?![\w']))
      |(?P<zed>z_(?P<where>[0-9]|[a-z]\d*))
      |(?P<name>[A-Za-z]\w*)
      |(?P<labels>\((?:[0-9]|[a-z]\d*)(?:[,;](?:[0-9]|[a-z]\d*))+\))
      |(?P<number>\d+)
      |(?P<sign>[-+])""",
    re.VERBOSE,
)
#: names that may stand for one another, with the same number of labels
ALIKE = (
    ("C_W", "lambda_W", "C_b", "lambda_b"),
    ("n", "n_prev"),
    ("V", "D", "F", "A", "B", "P", "Q", "R", "S", "T", "U"),
    ("Theta", "K"),
    ("chi_par", "chi_perp", "h", "g"),
)


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """All mutants of a right side, each with a word on what was changed."""
    digits = sorted(set(re.findall(r"(?<=[_(,;])\d(?=[\s),;>^]|$)", text)))
    for token in TOKEN.finditer(text):
        for new in changes(token, digits):
            yield text[: token.start()] + new + text[token.end() :], f"{token.group()} -> {new} at {token.start()}"


def changes(token: re.Match[str], digits: list[str]) -> Iterator[str]:
    text = token.group()
    if token["line"]:
        order = int(token["order"]) if token["order"] else len(token["primes"])
        at = token["at"] or ""
        yield "s" + "'" * (order + 1) + at
        if order:
            yield "s" + "'" * (order - 1) + at
        yield from ("s" + "'" * order + "_" + other for other in digits if at[1:].isdigit() and other != at[1:])
    elif token["zed"]:
        yield from ("z_" + other for other in digits if token["where"].isdigit() and other != token["where"])
    elif token["name"]:
        for family in ALIKE:
            if text in family:
                yield from (other for other in family if other != text)
    elif token["labels"]:
        yield from changed_labels(text, digits)
    elif token["number"]:
        yield str(int(text) + 1)
    else:
        yield "+" if text == "-" else "-"


def changed_labels(text: str, digits: list[str]) -> Iterator[str]:
    """Another sample in one place, or two places exchanged."""
    parts = re.split(r"([(),;])", text)
    places = [i for i, part in enumerate(parts) if part and part not in "(),;"]
    for place in places:
        if parts[place].isdigit():
            for other in digits:
                if other != parts[place]:
                    yield "".join([*parts[:place], other, *parts[place + 1 :]])
    for i, u in enumerate(places):
        for v in places[i + 1 :]:
            if parts[u] != parts[v]:
                new = parts.copy()
                new[u], new[v] = new[v], new[u]
                yield "".join(new)
