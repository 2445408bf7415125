"""The book's equations, checked against what the engine derives.

`syntax`     the nodes of a statement
`parse`      text to nodes; the notation is described in docs/book.md
`indices`    which sample labels are summed, and that both sides agree on the others
`canonical`  a statement as a sum of terms without z's, dummies or inverses of K (Stein's lemma)
`exact`      a statement as an exact number at a random kernel, random tensors and a random polynomial activation
`engine`     what the engine derives, in the forms of the two above
`chapters`   reads rules/book
`visit`      the one walk over the nodes, and the interpreter on which all that read statements rest
`scalar`     a statement on one input as elements of an algebra
`settings`   what its names mean: a file for each class of activations or limit
`verdict`    what a check says
`kinds`      what decides statements
`check`      decides equations and chapters; the table of deciders
`latex`      a statement as LaTeX
"""
