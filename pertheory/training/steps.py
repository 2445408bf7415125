"""Gradient descent step by step: states after a step, and sums over steps that are carried out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pertheory.rulebook.observable import build
from pertheory.training.arithmetic import Array, DualArray
from pertheory.training.descent import size_of, step
from pertheory.training.formula import Contraction, Object
from pertheory.training.state import DIFFERENTIALS, Objects, TrainingState


def stepped(state: TrainingState, shape: str) -> DualArray:
    """A tree after one step of gradient descent, from leaves grafted onto it; axes as in `TrainingState`."""
    labels = "123456789"[: size_of(shape)]
    formula = []
    for coefficient, leaves, name, at in step(build(shape, labels)):
        errors = [Object("r", (leaf,)) for leaf in leaves]
        formula.append(Contraction(coefficient, (Object(name, at), *errors, *[Object("eta")] * len(leaves))))
    return Objects(state, {}).evaluate(tuple(formula), labels)


def after_a_step(state: TrainingState) -> TrainingState:
    """The same network after one step of gradient descent, trees of more than four vertices left out."""
    trees = {name: stepped(state, name) for name in DIFFERENTIALS}
    return replace(state, outputs=stepped(state, "z"), kernel=stepped(state, "H"), trees=trees)


@dataclass(frozen=True)
class TimeSums:
    """What has come about after some steps at infinite width; arrays over training samples, then neurons.

    Attributes:
        error: z - y.
        errors: eta times the sums over the steps before of products of one, two and three errors.
        driven: a variable that a source drives and the tangent kernel H damps, one step adding eta (source - H driven).
        sources: eta times the sum of the sources before.
        drives: eta times the sum of `driven` before.
    """

    error: Array
    errors: tuple[Array, ...]
    driven: Array
    sources: Array
    drives: Array


def sums_over_steps(state: TrainingState, kernel: Array, steps: int, seed: str) -> Iterator[TimeSums]:
    """What has come about after 0, 1, .. steps, each carried out.

    Args:
        state: where training starts.
        kernel: damps what is driven.
        steps: how many.
        seed: fixes the sources, which are random.
    """
    arithmetic, count = state.arithmetic, state.training
    source_of = random.Random(seed)
    total = arithmetic.array
    zero = np.zeros_like(state.targets.value[:count])
    errors = [_outer([zero] * power) for power in (1, 2, 3)]
    driven, sources, drives = zero, zero, zero
    now = state
    for _ in range(steps + 1):
        error = arithmetic.plus(now.outputs, now.targets, -1).value[:count]
        yield TimeSums(error, tuple(errors), driven, sources, drives)
        source = arithmetic.draw(source_of, *error.shape)
        errors = [total(before + state.eta * total(_outer([error] * power))) for power, before in enumerate(errors, 1)]
        sources, drives = total(sources + state.eta * source), total(drives + state.eta * driven)
        damped = total(np.einsum("abij,bj->ai", kernel[:count, :count], driven))
        driven = total(driven + state.eta * total(source - damped))
        now = replace(now, outputs=arithmetic.constant(stepped(now, "z").value))


def _outer(factors: list[Array]) -> Array:
    """The product of arrays over samples and neurons; all axes of samples before those of neurons."""
    found = factors[0]
    for factor in factors[1:]:
        found = np.multiply.outer(found, factor)
    axes = range(found.ndim)
    return found.transpose(*axes[::2], *axes[1::2])
