"""The same command and folders as in the tests of the command line."""

from tests.cli.conftest import folder, pertheory

__all__ = ["folder", "pertheory"]
