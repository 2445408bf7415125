"""Formulas: whatever the text and the parameters, an activation with derivatives or one clear line."""

from __future__ import annotations

import random
import string
import warnings
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import activation
from pertheory.functions.formula import FUNCTIONS
from pertheory.functions.parsing import MAX_LENGTH

#: Text, and the values of parameters.
Example: TypeAlias = tuple[str, dict[str, float]]

ORDERS = range(4)
GRID = np.concatenate([np.linspace(-3, 3, 13), [-1e3, -30.0, 0.003, 30.0, 1e3]])

NAMES = ["x", "pi", "e", "a", "b", "_", "lambda", "import", "__class__", "inf", "nan", "relu", "X"]
SIGNS = [*"+-*/^(),", "**", ".", "'", "\\", "[", "]", "\n", "\u00b2", "\u2003", "\U0001d465", "\x00"]
NUMBERS = ["0", "1", "2", "3.5", ".5", "1e3", "1e-9", "64", "99", "1e150", "1e-150", "1e999", "0x1", "1_0", "9" * 40]
TOKENS = [*FUNCTIONS, *NAMES, *SIGNS, *NUMBERS]
ONE = [name for name, count in FUNCTIONS.items() if count == 1]
TWO = [name for name, count in FUNCTIONS.items() if count == 2]

#: Ordinary formulas, and some that were trouble.
KNOWN = [
    "x",
    "tanh(x)",
    "x/2*(1 + erf(x/sqrt(2)))",
    "x/(1+exp(-a*x))",
    "log(1 + exp(x))",
    "x*tanh(log(1+exp(x)))",
    "max(0, x)",
    "max(x, 0.01*x) + min(1, a*x)",
    "exp(-x^2/2)",
    "sqrt(1 + x^2)",
    "sin(b*x)/2 + cos(x)^2",
    "x/(1+abs(x))",
    "(2 + x^2)^-1.5",
    "a*x^3 - b*x",
    "(((pi)+(tanh(x)))**64)^23",
    "sin((64+x)^64)",
    "(1e150+x)^12",
]
#: Text that is repeated around x, what closes it, and a start.
NESTS = [
    ("tanh(x+", ")"),
    ("sin(x*", ")"),
    ("exp(-", ")"),
    ("1/(1+", "^2)"),
    ("sqrt(2+", "^2)"),
    ("log(3+sin(", "))"),
    ("(1+", ")^2"),
    ("(x+tanh(", "))^3"),
    ("erf(x-", "^2)"),
    ("abs(", "-1)"),
    ("max(x,", "-2)"),
    ("(", "^64)"),
    ("(3+", ")^0.5"),
    ("(1+x^2)*(", ")"),
    ("sinh(x/", "^2)"),
    ("tan(sin(", ")/2)"),
]


def draw(source: random.Random) -> Example:
    """A text of one of several kinds, with values for the parameters a and b that it has in half of the cases."""
    (kind,) = source.choices(list(KINDS), list(KINDS.values()))
    text = kind(source)
    parameters = {}
    if source.random() < 0.5:
        # a parameter that the formula does not have is refused, which one in twenty tries
        parameters = {name: _parameter(source) for name in "ab" if name in text or source.random() < 0.05}
    return text, parameters


def judge(example: Example) -> str:
    """Values and three derivatives have the shape of the points, or the refusal is one line."""
    text, parameters = example
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            function = activation(text, **parameters)
            assert function.pieces[0].lower == -np.inf
            assert function.pieces[-1].upper == np.inf
            for order in ORDERS:
                derivative = function.derivative(order)
                assert derivative(0.5).shape == ()
                assert derivative(GRID).shape == GRID.shape
            assert all(np.isfinite(kink) for kink in function.kinks)
            assert function.coefficients is None or np.isfinite(function.coefficients).all()
    except (InputError, UnsupportedError) as error:
        message = str(error)
        assert message
        assert "\n" not in message
        assert len(message) < 400
        return "refused"
    return "accepted"


def _characters(source: random.Random) -> str:
    alphabet = string.printable + "\u00e9\u03c0\u2212\u0661"
    return "".join(source.choice(alphabet) for _ in range(source.randrange(80)))


def _tokens(source: random.Random) -> str:
    count = source.choice([5, 10, 25, 100, 250])
    return source.choice(["", " "]).join(source.choice(TOKENS) for _ in range(source.randrange(count)))


def _number(source: random.Random) -> str:
    kind = source.randrange(6)
    if kind == 0:
        return source.choice(["pi", "0", "1", "2", "(-3)", "0.5", "64"])
    if kind == 1:
        return f"{source.uniform(0, 10):.3g}"
    if kind == 2:
        return f"{source.randrange(1, 10)}e{source.randrange(-155, 155)}"
    if kind == 3:
        return str(source.randrange(10 ** source.randrange(1, 42)))
    if kind == 4:
        return f"({source.randrange(1, 100)}/{source.randrange(1, 100)})"
    return source.choice(["a", "b", "1e150", "1e-150"])


def _tree(source: random.Random, depth: int) -> str:
    if depth == 0 or source.random() < 0.08:
        return "x" if source.random() < 0.6 else _number(source)
    inner = _tree(source, depth - 1)
    kind = source.randrange(10)
    if kind < 4:
        other = _tree(source, source.randrange(depth))
        return f"({inner}){source.choice('+-*/')}({other})"
    if kind < 7:
        return f"{source.choice(ONE)}({inner})"
    if kind == 7:
        return f"({inner})^({source.randrange(-70, 70)})"
    if kind == 8:
        return f"({inner})^{source.choice(['2', '3', '0.5', '1.5', '(1/3)', '-0.5', '-1', _number(source)])}"
    return f"{source.choice(TWO)}({inner}, {_tree(source, source.randrange(depth))})"


def _expression(source: random.Random) -> str:
    return _tree(source, source.choice([1, 2, 3, 3, 4, 5, 6, 8, 12]))


def _mutated(source: random.Random) -> str:
    text = source.choice(KNOWN)
    for _ in range(source.randrange(1, 5)):
        place, width = source.randrange(len(text) + 1), source.randrange(4)
        changes: list[Callable[[], str]] = [
            lambda: "",
            lambda: source.choice(TOKENS),
            lambda: source.choice(KNOWN),
            lambda: f"({_tree(source, 2)})",
            lambda: _number(source),
        ]
        text = text[:place] + source.choice(changes)() + text[place + width :]
    return text


def _nested(source: random.Random) -> str:
    pairs = source.sample(NESTS, source.randrange(1, 3))
    chosen = [source.choice(pairs) for _ in range(source.randrange(1, 30))]
    core = source.choice(["x", "x^2", _tree(source, 2)])
    return "".join(start for start, _ in chosen) + core + "".join(end for _, end in reversed(chosen))


def _repeated(source: random.Random) -> str:
    sign = source.choice(["+", "*", "-", "/", "*(1+x)+", "+x*"])
    part = source.choice([f"{source.choice(ONE)}({{n}}*x)", "({n}+x)^{n}", "max(x,{n})", _tree(source, 2)])
    if "{n}" not in part:
        part = f"({part})"
    count = source.randrange(2, MAX_LENGTH // (len(part) + len(sign)) + 4)
    return sign.join(part.replace("{n}", str(n)) for n in range(1, count))


def _parameter(source: random.Random) -> float:
    kind = source.randrange(5)
    if kind == 0:
        return source.choice([0, 1, -1, 0.5, 2])
    if kind == 1:
        return source.uniform(-3, 3)
    if kind == 2:
        return float(source.choice([-1, 1]) * 10.0 ** source.uniform(-320, 308))
    if kind == 3:
        return source.choice([10**400, -(10**1000), 2**1024, float("inf"), float("nan"), 5e-324, 1.7e308])
    return source.randrange(100)


#: How often each kind is drawn: long nests and sums take most of the time, and say least for it.
KINDS: dict[Callable[[random.Random], str], int] = {
    _characters: 6,
    _tokens: 8,
    _expression: 14,
    _mutated: 10,
    _nested: 1,
    _repeated: 1,
}
