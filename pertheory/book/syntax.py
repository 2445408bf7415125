"""The nodes of a statement: what the notation of rules/book says, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

#: the label that everything carries in a statement about a single input
ONE_INPUT = "x"


@dataclass(frozen=True)
class Number:
    """A rational number."""

    value: Fraction


@dataclass(frozen=True)
class Symbol:
    """A scalar: a hyperparameter, a width, or a symbol that the file declares."""

    name: str


@dataclass(frozen=True)
class Line:
    """The activation or a derivative of it at one sample: ``s''_1`` is order 2 at sample 1.

    Attributes:
        order: how often it is derived.
        label: the sample.
        neuron: the label whose neuron it sits on, as in ``s''(2;1)``; empty where one neuron is meant.
    """

    order: int
    label: str
    neuron: str = ""


@dataclass(frozen=True)
class Zed:
    """The preactivation at one sample, inside an average; `neuron` as for `Line`, in ``z(2;1)``."""

    label: str
    neuron: str = ""


@dataclass(frozen=True)
class Component:
    """A component of a tensor.

    Attributes:
        name: as in rules/tensors.toml; K and Theta are G{0} and H{0}.
        order: k of T{k}.
        up: whether it is of the layer above (``V'``), which the engine's recursion replaces.
        layer: a fixed layer (``H[2]``), or 0.
        labels: the samples in the order of its slots.
        raised: whether all indices are raised with the inverse of K.
    """

    name: str
    order: int
    up: bool
    layer: int
    labels: tuple[str, ...]
    raised: bool


@dataclass(frozen=True)
class Mark:
    """A factor that only some kinds of statement know: ``delta(1,2)``, ``W(1)``, ``xx(1,2)``, ``dH(0;1,2)``."""

    name: str
    labels: tuple[str, ...]
    up: bool = False


@dataclass(frozen=True)
class Call:
    """An abbreviation that the file defines, at some samples."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Average:
    """A Gaussian average with the kernel as covariance; several pieces: their joint cumulant."""

    pieces: tuple[Node, ...]


@dataclass(frozen=True)
class Expectation:
    """The expectation over networks of one width, as in ``E[Obs H(3,4)]``; several pieces: their joint cumulant.

    Attributes:
        pieces: products of what fluctuates: preactivations, functions of them, the tangent kernel, weights.
        first: whether the layer is the first one, whose preactivations are exactly Gaussian (``E_1[...]``).
    """

    pieces: tuple[Node, ...]
    first: bool = False


@dataclass(frozen=True)
class Derivative:
    """The derivative with respect to the preactivation at one sample, inside an average: ``d_b1 (s_1 s_2)``.

    `neuron` is the label whose neuron is meant, as in ``d_(3;b1) Obs``.
    """

    label: str
    of: Node
    neuron: str = ""


@dataclass(frozen=True)
class Slope:
    """The derivative with respect to K or to a tensor, for a single input: ``d/dK[<s s>]``."""

    variable: str
    of: Node


@dataclass(frozen=True)
class Power:
    """A whole power, negative for what stands behind a division sign."""

    base: Node
    exponent: int


@dataclass(frozen=True)
class Raise:
    """A power whose exponent is an expression: ``l^(1 - p)``."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Apply:
    """A function of one argument: ``exp(r)``, ``log(l)``, ``prod(1 + 2/n)`` over layers, ``O(K^3)``."""

    function: str
    of: Node


@dataclass(frozen=True)
class Product:
    """A product."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Sum:
    """A sum; a minus sign is a factor -1."""

    terms: tuple[Node, ...]


Node: TypeAlias = (
    Number
    | Symbol
    | Line
    | Zed
    | Component
    | Mark
    | Call
    | Average
    | Expectation
    | Derivative
    | Slope
    | Power
    | Raise
    | Apply
    | Product
    | Sum
)


@dataclass(frozen=True)
class Statement:
    """Sides that are claimed to be equal.

    Attributes:
        text: as it stands in the file.
        sides: two or more.
        one: whether it is about a single input.
    """

    text: str
    sides: tuple[Node, ...]
    one: bool
