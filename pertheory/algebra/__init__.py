"""Exact sums: coefficients, couplings, tensors and averages, as plain comparable values.

`monomial`  products of hyperparameters
`terms`     terms of a recursion and their sums
`sums`      sums over any terms, and their one product
`dual`      a number with its derivative
`linear`    systems of linear equations, in fractions and modulo a prime
"""
