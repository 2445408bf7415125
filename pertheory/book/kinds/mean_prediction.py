"""Mean predictions of trained networks: ``m_dNTK(0) = - [...] y(d)``, with the tensors of the network's statistics.

The average over initialisations of the file's prediction z_T, which training itself decides (kind "trained"), is
compared with the statement: m_NTK is its leading part; m_DeltaNTK, m_dNTK, m_ddI, m_ddII are what fluctuations of the
tangent kernel, its first and its second differentials add at order 1/n, after M(0) - Theta(0,a) Theta^(a,b) M(b) has
been taken. ``y(a)`` is the target of the output in question, ``yy(a,b)`` a product of targets summed over outputs.
``covariance(0,1)`` is that of predictions of one output, at infinite width.
"""

from __future__ import annotations

import numpy as np

from pertheory.book.chapters import Equation
from pertheory.book.indexed import PRIME, evaluate, identity, solve
from pertheory.book.kinds.training import defined, prediction, two_sides, verdict
from pertheory.book.moments_of_training import Ensemble
from pertheory.book.training import TRAINING
from pertheory.book.verdict import Verdict
from pertheory.errors import RuleError

#: order of 1/n, and the random trees of the terms
CONTRIBUTIONS = {
    "m_NTK": (0, frozenset[str]()),
    "m_DeltaNTK": (1, frozenset({"H"})),
    "m_dNTK": (1, frozenset({"dH"})),
    "m_ddI": (1, frozenset({"ddH_I"})),
    "m_ddII": (1, frozenset({"ddH_II"})),
}
COVARIANCE = "covariance"


def decide(equation: Equation, form: str) -> Verdict:
    """Compare with the average of the prediction over initialisations."""
    left, right = two_sides(equation, form)
    point = Ensemble(equation.number, defined(equation), equation.rule)
    if left.name == COVARIANCE:
        first, second = (prediction(equation, label)[1] for label in left.labels)
        expected = point.covariance(first, second, left.labels)
        stated = evaluate(right, point.look, left.labels, point.neurons, neurons=False).value
        return verdict(bool(np.any((stated - expected) % PRIME)))
    if left.name not in CONTRIBUTIONS:
        raise RuleError(
            f"{equation.place}: equation {equation.number}: the left side must be one of "
            f"{', '.join((*CONTRIBUTIONS, COVARIANCE))}"
        )
    order, trees = CONTRIBUTIONS[left.name]
    of, node = prediction(equation)
    expected = point.average(node, of.labels[0], order, trees)
    stated = evaluate(right, point.look, left.labels, point.neurons, neurons=False).value
    if order:
        inverse = solve(point.theta[:TRAINING, :TRAINING], identity(TRAINING))
        stated = stated - point.theta[:, :TRAINING] @ (inverse @ stated[:TRAINING] % PRIME)
    return verdict(bool(np.any((stated - expected) % PRIME)))
