"""One module for each kind of statement; importing this registers them all."""

from pertheory.book.kinds import definition, first_layer, forward, identity, recursion

__all__ = ["definition", "first_layer", "forward", "identity", "recursion"]
