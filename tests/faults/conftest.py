"""The same command and folders as in the tests of the command line."""

from tests.cli.conftest import folder, own_cache, pertheory

__all__ = ["folder", "own_cache", "pertheory"]
