"""Exact sums: coefficients, couplings, tensors and averages, as plain comparable values.

`monomial`    products of hyperparameters
`terms`       terms of a recursion and their sums
`polynomial`  sums over any keys and their one product; polynomials in named symbols
`series`      power series cut off at an order
`gaussian`    moments of Gaussian variables
`dual`        a number with its derivative
`linear`      systems of linear equations, in fractions and modulo a prime
"""
