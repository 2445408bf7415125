"""Tensors that are infinite where inputs coincide, for an activation with a corner: ``S = T = U = infinity``.

First route: the engine's recursion on one input holds an average of a piecewise linear function in which several deltas
meet at the corner. Second route: the emitted code for one input has no number there and says that an average is
infinite. Setting: the name of an activation. A tensor that is finite by either route fails.
"""

from __future__ import annotations

import math
import warnings

from pertheory.book import syntax
from pertheory.book.equation import Equation
from pertheory.book.syntax import Statement
from pertheory.book.verdict import BOTH, MISMATCH, VERIFIED, Verdict
from pertheory.errors import DivergentAverageError
from pertheory.functions.activation import activation
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.solve.layer import SingleInputLayer
from pertheory.solve.universality import two_slopes
from pertheory.theory import theory
from pertheory.worker import Node as Unit

INFINITE = syntax.Symbol("infinity")
#: the first layer at which every tensor has a source
LAYER = 3


def verdict(equation: Equation, statement: Statement) -> Verdict:
    """See that every tensor of the statement is infinite, in algebra and in numbers."""
    *tensors, last = statement.sides
    if last != INFINITE or not all(isinstance(side, syntax.Component) and not side.up for side in tensors):
        raise equation.wrong("it has to be of the form S = T = infinity, with the symbol infinity")
    if not equation.setting or activation(equation.setting).is_smooth:
        raise equation.wrong("setting must be the name of an activation with a corner")
    nodes = [side for side in tensors if isinstance(side, syntax.Component)]
    if len({node.name for node in nodes}) < len(nodes):
        raise equation.wrong("a tensor is named twice")
    algebra = {node.name for node in nodes if not diverges(equation, node)}
    numbers = finite_in_code(equation, [node.name for node in nodes])
    if algebra != numbers:
        return Verdict(MISMATCH, BOTH, 1.0, "the two routes disagree", tuple(sorted(algebra ^ numbers)))
    if algebra:
        return Verdict(MISMATCH, BOTH, 1.0, "some are finite", tuple(f"{name} is finite" for name in sorted(algebra)))
    return Verdict(VERIFIED, BOTH)


@remembered(maxsize=4)
def free_slopes(rule: Network) -> SingleInputLayer:
    """The recursions of two slopes, every coupling free."""
    return two_slopes(rule).step


def diverges(equation: Equation, node: syntax.Component) -> bool:
    """Whether the recursion of a tensor holds an average that two slopes leave infinite."""
    tensor, fixed = find_tensor(node.name)
    step = free_slopes(equation.rule)
    try:
        step.polynomial(Unit(step.last, tensor.kind, fixed if fixed is not None else node.order))
    except DivergentAverageError:
        return True
    return False


def finite_in_code(equation: Equation, names: list[str]) -> set[str]:
    """Which tensors the emitted code gives a number, rather than to say that an average is infinite."""
    couplings = {name: 1.0 for name, _ in equation.rule.hyperparameters}
    model = theory(equation.rule, names, 0).compile(inputs="one")
    with warnings.catch_warnings():  # NaN is what is asked for
        warnings.filterwarnings("ignore", message="some components are NaN")
        run = model([[1.0]], equation.setting, LAYER, **couplings)
    infinite = any("infinite" in reason for reason in run.divergences)
    return {name for name in names if not (infinite and math.isnan(float(run[LAYER][name].item())))}
