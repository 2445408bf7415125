"""Every small change of a formula: another coefficient, exponent, index, prime, sign or name.

A mutant is made on the tokens of the text: what is changed is what a slip of the pen would change. Changes that the
symmetry of a tensor makes void (V_2134 for V_1234, any exchange within K) and renamings of dummies are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from pertheory.graphs.tensor import canonical_slots
from pertheory.rulebook.tensors import find_tensor

TOKEN = re.compile(
    r"""(?P<line>s(?P<primes>'*)(?:\^\((?P<order>\d+)\))?(?P<at>_[0-9a-z]+)?(?![\w']))
      |(?P<zed>z_(?P<where>[0-9]|[a-z]\d*))
      |(?P<name>[A-Za-z]\w*)(?![\w\[])
      |(?P<labels>\((?:[0-9]|[a-z]\d*)(?:[,;](?:[0-9]|[a-z]\d*))*\))
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
    ("Z_A", "Z_B", "X_II"),
    ("Y1", "Y3", "Y4", "X_III"),
    ("Z_IA", "Z_IB", "Z_IIA", "Z_IIB"),
    ("ddH_I", "ddH_II"),
    ("chi_par", "chi_perp", "h", "g"),
)
#: Omega(1,2) as chapter 8 defines it is symmetric because Theta is, K_0 and K_2 of chapter 5 because K is
SYMMETRIC = {"delta", "delta_j", "hatG", "xx", "Omega", "K_0", "K_2"}


def mutants(text: str) -> Iterator[tuple[str, str, str]]:
    """All mutants of a right side, each with a word on what was changed and a word for its kind."""
    digits = sorted(set(re.findall(r"(?<=[_(,;])\d(?=[\s),;>^]|$)", text)))
    for token in TOKEN.finditer(text):
        head = re.search(r"([A-Za-z]\w*)(?:\{\d\})?'?(?:\[\d\])?\^?$", text[: token.start()])
        for new in changes(token, digits, head.group(1) if head else ""):
            mutant = text[: token.start()] + new + text[token.end() :]
            yield mutant, f"{token.group()} -> {new} at {token.start()}", kind_of(token, new)


def kind_of(token: re.Match[str], new: str) -> str:
    """Which slip it is: of a name, labels, a number, a sign, a z, or of the order or the sample of an activation."""
    if token["line"]:
        return "sample" if new.partition("_")[0] == token.group().partition("_")[0] else "order"
    return token.lastgroup or ""


def changes(token: re.Match[str], digits: list[str], head: str) -> Iterator[str]:
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
        yield from changed_labels(text[1:-1], digits, head)
    elif token["number"]:
        yield str(int(text) + 1)
    else:
        yield "+" if text == "-" else "-"


def changed_labels(text: str, digits: list[str], head: str) -> Iterator[str]:
    """Another sample in one place, or two places exchanged."""
    *labels, last = re.findall(r"(\w+)([,;]?)", text)
    labels.append(last)
    names, marks = [name for name, _ in labels], [mark for _, mark in labels]
    found = []
    for place, name in enumerate(names):
        if name.isdigit():
            found += [[*names[:place], other, *names[place + 1 :]] for other in digits if other != name]
    for u, v in combinations(range(len(names)), 2):
        if names[u] != names[v] and any(names[i].isdigit() for i in (u, v)):
            new = names.copy()
            new[u], new[v] = new[v], new[u]
            found.append(new)
    for new in found:
        if canonical(head, new) != canonical(head, names):
            yield "(" + "".join(name + mark for name, mark in zip(new, marks, strict=True)) + ")"


def canonical(head: str, labels: list[str]) -> object:
    """Equal for label orders that a symmetry of the tensor makes equal."""
    if head in SYMMETRIC:
        return sorted(labels)
    if head in {"dH", "ddH_I"}:
        return [labels[0], *sorted(labels[1:])]
    if head == "ddH_II":
        a, b, c, d = labels
        return min((a, b, c, d), (b, a, d, c))
    if re.fullmatch(r"X_II+|Y\d|Z_[A-Z]+", head):  # functions of one symmetric matrix for each pair of out and in
        pairs = [sorted(pair) for pair in zip(labels[: len(labels) // 2], labels[len(labels) // 2 :], strict=True)]
        return sorted(pairs) if head.startswith("X") else pairs
    try:
        tensor, _ = find_tensor(head)
    except ValueError:
        return labels
    placed = [""] * len(labels)
    for vertex, label in zip(tensor.slots, labels, strict=True):
        placed[vertex] = label
    return canonical_slots(tensor.kind, tuple(placed))
