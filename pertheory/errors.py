"""Every error that a user can cause, each one line that names what was given and what would be right."""

from __future__ import annotations

import re

#: What would end a line, or do something to a terminal.
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LONGEST = 2000


def one_line(text: str) -> str:
    """A message as one line: white space and control characters become blanks; a long one loses its middle."""
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


class PertheoryError(Exception):
    """Base of all errors that pertheory raises on purpose; the command line prints it and exits with 2."""


class InputError(PertheoryError, ValueError):
    """Something the user gave (a flag, a file, an argument, a formula) is not usable."""


class RuleError(PertheoryError, ValueError):
    """A rule file is wrong, or describes a network that the calculus cannot treat."""


class UnsupportedError(PertheoryError, NotImplementedError):
    """A well-formed request that this version cannot answer; never answered with a guess."""


class DivergentAverageError(PertheoryError, ArithmeticError):
    """A Gaussian average that is infinite, such as ``<s'' s''>`` of a kinked activation at one input."""
