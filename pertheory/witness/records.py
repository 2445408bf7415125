"""Numbers that a program has to come to: components of states, with how large the terms are that they sum."""

from __future__ import annotations

from typing import NamedTuple


class Expected(NamedTuple):
    """One component as it has to come out.

    Attributes:
        layer: of a run, from 1; 0 in a single step.
        tensor: number among the tensors of the theory.
        place: in the dense row-major array.
        value: what it is; NaN where it is infinite.
        size: the sum of the absolute values of its terms: errors are counted relative to it.
    """

    layer: int
    tensor: int
    place: int
    value: float
    size: float


class RationalStep(NamedTuple):
    """One layer from given tensors, with a polynomial as activation: all numbers are rational, and were found exactly.

    Attributes:
        inputs: how many.
        polynomials: coefficients of 1, x, x^2, ... of what averages hold at one input.
        requests: for each request and each of its indices a number into `polynomials`.
        below: for each tensor of the layer below a dense row-major array.
        hyper: values of the hyperparameters.
        ratio: n / n_prev for each sublayer.
        entries: of the new state.
    """

    inputs: int
    polynomials: tuple[tuple[float, ...], ...]
    requests: tuple[tuple[int, ...], ...]
    below: tuple[tuple[float, ...], ...]
    hyper: tuple[float, ...]
    ratio: tuple[float, ...]
    entries: tuple[Expected, ...]


class ReferenceRun(NamedTuple):
    """A run with the built-in averages; found by quadrature with many digits.

    Attributes:
        title: what it is.
        inputs: how many.
        depth: how many layers.
        gram: the Gram matrix over n_0, row-major, or its diagonal in a theory for one input.
        hyper: values of the hyperparameters, the same for all layers.
        entries: of the states.
    """

    title: str
    inputs: int
    depth: int
    gram: tuple[float, ...]
    hyper: tuple[float, ...]
    entries: tuple[Expected, ...]


class SelfTest(NamedTuple):
    """All that a self-test compares with."""

    step: RationalStep
    runs: tuple[ReferenceRun, ...]
