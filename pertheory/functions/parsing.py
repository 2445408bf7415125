"""Formulas of one variable: text to a small tree, without ever running the text.

The grammar, complete::

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("+" | "-") signed | power
    power   = atom (("^" | "**") signed)?          exponent free of x; right-associative
    atom    = number | x | pi | parameter | function "(" sum ("," sum)* ")" | "(" sum ")"

with the functions of `FUNCTIONS`. Anything else is refused with the position of the first wrong character,
and so is anything long, deep or with a large exponent, so that hostile text costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fractions import Fraction
from typing import NoReturn

from pertheory.errors import InputError
from pertheory.functions.formula import (
    FUNCTIONS,
    MAX_HEIGHT,
    Binary,
    Call,
    Name,
    Negate,
    Node,
    Number,
    check_exponent,
    constant,
    depends_on_x,
    names,
)
from pertheory.rulebook.files import nearest

MAX_LENGTH = 500
MAX_NESTING = 30

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[-+*/^(),]))",
    re.ASCII,
)


def parse(text: str, parameters: Collection[str] = ()) -> Node:
    """Parse a formula of ``x``.

    Args:
        text: the formula, such as ``"x/(1+exp(-beta*x))"``.
        parameters: names that may appear besides ``x`` and ``pi``.

    Raises:
        InputError: the text is not a formula of the grammar; the message points at the first wrong character.

    Example:
        >>> from pertheory.functions.formula import show
        >>> show(parse("-x^2 + 1.5"))
        '-x^2 + 3/2'
    """
    if not isinstance(text, str):
        raise InputError(f"a formula must be text such as 'x*tanh(x)', not {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        start = " ".join(text[:20].split())  # one line
        raise InputError(f"formula of {len(text)} characters ({start}...): at most {MAX_LENGTH} are allowed")
    return _Parser(text, frozenset(parameters)).parse()


class _Parser:
    """Recursive descent over a token list; `heights` bounds the tree so that later recursion is safe."""

    def __init__(self, text: str, parameters: frozenset[str]) -> None:
        self.text = text
        self.parameters = parameters
        self.nesting = 0
        self.heights: dict[int, int] = {}
        self.keep: list[Node] = []  # keeps nodes alive, so that the identities in `heights` stay unique
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                position += len(text[position:]) - len(text[position:].lstrip())
                self.fail(f"unexpected {text[position]!r}", position)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        self.tokens.append(("end", "", end))
        self.index = 0

    def fail(self, reason: str, position: int) -> NoReturn:
        before, after = self.text[max(0, position - 20) : position], self.text[position : position + 20]
        pointer = " ".join(f"{before} >>> {after}".split())
        raise InputError(f"formula: {reason}, at character {position + 1} (marked >>>): {pointer}")

    def peek(self) -> str:
        return self.tokens[self.index][1]

    def take(self) -> tuple[str, str, int]:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def made(self, node: Node, *children: Node) -> Node:
        height = 1 + max((self.heights[id(child)] for child in children), default=0)
        if height > MAX_HEIGHT:
            self.fail(f"too many operations (more than {MAX_HEIGHT} deep)", self.tokens[self.index][2])
        self.heights[id(node)] = height
        self.keep.append(node)
        return node

    def parse(self) -> Node:
        node = self.sum()
        kind, text, position = self.tokens[self.index]
        if kind != "end":
            hint = "; write * between factors" if kind in ("name", "number") or text == "(" else ""
            self.fail(f"unexpected {text!r}{hint}", position)
        return node

    def sum(self) -> Node:
        node = self.product()
        while self.peek() in ("+", "-"):
            _, sign, _ = self.take()
            right = self.product()
            node = self.made(Binary(sign, node, right), node, right)
        return node

    def product(self) -> Node:
        node = self.signed()
        while self.peek() in ("*", "/"):
            _, sign, _ = self.take()
            right = self.signed()
            node = self.made(Binary(sign, node, right), node, right)
        return node

    def signed(self) -> Node:
        signs = 0
        while self.peek() in ("+", "-"):
            signs += self.take()[1] == "-"
        node = self.power()
        return self.made(Negate(node), node) if signs % 2 else node

    def power(self) -> Node:
        base = self.atom()
        if self.peek() not in ("^", "**"):
            return base
        self.take()
        position = self.tokens[self.index][2]
        self.nesting += 1
        self.check_nesting(position)
        exponent = self.signed()
        self.nesting -= 1
        if depends_on_x(exponent):
            self.fail("an exponent must not contain x (write exp(x*log(2)) for 2^x)", position)
        if not names(exponent) & self.parameters:
            try:
                check_exponent(constant(exponent, {}))
            except InputError as error:
                self.fail(str(error), position)
        return self.made(Binary("^", base, exponent), base, exponent)

    def check_nesting(self, position: int) -> None:
        if self.nesting > MAX_NESTING:
            self.fail(f"nested more than {MAX_NESTING} deep", position)

    def atom(self) -> Node:
        kind, text, position = self.take()
        if kind == "number":
            mantissa, _, exponent = text.lower().partition("e")
            usable = len(mantissa) <= 42 and len(exponent) <= 4
            number = Fraction(text) if usable else Fraction(0)
            if not usable or (number and not Fraction(1, 10**150) <= number <= 10**150):
                self.fail(f"number {text[:12]}... out of range (1e-150 to 1e150, 40 digits)", position)
            return self.made(Number(number))
        if text == "(":
            return self.group(position)[0]
        if kind == "name":
            called = self.peek() == "("
            if called and text in FUNCTIONS:
                arguments = self.group(self.take()[2], FUNCTIONS[text])
                return self.made(Call(text, arguments), *arguments)
            if called:
                self.fail(f"unknown function {text!r} ({nearest(text, FUNCTIONS)})", position)
            if text in FUNCTIONS:
                self.fail(f"function {text!r} needs an argument in parentheses", position)
            if text not in ("x", "pi") and text not in self.parameters:
                self.fail(f"unknown name {text!r} ({nearest(text, {'x', 'pi', *self.parameters})})", position)
            return self.made(Name(text))
        self.fail("a number, x or ( is missing" if kind == "end" else f"unexpected {text!r}", position)

    def group(self, position: int, count: int = 1) -> tuple[Node, ...]:
        self.nesting += 1
        self.check_nesting(position)
        nodes = [self.sum()]
        while self.peek() == ",":
            self.take()
            nodes.append(self.sum())
        _, text, end = self.take()
        if text != ")":
            self.fail(") is missing" if not text else f"unexpected {text!r}", end)
        if len(nodes) != count:
            self.fail(f"{count} argument(s) expected and {len(nodes)} given", position)
        self.nesting -= 1
        return tuple(nodes)
