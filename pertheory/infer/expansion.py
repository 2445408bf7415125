"""Connected diagrams of a nearly-Gaussian prior: cumulants as vertices whose legs act on the Gaussian density.

Outputs z_{i;a} (neuron i, sample a) have as generator of cumulants

    W(q) = sum_p 1/(2^p p!) T_(12)(34).. sum_i q_i1 q_i2 sum_j q_j3 q_j4 ..,     T = n^(1-p) (T{0} + T{1}/n + ..),

with G, V, V6, .. for T: every *link*, a pair of slots, carries one neuron. To condition on y = z + noise on the
training set is to integrate exp(W(q) - q.y) over q = ik there, while q = J is held on the test set. All but the leading
kernel is a vertex. Around the saddle of the quadratic part,

    q_i = phi_i + R J_i,    phi = (P y, 0),    R = (-P K_AB, 1),    P = (K_AA + noise)^-1 (zero off the training set),

q fluctuates with the propagator -P delta_ij. So a leg ends on a *source* q or is joined to another leg, and links hang
together in open *chains* and closed *loops* (a factor n_L each). A set of k links makes chains with the total weight
k!/2 and loops with (k-1)!/2. The logarithm of the integral is the sum of connected diagrams; its value at J = 0 is the
log evidence, and its derivatives with respect to J are the cumulants of the posterior.

Equation:
    chapter 6 of the book, (6.57) to (6.88), at the order 1/n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product
from math import factorial
from typing import NamedTuple

from pertheory.algebra.polynomial import collected
from pertheory.graphs.partitions import set_partitions
from pertheory.rulebook.values import whole as whole_number

#: what a chain ends on that ends on phi
SOURCE = -1


class Cumulant(NamedTuple):
    """T{order} of a pure tensor: G has one pair, V two, V6 three."""

    pairs: int
    order: int

    @property
    def cost(self) -> int:
        """The power of 1/n that it spends."""
        return self.pairs - 1 + self.order


class Block(NamedTuple):
    """Links that hang together.

    Attributes:
        kind: "chain", "loop", or "probe": one link whose two legs stay open, which is the kernel itself.
        links: in the order in which they are joined; the last leg of one to the first of the next.
        ends: of a chain, what it ends on: `SOURCE`, or the number of an external leg.
    """

    kind: str
    links: tuple[int, ...]
    ends: tuple[int, ...] = ()

    def renumbered(self, new: Sequence[int]) -> Block:
        """The same with other numbers of links, in the standard form of its symmetries."""
        links = tuple(new[link] for link in self.links)
        if self.kind == "loop":
            turned = (links[k:] + links[:k] for k in range(len(links)))
            links = min(order for one in turned for order in (one, one[::-1]))
            return Block("loop", links)
        if self.kind == "chain":
            return Block("chain", *min((links, self.ends), (links[::-1], self.ends[::-1])))
        return Block(self.kind, links)


class Diagram(NamedTuple):
    """A product of cumulants whose links are joined.

    Attributes:
        vertices: links are numbered through them, slots 2 l and 2 l + 1 belong to link l.
        blocks: how links are joined.
        coefficient: signs of propagators included.
    """

    vertices: tuple[Cumulant, ...]
    blocks: tuple[Block, ...]
    coefficient: Fraction

    @property
    def loops(self) -> int:
        """The power of n_L."""
        return sum(block.kind == "loop" for block in self.blocks)


_Shape = tuple[tuple[Cumulant, ...], tuple[Block, ...]]


@lru_cache(maxsize=64)
def diagrams(order: int, externals: int = 0, probe: bool = False, whole: bool = False) -> tuple[Diagram, ...]:
    """All connected diagrams of one order of 1/n; that of order 0 has no vertex and is not among them.

    Args:
        order: of 1/n, from 1.
        externals: how many external legs, numbered from 0: derivatives with respect to J.
        probe: whether one link stays open: the kernel of the outputs itself, conditioned.
        whole: whether cumulants are taken with all their corrections, the mean in the propagators; V, V6, .. are left.

    Example:
        >>> [str(own.coefficient) for own in diagrams(1)]
        ['1/2', '-1/2', '-1/2', '1/4', '1/8', '-1/4', '1/8']
    """
    order = whole_number(order, "order", 1)
    terms = ((shape, weight) for vertices in _vertices(order, whole) for shape, weight in _joined(vertices, probe))
    found = collected((_standard(shape), weight) for shape, weight in terms)
    for leg in range(externals):
        found = collected(
            (_standard(shape), weight) for start, weight in found.items() for shape in _derived(start, leg)
        )
    return tuple(Diagram(*shape, weight) for shape, weight in found.items())


def _vertices(order: int, whole: bool, most: Cumulant | None = None) -> Iterator[tuple[Cumulant, ...]]:
    """All multisets of cumulants that spend an order."""
    if not order:
        yield ()
        return
    for pairs in range(1, order + 2):
        for own in range(order - pairs + 2):
            head = Cumulant(pairs, own)
            if head.cost and not (whole and own) and (most is None or head <= most):
                for rest in _vertices(order - head.cost, whole, head):
                    yield (head, *rest)


def _joined(vertices: tuple[Cumulant, ...], probe: bool) -> Iterator[tuple[_Shape, Fraction]]:
    """Every way in which the links of vertices hang together, and its weight."""
    weight = Fraction(1)
    for own in vertices:
        weight /= factorial(own.pairs)
    for own in set(vertices):
        weight /= factorial(vertices.count(own))
    owner = [number for number, own in enumerate(vertices) for _ in range(own.pairs)]
    for partition in set_partitions(range(len(owner))):
        if not _connected([{owner[link] for link in block} for block in partition]):
            continue
        single = [number for number, block in enumerate(partition) if len(block) == 1]
        for open_one in single if probe else [-1]:
            choices = [
                [(Block("probe", block), Fraction(1))] if number == open_one else list(_blocks(block))
                for number, block in enumerate(partition)
            ]
            for chosen in product(*choices):
                value = weight
                for _, own_weight in chosen:
                    value *= own_weight
                yield (vertices, tuple(block for block, _ in chosen)), value


def _blocks(links: tuple[int, ...]) -> Iterator[tuple[Block, Fraction]]:
    """The chains and loops of some links, each with its weight and the signs of its propagators."""
    head, *rest = links
    for order in permutations(links):
        if order <= order[::-1]:
            weight = Fraction(1, 2) if len(links) == 1 else Fraction(1)
            yield Block("chain", order, (SOURCE, SOURCE)), weight * (-1) ** (len(links) - 1)
    for others in permutations(rest):
        if others <= others[::-1]:
            weight = Fraction(1, 2) if len(links) <= 2 else Fraction(1)
            yield Block("loop", (head, *others)), weight * (-1) ** len(links)


def _connected(blocks: Sequence[set[int]]) -> bool:
    """Whether blocks that touch some vertices hold all of them together."""
    held, waiting = blocks[0], list(blocks[1:])
    while touching := [block for block in waiting if block & held]:
        held = held.union(*touching)
        waiting = [block for block in waiting if block not in touching]
    return not waiting


def _derived(shape: _Shape, leg: int) -> Iterator[_Shape]:
    """One end after the other becomes an external leg."""
    vertices, blocks = shape
    for number, block in enumerate(blocks):
        for place, end in enumerate(block.ends):
            if end == SOURCE:
                ends = (*block.ends[:place], leg, *block.ends[place + 1 :])
                yield vertices, (*blocks[:number], block._replace(ends=ends), *blocks[number + 1 :])


def _standard(shape: _Shape) -> _Shape:
    """Of all numberings that are alike, always the same one: pairs of a vertex commute, and equal vertices."""
    vertices, blocks = shape
    starts = [sum(own.pairs for own in vertices[:number]) for number in range(len(vertices))]
    best: tuple[Block, ...] | None = None
    for places in permutations(range(len(vertices))):
        if any(vertices[place] != own for place, own in zip(places, vertices, strict=True)):
            continue
        for inside in product(*(permutations(range(own.pairs)) for own in vertices)):
            new = [starts[place] + link for place, order in zip(places, inside, strict=True) for link in order]
            found = tuple(sorted(block.renumbered(new) for block in blocks))
            best = found if best is None or found < best else best
    assert best is not None
    return vertices, best
