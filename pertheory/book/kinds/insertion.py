"""Expectations at one layer, to order 1/n_prev: ``E[Obs ; H(3,4)] = 1/n_prev [...]``.

Obs is any function of the preactivations of all neurons, f(1) any function of those of the neuron of sample 1; both
are tried with every monomial up to some degree. Sample a carries a neuron of its own, z_1 is z(1;1). All ways in which
samples may share neurons are tried, or those of the setting.

On the left E[...] is computed from the engine's joint cumulants (`pertheory/book/cumulants.py`); averages <...> on the
right are Gaussian with K as covariance, or with the mean metric K + G{1}/n_prev if the setting says "metric G". The
number of neurons n is finite and takes several values. ``E_1[...]`` is the first layer.
"""

from __future__ import annotations

from collections.abc import Mapping

from pertheory.algebra.dual import Dual, dual
from pertheory.book import engine
from pertheory.book.canonical import KERNEL
from pertheory.book.chapters import Equation
from pertheory.book.cumulants import Moments, Tree
from pertheory.book.exact import Polynomial, multiply
from pertheory.book.indices import check_indices
from pertheory.book.neurons import Fields, Neurons, assignments, check_piece, factors, refuse, summed_neurons, without
from pertheory.book.syntax import Component, Expectation, Mark, Node, Statement
from pertheory.book.verdict import MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.book.visit import walk
from pertheory.errors import InputError
from pertheory.graphs.partitions import set_partitions
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.observable import SHAPES

METRIC = "metric G"


def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides at random points, for every way in which samples may share neurons."""
    statement = equation.read(form)
    if not any(isinstance(node, Expectation) for side in statement.sides for node in walk(side)):
        raise refuse(equation, "an insertion needs an expectation such as E[Obs ; H(3,4)]")
    names = check_indices(statement)
    samples = {label: number for number, label in enumerate(names)}
    summed = summed_neurons(statement)
    words = [word.strip() for word in equation.setting.split(";") if word.strip()]
    metric = METRIC in words
    sharing = "".join(word for word in words if word != METRIC)
    if sharing and not sharing.startswith("neurons ") and sharing != "distinct neurons":
        raise refuse(
            equation,
            f"setting {sharing!r} is not known; it may be 'distinct neurons', 'neurons 03,12' or '{METRIC}'",
        )
    for neurons in assignments(sharing, names):
        used = len(set(neurons.values()))
        for count in (max(used, 2), max(used, 2) + 1) if summed and len(names) < 3 else (max(used, 2),):
            point = Fields(count, max(len(names), 2), f"{equation.number} {neurons} {count}")
            if metric:
                correction = [
                    [point.tensor(KERNEL, 1, [a, b]).value for b in range(point.samples)] for a in range(point.samples)
                ]
                point.use(
                    [
                        [Dual(entry.value, add) for entry, add in zip(row, more, strict=True)]
                        for row, more in zip(point.kernel, correction, strict=True)
                    ]
                )
            found = _sides(Insertion(equation.rule, samples, point, neurons, summed), statement)
            wrong = [side for side in found[1:] if side != found[0]]
            if wrong:
                return mismatch(found[0], wrong[0], neurons)
    return Verdict(VERIFIED, NUMERIC)


def _sides(evaluator: Neurons, statement: Statement) -> list[Dual]:
    return [evaluator.side(side) for side in statement.sides]


def mismatch(left: Dual, right: Dual, neurons: Mapping[str, int]) -> Verdict:
    """Both sides at the point where they differ."""
    order = "of order one" if left.value != right.value else "of order 1/n_prev"
    a, b = (left.value, right.value) if left.value != right.value else (left.slope, right.slope)
    size = max(abs(a), abs(b))
    shared: dict[int, str] = {}
    for label, number in neurons.items():
        shared[number] = shared.get(number, "") + label
    where = f" with samples on neurons {','.join(shared.values())}" if len(neurons) > 1 else ""
    rows = (f"left  {float(a):.10g}", f"right {float(b):.10g}")
    return Verdict(MISMATCH, NUMERIC, float(abs(a - b) / size), f"the sides differ {order}{where}", rows)


class Insertion(Neurons):
    """Evaluates statements whose expectations come from the engine's cumulants."""

    def expectation(self, node: Expectation, place: Mapping[str, int]) -> Dual:
        """The joint cumulant of the pieces, each a polynomial in the fields, perhaps times trees."""
        moments = Moments(self.rule, self.point, node.first)
        if node.first and engine.first_layer(self.rule, pure_type(2)[0], 0):
            raise InputError("the first layer of this network is not Gaussian")
        pieces: list[tuple[Polynomial, tuple[Tree, ...]]] = []
        for piece in node.pieces:
            trees = [factor for factor in factors(piece) if is_tree(factor)]
            rest = without(piece, trees)
            if any(is_tree(part) for part in walk(rest)):
                raise InputError("H and its differentials may only be factors of an expectation")
            check_piece(rest)
            pieces.append((self.value(rest, place), tuple(self.tree(tree, place) for tree in trees)))
        total = dual(0)
        for partition in set_partitions(range(len(pieces))):
            term = dual(1)
            for number, block in enumerate(partition):
                inside = self.number(dual(1))
                trees_inside: tuple[Tree, ...] = ()
                for index in block:
                    inside = multiply(inside, pieces[index][0])
                    trees_inside = (*trees_inside, *pieces[index][1])
                term = term * moments.mean(inside, trees_inside) * dual(-number if number else 1)
            total = total + term
        return total

    def tree(self, node: Node, place: Mapping[str, int]) -> Tree:
        """A tree with the neurons and samples of its vertices."""
        assert isinstance(node, Component | Mark)
        for label in node.labels:
            if label not in self.neurons:
                raise InputError(f"{node.name} in an expectation stands at samples of the statement, not at {label}")
        return Tree(node.name, tuple((self.neuron(label, place), place[label]) for label in node.labels))


def is_tree(node: Node) -> bool:
    """Whether a factor of an expectation is H or one of its differentials."""
    named = isinstance(node, Mark) or (isinstance(node, Component) and not node.order and not node.raised)
    return named and node.name in SHAPES and not node.up  # type: ignore[union-attr]
