"""Lowering: a closed theory becomes a program of kernels."""

from __future__ import annotations

from fractions import Fraction

from pertheory.algebra.monomial import Powers
from pertheory.algebra.terms import Average, Terms, sorted_terms
from pertheory.averages.request import Request
from pertheory.closure import Closure, covariance_type
from pertheory.graphs.partitions import index_partitions
from pertheory.graphs.tensor import symmetry_elements
from pertheory.kernels.factor import factor
from pertheory.kernels.language import (
    INPUTS,
    AverageArray,
    Case,
    Initial,
    Kernel,
    Level,
    Operand,
    Product,
    Program,
    Symmetry,
    TensorArray,
    alike,
    renamed,
)
from pertheory.rulebook.network import IDENTITY
from pertheory.rulebook.tensors import Tensor, tensor_of
from pertheory.rulebook.values import one_of
from pertheory.typeset.components import written
from pertheory.typeset.write import LatexStyle, write
from pertheory.worker import Node

#: More inputs than any tensor has slots.
MANY = 1000


def lower(
    theory: Closure, inputs: str = "many", kinked: bool = False, factored: bool = True, most: int | None = None
) -> Program:
    """A program that computes the tensors of a theory.

    Args:
        theory: the closed recursions.
        inputs: "many": every tensor has one axis per slot over the inputs. "one": all slots carry the same input, and
            arrays hold one value for each input.
        kinked: whether a function has kinks: what stands at one input is then combined before it is evaluated, in a
            case of its own for each way in which slots may carry the same input.
        factored: whether common factors are taken out; without it every kernel is a plain sum of products.
        most: with kinks, the number of different inputs that there will be; cases with more of them are left out.
    """
    one_of(INPUTS, inputs, "inputs")
    rule = theory.network
    levels = []
    for sublayer in range(len(rule.sublayers)):
        nodes = [node for node in theory.nodes if node.sublayer == sublayer]
        levels.append(_level(theory, sublayer, nodes, inputs == "one", (most or MANY) if kinked else 0))
    last = [node for node in theory.nodes if node.sublayer == len(rule.sublayers) - 1]
    program = Program(
        network=rule.name,
        title=rule.title,
        order=theory.order,
        closure=rule.closure,
        inputs=inputs,
        hyperparameters=rule.hyperparameters,
        initial=tuple(_initial(theory, node, inputs == "one") for node in last),
        levels=tuple(levels),
        glossary=tuple(
            (node.key, node.tensor.observable, node.tensor.pairs, node.tensor.title or "no name in the book")
            for node in last
        ),
    )
    return factor(program) if factored else program


def _rank(tensor: Tensor, one: bool) -> int:
    return 1 if one else tensor.kind.size


def symmetry_of(tensor: Tensor, one: bool = False) -> Symmetry:
    """The symmetries of a tensor as permutations of its slots, the identity first."""
    if one:
        return ((0,),)
    slot_of = {vertex: slot for slot, vertex in enumerate(tensor.slots)}
    return tuple(
        sorted(tuple(slot_of[element[vertex]] for vertex in tensor.slots) for element in symmetry_elements(tensor.kind))
    )


def _initial(theory: Closure, node: Node, one: bool) -> Initial:
    """A tensor of the first layer: an average there is an entry of the Gram matrix."""
    constant: list[tuple[Fraction, Powers]] = []
    gram: list[tuple[Fraction, Powers]] = []
    for term, coefficient in sorted_terms(theory.first_layer(node).terms):
        (gram if term.averages else constant).append((coefficient, term.couplings))
    return Initial(node.key, _rank(node.tensor, one), tuple(constant), tuple(gram))


def _level(theory: Closure, sublayer: int, nodes: list[Node], one: bool, kinked: int) -> Level:
    averages: dict[tuple[str, Request], AverageArray] = {}
    several = len(theory.network.fields_below(sublayer)) > 1
    kernels = [_kernel(theory, node, one, kinked, averages, several) for node in nodes]
    fields = sorted({array.field for array in averages.values()})
    return Level(
        covariances=tuple((field, tensor_of(covariance_type(field)).name) for field in fields),
        averages=tuple(sorted(averages.values(), key=lambda a: (a.field, a.rank, a.request))),
        kernels=tuple(kernels),
    )


def _kernel(
    theory: Closure,
    node: Node,
    one: bool,
    kinked: int,
    averages: dict[tuple[str, Request], AverageArray],
    several: bool,
) -> Kernel:
    recursion = theory.recursion(node)
    tensors: dict[str, TensorArray] = {}
    used: dict[str, None] = {}
    patterns = _patterns(node.tensor.kind.size, one, kinked)
    cases: list[Case] = []
    for pattern, like in zip(patterns, alike(patterns, symmetry_of(node.tensor)), strict=True):
        if like is None:
            products = _products(recursion.terms_where(pattern), one, several, tensors, used, averages)
        else:
            products = [renamed(product, like.names) for product in cases[like.place].products]
        cases.append(Case((0,) if one else pattern, tuple(products)))
    return Kernel(
        function=node.tensor.identifier + (f"_{node.order}" if node.order else ""),
        key=node.key,
        rank=_rank(node.tensor, one),
        symmetry=symmetry_of(node.tensor, one),
        title=node.tensor.title or node.tensor.observable,
        formula=write(recursion, LatexStyle(), "diagram"),
        below=tuple(tensors[name] for name in sorted(tensors)),
        tensors=tuple(tensors[name] for name in sorted(tensors)),
        averages=tuple(sorted(used)),
        cases=tuple(cases),
    )


def _patterns(slots: int, one: bool, kinked: int) -> list[tuple[int, ...]]:
    """Which slots carry the same input, the more distinct ones first; up to so many distinct ones if not 0."""
    if one:
        return [(0,) * slots]
    if not kinked:
        return [tuple(range(slots))]
    found = []
    for partition in sorted(index_partitions(slots), key=lambda blocks: (-len(blocks), blocks)):
        if len(partition) > kinked:
            continue
        first = {slot: block[0] for block in partition for slot in block}
        found.append(tuple(first[slot] for slot in range(slots)))
    return found


def _products(
    terms: Terms,
    one: bool,
    several: bool,
    tensors: dict[str, TensorArray],
    used: dict[str, None],
    averages: dict[tuple[str, Request], AverageArray],
) -> list[Product]:
    """Terms as products of arrays; enters the arrays that they need into the tables."""
    products = []
    for term, coefficient in sorted_terms(terms):
        operands = []
        for component in term.tensors:
            tensor, order, slots = written(*component)
            array = tensor.identifier + (f"_{order}" if order else "")
            key = tensor.name + (f"{{{order}}}" if order else "")
            tensors[array] = TensorArray(array, key, _rank(tensor, one), symmetry_of(tensor, one))
            operands.append(Operand(array, (0,) if one else slots))
        for average in term.averages:
            request, axes = _request(average)
            found = averages.get((average.field, request))
            if found is None:
                found = AverageArray(_average_name(average.field, request, several, averages), average.field, request)
                averages[average.field, request] = found
            used[found.name] = None
            operands.append(Operand(found.name, axes))
        products.append(Product(coefficient, term.couplings, term.width_power, tuple(operands)))
    return products


def _request(average: Average) -> tuple[Request, tuple[int, ...]]:
    """An average as axes in a standard order, and the slot of each axis."""
    factors = sorted(average.factors, key=lambda f: (f.legs, [(name, -order) for name, order in f.lines], f.sample))
    return tuple((f.legs, f.lines) for f in factors), tuple(f.sample for f in factors)


def _average_name(field: str, request: Request, several: bool, others: dict[tuple[str, Request], AverageArray]) -> str:
    """A readable name: s1_s0 for <s'_a s_b>, d2_s0s0 for d^2 of a product at one input.

    Fields and functions may be called so that two averages read the same (a function s1 beside s, a field z_s0): the
    second one gets a letter, which no other name ends with.
    """
    parts = [field] if several else []
    for legs, lines in request:
        parts.append(
            (f"d{legs}_" if legs else "")
            + "".join(f"{'z' if name == IDENTITY else name}{order}" for name, order in lines)
        )
    name = "avg_" + "_".join(parts)
    taken = {array.name for array in others.values()}
    while name in taken:
        name += "x"
    return name
