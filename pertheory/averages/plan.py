"""What a routine for Gaussian averages has to know about a program: code for the functions, and sums of leaves.

A *line* is a derivative of a function, a *column* a product of lines at one input. The inputs of one entry of an
average are sorted into distinct ones, *slots*; an `InputSet` holds everything about averages over that many distinct
inputs, whatever their covariance. Its *nodes* are averages; the *leaves* among them are averages of one column a slot,
given that the inputs of some slots sit at fixed places (kinks, where a derivative is a delta function), and every
other node is a combination of nodes before it whose strengths depend on the covariance.
"""

from __future__ import annotations

from typing import NamedTuple

#: Kinds of nodes.
LEAF, STEIN, SUM, MOMENT, ORTHANT = range(5)
#: Units of rounding that are no loss.
SAFE = 64
#: How the strength of a term depends on the covariance.
PLAIN, CARRIER, SHARED, POWER, STEP = range(5)


class Instruction(NamedTuple):
    """One operation on the values of instructions before it.

    Attributes:
        operation: "x", "constant", "add", "multiply", "scale", or the name of a function of one argument; in code for
            pairs of inputs also "a", "b", "k", "gap" and functions of two arguments.
        operands: numbers of earlier instructions.
        value: of a constant, the factor of "scale", the exponent of "power".
    """

    operation: str
    operands: tuple[int, ...] = ()
    value: float = 0.0


class PieceCode(NamedTuple):
    """One smooth piece of a function: where it ends, its code, and the instruction that holds each line."""

    upper: float
    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]


class FunctionCode(NamedTuple):
    """Derivatives of one function.

    Attributes:
        name: of the function.
        orders: of the derivatives.
        pieces: from left to right.
        edges: where a panel of quadrature should end.
        places: ``(x, width)`` of places where the function changes fast; the width of a kink is zero.
        narrowest: the least width over which it changes, at a place or everywhere; infinite for a polynomial.
    """

    name: str
    orders: tuple[int, ...]
    pieces: tuple[PieceCode, ...]
    edges: tuple[float, ...]
    places: tuple[tuple[float, float], ...] = ()
    narrowest: float = 1.0


class ExactCode(NamedTuple):
    """Averages over two inputs as code in their variances a and b, their covariance k and gap = a b - k^2.

    Attributes:
        instructions: what is computed.
        results: for each average the instruction that holds it.
    """

    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]


class Column(NamedTuple):
    """A product of lines: an earlier column (-1: none) times a line (-1: the constant one)."""

    parent: int
    line: int


class NodeTerm(NamedTuple):
    """weight * strength * value of a node; the strength belongs to a slot and is of one of the kinds above."""

    weight: float
    node: int
    slot: int = 0
    kind: int = PLAIN


class SetNode(NamedTuple):
    """An average that is not a leaf.

    Attributes:
        kind: STEIN lowers a derivative of a delta at `slot`, where the slots of `mask` carry deltas. SUM is the density
            of the deltas of `mask` at zero times a sum. MOMENT takes a power off `slot`, given that the slots of
            `mask` are zero. ORTHANT is the probability of the `signs`, given the same.
        slot: see above; of a SUM the bits of the slots whose functions jump at zero.
        mask: bits by slot.
        places: where the deltas are, by slot; of a MOMENT the powers.
        signs: one for each slot: 1 for positive, 0 where the sign does not matter; of a MOMENT 1 where a step stands.
        terms: what is summed.
    """

    kind: int
    slot: int
    mask: int
    places: tuple[float, ...]
    signs: tuple[int, ...]
    terms: tuple[NodeTerm, ...]


class LeafGroup(NamedTuple):
    """Leaves that are averages over the same Gaussian.

    Attributes:
        places: for each slot where its input sits, None where it is free.
        leaves: for each leaf the column of each slot; -1 where the input is not free.
    """

    places: tuple[float | None, ...]
    leaves: tuple[tuple[int, ...], ...]


class Entry(NamedTuple):
    """One entry of a request: the slot of each axis, and its value as a sum of nodes.

    Attributes:
        request: number in the group.
        slots: by axis; they do not increase inside a class of interchangeable axes.
        terms: ``(weight, node)``; node -1 is the number one.
        infinite: the entry has no finite value whatever the covariance.
        undefined: that is only because an input that is always zero is at a kink; all else in it is finite.
    """

    request: int
    slots: tuple[int, ...]
    terms: tuple[tuple[float, int], ...]
    infinite: bool = False
    undefined: bool = False


class InputSet(NamedTuple):
    """All averages over a number of distinct inputs.

    Attributes:
        size: how many inputs.
        columns: products at one input.
        groups: leaves; they are the first nodes, in order.
        nodes: the other nodes.
        entries: over this many inputs.
        zero_entries: over one more input, whose preactivation is always zero; it is slot 0 of the entry.
    """

    size: int
    columns: tuple[Column, ...]
    groups: tuple[LeafGroup, ...]
    nodes: tuple[SetNode, ...]
    entries: tuple[Entry, ...]
    zero_entries: tuple[Entry, ...]


class RequestShape(NamedTuple):
    """A request: its number in the program and the lengths of the runs of interchangeable axes."""

    number: int
    classes: tuple[int, ...]


class AverageGroup(NamedTuple):
    """Requests of one level over one field.

    Attributes:
        kinked: whether panels split at kinks are needed.
        requests: in the order that entries refer to.
        sets: for 0 to 4 distinct inputs; entries in which an input occurs twice are left out where the program does not
            read them.
        full: the same with all entries, for inputs that are equal.
        singles: closed forms of the requests of one axis, if all requests of the group have closed forms.
        pairs: the same for those of two axes.
        safe: variances between which closed forms at one input lose no more than `SAFE` units of rounding.
        loss: what rounding does to leaves, by spreads of an input (`pertheory.averages.code.losses`).
    """

    kinked: bool
    requests: tuple[RequestShape, ...]
    sets: tuple[InputSet, ...]
    full: tuple[InputSet, ...]
    singles: ExactCode | None = None
    pairs: ExactCode | None = None
    safe: tuple[float, float] = (1.0, 1.0)
    loss: tuple[float, ...] = ()


class AveragePlan(NamedTuple):
    """All averages of a program for chosen functions; `groups` has the requests of the program in order."""

    lines: tuple[tuple[str, int], ...]
    functions: tuple[FunctionCode, ...]
    groups: tuple[AverageGroup, ...]

    @property
    def has_undefined(self) -> bool:
        """Whether there are averages that have no value at an input of zeros."""
        sets = (s for group in self.groups for s in (*group.sets, *group.full))
        return any(entry.undefined for s in sets for entry in s.zero_entries)
