"""What the names of a statement about a single input mean: one file for each class of activations or limit.

The physics is in `pertheory.solve`; here stand the names that the book gives to it.
"""
