"""Networks in training at finite width: what gradient descent does to trees of contracted derivatives.

`descent`     one step on a tree: leaves are grafted onto its vertices
`growth`      many steps: chains of events that lead from an output, or the tangent kernel, to products at the start
`times`       sums over the times of events, for any course of training
`averages`    averages over initialisations, by joint cumulants of trees
`moments`     means and covariances of what chains of events have made, by part
`start`       the tensors at initialisation, over modes of the training set
`prediction`  trained networks: `trained`, and in `result` what it returns; `data` checks what is given, `series` holds
              what is of order 1/n, `spectrum` tells how far the tangent kernel fluctuates, `probe` looks into the last
              hidden layer
`nearly_kernel`  quadratic models, and networks as such models

Formulas of the book are decided with

`arithmetic`  arrays of numbers, exact or floating, with their slope in one small parameter
`contraction`  products of arrays at labels, summed over samples and over output neurons
`formula`     sums of products of named objects, as plain values
`state`       a network in training: outputs, targets, tangent kernel and its differentials, and what objects mean there
`steps`       states after a step of gradient descent; sums over steps
"""
