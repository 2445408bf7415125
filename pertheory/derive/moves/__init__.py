"""The six moves, in their order: pair, refine, coincide, insert, connect, collect (`pertheory.derive.layer`)."""
