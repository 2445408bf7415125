"""The engine's recursions evaluated in exact rational arithmetic, for polynomial activations.

The recursions are taken as the engine derives them; Gaussian averages of polynomials are finite sums over pairings
(Wick) and are computed here. So a comparison with the exact witnesses tests the derivation alone, without rounding.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from pertheory.algebra.terms import Term
from pertheory.graphs.tensor import TensorType, tensor_type
from pertheory.recursion import derive
from pertheory.rulebook.network import Network, network
from pertheory.rulebook.tensors import Tensor, tensor_of

#: exact either way, and integers are ten times as fast
Rational = Fraction | int
Gram = Sequence[Sequence[Rational]]


def derivative(polynomial: Sequence[Fraction], times: int) -> tuple[Fraction, ...]:
    for _ in range(times):
        polynomial = [power * c for power, c in enumerate(polynomial)][1:]
    return tuple(polynomial)


def gaussian_moment(variables: tuple[int, ...], covariance: Gram) -> Rational:
    """Isserlis: sum over pairings of products of covariances."""
    return 0 if len(variables) % 2 else _moment(variables, covariance)


@cache
def _moment(variables: tuple[int, ...], covariance: Gram) -> Rational:
    if not variables:
        return 1
    head, rest = variables[0], variables[1:]
    total: Rational = 0
    for place in range(len(rest)):
        if covariance[head][rest[place]]:
            total += covariance[head][rest[place]] * _moment(rest[:place] + rest[place + 1 :], covariance)
    return total


@cache
def average(lines: tuple[tuple[int, tuple[Rational, ...]], ...], covariance: Gram) -> Rational:
    """The Gaussian average of a product of (sample, polynomial)."""
    monomials: dict[tuple[int, ...], Rational] = {(): 1}
    for sample, polynomial in lines:
        grown: dict[tuple[int, ...], Rational] = {}
        for variables, c in monomials.items():
            for power, d in enumerate(polynomial):
                if d:
                    key = tuple(sorted(variables + (sample,) * power))
                    grown[key] = grown.get(key, 0) + c * d
        monomials = grown
    return sum(c * gaussian_moment(variables, covariance) for variables, c in monomials.items())


class ExactEngine:
    """T{k} at any layer, exactly, component by component.

    Args:
        rule: the network rule; its functions are all the polynomial given (one a layer).
        gram: x.x / n_0.
        activation: coefficients of s for each hidden layer, constant first.
        couplings: hyperparameters, one value a layer.
        ratios: (r_1, .., r_(L-1)) with n_l = r_l n.
    """

    def __init__(self, gram: Gram, activation, couplings, ratios=(), rule: str | Network = "mlp") -> None:
        self.rule = network(rule)
        self.gram = gram
        self.activation = activation
        self.couplings = couplings
        self.ratios = ratios
        self.values: dict = {}
        self.derived = {(n, k): derivative(s, k) for n, s in enumerate(activation) for k in range(len(s))}

    def tensor(self, tensor: Tensor, order: int, layer: int, samples: Sequence[int]) -> Fraction:
        """T{order} at a layer, samples in the order of the tensor's slots."""
        by_vertex = [0] * tensor.kind.size
        for slot, vertex in enumerate(tensor.slots):
            by_vertex[vertex] = samples[slot]
        return self.component(tensor.kind, order, layer, tuple(by_vertex))

    def component(self, kind: TensorType, order: int, layer: int, samples: tuple[int, ...]) -> Fraction:
        key = (kind, order, layer, samples)
        if key not in self.values:
            self.values[key] = self.first(kind, order, samples) if layer == 1 else self.step(*key)
        return self.values[key]

    def coupling(self, name: str, layer: int) -> Fraction:
        return self.couplings[name][layer - 1]

    def first(self, kind: TensorType, order: int, samples: tuple[int, ...]) -> Fraction:
        if order or kind.size != 2:
            return Fraction(0)
        names = ("lambda_b", "lambda_W") if kind.edges else ("C_b", "C_W")
        gram = self.gram[samples[0]][samples[1]]
        return self.coupling(names[0], 1) + self.coupling(names[1], 1) * gram

    def step(self, kind: TensorType, order: int, layer: int, samples: tuple[int, ...]) -> Fraction:
        tensor = tensor_of(kind)
        in_slots = [samples[vertex] for vertex in tensor.slots]
        below = layer - 1
        kernel, _ = tensor_type(("z", "z"), (), ((0, 1),))
        count = len(self.gram)
        covariance = tuple(tuple(self.component(kernel, 0, below, (a, b)) for b in range(count)) for a in range(count))
        ratio = Fraction(1)
        if self.ratios and below > 1:
            ratio = Fraction(self.ratios[below - 1]) / Fraction(self.ratios[below - 2])
        total = Fraction(0)
        for (width_power, couplings), terms in terms_of(self.rule, tensor, order).items():
            front = ratio**width_power * math.prod(self.coupling(name, layer) ** power for name, power in couplings)
            total += front * sum(self._term(term, c, in_slots, below, covariance) for term, c in terms)
        return total.numerator if total.denominator == 1 else total

    def _term(self, term: Term, coefficient: Fraction, in_slots: list[int], below: int, covariance: Gram) -> Rational:
        """A term without its couplings and its power of the ratio of the widths."""
        value: Rational = coefficient.numerator
        for component in term.tensors:
            if not value:
                break
            labels = tuple(in_slots[slot] for slot in component.slots)
            value *= self.component(component.kind, component.order, below, labels)
        for item in term.averages:
            if not value:
                break
            assert all(factor.legs == 0 for factor in item.factors)  # samples are distinct slots
            lines = [
                (in_slots[sample], self.derived.get((below - 1, times), ()))
                for sample, _, functions in item.factors
                for _, times in functions
            ]
            value *= average(tuple(sorted(lines)), covariance)
        return value if coefficient.denominator == 1 else Fraction(value, coefficient.denominator)


@cache
def terms_of(rule: Network, tensor: Tensor, order: int):
    """The expanded form of T{order} alone, by power of the ratio of the widths and couplings."""
    found = defaultdict(list)
    for term, c in derive(rule, tensor, order=order).terms.items():
        if term.order == order:
            found[term.width_power, term.couplings].append((term, c))
    return found
