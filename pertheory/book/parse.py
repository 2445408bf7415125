"""Text to nodes by recursive descent over tokens (`pertheory/book/tokens.py`). No text is ever executed.

The grammar, complete::

    statement  = sum ("=" sum)+
    sum        = ["+" | "-"] product (("+" | "-") product)*
    product    = factor (["*" | "/"] factor)*              nothing between two factors multiplies; "/" takes one factor
    factor     = "d_" (label | place) factor | atom ["^" (["-"] whole | "(" sum ")")]
    atom       = number | symbol ["'"] | function "(" sum ")" | line | "z" ["_" label] | tensor | mark | abbreviation
               | "<" sum (";" sum)* ">" | "(" sum ")" | "[" sum "]" | "d/d" name "[" sum "]"
               | ("z" | "s" primes) place | ("E" | "E_1") "[" sum (";" sum)* "]" | "Obs" | "z'" "(" label ")"
    line       = "s" primes ["_" label] | "s^(" whole ")" ["_" label]
    place      = "(" label ";" label ")"                   a neuron, named by a sample of the statement, and a sample
    tensor     = name ["{" whole "}"] ["'" | "[" whole "]"] ["^"] ["(" labels ")"]
    function   = "exp" | "log" | "sqrt" | "sin" | "cos" | "prod" | "prod_k" | "O"
    mark       = ("delta" | "W" | "xx" | "dH" | "ddH_I" | "ddH_II" | "f" | "hatG" | "delta_j") ["'"] "(" labels ")"

A label is a digit (a sample of the statement) or a letter with an optional number (summed over the samples). In a
statement about a single input labels are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, NoReturn

from pertheory.book import syntax
from pertheory.book.syntax import ONE_INPUT, Node, Statement
from pertheory.book.tokens import LABEL, Token, located, split
from pertheory.errors import InputError
from pertheory.rulebook.files import nearest
from pertheory.rulebook.tensors import named_tensors

FUNCTIONS = frozenset({"exp", "log", "sqrt", "sin", "cos", "prod", "prod_k", "O"})
#: the number of labels of each; Obs and f are functions that a statement leaves open, hatG is the stochastic metric
MARKS: Mapping[str, int] = {
    **{"delta": 2, "delta_j": 2, "W": 1, "b": 1, "xx": 2, "dH": 3, "ddH_I": 4, "ddH_II": 4},
    **{"Obs": 0, "f": 1, "hatG": 2},
}
WIDTHS = ("n", "n_prev")
MAX_LENGTH = 4000
MAX_NESTING = 40
MAX_POWER = 12


class Words(NamedTuple):
    """The names that a statement may use.

    Attributes:
        symbols: scalars.
        abbreviations: the number of labels of each abbreviation.
    """

    symbols: frozenset[str]
    abbreviations: tuple[tuple[str, int], ...]


@lru_cache(maxsize=1)
def tensor_sizes() -> Mapping[str, tuple[int, bool]]:
    """For each name of a tensor the number of its slots, and whether the name fixes the order (K, Theta)."""
    found: dict[str, tuple[int, bool]] = {}
    for tensor in named_tensors():
        found[tensor.name] = (tensor.kind.size, False)
        if tensor.leading:
            found[tensor.leading] = (tensor.kind.size, True)
    return found


def parse_statement(text: str, words: Words, one: bool = False) -> Statement:
    """A statement with its sides.

    Args:
        text: the statement.
        words: the names that it may use.
        one: whether it is about a single input, so that labels are left out.

    Raises:
        InputError: names line and column, and shows the line with a caret.
    """
    parser = _Parser(text, words, one)
    sides = [parser.sum()]
    while parser.accepts("="):
        sides.append(parser.sum())
    parser.finish("an operator, '=' or the end")
    if len(sides) < 2:
        parser.wrong("'=' and another side")
    return Statement(text, tuple(sides), one)


def parse_expression(text: str, words: Words, one: bool = False) -> Node:
    """One side of a statement; arguments and errors as for `parse_statement`."""
    parser = _Parser(text, words, one)
    node = parser.sum()
    parser.finish("an operator or the end")
    return node


class _Parser:
    def __init__(self, text: str, words: Words, one: bool) -> None:
        if len(text) > MAX_LENGTH:
            raise InputError(f"statement of {len(text)} characters: at most {MAX_LENGTH} are allowed")
        self.text, self.one = text, one
        self.symbols = words.symbols | set(WIDTHS)
        self.abbreviations = dict(words.abbreviations)
        self.tokens = split(text)
        self.place = 0
        self.depth = 0

    def error(self, at: int, message: str) -> InputError:
        """The error with line, column and the line itself, a mark in front of the place."""
        return located(self.text, at, message)

    def wrong(self, expected: str) -> NoReturn:
        token = self.token
        found = repr(token.text) if token else "the end"
        raise self.error(token.at if token else len(self.text), f"expected {expected}, found {found}")

    @property
    def token(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def sees(self, *signs: str) -> bool:
        token = self.token
        return token is not None and token.kind == "sign" and token.text in signs

    def take(self, sign: str, expected: str = "") -> None:
        if not self.accepts(sign):
            self.wrong(expected or repr(sign))

    def accepts(self, *signs: str) -> bool:
        """Whether one of some signs is next; it is then passed over."""
        found = self.sees(*signs)
        self.place += found
        return found

    def separated(self, close: str, expected: str) -> tuple[Node, ...]:
        """Sums between semicolons up to a closing sign."""
        pieces = [self.sum()]
        while self.accepts(";"):
            pieces.append(self.sum())
        self.take(close, expected)
        return tuple(pieces)

    def finish(self, expected: str) -> None:
        if self.token is not None:
            self.wrong(expected)

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.wrong(f"at most {MAX_NESTING} nested brackets")
        terms = []
        while True:
            minus = self.accepts("-")
            if not minus:
                self.accepts("+")
            term = self.product()
            terms.append(syntax.Product((syntax.Number(Fraction(-1)), term)) if minus else term)
            if not self.sees("+", "-"):
                self.depth -= 1
                return terms[0] if len(terms) == 1 else syntax.Sum(tuple(terms))

    def product(self) -> Node:
        factors = [self.factor()]
        while True:
            token = self.token
            if token is None or (token.kind == "sign" and token.text not in "*/([<"):
                return factors[0] if len(factors) == 1 else syntax.Product(tuple(factors))
            if self.accepts("/"):
                factors.append(syntax.Power(self.factor(), -1))
            else:
                self.accepts("*")
                factors.append(self.factor())

    def factor(self) -> Node:
        token = self.token
        if token is not None and token.kind == "derivative":
            self.place += 1
            along = token.match.group("along")
            neuron, along = self.place_of_neuron(token) if along is None else ("", along)
            return syntax.Derivative(along, self.factor(), neuron)
        base = self.atom()
        if not self.accepts("^"):
            return base
        if self.accepts("("):
            exponent_node = self.sum()
            self.take(")", "')' that closes the exponent")
            return syntax.Raise(base, exponent_node)
        sign = -1 if self.accepts("-") else 1
        exponent = self.whole("a whole exponent")
        if exponent > MAX_POWER:
            self.place -= 1
            self.wrong(f"an exponent up to {MAX_POWER}")
        return syntax.Power(base, sign * exponent)

    def whole(self, expected: str) -> int:
        token = self.token
        if token is None or token.kind != "number" or "." in token.text:
            self.wrong(expected)
        self.place += 1
        return int(token.text)

    def atom(self) -> Node:
        token = self.token
        if token is None:
            self.wrong("a factor")
        if token.kind == "number":
            self.place += 1
            return syntax.Number(Fraction(token.text))
        if token.kind == "line":
            self.place += 1
            primes, order = token.match.group("primes"), token.match.group("order")
            if primes and order is not None:
                self.place -= 1
                self.wrong("primes or an order in brackets, not both")
            number = len(primes) if order is None else int(order)
            if self.sees("(") and token.match.group("at") is None and not self.one:
                neuron, label = self.place_of_neuron(token)
                return syntax.Line(number, label, neuron)
            return syntax.Line(number, self.sample(token, "at"))
        if token.kind == "zed":
            self.place += 1
            if token.text == "z" and self.accepts("'"):
                return syntax.Mark("z", self.labels(token, 1, always=True), True)
            if self.sees("(") and token.match.group("where") is None and not self.one:
                neuron, label = self.place_of_neuron(token)
                return syntax.Zed(label, neuron)
            return syntax.Zed(self.sample(token, "where"))
        if token.kind == "slope":
            return self.slope(token)
        if token.kind == "name":
            return self.named(token)
        if self.accepts("<"):
            return syntax.Average(self.separated(">", "'>' that closes the average"))
        for left, right in ("()", "[]"):
            if self.accepts(left):
                inside = self.sum()
                self.take(right, f"{right!r} that closes {left!r}")
                return inside
        self.wrong("a factor")

    def place_of_neuron(self, token: Token) -> tuple[str, str]:
        """The neuron and the sample in ``z(3;b1)``."""
        self.take("(")
        neuron = self.label()
        self.take(";", f"';' between the neuron and the sample, as in {token.text.rstrip('_')}(3;1)")
        label = self.label()
        self.take(")")
        return neuron, label

    def sample(self, token: Token, group: str) -> str:
        label: str | None = token.match.group(group)
        if self.one and label is not None:
            raise self.error(token.at, f"{token.text} has a label, but the statement is about a single input")
        if not self.one and label is None:
            raise self.error(token.at, f"{token.text} needs the label of a sample, such as {token.text}_1")
        return ONE_INPUT if label is None else label

    def slope(self, token: Token) -> Node:
        variable = token.match.group("variable")
        if not self.one:
            raise self.error(token.at, f"{token.text} is for statements about a single input")
        if variable not in tensor_sizes():
            raise self.error(token.at, f"unknown tensor {variable!r}; {nearest(variable, tensor_sizes())}")
        self.place += 1
        self.take("[", f"'[' as in {token.text}[<s s>]")
        inside = self.sum()
        self.take("]")
        return syntax.Slope(variable, inside)

    def named(self, token: Token) -> Node:
        name = token.text
        self.place += 1
        if name in self.abbreviations:
            return syntax.Call(name, self.labels(token, self.abbreviations[name]))
        if name in ("E", "E_1") and self.accepts("["):
            return syntax.Expectation(self.separated("]", "']' that closes the expectation"), name == "E_1")
        if name in MARKS and name not in self.symbols:  # a symbol that a file declares comes first
            up = self.accepts("'")
            return syntax.Mark(name, self.labels(token, MARKS[name], always=True), up)
        sizes = tensor_sizes()
        if name in sizes:
            return self.component(token, *sizes[name])
        if name in FUNCTIONS and self.accepts("("):
            inside = self.sum()
            self.take(")", f"')' that closes {name}(")
            return syntax.Apply(name, inside)
        if name in self.symbols:
            return syntax.Symbol(name + "'" * self.accepts("'"))
        known = [*self.symbols, *sizes, *MARKS, *self.abbreviations]
        raise self.error(token.at, f"unknown name {name!r}; {nearest(name, known)}")

    def component(self, token: Token, size: int, fixed: bool) -> Node:
        order = layer = 0
        if self.accepts("{"):
            order = self.whole("the order, as in G{1}")
            self.take("}")
            if fixed and order:
                raise self.error(token.at, f"{token.text} is the leading order; its corrections have another name")
        up = self.accepts("'")
        if not up and self.sees("[") and self.bracketed_layer():
            self.place += 1
            layer = self.whole("a layer")
            self.take("]")
            if layer < 1:
                raise self.error(token.at, "layers count from 1")
        following = self.tokens[self.place + 1 : self.place + 2]
        raised = not self.one and bool(following) and following[0].text == "(" and self.accepts("^")
        if raised and (up or layer):
            raise self.error(token.at, f"the indices of {token.text} of another layer cannot be raised")
        return syntax.Component(token.text, order, up, layer, self.labels(token, size), raised)

    def bracketed_layer(self) -> bool:
        """Whether a whole number in square brackets follows: a layer, as in ``H[2](1,2)``, and no factor."""
        following = self.tokens[self.place + 1 : self.place + 3]
        return len(following) == 2 and following[0].kind == "number" and following[1].text == "]"

    def labels(self, token: Token, size: int, always: bool = False) -> tuple[str, ...]:
        if (self.one and not always) or size == 0:
            following = self.tokens[self.place + 2 : self.place + 3]
            if size and self.sees("(") and following and following[0].text == ",":
                self.wrong(f"no labels behind {token.text}: the statement is about a single input")
            return (ONE_INPUT,) * size
        self.take("(", f"the {size} labels of {token.text}, as in {token.text}({','.join('12345678'[:size])})")
        found = [self.label()]
        while self.accepts(",", ";"):
            found.append(self.label())
        self.take(")", "',' or ')'")
        if len(found) != size:
            raise self.error(token.at, f"{token.text} has {size} labels, not {len(found)}")
        return tuple(found)

    def label(self) -> str:
        token = self.token
        if token is None or not LABEL.fullmatch(token.text):
            self.wrong("a label: a digit, or a letter with a number such as b1")
        self.place += 1
        return token.text


def digits(labels: Collection[str]) -> list[str]:
    """The labels that name samples of the statement; the others are summed."""
    return sorted(label for label in labels if label.isdigit())
