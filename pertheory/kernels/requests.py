"""Moved to `pertheory.averages.planning`; this name goes when all have followed."""

from pertheory.averages.planning import *  # noqa: F403
