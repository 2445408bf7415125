"""The book's equations, checked against what the engine derives.

`syntax`     the nodes of a statement
`parse`      text to nodes; the notation is described in docs/book.md
`indices`    which sample labels are summed, and that both sides agree on the others
`canonical`  a statement as a sum of terms without z's, dummies or inverses of K (Stein's lemma)
`exact`      a statement as an exact number at a random kernel, random tensors and a random polynomial activation
`engine`     what the engine derives, in the forms of the two above
`chapters`   reads rules/book
`verdict`    what a check says, and the registry of kinds
`kinds`      one file for each kind of statement
`check`      decides equations and chapters
`latex`      a statement as LaTeX
"""
