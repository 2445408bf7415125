"""What the engine derives, on a single input, in the algebra of a class of activations.

On one input a recursion is a polynomial in the tensors of the layer below, and its coefficients hold couplings and
Gaussian averages of one variable. What the averages are depends on the class (`pertheory.solve.averages`); everything
else is the same for all classes, arithmetics and rules, and stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from pertheory.algebra.polynomial import add_sums, multiply_sums, without_zeros
from pertheory.algebra.terms import Average, Lines, Term, Terms
from pertheory.closure import covariance_type
from pertheory.errors import UnsupportedError
from pertheory.graphs.tensor import TensorType
from pertheory.memo import kept, remembered
from pertheory.recursion import derive
from pertheory.rulebook.architecture import INPUT
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor, tensor_of
from pertheory.solve.averages import Averages, Element, Symbols
from pertheory.worker import Node

#: tensors of the layer below, sorted
Factors = tuple[Node, ...]
#: a polynomial in tensors of the layer below
InTensors = dict[Factors, Element]

KERNEL = find_tensor("K")[0].kind
NTK = find_tensor("Theta")[0].kind


@remembered(maxsize=2_000)
def derived_terms(rule: Network, sublayer: int, kind: TensorType, order: int) -> Terms:
    """The engine's T{order} where every slot carries the same input; legs stay in front of products."""
    recursion = derive(rule, tensor_of(kind), order=order, sublayer=sublayer)
    return {term: value for term, value in recursion.single_input_terms.items() if term.order == order}


class Susceptibilities(NamedTuple):
    """How a layer treats small changes.

    Attributes:
        kernel: K of the layer above.
        parallel: the coefficient of G{1} in its own recursion, dK'/dK: of a change of the size of the input.
        perpendicular: the coefficient of Theta in its own recursion: of a change of its direction, and of gradients.
    """

    kernel: Element
    parallel: Element
    perpendicular: Element


class SingleInputLayer:
    """The recursions from a layer to the next, of any rule, in the algebra of one class.

    Args:
        rule: the network.
        averages: the class of the activation.
        couplings: the value of every hyperparameter of the rule that occurs.
        kernel: the kernel of the layer below, from which the averages of all sublayers follow.

    The polynomials of `polynomial` are those of a whole layer: sublayers are put into each other. Powers of n / n_prev
    are left out: widths are equal, or the caller knows that a monomial carries pairs - 1 + order of each tensor in it.

    Example:
        >>> from fractions import Fraction
        >>> from pertheory.rulebook.network import network
        >>> from pertheory.solve.averages import TwoSlopes
        >>> relu = TwoSlopes(Fraction, {"s": (Fraction(1), Fraction(0))})
        >>> couplings = {"C_b": 0, "C_W": 2, "lambda_b": 0, "lambda_W": 1}
        >>> layer = SingleInputLayer(network("mlp"), relu, couplings, Fraction(3))
        >>> [str(value) for value in layer.susceptibilities]
        ['3', '1', '1']
    """

    def __init__(self, rule: Network, averages: Averages, couplings: Mapping[str, Element], kernel: Element) -> None:
        if rule.fields != ("z",):
            fields = ", ".join(rule.fields)
            raise UnsupportedError(f"layers of {rule.name} end in {fields}; one input is solved where it is z alone")
        self.rule, self.averages, self.couplings = rule, averages, couplings
        self.last = len(rule.sublayers) - 1
        self._kernels: dict[tuple[int, str], Element] = {(-1, "z"): kernel, (-1, INPUT): kernel}

    def node(self, name: str) -> Node:
        """The node of a tensor at the end of a layer, by a name such as "V", "G{1}" or "Theta"."""
        tensor, order = find_tensor(name)
        return Node(self.last, tensor.kind, order or 0)

    def kernel(self, sublayer: int, field: str) -> Element:
        """The kernel of a field that a sublayer makes; sublayer -1 is the layer below."""
        if (sublayer, field) not in self._kernels:
            self._kernels[sublayer, field] = self._closed(Node(sublayer, covariance_type(field), 0))
        return self._kernels[sublayer, field]

    @property
    def kernel_above(self) -> Element:
        """K of the layer above.

        Raises:
            UnsupportedError: it depends on other tensors.
        """
        return self._closed(Node(self.last, KERNEL, 0))

    def _closed(self, node: Node) -> Element:
        found = self.polynomial(node)
        if set(found) - {()}:
            raise UnsupportedError(f"the kernel {node.key} of {self.rule.name} does not close on kernels")
        return found.get((), self.averages.number(0))

    @property
    def susceptibilities(self) -> Susceptibilities:
        """What the derived recursions of G and Theta say about small changes."""
        return Susceptibilities(self.kernel_above, self.own_coefficient("G{1}"), self.own_coefficient("Theta"))

    def own_coefficient(self, name: str) -> Element:
        """The coefficient of a tensor in its own recursion."""
        return self.coefficient(self.node(name), self.node(name))

    @kept
    def polynomial(self, node: Node) -> InTensors:
        """T{k} of a sublayer as a polynomial in the tensors of the layer below."""
        own = {key: self._sum(node.sublayer, terms) for key, terms in self._monomials(node).items()}
        if node.sublayer:
            own = add_sums(*(self._composed(key, value) for key, value in own.items()))
        return without_zeros(own)

    @kept
    def factors(self, node: Node) -> set[Factors]:
        """The products of tensors of the layer below in T{k}, also those whose coefficients vanish in the algebra."""
        found: set[Factors] = set()
        for own in self._monomials(node):
            products: set[Factors] = {()}
            for parts in (self.factors(factor) if node.sublayer else {(factor,)} for factor in own):
                products = {joined(a, b) for a in products for b in parts}
            found |= products
        return found

    def linear(self, node: Node) -> tuple[Element, InTensors]:
        """The recursion of T{k} as its own coefficient, and all that does not hold it.

        Raises:
            UnsupportedError: it is not linear in the tensor.
        """
        others = dict(self.polynomial(node))
        own = others.pop((node,), self.averages.number(0))
        if any(node in factors for factors in others):
            raise UnsupportedError(f"the recursion of {node.key} is not linear in it")
        return own, others

    def _composed(self, factors: Factors, value: Element) -> InTensors:
        """A monomial in tensors of the sublayer below, in those of the layer below."""
        product: InTensors = {(): value}
        for factor in factors:
            product = multiply_sums(product, self.polynomial(factor), joined)
        return product

    def coefficient(self, node: Node, of: Node) -> Element:
        """The coefficient of one tensor in T{k} of a layer; only averages that it holds are evaluated."""
        return self._part(node, (of,))

    @kept
    def _part(self, node: Node, key: Factors) -> Element:
        """The coefficient of one tensor of the layer below, or of none, in a polynomial."""
        total = self.averages.number(0)
        for factors, terms in self._monomials(node).items():
            inside = self._part_of_product(factors, key) if node.sublayer else int(factors == key)
            if inside:
                total = total + self._sum(node.sublayer, terms) * inside
        return total

    def _part_of_product(self, factors: Factors, key: Factors) -> Element:
        """The same in a product: one factor holds the tensor, the others are what does not depend on any."""
        ways = range(len(factors)) if key else [-1]
        total = self.averages.number(0)
        for chosen in ways:
            value = self.averages.number(1)
            for place, factor in enumerate(factors):
                value = value * self._part(factor, key if place == chosen else ())
            total = total + value
        return total

    def _monomials(self, node: Node) -> dict[Factors, list[tuple[Term, Fraction]]]:
        """The derived terms by the tensors of the sublayer below."""
        below = (node.sublayer - 1) % len(self.rule.sublayers)
        found: dict[Factors, list[tuple[Term, Fraction]]] = {}
        for term, rational in derived_terms(self.rule, node.sublayer, node.kind, node.order).items():
            key = tuple(sorted(Node(below, part.kind, part.order) for part in term.tensors))
            found.setdefault(key, []).append((term, rational))
        return found

    def _sum(self, sublayer: int, terms: list[tuple[Term, Fraction]]) -> Element:
        """Couplings and averages of some terms."""
        total = self.averages.number(0)
        for term, rational in terms:
            value = self.averages.number(rational)
            for name, power in term.couplings:
                if name not in self.couplings:
                    raise UnsupportedError(f"no value for the hyperparameter {name} of {self.rule.name}")
                value = value * self.couplings[name] ** power
            for average in term.averages:
                value = value * self._average(sublayer - 1, average)
            total = total + value
        return total

    @kept
    def _average(self, below: int, average: Average) -> Element:
        (factor,) = average.factors  # a single input: one factor
        kernel = self.kernel(below, average.field)
        return self.averages.average(kernel, factor.legs, factor.lines)


def joined(a: Factors, b: Factors) -> Factors:
    """The tensors of a product of two monomials."""
    return tuple(sorted((*a, *b)))


def first_layer(rule: Network, number: Any, couplings: Mapping[str, Any], product: Any) -> tuple[Any, Any]:
    """The kernel and the tangent kernel of the first layer; all other tensors vanish there.

    Args:
        rule: the network.
        number: makes an element of a rational number.
        couplings: the value of every hyperparameter that occurs.
        product: x.x/n_0 of the input, whose components stand where others have preactivations.
    """
    functions: dict[Lines, Element] = {}  # inputs carry none
    layer = SingleInputLayer(rule.first_layer, Symbols(number, functions.__getitem__), couplings, product)
    return layer.kernel_above, layer.polynomial(layer.node("Theta")).get((), number(Fraction(0)))


def input_product(rule: Network, number: Any, couplings: Mapping[str, Any], kernel: Any) -> Any:
    """x.x/n_0 of the input whose first layer has a given kernel, which is linear in it."""
    ends = [first_layer(rule, number, couplings, number(Fraction(product)))[0] for product in (0, 1)]
    return (kernel - ends[0]) / (ends[1] - ends[0])


def first_tangent_kernel(rule: Network, number: Any, couplings: Mapping[str, Any], kernel: Any) -> Any:
    """Theta of the first layer where its kernel is given."""
    return first_layer(rule, number, couplings, input_product(rule, number, couplings, kernel))[1]
