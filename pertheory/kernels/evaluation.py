"""Moved to `pertheory.averages.code`; this name goes when all have followed."""

from pertheory.averages.code import *  # noqa: F403
