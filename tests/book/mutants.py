"""Every small change of a formula: another coefficient, exponent, index, prime, sign or name.

A mutant is made on the tokens of the text: what is changed is what a slip of the pen would change. Changes that the
symmetry of a tensor makes void (V_2134 for V_1234, any exchange within K) and renamings of dummies are left out.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from pertheory.book.chapters import chapters
from pertheory.book.deciders import DECIDERS
from pertheory.book.equation import Equation
from pertheory.book.verdict import ERRATUM, UNCHECKED, VERIFIED
from pertheory.errors import PertheoryError, UnsupportedError
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
#: Omega(1,2) as chapter 8 defines it is symmetric because Theta is, K_0 and K_2 of chapter 5 and GG of 6 because K is
SYMMETRIC = {"delta", "delta_j", "hatG", "xx", "Omega", "K_0", "K_2", "GG", "phiphi", "aa", "Kt"}

#: mutants that are the same formula, and why
EQUIVALENT = {
    "8.H{1}": {"(b1,1,b2,2) -> (b1,2,b2,1)": "F_1324 = F_2413, and the b are summed"},
    "inf.H step": {"(0,1;a,b) -> (1,0;a,b)": "both leaves carry an error"},
    "inf.106": {"(1,2,a,b) -> (2,1,a,b)": "the bracket is symmetric in its labels, as X_II is in its pairs"},
    "inf.109": dict.fromkeys(
        (f"(1,2,3,a,b,c) -> {other}" for other in ("(2,1,3,a,b,c)", "(3,2,1,a,b,c)", "(1,3,2,a,b,c)")),
        "the bracket is symmetric in its labels, as X_III is in its pairs",
    ),
    "inf.m DeltaNTK": dict.fromkeys(
        ("(0,a,b,c) -> (c,a,b,0)", "(0,b,a,c) -> (c,b,a,0)", "(0,c,a,b) -> (c,0,a,b)"),
        "A_(12)(34) = A_(34)(12) and B_1324 = B_3142 between labels that Theta^(a,b) exchanges",
    ),
    "10.114": {"3 -> 4": "at dTheta_1 = 0 the remainder is even smaller than stated"},
}


class Mutant(NamedTuple):
    """A changed statement, what was changed, and which kind of slip it is."""

    text: str
    change: str
    kind: str


def mutants(equation: Equation) -> Iterator[Mutant]:
    """All mutants of an equation: of what stands right of the first "=".

    A slip that needs no token is a factor 2 in front of the last side, unless that is 0. A symmetry is a list of orders
    of labels; those that make the same group are the same symmetry.
    """
    left, _, right = equation.statement.partition("=")
    is_symmetry = equation.kind == "symmetry"
    for text, change, kind in changed(right, is_symmetry):
        if not (is_symmetry and group(f"{left}={text}") == group(equation.statement)):
            yield Mutant(f"{left}={text}", change, kind)
    if not is_symmetry:
        *sides, last = equation.statement.split("=")
        body, remainder = re.fullmatch(r"(.*?)(\+ O\([^=]*)?", last, re.DOTALL).groups(default="")
        if body.strip() != "0":
            yield Mutant("=".join([*sides, f" 2 ({body.strip()}) {remainder}"]), "2 (...)", "factor")


def changed(text: str, is_symmetry: bool = False) -> Iterator[tuple[str, str, str]]:
    """Every text with one token changed, a word on what was changed, and a word for its kind."""
    digits = sorted(set(re.findall(r"(?<=[_(,;])\d(?=[\s),;>^]|$)", text)))
    for token in TOKEN.finditer(text):
        head = re.search(r"([A-Za-z]\w*)(?:\{\d\})?'?(?:\[\d\])?\^?$", text[: token.start()])
        for new in changes(token, digits, head.group(1) if head and not is_symmetry else ""):
            mutant = text[: token.start()] + new + text[token.end() :]
            yield mutant, f"{token.group()} -> {new} at {token.start()}", kind_of(token, new)


def group(statement: str) -> frozenset[tuple[int, ...]]:
    """All orders of the labels of the first side that its sides say to be equal."""
    first, *others = (re.findall(r"\d", side.partition("(")[2]) for side in statement.split("="))
    steps = [tuple(first.index(label) for label in other) for other in others if set(other) == set(first)]
    found = {tuple(range(len(first)))}
    while new := {tuple(step[i] for i in order) for order in found for step in steps} - found:
        found |= new
    return frozenset(found)


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


@dataclass
class Survey:
    """What became of mutants.

    Attributes:
        refused: have no meaning: an index stands alone, a name has no value there.
        unchecked: could not be decided.
        killed: are found to fail.
        alive: what was changed in those that hold.
        split: what was changed in those on which the two routes disagree.
    """

    refused: int = 0
    unchecked: int = 0
    killed: int = 0
    alive: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)

    @property
    def decided(self) -> int:
        """How many were found to hold or to fail; only these were tried."""
        return self.killed + len(self.alive)

    def add(self, equation: Equation, mutant: Mutant) -> bool:
        """Decide one more; whether it could be decided."""
        try:
            verdict = DECIDERS[equation.kind].decide(equation, mutant.text)
        except (ArithmeticError, UnsupportedError):
            self.unchecked += 1
            return False
        except PertheoryError:
            self.refused += 1
            return False
        if verdict.status == UNCHECKED:
            self.unchecked += 1
            return False
        if verdict.status == VERIFIED:
            self.alive.append(mutant.change)
        else:
            self.killed += 1
        if "disagree" in verdict.note:
            self.split.append(mutant.change)
        return True

    def survivors(self, equation: Equation) -> list[str]:
        """What was changed in those that hold and are no other way to write the formula."""
        same = EQUIVALENT.get(equation.number, {})
        return [change for change in self.alive if change.partition(" at ")[0] not in same]


def drawn(equation: Equation) -> list[Mutant]:
    """All mutants in an order that the number of the equation fixes."""
    everything = list(mutants(equation))
    random.Random(equation.number).shuffle(everything)
    return everything


COLUMNS = ("chapter", "equations", "made", "refused", "unchecked", "killed", "equivalent")


def main(count: int, names: list[str]) -> None:
    """Print what became of the first so many mutants of every equation that is posed, of some chapters or of all."""
    print(*COLUMNS, sep="  ")
    total = [0] * (len(COLUMNS) - 1)
    for chapter in (chapter for chapter in chapters() if not names or chapter.name in names):
        row = [0] * len(total)
        for equation in (own for own in chapter.equations if own.status in (VERIFIED, ERRATUM)):
            found = Survey()
            for mutant in drawn(equation)[:count]:
                found.add(equation, mutant)
            new = (1, found.refused + found.unchecked + found.decided, found.refused, found.unchecked, found.killed)
            row = [a + b for a, b in zip(row, (*new, len(found.alive)), strict=True)]
            faults = [f"holds with {change}" for change in found.survivors(equation)]
            faults += [f"the routes disagree on {change}" for change in found.split]
            faults += [] if found.decided else ["no mutant is decided"]
            for fault in faults:
                print(f"  {equation.number}: {fault}", flush=True)
        print(_row(chapter.name, row), flush=True)
        total = [a + b for a, b in zip(total, row, strict=True)]
    print(_row("all", total))


def _row(name: str, numbers: list[int]) -> str:
    cells = zip([name, *numbers], COLUMNS, strict=True)
    return "  ".join(f"{cell:>{len(head)}}" for cell, head in cells)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else sys.maxsize, sys.argv[2:])
