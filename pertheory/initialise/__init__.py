"""How to initialise a network, in numbers to paste: what practitioners need of criticality.

`numbers`      variances, learning rates and what to expect, for one activation, depth and width
`frameworks`   what programs call activations, and their own gains
`snippets`     the same as code for PyTorch, JAX, Flax and Keras
`table`        the gains of every activation of PyTorch beside its own
"""
