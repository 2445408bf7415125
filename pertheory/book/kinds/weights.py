"""Expectations over the weights of one layer, what is below held fixed: ``E[W(3) Obs] = C_W/n s(3;b1) <d_(3;b1) Obs>``.

These are the insertion formulas of weights, exact in the width n below. Sample a carries a neuron i_a of its own in the
layer above and a neuron j_a below; W(a) is the weight between the two, z_1 and Obs live above, and s(3;1) is the fixed
activation of neuron j_3 below at sample 1. delta(3,4) says that i_3 = i_4, delta_j(3,4) that j_3 = j_4; all cases are
tried. Averages <...> have the stochastic metric hatG as covariance, and so K^(b1,c1) is its inverse here.

On the left every z is written out as b + sum of W s and the Gaussian W and b are averaged, with the variances that the
engine's first move gives to the joins; hatG is what its first two moves make of two preactivations.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from functools import reduce

from pertheory.algebra.dual import Dual, dual
from pertheory.book.chapters import Equation
from pertheory.book.exact import Polynomial, multiply
from pertheory.book.indices import check_indices
from pertheory.book.kinds.forward import forward
from pertheory.book.kinds.insertion import mismatch
from pertheory.book.matrices import invert_matrix
from pertheory.book.neurons import Fields, Neurons, assignments, check_piece, factors, refuse, summed_neurons, without
from pertheory.book.syntax import Expectation, Line, Mark, Node, Symbol
from pertheory.book.verdict import NUMERIC, VERIFIED, Verdict
from pertheory.book.visit import walk
from pertheory.derive.pair import joins
from pertheory.errors import InputError, UnsupportedError
from pertheory.graphs.partitions import joint_cumulant
from pertheory.remembered import remembered
from pertheory.rulebook.network import Network

#: neurons of the layer below; at least one fewer than there may be different samples, so that hatG has its inverse
BELOW = 3
PARAMETERS = frozenset({"W", "b"})


def decide(equation: Equation, form: str) -> Verdict:
    """Compare the sides for all ways in which samples may share neurons, above and below."""
    statement = equation.read(form)
    if not any(isinstance(node, Expectation) for side in statement.sides for node in walk(side)):
        raise refuse(equation, "a statement on weights needs an expectation such as E[W(3) Obs]")
    names = check_indices(statement)
    samples = {label: number for number, label in enumerate(names)}
    summed = summed_neurons(statement)
    below_matters = any(
        isinstance(node, Mark) and node.name in {"W", "delta_j"} for s in statement.sides for node in walk(s)
    )
    for above in assignments("", names):
        for below in assignments("", names) if below_matters else [dict.fromkeys(names, 0)]:
            if max(below.values(), default=0) >= BELOW:
                continue
            point = conditional_point(
                equation.rule, max(len(set(above.values())), 2), max(len(names), 2), equation.number
            )
            evaluator = Weights(equation.rule, samples, point, above, summed, below)
            first, *others = [evaluator.side(side) for side in statement.sides]
            for other in others:
                if other != first:
                    return mismatch(first, other, above)
    return Verdict(VERIFIED, NUMERIC)


class Conditional(Fields):
    """A random point at which the activations of the layer below are fixed numbers.

    Args:
        rule: the network, for the stochastic metric and the variances.
        neurons, samples, seed: as for `Fields`.
    """

    def __init__(self, rule: Network, neurons: int, samples: int, seed: str) -> None:
        super().__init__(neurons, samples, seed)
        draw = random.Random(f"{seed} below")
        self.below = [[draw.choice([-1, 1]) * draw.randint(1, 30) for _ in range(samples)] for _ in range(BELOW)]
        self.variance_W, self.variance_b = (self.variance(rule, site) for site in ("sum", ""))
        self.use([[dual(self.metric(rule, a, b)) for b in range(samples)] for a in range(samples)])

    def scalars(self, powers: tuple[tuple[str, int], ...]) -> Fraction:
        """A product of powers of scalars; the width is what it is."""
        value = Fraction(1)
        for name, exponent in powers:
            value *= (Fraction(BELOW) if name == "n" else self.symbol(name).value) ** exponent
        return value

    def variance(self, rule: Network, site: str) -> Fraction:
        """The variance of a weight (which opens a site) or of a bias, from the joins of move 1."""
        found = [join for join in joins(rule, 0, "z") if join.site == site and not join.step]
        if len(found) != 1 or len(rule.sublayers) != 1:
            raise UnsupportedError("statements on weights are about one layer of weights and biases")
        return self.scalars(found[0].factor.powers) / (BELOW if site else 1)

    def metric(self, rule: Network, a: int, b: int) -> Fraction:
        """The stochastic metric between two samples, from moves 1 and 2."""
        total = Fraction(0)
        for mono, coefficient in forward(rule, "hatG", (0, 1)).items():
            value = coefficient * self.scalars(mono.scalars)
            if mono.lines:
                value *= sum((row[a] * row[b] for row in self.below), Fraction(0))
            total += value
        return total

    def raise_with_metric(self) -> bool:
        """Make the inverse of the stochastic metric raise indices; whether it has one."""
        inverse = invert_matrix([[entry.value for entry in row] for row in self.kernel])  # type: ignore[misc]
        if inverse is not None:
            self.inverse = inverse
        return inverse is not None


@remembered(maxsize=100)
def conditional_point(rule: Network, neurons: int, samples: int, seed: str) -> Conditional:
    """A point at which hatG has an inverse if it can have one."""
    for trial in range(5):
        point = Conditional(rule, neurons, samples, f"{seed} {trial}")
        if point.raise_with_metric() or samples > BELOW + 1:
            return point
    raise InputError("the stochastic metric has no inverse")


class Weights(Neurons):
    """Evaluates statements whose expectations are over explicit weights.

    Args:
        below: the neuron below of each sample label; the others are those of `Neurons`.
    """

    point: Conditional

    def __init__(
        self,
        rule: Network,
        samples: Mapping[str, int],
        point: Conditional,
        above: Mapping[str, int],
        summed: frozenset[str],
        below: Mapping[str, int],
    ) -> None:
        super().__init__(rule, samples, point, above, summed)
        self.lower = dict(below)
        self.parameters = point.neurons * (BELOW + 1)
        self.expanded: dict[int, Polynomial] = {}

    def fresh(self, node: Node, place: Mapping[str, int]) -> Polynomial:
        """The value of a node that is not in the memory."""
        match node:
            case Symbol("n"):
                return self.number(dual(BELOW))
            case Line(0, label, neuron) if (neuron or label) in self.lower:
                return self.number(dual(self.point.below[self.lower[neuron or label]][place[label]]))
            case Line():
                raise InputError("only activations of the layer below, as s(3;b1), stand in a statement on weights")
            case Mark("delta_j", (a, b)) if a in self.lower and b in self.lower:
                return self.number(dual(int(self.lower[a] == self.lower[b])))
            case Mark("hatG", (a, b)):
                return self.number(self.point.kernel[place[a]][place[b]])
            case Mark(name) if name in PARAMETERS:
                raise InputError(f"{name} may only be a factor inside E[...]")
        return super().fresh(node, place)

    def expectation(self, node: Expectation, place: Mapping[str, int]) -> Dual:
        """The joint cumulant over W and b of the pieces."""
        pieces = [self.opened(piece, place) for piece in node.pieces]
        one: Polynomial = {(0,) * self.parameters: dual(1)}

        def moment(block: tuple[int, ...]) -> Dual:
            return self.over_parameters(reduce(multiply, [pieces[index] for index in block], one))

        found: Dual = joint_cumulant(len(pieces), moment, dual)
        return found

    def opened(self, piece: Node, place: Mapping[str, int]) -> Polynomial:
        """A piece as a polynomial in W and b."""
        weights = [factor for factor in factors(piece) if isinstance(factor, Mark) and factor.name in PARAMETERS]
        rest = without(piece, list(weights))
        check_piece(rest)
        found = self.in_parameters(self.value(rest, place))
        for weight in weights:
            assert isinstance(weight, Mark)
            (label,) = weight.labels
            if label not in self.lower:
                raise InputError(f"{weight.name} stands at a sample of the statement, not at {label}")
            own = self.weight(self.neurons[label], self.lower[label] if weight.name == "W" else BELOW)
            found = multiply(found, {self.unit(own): dual(1)})
        return found

    def weight(self, above: int, below: int) -> int:
        """The number of a weight among the parameters; the bias of a neuron stands behind its weights."""
        return above * (BELOW + 1) + below

    def unit(self, parameter: int) -> tuple[int, ...]:
        """The exponents of one parameter."""
        return tuple([int(i == parameter) for i in range(self.parameters)])

    def preactivation(self, field: int) -> Polynomial:
        """z = b + sum of W s at a field."""
        if field not in self.expanded:
            neuron, sample = self.point.place(field)
            total = {self.unit(self.weight(neuron, BELOW)): dual(1)}
            for below in range(BELOW):
                total[self.unit(self.weight(neuron, below))] = dual(self.point.below[below][sample])
            self.expanded[field] = total
        return self.expanded[field]

    def in_parameters(self, polynomial: Polynomial) -> Polynomial:
        """A polynomial in the fields as one in W and b, by Horner's rule in one field after the other."""
        return self.horner(polynomial, 0)

    def horner(self, polynomial: Polynomial, field: int) -> Polynomial:
        """As `in_parameters`, fields from one on."""
        if field == len(self.point.one):
            (value,) = polynomial.values()  # what is left is one monomial, all of its powers taken out
            return {(0,) * self.parameters: value}
        by_power: dict[int, Polynomial] = {}
        for exponents, value in polynomial.items():
            by_power.setdefault(exponents[field], {})[exponents] = value
        total: Polynomial = {}
        for power in range(max(by_power, default=0), -1, -1):
            total = multiply(total, self.preactivation(field)) if total else {}
            if power in by_power:
                for key, value in self.horner(by_power[power], field + 1).items():
                    total[key] = total[key] + value if key in total else value
        return total

    def over_parameters(self, polynomial: Polynomial) -> Dual:
        """The average over independent Gaussian W and b."""
        total = dual(0)
        for exponents, value in polynomial.items():
            if any(power % 2 for power in exponents):
                continue
            for parameter, power in enumerate(exponents):
                variance = self.point.variance_b if parameter % (BELOW + 1) == BELOW else self.point.variance_W
                for factor in range(1, power, 2):
                    value = value * dual(variance * factor)
            total = total + value
        return total
