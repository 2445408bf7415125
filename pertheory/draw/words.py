"""The texts of pictures, as pieces that the writers know how to set."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from pertheory.draw.scene import Run, run_width

if TYPE_CHECKING:
    from pertheory.algebra.monomial import Powers

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "eta": "η",
    "lambda": "λ",
    "Lambda": "Λ",
    "Theta": "Θ",
}

#: The activation, which plain text calls s.
SIGMA = "σ"

Runs = tuple[Run, ...]


def plain(text: str) -> Runs:
    """Words."""
    return (Run(text),)


def symbol(name: str, power: int = 1) -> Runs:
    """A name with what stands behind its first ``_`` as an index: ``C_W``, ``lambda_b``, ``V6`` with its number low."""
    head, _, index = name.partition("_")
    if not index and head[:1].isalpha() and head[1:].isdigit():
        head, index = head[0], head[1:]
    shown = GREEK.get(head, head)
    runs = [Run(shown, "i" if len(shown) == 1 and shown not in "ΘΛ" else "r")]
    if index:
        runs.append(Run(index, "sub"))
    if power != 1:
        runs.append(Run(str(power), "sup"))
    return tuple(runs)


def function(name: str, order: int, label: str) -> Runs:
    """A function at a sample with its derivative order as primes."""
    shown = SIGMA if name == "s" else name
    head = Run(shown, "i" if len(shown) == 1 else "r")
    marks = () if order == 0 else (Run("′" * order),) if order < 4 else (Run(f"({order})", "sup"),)
    return (head, *marks, Run(label, "sub"))


def factor(value: Fraction, powers: Powers, width_power: int = 0) -> Runs:
    """A number, hyperparameters and a power of n/n_prev; nothing for 1."""
    parts: list[Runs] = []
    if value != 1 or not (powers or width_power):
        parts.append(plain(str(value).replace("-", "−")))
    parts += [symbol(name, power) for name, power in powers]
    if width_power:
        ratio = (Run("(n/n", "r"), Run("prev", "sub"), Run(")"))
        parts.append((*ratio, Run(str(width_power), "sup")) if width_power != 1 else ratio)
    return tuple(run for number, part in enumerate(parts) for run in ((Run(" "), *part) if number else part))


def spoken(runs: Runs) -> str:
    """A text of a picture in ASCII, as plain formulas are written.

    Example:
        >>> spoken((*symbol("C_W", 2), *plain(" "), *function("s", 1, "3")))
        "C_W^2 s'_3"
    """
    names = {shown: name for name, shown in GREEK.items()} | {SIGMA: "s", "′": "'", "−": "-", "∂": "d"}
    marks = {"sub": "_", "sup": "^"}
    return "".join(marks.get(run.style, "") + "".join(names.get(c, c) for c in run.text) for run in runs)


def wrapped(text: str, size: float, width: float, style: str = "r") -> tuple[str, ...]:
    """Words on as many lines as a width asks for; a word that is too wide has a line of its own."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and run_width(Run(longer, style), size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(lines)
