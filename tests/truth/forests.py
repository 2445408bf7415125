"""Forests with a pairing, as plain data, for the two exact witnesses and for the tests that call them."""

import random
from typing import NamedTuple

Edge = tuple[int, int]


class PairedForest(NamedTuple):
    """A forest on the vertices ``0 .. vertices-1`` and a perfect matching of them.

    ``slots`` lists the vertices in the index order of the book: the value ``F_{1324}`` takes the
    samples of vertices 0, 2, 1, 3 as its first, second, third and fourth index.
    """

    vertices: int
    edges: tuple[Edge, ...]
    pairing: tuple[Edge, ...]
    slots: tuple[int, ...]


_PATH_3124 = ((2, 0), (0, 1), (1, 3))
_STAR = ((0, 1), (0, 2), (0, 3))
_DNTK = ((0, 1), (0, 2))

# The tensors that the book "The Principles of Deep Learning Theory" names. Vertex k here is index k+1 of the
# book, but for P, Q and R, where the book counts from 0 as well.
BOOK: dict[str, PairedForest] = {
    "G": PairedForest(2, (), ((0, 1),), (0, 1)),
    "V": PairedForest(4, (), ((0, 1), (2, 3)), (0, 1, 2, 3)),
    "H": PairedForest(2, ((0, 1),), ((0, 1),), (0, 1)),
    "D": PairedForest(4, ((2, 3),), ((0, 1), (2, 3)), (0, 1, 2, 3)),
    "F": PairedForest(4, ((2, 3),), ((0, 2), (1, 3)), (0, 2, 1, 3)),
    "A": PairedForest(4, ((0, 1), (2, 3)), ((0, 1), (2, 3)), (0, 1, 2, 3)),
    "B": PairedForest(4, ((0, 1), (2, 3)), ((0, 2), (1, 3)), (0, 2, 1, 3)),
    "P": PairedForest(4, _DNTK, ((0, 3), (1, 2)), (0, 1, 2, 3)),
    "Q": PairedForest(4, _DNTK, ((0, 1), (2, 3)), (0, 1, 2, 3)),
    "R": PairedForest(4, _STAR, ((0, 1), (2, 3)), (0, 1, 2, 3)),
    "S": PairedForest(4, _PATH_3124, ((0, 1), (2, 3)), (0, 1, 2, 3)),
    "T": PairedForest(4, _PATH_3124, ((0, 2), (3, 1)), (0, 2, 3, 1)),
    "U": PairedForest(4, _PATH_3124, ((0, 3), (1, 2)), (0, 3, 1, 2)),
    "V6": PairedForest(6, (), ((0, 1), (2, 3), (4, 5)), (0, 1, 2, 3, 4, 5)),
    "V8": PairedForest(8, (), ((0, 1), (2, 3), (4, 5), (6, 7)), (0, 1, 2, 3, 4, 5, 6, 7)),
}


def random_paired_forest(vertices: int, seed: int, density: float = 0.6) -> PairedForest:
    """A random forest with a random pairing, the same for the same arguments.

    Args:
        vertices: an even number of vertices.
        seed: of the random numbers.
        density: chance that a vertex is joined to an earlier one (1 gives a tree, 0 no edges).
    """
    draw = random.Random(seed)
    names = list(range(vertices))
    draw.shuffle(names)
    edges = [(names[k], names[draw.randrange(k)]) for k in range(1, vertices) if draw.random() < density]
    draw.shuffle(names)
    pairing = tuple((names[k], names[k + 1]) for k in range(0, vertices, 2))
    return PairedForest(vertices, tuple(edges), pairing, tuple(range(vertices)))
