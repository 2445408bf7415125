"""The engine's recursions of any sound rule in exact rational arithmetic: several sublayers, fields and functions.

Like engine.py, whose Gaussian averages of polynomials it uses, for rules other than the perceptron.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from pertheory.graphs.tensor import TensorType, pure_type
from pertheory.recursion import derive
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor, tensor_of

from .engine import average, derivative

IDENTITY = (Fraction(0), Fraction(1))


class ExactNetworkEngine:
    """T{k} after any number of steps (sublayers, counted through all layers), component by component.

    Args:
        rule: the network rule.
        covariance: first-layer covariance, one matrix over the samples for each field.
        tangent: first-layer tangent kernel, likewise.
        functions: for every step ``{name: coefficients}``, constant first.
        couplings: for every step the values of the hyperparameters.
        widths: for every step the width that is summed over in it, up to a common factor.
    """

    def __init__(
        self,
        rule: Network,
        covariance: Mapping[str, Sequence[Sequence[Fraction]]],
        tangent: Mapping[str, Sequence[Sequence[Fraction]]],
        functions: Sequence[Mapping[str, tuple[Fraction, ...]]],
        couplings: Sequence[Mapping[str, Fraction]],
        widths: Sequence,
    ) -> None:
        self.rule, self.covariance, self.tangent = rule, covariance, tangent
        self.functions, self.couplings, self.widths = functions, couplings, widths
        self.samples = range(len(next(iter(covariance.values()))))
        self.values: dict = {}
        self._terms: dict = {}

    def tensor(self, tensor: Tensor, order: int, steps: int, samples: Sequence[int]) -> Fraction:
        """T{order} after so many steps, samples in the order of the tensor's slots."""
        by_vertex = [0] * tensor.kind.size
        for slot, vertex in enumerate(tensor.slots):
            by_vertex[vertex] = samples[slot]
        return self.component(tensor.kind, order, steps, tuple(by_vertex))

    def component(self, kind: TensorType, order: int, steps: int, samples: tuple[int, ...]) -> Fraction:
        key = (kind, order, steps, samples)
        if key not in self.values:
            self.values[key] = self._step(*key) if steps else self._first(kind, order, samples)
        return self.values[key]

    def _first(self, kind: TensorType, order: int, samples: tuple[int, ...]) -> Fraction:
        if order or kind.size != 2 or kind.fields[0] != kind.fields[1]:
            return Fraction(0)
        table = self.tangent if kind.edges else self.covariance
        return table[kind.fields[0]][samples[0]][samples[1]]

    def terms(self, kind: TensorType, order: int, sublayer: int):
        key = (kind, order, sublayer)
        if key not in self._terms:
            found = derive(self.rule, tensor_of(kind), order=order, sublayer=sublayer).terms
            self._terms[key] = {term: c for term, c in found.items() if term.order == order}
        return self._terms[key]

    def _step(self, kind: TensorType, order: int, steps: int, samples: tuple[int, ...]) -> Fraction:
        in_slots = [samples[vertex] for vertex in tensor_of(kind).slots]
        below = steps - 1
        covariance = {
            field: tuple(
                tuple(self.component(pure_type(1, (field,))[0], 0, below, (a, b)) for b in self.samples)
                for a in self.samples
            )
            for field in self.rule.fields_below(below % len(self.rule.sublayers))
        }
        ratio = Fraction(self.widths[below]) / Fraction(self.widths[below - 1]) if below else Fraction(1)
        functions = {**self.functions[below], "id": IDENTITY}
        total = Fraction(0)
        for term, coefficient in self.terms(kind, order, below % len(self.rule.sublayers)).items():
            value = coefficient * ratio**term.width_power
            for name, power in term.couplings:
                value *= self.couplings[below][name] ** power
            for component in term.tensors:
                if value:
                    labels = tuple(in_slots[slot] for slot in component.slots)
                    value *= self.component(component.kind, component.order, below, labels)
            for item in term.averages:
                if not value:
                    break
                assert all(factor.legs == 0 for factor in item.factors)  # samples are distinct slots
                lines = [
                    (in_slots[factor.sample], derivative(functions[name], times))
                    for factor in item.factors
                    for name, times in factor.lines
                ]
                value *= average(tuple(sorted(lines)), covariance[item.field])
            total += value
        return total
