"""Recursions as symbols: sympy expressions, what people do with them, and what other programs read.

`objects`    tensors, Gaussian averages and layers as sympy objects
`conversion` terms and diagrams of a recursion into them
`formula`    a formula: substituted, collected, specialised, compared
`named`      the names that the book gives to averages: susceptibilities, h, g
`text`       averages as people write them
`closed`     averages in closed form
`export`     LaTeX, Mathematica, FORM
"""
