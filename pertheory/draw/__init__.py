"""Pictures of the graphs of the engine.

`shape`         what there is to draw of a diagram, however it was numbered
`scene`         points, lines, blobs, texts: what a picture is made of, and how large a text is
`words`         the texts of a picture: lines with primes, couplings, names of tensors
`forest`        a tensor: its forest and its pairing
`arrange`       where everything in a diagram stands
`diagram`       a diagram, whole or as far as a move has brought it
`sheet`         pictures beside and below each other: a gallery, a strip of moves
`dependencies`  which tensors of a theory read which
`svg`, `tikz`   the writers; `page` is a page of HTML around SVG
`pdf`           another, which needs matplotlib
`drawn`         what everything that has a picture can do with it
`graph`         a diagram as a networkx graph

Nothing here knows how diagrams are derived: the classes that are drawn lie above and hand in what is theirs.
"""
