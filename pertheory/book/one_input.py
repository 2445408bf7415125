"""The engine's recursions on a single input, in exact algebra.

On one input a recursion is a polynomial in the tensors of the layer below, and its coefficients hold couplings and
Gaussian averages of one variable. What the averages are depends on the class of activations (`classes`); everything
else is the same for all of them and stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pertheory.algebra.terms import Lines, Terms
from pertheory.book.memory import remembered
from pertheory.closure import covariance_type
from pertheory.errors import UnsupportedError
from pertheory.graphs.tensor import TensorType
from pertheory.recursion import derive
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor, tensor_of
from pertheory.work import Node

#: an element of the algebra of a class: it adds and multiplies
Element = Any
#: a polynomial in tensors of the layer below: the tensors of each monomial, sorted, with its coefficient
Polynomial = dict[tuple[Node, ...], Element]

KERNEL = find_tensor("K")[0].kind
NTK = find_tensor("Theta")[0].kind


class ActivationClass(Protocol):
    """A class of activations: the algebra in which its averages live, and the averages."""

    def number(self, value: Any) -> Element:
        """A rational number as an element."""

    def average(self, kernel: Element, legs: int, lines: Lines) -> Element:
        """``<d^legs/dz^legs of the product of the lines>`` over a Gaussian variable of variance ``kernel``."""


@remembered(maxsize=2_000)
def terms_of(rule: Network, sublayer: int, kind: TensorType, order: int) -> Terms:
    """The engine's T{order} where every slot carries the same input; legs stay in front of products."""
    recursion = derive(rule, tensor_of(kind), order=order, sublayer=sublayer)
    return {term: value for term, value in recursion.single_input_terms.items() if term.order == order}


class OneInput:
    """The recursions of one rule in the algebra of one class.

    Args:
        rule: the network.
        functions: the class of the activation.
        couplings: the value of every hyperparameter of the rule that occurs.
        kernel: the kernel of the layer below, from which the averages of all sublayers follow.

    The polynomials of `polynomial` are those of a whole layer: sublayers are put into each other. Powers of n / n_prev
    are left out: widths are equal, or the caller knows that a monomial carries pairs - 1 + order of each tensor in it.
    """

    def __init__(
        self, rule: Network, functions: ActivationClass, couplings: Mapping[str, Element], kernel: Element
    ) -> None:
        self.rule, self.functions, self.couplings = rule, functions, couplings
        self.last = len(rule.sublayers) - 1
        self._kernels: dict[tuple[int, str], Element] = {(-1, "z"): kernel}
        self._averages: dict[tuple[Any, ...], Element] = {}
        self._polynomials: dict[Node, Polynomial] = {}

    def node(self, name: str) -> Node:
        """The node of a tensor at the end of a layer, by a name such as "V", "G{1}" or "Theta"."""
        tensor, order = find_tensor(name)
        return Node(self.last, tensor.kind, order or 0)

    def kernel(self, sublayer: int, field: str) -> Element:
        """The kernel of a field that a sublayer makes; sublayer -1 is the layer below."""
        if (sublayer, field) not in self._kernels:
            found = self._one_sublayer(Node(sublayer, covariance_type(field), 0))
            if set(found) != {()}:
                raise UnsupportedError(f"the kernel of {field} does not close on kernels")
            self._kernels[sublayer, field] = found[()]
        return self._kernels[sublayer, field]

    @property
    def kernel_above(self) -> Element:
        """K of the layer above.

        Raises:
            UnsupportedError: it depends on other tensors, or there is none.
        """
        found = self.polynomial(Node(self.last, KERNEL, 0))
        if set(found) != {()}:
            raise UnsupportedError("the kernel recursion does not close on the kernel")
        return found[()]

    def polynomial(self, node: Node) -> Polynomial:
        """T{k} of a sublayer as a polynomial in the tensors of the layer below."""
        if node not in self._polynomials:
            self._polynomials[node] = self._whole_layer(node)
        return self._polynomials[node]

    def coefficient(self, node: Node, of: Node) -> Element:
        """The coefficient of one tensor in T{k} of a layer of one sublayer; no other average is evaluated."""
        if self.last:
            raise UnsupportedError("a single coefficient is read off rules of one sublayer")
        return self._one_sublayer(node, (of,)).get((of,), self.functions.number(0))

    def _whole_layer(self, node: Node) -> Polynomial:
        own = self._one_sublayer(node)
        if node.sublayer == 0:
            return own
        total: Polynomial = {}
        for tensors, coefficient in own.items():
            product: Polynomial = {(): coefficient}
            for factor in tensors:
                product = multiply(product, self.polynomial(factor))
            for key, value in product.items():
                add_to(total, key, value)
        return without_zeros(total)

    def _one_sublayer(self, node: Node, only: tuple[Node, ...] | None = None) -> Polynomial:
        below = (node.sublayer - 1) % len(self.rule.sublayers)
        total: Polynomial = {}
        for term, rational in terms_of(self.rule, node.sublayer, node.kind, node.order).items():
            key = tuple(sorted(Node(below, part.kind, part.order) for part in term.tensors))
            if only not in (None, key):
                continue
            value = self.functions.number(rational)
            for name, power in term.couplings:
                value = value * self._coupling(name) ** power
            for average in term.averages:
                value = value * self._average(node.sublayer - 1, average.field, average.factors)
            add_to(total, key, value)
        return without_zeros(total)

    def _coupling(self, name: str) -> Element:
        if name not in self.couplings:
            raise UnsupportedError(f"no value for the hyperparameter {name} of {self.rule.name}")
        return self.couplings[name]

    def _average(self, below: int, field: str, factors: Any) -> Element:
        key = (below, field, factors)
        if key not in self._averages:
            (factor,) = factors  # a single input: one factor
            self._averages[key] = self.functions.average(self.kernel(below, field), factor.legs, factor.lines)
        return self._averages[key]


def add_to(total: Polynomial, key: tuple[Node, ...], value: Element) -> None:
    """Add one monomial."""
    total[key] = total[key] + value if key in total else value


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    total: Polynomial = {}
    for left, u in a.items():
        for right, v in b.items():
            add_to(total, tuple(sorted((*left, *right))), u * v)
    return total


def without_zeros(polynomial: Polynomial) -> Polynomial:
    """Leave out monomials whose coefficient is exactly zero."""
    return {key: value for key, value in polynomial.items() if value}
