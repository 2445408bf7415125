"""Every error that a user can cause, each one line that names what was given and what would be right."""

from __future__ import annotations


class PertheoryError(Exception):
    """Base of all errors that pertheory raises on purpose; the command line prints it and exits with 2."""


class InputError(PertheoryError, ValueError):
    """Something the user gave (a flag, a file, an argument, a formula) is not usable."""


class MissingError(InputError, KeyError):
    """A name that something that is looked up by name does not have."""

    __str__ = Exception.__str__  # a KeyError shows its message in quotes


class RuleError(PertheoryError, ValueError):
    """A rule file is wrong, or describes a network that the calculus cannot treat."""


class UnsupportedError(PertheoryError, NotImplementedError):
    """A well-formed request that this version cannot answer; never answered with a guess."""


class MissingPackageError(PertheoryError, ImportError):
    """A package that is not needed otherwise is not installed; the message says what to install."""


class DivergentAverageError(PertheoryError, ArithmeticError):
    """A Gaussian average that is infinite, such as ``<s'' s''>`` of a kinked activation at one input."""
