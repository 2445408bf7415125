"""Where training of one network ends, by the sums over its chains of events."""

from __future__ import annotations

import numpy as np

from pertheory.training.arithmetic import FLOATS, DualArray
from pertheory.training.contraction import Labelled, contract
from pertheory.training.formula import Object
from pertheory.training.growth import grown
from pertheory.training.state import Objects, TrainingState
from pertheory.training.times import Course


def end_of_training(state: TrainingState, course: Course) -> DualArray:
    """The outputs of all samples after a course of training; axes sample, neuron.

    Args:
        state: the network at the start, in floating point; its mean tangent kernel is diagonal on the training set.
        course: with the eigenvalues that stand there.

    Equation:
        (inf.154), for any course of training.
    """
    objects = Objects(state, {})
    total = FLOATS.constant(np.zeros_like(state.outputs.value))
    for own in grown("z", "0", course.most):
        weight = Labelled(FLOATS.constant(course.coefficient(own)), tuple(own.modes))
        factors = [weight, *(_factor(objects, item) for item in own.factors)]
        total = FLOATS.plus(total, contract(FLOATS, 1.0, factors, "0", state.neurons, neurons=True))
    return total


def _factor(objects: Objects, item: Object) -> Labelled:
    found = objects(item)
    if item.name != "H":
        return found
    slope = found.array.slope  # H stands for what it differs from its mean
    return found._replace(array=DualArray(np.zeros_like(slope), slope))
