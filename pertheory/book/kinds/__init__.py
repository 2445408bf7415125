"""One module for each kind of statement; importing this registers them all."""

from pertheory.book.kinds import asymptotics, definition, first_layer, forward, identity, recursion, solution

__all__ = ["asymptotics", "definition", "first_layer", "forward", "identity", "recursion", "solution"]
