"""Recursions as symbols: sympy expressions, what people do with them, and what other programs read.

`objects`    tensors, Gaussian averages and layers as sympy objects
`conversion` terms and diagrams of a recursion into them
`formula`    a formula: substituted, collected, specialised, compared
`named`      the names that the book gives to averages: susceptibilities, h, g
`averages`   averages as people write them: `pt.average`
`shapes`     activations as sums of terms that have closed forms
`closed`     averages in closed form
`recursions` formulas of recursions: as derived, where samples coincide, on one input
`export`     LaTeX, Mathematica, FORM
"""
