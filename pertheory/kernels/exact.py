"""Moved to `pertheory.averages.exact`; this name goes when all have followed."""

from pertheory.averages.exact import *  # noqa: F403
