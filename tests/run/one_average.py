"""One average by the plan, with its estimate: what tests of single averages ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pertheory.algebra.terms import Lines
from pertheory.averages.account import Account
from pertheory.averages.atoms import IDENTITY
from pertheory.averages.choose import KINKED, Chooser
from pertheory.averages.estimate import Atom, Estimate, Wanted
from pertheory.averages.evaluate import SetEvaluation
from pertheory.averages.leaves import Leaves
from pertheory.averages.nodes import KinkedNodes
from pertheory.averages.plan import Entry
from pertheory.averages.quadrature import Array
from pertheory.averages.sets import SetPlan
from pertheory.functions.activation import Activation

#: A product of lines per input, and a coefficient.
Term = tuple[tuple[tuple[int, Lines], ...], int]


def one_average(
    functions: Mapping[str, Activation], covariance: object, terms: Sequence[Term], rtol: float = KINKED
) -> Estimate:
    """Average a sum of terms ``(((input, product), ...), coefficient)`` of kinked functions.

    Raises:
        Divergent: it is infinite or undefined.
    """
    k = np.asarray(covariance, dtype=float)
    used = sorted({i for atom, _ in terms for i, _ in atom})
    still = [i for i in used if k[i, i] == 0]
    moving = [i for i in used if k[i, i] > 0]
    assert len(still) <= 1
    order = [*still, *moving]
    atoms = [(count, tuple(dict(atom).get(i, ()) for i in order)) for atom, count in terms]
    builder = KinkedNodes(len(moving), functions, {(IDENTITY, 0): 0})
    entry = Entry(0, tuple(range(len(order))), builder.combine(atoms, bool(still)))
    plan = SetPlan(builder, ((),), (entry,), {}, bool(still))
    leaves = Leaves(functions, Chooser(Wanted(functions, 1e-9, rtol), Account(functions)))
    leaves.members = np.array([moving], dtype=np.int64)
    numbers = SetEvaluation(plan.layout, k[np.ix_(moving, moving)][None], leaves).numbers()
    value, error, scale = (float(part[0, 0]) for part in plan.evaluate(numbers))
    if np.isnan(value):
        raise plan.reason(numbers, 0, 0)
    return Estimate(value, error, scale)


def smooth_averages(functions: Mapping[str, Activation], k: np.ndarray, atoms: Sequence[Atom]) -> tuple[Array, Array]:
    """Averages of atoms of smooth functions by quadrature, and their errors relative to the scales."""
    chooser = Chooser(Wanted(functions, 1e-9, KINKED), Account(functions))
    values, errors, scales = chooser.plain(k[None], np.arange(len(k))[None], atoms)[:, :, 0]
    return values, errors / np.where(scales > 0, scales, 1.0)
