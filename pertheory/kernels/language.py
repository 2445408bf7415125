"""The kernel language: all that a printer has to know. No symbolic object passes this gate.

A `Program` is a list of `Level` s (one for each sublayer of a network); a level is a list of `Average` arrays that it
needs and a list of `Kernel` s, each a sum of products.

What it supports: arrays with one axis per slot over the inputs; products of such arrays, and of sums of such products,
with axes repeated, permuted and left out, without any summation over axes; rational coefficients, powers of
hyperparameters and of the width ratio; the symmetries of arrays; sums that several kernels share.
What it does not: summation over axes, branches, loops, functions. Everything that needs those (Gaussian averages, the
loop over layers) is outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import count
from typing import NamedTuple

from pertheory.algebra.monomial import Powers
from pertheory.averages.request import Request, request_classes

#: What a program is for: all choices of inputs, or every slot at the same input.
INPUTS = ("many", "one")
#: Axis permutations that leave an array unchanged: T[i_g0, i_g1, ...] = T[i_0, i_1, ...]; the identity first.
Symmetry = tuple[tuple[int, ...], ...]


class AverageArray(NamedTuple):
    """A Gaussian average for all choices of inputs.

    Attributes:
        name: of the array in the program.
        field: whose covariance the average is over.
        request: per axis (legs, lines): d^legs of the product of s^(k), all at the input of that axis.
    """

    name: str
    field: str
    request: Request

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.request)

    @property
    def classes(self) -> tuple[int, ...]:
        """Axes with equal factors are interchangeable, and neighbours: the lengths of these runs."""
        return request_classes(self.request)


class TensorArray(NamedTuple):
    """A tensor of the state.

    Attributes:
        name: of the array in the program.
        key: under which it stands in the state, as "V" or "H{1}".
        rank: number of axes.
        symmetry: axis permutations that leave it unchanged.
    """

    name: str
    key: str
    rank: int
    symmetry: Symmetry


class Operand(NamedTuple):
    """An array whose axes are named by the axes of the result; an axis may occur twice."""

    array: str
    axes: tuple[int, ...]


class Product(NamedTuple):
    """coefficient * hyperparameters * (n/n_prev)^width_power * operands.

    A sum among the operands is over arrays with axes of the same result; factored programs have them.
    """

    coefficient: Fraction
    couplings: Powers
    width_power: int
    operands: tuple[Operand | Sum, ...]


class Sum(NamedTuple):
    """A sum of products in brackets."""

    products: tuple[Product, ...]


def operands_of(products: Iterable[Product]) -> Iterable[Operand]:
    """All arrays that products read, those in brackets too."""
    for product in products:
        for operand in product.operands:
            if isinstance(operand, Sum):
                yield from operands_of(operand.products)
            else:
                yield operand


def axes_of(products: Iterable[Product]) -> tuple[int, ...]:
    """The axes on which a sum depends."""
    return tuple(sorted({axis for operand in operands_of(products) for axis in operand.axes}))


def renamed(product: Product, names: Mapping[int, int]) -> Product:
    """A product with other axes."""
    operands: list[Operand | Sum] = []
    for operand in product.operands:
        if isinstance(operand, Sum):
            operands.append(Sum(tuple(renamed(inner, names) for inner in operand.products)))
        else:
            operands.append(operand._replace(axes=tuple(names[axis] for axis in operand.axes)))
    return product._replace(operands=tuple(operands))


def fresh_name(base: str, taken: set[str]) -> str:
    """A name that is not taken, with a number where it would be; it is taken from now on."""
    numbered = (f"{base}_{number}" for number in count(2))
    name = base if base not in taken else next(name for name in numbered if name not in taken)
    taken.add(name)
    return name


class Temporary(NamedTuple):
    """A sum that depends on fewer samples than the results that it is for; evaluated once, before the kernels.

    Attributes:
        name: tells what it holds.
        rank: number of axes; 0, 1, .. name them in the products.
        products: what is summed; operands are tensors, averages and earlier temporaries.
    """

    name: str
    rank: int
    products: tuple[Product, ...]


class Case(NamedTuple):
    """A sum of products for those components in which certain slots carry the same input.

    Attributes:
        pattern: for each slot the first slot with the same input; later cases replace the components of earlier ones.
        products: what is summed; axes are named by first slots.
    """

    pattern: tuple[int, ...]
    products: tuple[Product, ...]


class Alike(NamedTuple):
    """A case whose components equal, by a symmetry of the result, those of an earlier one.

    Attributes:
        place: the number of the earlier case.
        names: what each axis of the earlier case is called in this one.
    """

    place: int
    names: Mapping[int, int]


def alike(patterns: Sequence[Sequence[int]], symmetry: Symmetry) -> list[Alike | None]:
    """For each pattern the first earlier one that a symmetry of the slots turns into it; None if there is none.

    Args:
        patterns: for each slot the first slot with the same input, as in `Case`.
        symmetry: slot permutations under which the components do not change.

    Example:
        >>> alike([(0, 0, 2), (0, 1, 1), (0, 1, 0)], ((0, 1, 2), (1, 2, 0), (2, 0, 1)))[1]
        Alike(place=0, names={2: 0, 0: 1})
    """
    known: dict[tuple[int, ...], Alike] = {}
    found: list[Alike | None] = []
    for place, pattern in enumerate(patterns):
        found.append(known.get(tuple(pattern)))
        if found[-1] is None:
            for element in symmetry:
                moved = [pattern[slot] for slot in element]
                names: dict[int, int] = {}
                for slot, name in enumerate(moved):
                    names.setdefault(name, slot)
                known.setdefault(tuple([names[name] for name in moved]), Alike(place, names))
    return found


class Kernel(NamedTuple):
    """One recursion T{k}.

    Attributes:
        function: its name in the program.
        key: the key of the result in the state of its level.
        rank: axes of the result.
        symmetry: axis permutations that leave the result unchanged.
        title: one line for people.
        formula: the recursion as LaTeX.
        below: the arrays of the level below on which it depends.
        tensors: those of them that it reads itself, not through temporaries.
        averages: names of the averages that it reads.
        temporaries: names of the temporaries that it reads.
        cases: one for all components where the functions are smooth; one for each way in which slots may carry the
            same input where they have kinks, since those are combined input by input before they are evaluated.
    """

    function: str
    key: str
    rank: int
    symmetry: Symmetry
    title: str
    formula: str
    below: tuple[TensorArray, ...]
    tensors: tuple[TensorArray, ...]
    averages: tuple[str, ...]
    cases: tuple[Case, ...]
    temporaries: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Kernel({self.key[:150]}: {self.rank} axes, {len(self.cases)} cases, {len(self.averages)} averages)"

    @property
    def starts_whole(self) -> bool:
        """Whether the first case holds for all components, those that later ones replace included."""
        return len(set(self.cases[0].pattern)) == self.rank


class Level(NamedTuple):
    """One sublayer.

    Attributes:
        covariances: the key of the covariance of each field below.
        averages: over these fields.
        kernels: one for each T{k} of the sublayer.
        temporaries: what kernels share, each after those that it needs.
    """

    covariances: tuple[tuple[str, str], ...]
    averages: tuple[AverageArray, ...]
    kernels: tuple[Kernel, ...]
    temporaries: tuple[Temporary, ...] = ()

    def __repr__(self) -> str:
        return f"Level({len(self.kernels)} kernels, {len(self.averages)} averages, {len(self.temporaries)} temporaries)"


class Initial(NamedTuple):
    """A tensor of the first layer: the sum of constants and of multiples of the inputs' Gram matrix, or zero.

    Attributes:
        key: in the state.
        rank: number of axes.
        constant: hyperparameter products that are added.
        gram: hyperparameter products that multiply the Gram matrix.
    """

    key: str
    rank: int
    constant: tuple[tuple[Fraction, Powers], ...]
    gram: tuple[tuple[Fraction, Powers], ...]


class Program(NamedTuple):
    """All that is emitted.

    Attributes:
        network: name of the rule.
        title: of the network.
        order: highest power of 1/n that is kept.
        closure: "exact", or "pairs" for an approximation.
        inputs: "many" (tensors over all inputs) or "one" (every slot the same input; arrays hold one value an input).
        hyperparameters: symbols with their default values.
        initial: the first layer.
        levels: the sublayers of a layer.
        glossary: per tensor of the state at the end of a layer (key, observable, pairs, what it is).
    """

    network: str
    title: str
    order: int
    closure: str
    inputs: str
    hyperparameters: tuple[tuple[str, float], ...]
    initial: tuple[Initial, ...]
    levels: tuple[Level, ...]
    glossary: tuple[tuple[str, str, int, str], ...]

    def __repr__(self) -> str:
        kernels = sum(len(level.kernels) for level in self.levels)
        return f"Program({self.network}, order {self.order}, inputs {self.inputs}: {kernels} kernels)"
