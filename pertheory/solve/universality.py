"""The universality classes at criticality, solved symbolically for any rule.

`scale_invariant`   two slopes: K stands still at every value; tensors are polynomials in l
`half_stable`       any smooth activation at a fixed point K > 0 with both susceptibilities one; polynomials in l
`VanishingKernel`   smooth, s(0) = 0 (K* = 0): K decays as 1/l; leading powers of l

Which hyperparameters criticality fixes follows from the rule (`pertheory.solve.channels`): its conditions, read off the
derived recursions, are linear in them and are solved one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from pertheory.algebra.terms import Lines
from pertheory.closure import covariance_type
from pertheory.errors import UnsupportedError
from pertheory.memo import remembered
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import find_tensor
from pertheory.solve.averages import (
    AtZero,
    Averages,
    Element,
    Expanded,
    Symbols,
    TwoSlopes,
    functions_of,
    without_zeds,
)
from pertheory.solve.channels import inner_values, open_functions, outer
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.induction import DepthPolynomials
from pertheory.solve.layer import KERNEL, NTK, SingleInputLayer, derived_terms, first_tangent_kernel
from pertheory.worker import Node

#: slopes for positive and for negative z; None keeps them as symbols
Slopes = tuple[Fraction, Fraction] | None
#: the tensors of the book, besides G{1}
BOOK = ("K", "Theta", "V", "A", "B", "D", "F", "P", "Q", "R", "S", "T", "U")


class ClassInDepth(NamedTuple):
    """A class whose tensors are polynomials in the depth.

    Attributes:
        field: of all elements; with the symbols K and l.
        symbols: what every hyperparameter, and every symbol of the class, is at criticality.
        averages: of the class.
        tensors: the solved recursions.
        labels: the averages that symbols stand for.
        given: what h, h_par and nu are in these averages.
    """

    field: RationalFunctions
    symbols: dict[str, Element]
    averages: Averages
    tensors: DepthPolynomials
    labels: Mapping[str, Lines] = MappingProxyType({})
    given: Mapping[str, Element] = MappingProxyType({})


@remembered(maxsize=16)
def scale_invariant(rule: Network, slopes: Slopes = None) -> ClassInDepth:
    """Activations of two slopes a_plus, a_minus; no bias, and the weights' variance from the kernel recursion.

    Args:
        rule: the network.
        slopes: both of them; symbols if left out.

    Raises:
        UnsupportedError: the rule has no critical variance for every kernel.
    """
    given = [name for name, _ in rule.hyperparameters]
    field = RationalFunctions(["a_plus", "a_minus", "K", "l", "n", *given])
    symbols = dict(field.symbols)
    if slopes is not None:
        symbols |= {"a_plus": field.number(slopes[0]), "a_minus": field.number(slopes[1])}
    pair = symbols["a_plus"], symbols["a_minus"]
    averages = TwoSlopes(field.number, dict.fromkeys(open_functions(rule), pair))
    symbols |= off_and_inner(rule, field)
    kernel, weight = symbols["K"], outer(rule).weight
    above = SingleInputLayer(rule, averages, symbols, kernel).kernel_above
    symbols[weight] = field.root(above - kernel, weight)
    return _in_depth(rule, field, symbols, averages)


@remembered(maxsize=16)
def half_stable(rule: Network, nodes: tuple[Node, ...] = ()) -> ClassInDepth:
    """Any smooth activation at a fixed point K > 0 where both susceptibilities are one; averages are symbols.

    Both susceptibilities fix <s' s'> and <s s''>, the fixed point fixes the variance of the bias. Three more are
    given away for names: h and h_par, half the slopes of chi_perpendicular and chi_parallel in K, and
    nu = V/((l - 1) K^2).

    Args:
        rule: the network.
        nodes: the tensors that are to be solved for; those of the book if left out.

    Raises:
        UnsupportedError: the conditions cannot be solved one after the other, or the rule has no bias.
    """
    own, inner, last = outer(rule), inner_values(rule), len(rule.sublayers) - 1
    nodes = nodes or tuple(Node(last, find_tensor(name)[0].kind, 0) for name in BOOK)
    label = _labels(rule, nodes)
    free = [name for name, _ in rule.hyperparameters if name not in (*inner, own.bias)]
    if not own.bias:
        raise UnsupportedError(f"{rule.name} has no bias whose variance could keep the kernel where it is")
    field = RationalFunctions(["K", "l", "n", "h", "h_par", "nu", *free, own.bias, *label.values()])
    symbols = dict(field.symbols) | {name: field.number(value) for name, value in inner.items()}

    def of_lines(lines: Lines) -> Element:
        if lines not in label:
            raise UnsupportedError("this solution needs averages that the half-stable setting does not name")
        return symbols[label[lines]]

    averages = Symbols(field.number, of_lines)
    kernel, one = symbols["K"], field.number(1)

    def layer() -> SingleInputLayer:
        return SingleInputLayer(rule, averages, symbols, kernel)

    def slope(name: str) -> Element:
        about = Expanded(averages, kernel, 1)
        couplings = {name: about.constant(symbols[name]) for name, _ in rule.hyperparameters}
        return SingleInputLayer(rule, about, couplings, about.kernel).own_coefficient(name).coefficients[1]

    def source() -> Element:
        below = layer()
        return below.polynomial(below.node("V")).get((), one * 0)

    conditions: list[tuple[Lines | str, Callable[[], Element], Element]] = [
        ((("s", 1), ("s", 1)), lambda: layer().susceptibilities.perpendicular, one),
        ((("s", 0), ("s", 2)), lambda: layer().susceptibilities.parallel, one),
        (own.bias, lambda: layer().kernel_above, kernel),
        ((("s", 1), ("s", 3)), lambda: slope("Theta") / 2, symbols["h"]),
        ((("s", 0), ("s", 4)), lambda: slope("G{1}") / 2, symbols["h_par"]),
        ((("s", 0),) * 4, lambda: source() / kernel**2, symbols["nu"]),
    ]
    given: dict[str, Element] = {}
    for what, quantity, value in conditions:
        name = what if isinstance(what, str) else label.get(what)
        if name is not None:
            found = quantity()
            symbols[name] = field.root(found - value, name)
            given |= {own: found for own in ("h", "h_par", "nu") if value == field.symbols[own]}
    names = {name: lines for lines, name in label.items()}
    return _in_depth(rule, field, symbols, averages)._replace(labels=names, given=given)


def _averages_below(rule: Network, nodes: Iterable[Node]) -> set[tuple[int, Lines]]:
    """The averages in the recursions of some tensors and of all that they need: legs, and the lines below them."""
    last, found = len(rule.sublayers) - 1, set()
    open_nodes = [*nodes, *(Node(last, kind, order) for kind, order in ((KERNEL, 0), (KERNEL, 1), (NTK, 0)))]
    seen: set[Node] = set()
    while open_nodes:
        node = open_nodes.pop()
        if node in seen:
            continue
        seen.add(node)
        below = (node.sublayer - 1) % len(rule.sublayers)
        for term in derived_terms(rule, node.sublayer, node.kind, node.order):
            open_nodes += [Node(below, part.kind, part.order) for part in term.tensors]
            found |= {(factor.legs, factor.lines) for average in term.averages for factor in average.factors}
            open_nodes += [Node(below, covariance_type(average.field), 0) for average in term.averages if node.sublayer]
    return found


def _labels(rule: Network, nodes: tuple[Node, ...]) -> dict[Lines, str]:
    """Names for the averages that some tensors need, and for the slopes of those of two functions in K."""
    found = set()
    for legs, lines in _averages_below(rule, nodes):
        zeds, functions = functions_of(lines)
        for more in (0, 2) if len(functions) <= 2 else (0,):
            found |= {key for _, _, key in without_zeds(zeds, legs + more, functions) if key}
    return {key: "_".join(["m", *(f"{name}{order}" for name, order in key)]) for key in sorted(found)}


def _in_depth(rule: Network, field: RationalFunctions, symbols: dict[str, Element], averages: Averages) -> ClassInDepth:
    step = SingleInputLayer(rule, averages, symbols, symbols["K"])
    first = {}
    if rule.is_trained:
        first[step.node("Theta")] = first_tangent_kernel(rule, field.number, symbols, symbols["K"])
    return ClassInDepth(field, symbols, averages, DepthPolynomials(step, first))


def off_and_inner(rule: Network, field: RationalFunctions) -> dict[str, Element]:
    """No bias, and inner parameters at their values."""
    off = {outer(rule).bias: 0} if outer(rule).bias else {}
    return {name: field.number(value) for name, value in {**off, **inner_values(rule)}.items()}


class OffCritical(NamedTuple):
    """A class with every coupling free.

    Attributes:
        field, symbols, averages: as in `ClassInDepth`.
        step: the recursions of a layer.
    """

    field: RationalFunctions
    symbols: dict[str, Element]
    averages: Any
    step: SingleInputLayer


def small_kernel(rule: Network, order: int, derivatives: int) -> OffCritical:
    """Smooth activations with s(0) = 0, as series in K, with a_1, a_2 and b_1 of the derived recursions.

    K' = C_b + (..) (K + a_1 K^2 + a_2 K^3 + ..), and the coefficient of Theta in its own recursion is (..) (1 + b_1
    K + ..).
    """
    sigma = [f"sigma_{power}" for power in range(1, derivatives + 1)]
    given = [name for name, _ in rule.hyperparameters]
    field = RationalFunctions([*sigma, *given])
    at_zero = [field.number(0), *(field.symbols[name] for name in sigma)]
    base = AtZero(field.number, dict.fromkeys(open_functions(rule), at_zero))
    averages = Expanded(base, field.number(0), order)
    couplings = {name: averages.constant(field.symbols[name]) for name in given}
    step = SingleInputLayer(rule, averages, couplings, averages.kernel)
    return OffCritical(field, dict(field.symbols) | expansion_coefficients(step), averages, step)


def expansion_coefficients(step: SingleInputLayer) -> dict[str, Element]:
    """a_1, a_2 and b_1 of a layer over series in K."""
    kernel, _, own = step.susceptibilities
    head = kernel.coefficients[1]
    return {
        "a_1": kernel.coefficients[2] / head,
        "a_2": kernel.coefficients[3] / head,
        "b_1": own.coefficients[1] / own.coefficients[0],
    }


def two_slopes(rule: Network) -> OffCritical:
    """Piecewise linear activations; everything is a rational function."""
    given = [name for name, _ in rule.hyperparameters]
    field = RationalFunctions(["a_plus", "a_minus", "K", *given])
    pair = field.symbols["a_plus"], field.symbols["a_minus"]
    averages = TwoSlopes(field.number, dict.fromkeys(open_functions(rule), pair))
    step = SingleInputLayer(rule, averages, field.symbols, field.symbols["K"])
    return OffCritical(field, dict(field.symbols), averages, step)
