"""Forms of a recursion: from diagrams to sums of terms that can be evaluated.

`expand`   Leibniz's rule on every neuron: diagrams to terms
"""
