"""The book's equations, checked against what the engine derives.

The notation:
`syntax`, `tokens`, `parse`  the nodes of a statement, and text to nodes (docs/book.md)
`visit`                      one walk over the nodes: parts, labels, and what a reader of statements has to say of each
`abbreviations`, `indices`   writing abbreviations out; which sample labels are summed
`equation`, `chapters`       an equation as data; reads rules/book
`latex`, `report`            a statement as LaTeX; verdicts for people

What decides:
`engine`          what the engine derives, as canonical sums
`canonical`       sums of terms without z's, dummies or inverses of K (Stein's lemma)
`route_symbolic`  a statement as a canonical sum
`route_numeric`   a statement as an exact number at a random `point`
`route_explicit`  a statement before any average, in a network of explicit parameters (`explicit`)
`compare`         whether the sides are equal by both of the first two
`forward`         stochastic forward equations from moves 1 and 2
`neurons`, `cumulants`, `neuron_sums`, `over_networks`, `over_weights`, `nearly_gaussian`  what an expectation is
`formulas`        statements as formulas of the room that trains
`scalar`          a statement on one input as elements of an algebra; `settings` say what its names mean
`kinds`           the deciders; `deciders` is the table of them
`verdict`         what a check says
`check`           decides equations and chapters
"""
