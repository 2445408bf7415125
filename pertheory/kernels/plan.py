"""Moved to `pertheory.averages.plan`; this name goes when all have followed."""

from pertheory.averages.plan import *  # noqa: F403
