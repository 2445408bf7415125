"""The tangent kernel of one network against its mean: how far it fluctuates, and up to which eta descent is stable."""

from __future__ import annotations

from itertools import chain, groupby

import numpy as np

from pertheory.rulebook.tensors import find_tensor
from pertheory.training.averages import cumulants
from pertheory.training.contraction import layout
from pertheory.training.formula import Object
from pertheory.training.growth import grown
from pertheory.training.moments import Moments, name_of
from pertheory.training.series import Expansion
from pertheory.training.times import Array

#: eigenvalues that differ by less of the largest are one
ALIKE = 1e-9
#: rounding of tensors, relative to them
ROUNDED = 1e-16


def fluctuation(moments: Moments) -> Array:
    """n E[dH_ab dH_bc] over modes a, b, c and all outputs at b, dH what the tangent kernel differs from its mean.

    It is alike for all outputs at a and c, and diagonal in them.
    """
    trees = (Object("H", ("a", "b")), Object("H", ("b", "c")))
    found = np.zeros((len(moments.course.eigenvalues),) * 3)
    items = sorted(chain.from_iterable(cumulants(trees, 1)), key=lambda item: name_of(item.kind, item.order))
    for (kind, order), alike in groupby(items, key=lambda item: (item.kind, item.order)):
        tensor = moments.tensors(kind, order)
        for item in alike:
            own = moments.entries(item, tensor)
            loops = layout([own], "ac").loops
            found += moments.neurons**loops * np.einsum(
                own.array.value, ["abc".index(x) for x in item.labels], [0, 1, 2]
            )
    return found


def lost_digits(moments: Moments) -> float:
    """What rounding of the tensors makes of the first order, relative to it, about.

    Every tensor comes with a factor (1 - U^T)/Theta for each error that has been undone, so that what cancels between
    nearly equal inputs is divided by small eigenvalues twice, as far as these modes have been learned.
    """
    return ROUNDED * float(np.max(_undone(moments)) * np.max(moments.course.eigenvalues)) ** 2


def _undone(moments: Moments) -> Array:
    """(1 - U^T)/Theta of every mode, with U for a step."""
    (linear,) = (own for own in grown("z", "0", moments.course.most) if [f.name for f in own.factors] == ["H", "r"])
    return np.asarray(-moments.course.coefficient(linear))


def expansion_parameter(moments: Moments, squares: Array) -> float:
    """The coefficient of 1/n in the mean square of dH, relative to what training has undone, in the largest mode.

    It is what the second order of the expansion of the predictions in dH has and the zeroth has not: with Theta for
    the mean, the largest eigenvalue of the mean of (dH/Theta)^2 at the end of training; before the end (1 - U^T)/Theta
    stands for 1/Theta, so that small eigenvalues count as far as they have been learned.
    """
    undone = _undone(moments)
    root = np.sqrt(np.maximum(undone, 0.0))
    return float(np.linalg.eigvalsh(root[:, None] * np.einsum("abc,b->ac", squares, undone) * root).max(initial=0.0))


def largest_eta(moments: Moments, squares: Array) -> Expansion:
    """The learning rate at which gradient descent stops to converge: two over the largest eigenvalue of H.

    The eigenvalue is averaged over networks; with several outputs it stands for as many, which are averaged too.
    """
    values = moments.course.eigenvalues
    top = int(np.argmax(values))
    gap = values[top] - values
    apart = gap > ALIKE * values[top]
    repelled = squares[top, :, top] @ np.divide(1.0, gap, out=np.zeros_like(gap), where=apart)
    mean = moments.tensors(find_tensor("H")[0].kind, 1)[top, top]
    return Expansion(
        np.array(2 / values[top]), {"H1": -2 * mean / values[top] ** 2, "AB": -2 * repelled / values[top] ** 2}
    )
