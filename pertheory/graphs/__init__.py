"""Graphs: the one place that knows structure, sameness and symmetry.

`canonical`   coloured graphs, their canonical form and automorphism group
`partitions`  set partitions and pairings
`forest`      forests of preactivations joined by contracted derivatives
`tensor`      tensor types: a forest whose vertices are paired into neurons
"""
