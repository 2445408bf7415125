r"""What the strings of a rule may be: the one grammar of names, and what is done with all other text.

Rule files are data that strangers write. A *name* (of a network, a field, a parameter, a hyperparameter, a function, a
tensor, a symbol) becomes part of emitted code, of file names and of formulas: it is a letter, then letters, digits and
``_``, all ASCII, and is checked where a rule is read or built. Whoever writes code asks once more, with `checked`.

All other text (titles, notes, formulas) is for people. Each target has one writer that makes it harmless there; all of
them begin with `visible` or `line` of `pertheory.text`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeGuard

from pertheory.errors import RuleError
from pertheory.text import line, shown, visible

__all__ = ["GRAMMAR", "LONGEST", "NAME", "checked", "is_name", "line", "local_names", "shown", "visible"]

#: A name as a regular expression, for grammars that names are a part of.
NAME = "[A-Za-z][A-Za-z0-9_]*"
#: The longest name; file names and C names are made of several.
LONGEST = 64
#: What is right, for messages.
GRAMMAR = f"a letter, then letters, digits and _, at most {LONGEST} characters"
_NAME = re.compile(NAME)


def is_name(value: object) -> TypeGuard[str]:
    r"""Whether a value is a name.

    Example:
        >>> [is_name(text) for text in ("C_W", "2n", "a-b", "λ", "z\n", "")]
        [True, False, False, False, False, False]
    """
    return isinstance(value, str) and len(value) <= LONGEST and _NAME.fullmatch(value) is not None


def checked(value: str) -> str:
    """A name that is about to become part of code, as it is; it may be long, since names are put together from others.

    Raises:
        RuleError: it is not one.
    """
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise RuleError(f"{shown(value)} is not a name ({GRAMMAR})")
    return value


def local_names(symbols: Iterable[str], taken: Callable[[str], bool]) -> dict[str, str]:
    """Names for hyperparameters in code that has names of its own: those that clash get ``hyper_`` in front.

    Args:
        symbols: names from a rule.
        taken: whether the code, or its language, has a word for something else; ``hyper_`` starts none of these.

    Example:
        >>> local_names(["C_W", "G", "hyper_G"], {"G"}.__contains__)
        {'C_W': 'C_W', 'G': 'hyper_G', 'hyper_G': 'hyper_hyper_G'}
    """
    return {s: f"hyper_{s}" if s.startswith("hyper_") or taken(s) else s for s in map(checked, symbols)}
