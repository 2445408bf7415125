"""Expectations of the stochastic metric: ``E[hatG(1,2) ; hatG(3,4)] = 1/n V'(1,2,3,4)``, to order 1/n.

hatG is what the engine's first two moves make of two preactivations: a sum over the n neurons below. On the left these
sums are written out as plain moments (`pertheory/book/sums.py`), on the right stands the engine's recursion. n/n_prev
is held fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pertheory.algebra.dual import Dual
from pertheory.book.chapters import Equation
from pertheory.book.exact import Polynomial
from pertheory.book.indices import check_indices
from pertheory.book.kinds.insertion import mismatch
from pertheory.book.neurons import Fields, Neurons, factors, refuse
from pertheory.book.sums import METRIC, Above, Sums
from pertheory.book.syntax import Component, Expectation, Mark, Node, Power, Symbol
from pertheory.book.verdict import NUMERIC, VERIFIED, Verdict
from pertheory.book.visit import walk
from pertheory.errors import InputError


def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides at a random point."""
    statement = equation.read(form)
    nodes = [node for side in statement.sides for node in walk(side)]
    if not any(isinstance(node, Mark) and node.name == METRIC for node in nodes):
        raise refuse(equation, "a statement on the metric needs E[hatG(1,2)] or the like")
    if not any(isinstance(node, Component) and node.up for node in nodes):
        raise refuse(equation, "a statement on the metric needs a tensor of the layer above, as V'")
    names = check_indices(statement)
    samples = {label: number for number, label in enumerate(names)}
    point = Fields(max(len(names) // 2, 1), len(names), equation.number)
    evaluator = OneLayerUp(equation, samples, point)
    first, *others = [evaluator.side(side) for side in statement.sides]
    for other in others:
        if other != first:
            return mismatch(first, other, {})
    return Verdict(VERIFIED, NUMERIC)


class OneLayerUp(Neurons):
    """Evaluates statements about the layer above; numbers are value + slope/n_prev at fixed n/n_prev.

    Args:
        equation: the statement.
        samples: the number of each sample label.
        point: the point.
        width: the name of the width below the layer that the statement is about.
        neurons: the neuron of each sample label.
    """

    def __init__(
        self,
        equation: Equation,
        samples: Mapping[str, int],
        point: Fields,
        width: str = "n",
        neurons: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(equation.rule, samples, point, neurons or {}, frozenset())
        self.above = Sums(equation.rule, point, list(range(len(samples))))
        self.width = width

    def fresh(self, node: Node, place: Mapping[str, int]) -> Polynomial:
        """The value of a node that is not in the memory."""
        match node:
            case Power(Symbol(name), -1) if name == self.width:
                return self.number(Dual(Fraction(0), 1 / self.above.ratio))
            case Symbol("n") | Symbol("n_prev"):
                raise InputError(f"a width may only stand as a factor 1/{self.width}, in which both sides are expanded")
            case Mark("hatG"):
                raise InputError("hatG may only stand inside E[...]")
        return super().fresh(node, place)

    def expectation(self, node: Expectation, place: Mapping[str, int]) -> Dual:
        """The joint cumulant of the pieces."""
        pieces: list[list[Above]] = []
        for piece in node.pieces:
            found: list[Above] = []
            for factor in factors(piece):
                if not (isinstance(factor, Mark) and factor.name == METRIC):
                    raise InputError("in a statement on the metric an expectation holds products of hatG(1,2) only")
                found.append((METRIC, tuple([place[label] for label in factor.labels])))
            pieces.append(found)
        return self.above.cumulant(pieces, {})
