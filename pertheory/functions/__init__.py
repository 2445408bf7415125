"""Activation functions: their formulas, derivatives of any order, kinks, steep places, names.

`formula`       the grammar: text to a tree
`conversion`, `polynomials`, `derivatives`   a tree as a polynomial in generators that derive each other
`kinks`, `steep`   where a function bends or jumps, and where it changes fast
`taylor`, `series`   derivatives with many digits, and about zero
`activation`    a function, from its name, its rule file or its formula
`catalogue`     the names of the rule files, and what names of other programs mean
`chosen`        which activation each function of a network is
"""
