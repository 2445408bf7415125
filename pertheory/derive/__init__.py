"""One layer of a network in six moves, one file each in `moves`.

`pair`      how the fresh parameters of the layer join the two vertices of each pair
`refine`    which derivatives act together: the forest of the layer below
`insert`    which tensors of the layer below its trees and the pure insertions make up
`coincide`  which sites sit on the same neuron
`connect`   what hangs together, so that a cumulant results
`collect`   equal diagrams up to the symmetry of the tensor: one representative each
`assemble`  a finished choice of all moves as one record, a `diagram`
`layer`     the moves in order: tensor type and order in, diagrams out
"""
