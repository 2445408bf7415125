"""Moved to `pertheory.averages.nodes`; this name goes when all have followed."""

from pertheory.averages.nodes import *  # noqa: F403
