"""Moved to `pertheory.averages.gaussian`; this name goes when all have followed."""

from pertheory.averages.gaussian import *  # noqa: F403
