"""Networks in training at finite width: what gradient descent does to trees of contracted derivatives.

`descent`     one step on a tree: leaves are grafted onto its vertices
`arithmetic`  arrays of numbers, exact or floating, with their slope in one small parameter
`contraction`  products of arrays at labels, summed over samples and over output neurons
`formula`     sums of products of named objects, as plain values
`state`       a network in training: outputs, targets, tangent kernel and its differentials, and what objects mean there
`steps`       states after a step of gradient descent; sums over steps
`averages`    averages over initialisations, by joint cumulants of trees
"""
