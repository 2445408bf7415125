"""Exact sums: coefficients, couplings, tensors and averages, as plain comparable values.

`monomial`  products of hyperparameters
`terms`     terms of a recursion and their sums
"""
